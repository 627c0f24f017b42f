"""Collects the corpus: real executions of every group of the plan, through the normal loop.

    python experiments/corpus/collect.py [--to FOLDER] [--minutes 60] [--list] [GROUP ...]

Every group is one study: its baseline, what the expert's rules say, and the same points of the
unit cube as in all groups, with the baseline measured again among them. Studies are continued
where they stopped, so it may be ended at any instant and started again. Nothing else should run
on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import qmc

from autotune import tuning
from autotune.distributions import from_unit
from autotune.draft import DataDraft, Draft
from autotune.errors import AutotuneError
from autotune.experiment import Experiment
from autotune.progress import watching
from autotune.results import bind_study
from autotune.space import BoundSpace
from autotune.spacefile import load_space
from autotune.study import list_studies
from autotune.tuning import Places

sys.path.insert(0, str(Path(__file__).parent))

from groups import POINTS, SEED, Group, groups

FOLDER = Path(__file__).parent / "collected"
REPEATS = 4
"""What is most promising is measured again so often."""


def draft_of(group: Group, folder: Path) -> Draft:
    """Return the experiment of a group as a person would write it."""
    data = folder / "data" / f"{group.workload}-{group.size.value.lower()}"
    tpch = group.workload == "tpch"
    job = {"sql": str(data / "queries")} if tpch else {"builtin": group.workload}
    tried = POINTS + 1  # and the expert's
    return Draft.model_validate(
        {
            "name": group.name,
            "workload": job,
            "data": DataDraft(path=str(data), make=group.workload, size=group.size),
            "master": group.shape.master,
            "machine": {"memory": group.shape.memory} if group.shape.memory else {},
            "seed": SEED,
            "budget": {
                "trials": tried + tried // 6 + REPEATS + group.search,
                "confirm_blocks": 0,
                "race": False,
                "execution_limit": "10m",
            },
        }
    )


def starts_of(bound: BoundSpace) -> tuple[dict[str, str], ...]:
    """Return the points of the unit cube as configurations of one group's space.

    A parameter has the same coordinate in every group, also where others have no effect.
    """
    names = sorted(parameter.name for parameter in load_space("default").parameters)
    points = qmc.Sobol(len(names), scramble=True, rng=SEED).random(POINTS)
    found = []
    for point in points:
        at = dict(zip(names, point, strict=True))
        choices = {d.name: from_unit(d, float(at[d.name])) for d in bound.dimensions}
        config = bound.decode(choices)
        wishes = {name: text for name, text in config.properties.items() if text is not None}
        if bound.adjusted(wishes).digest != config.digest:
            message = f"a point changes on its way: {config.properties}"
            raise AssertionError(message)
        found.append(wishes)
    return tuple(found)


def experiment_of(group: Group, folder: Path) -> Experiment:
    """Return the whole experiment of a group; its data is made where it is missing."""
    experiment = tuning.prepare(draft_of(group, folder))
    starts = list(starts_of(bind_study(experiment, ())))
    # Else the third of all would be the third everywhere, and what comes early be learned as good.
    random.Random(group.name).shuffle(starts)
    return experiment.model_copy(update={"starts": tuple(starts)})


def places_of(folder: Path) -> Places:
    """Return where everything is kept."""
    return Places(
        storage_url=f"sqlite:///{folder / 'optuna.db'}",
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        folder=folder / "studies",
    )


def chosen(names: Sequence[str]) -> list[Group]:
    """Return the groups of these names, all of them where none is named."""
    found = [group for group in groups() if not names or group.name in names]
    if names and len(found) < len(names):
        sys.exit(f"no such group; choose from: {', '.join(g.name for g in groups())}")
    return found


def main() -> None:
    """Read the arguments and collect group after group, as long as there is time."""
    parser = argparse.ArgumentParser(description="Collect the corpus.")
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--to", type=Path, default=FOLDER)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    folder: Path = options.to.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if options.list:
        known = {info.name: info.trials for info in list_studies(places_of(folder).storage_url)}
        for group in chosen(options.groups):
            print(f"{group.name:<42} {known.get(group.name, 0):>4} executions")
        return
    ends = time.monotonic() + options.minutes * 60
    for group in chosen(options.groups):
        if time.monotonic() > ends:
            break
        print(f"== {group.name}", flush=True)
        began = time.monotonic()
        try:
            with watching(shlex.join([sys.executable, *sys.argv])) as show:
                experiment = experiment_of(group, folder)
                results = tuning.tune(experiment, places=places_of(folder), on_event=show)
        except AutotuneError as error:
            print(f"   left out: {error}", flush=True)
            continue
        count = len(results.report.rows)
        print(f"   {count} executions in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
