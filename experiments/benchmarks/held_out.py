"""Measures what the shipped predictor recommends, on workloads that it never saw.

    python experiments/benchmarks/held_out.py [--to FOLDER] [--size M] [--trials 20] [--blocks 6]

For each workload: a study of so many trials; what the predictor recommends for the data alone, and
with the log of one execution; then the default, both recommendations and the winner of the study,
each once a block in random order, after one execution that does not count. Prints time ÷ time of
the default in the same block: median, geometric mean and its 95 % interval (Student's t over
blocks); and the same of each recommendation ÷ the winner. Nothing else should run meanwhile. What
was measured is kept in FOLDER; only whole blocks of the same configurations are used again. Who
answers otherwise than the default has failed; a block in which something was ended from outside is
measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from autotune import tuning
from autotune.domain import Config, digest_of
from autotune.draft import DataDraft, Draft
from autotune.experiment import Experiment
from autotune.measure import measure
from autotune.predict import Predictor, shipped_files
from autotune.progress import watching
from autotune.recommendation import Recommendation, answer
from autotune.record import Cause, Execution, Purpose, Trial
from autotune.results import bind_study
from autotune.sameness import Answer, checked, expected_answer
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit
from autotune.standing import winner
from autotune.study import load_study
from autotune.tuning import Places

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))

from groups import HELD_OUT

DEFAULT, DATA, LOG, WINNER = "default", "recommended, data", "recommended, log", "winner of study"
Block = dict[str, float | None]


def main() -> None:
    """Read the arguments, measure, and print a table for each workload."""
    parser = argparse.ArgumentParser(description="Measure recommendations for unseen workloads.")
    parser.add_argument("names", nargs="*", default=list(HELD_OUT), metavar="NAME")
    parser.add_argument("--to", type=Path, default=Path("held_out"))
    parser.add_argument("--size", default="M")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=6)
    options = parser.parse_args()
    folder: Path = options.to.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    predictor = Predictor.from_files(shipped_files())
    for name in options.names:
        experiment = tuning.prepare(draft_of(name, options.size, options.trials, folder))
        with watching(" ".join(sys.argv)) as show:
            tuning.tune(experiment, places=places_of(folder), on_event=show)
        trials = load_study(str(places_of(folder).storage_url), experiment.name).trials
        configs, told = contenders(predictor, experiment, trials)
        print(f"\n{name}: {experiment.profile.rows if experiment.profile else 0:,} rows")
        if len({config.digest for config in configs.values()}) == 1:
            print("the default is recommended, and no configuration won the study")
            continue
        right = expected_answer(trials, configs[DEFAULT], experiment.output_tolerance)
        blocks = blocks_of(experiment, configs, right, options.blocks, folder)
        print_table(configs, told, blocks)


def draft_of(name: str, size: str, trials: int, folder: Path) -> Draft:
    """Return the experiment as a person would write it."""
    data = DataDraft(path=str(folder / f"{name}-{size}"), make=name, size=size)
    return Draft.model_validate(
        {
            "name": f"held-out-{name}-{size}",
            "workload": {"builtin": name},
            "data": data,
            "master": "local[2]",
            "machine": {"memory": "6g"},
            "seed": 1,
            "budget": {"trials": trials, "confirm_blocks": 0},
        }
    )


def places_of(folder: Path) -> Places:
    """Return where the studies are kept."""
    uri = f"sqlite:///{folder / 'optuna.db'}"
    return Places(storage_url=uri, tracking_uri=None, folder=folder / "studies")


def contenders(
    predictor: Predictor, experiment: Experiment, trials: Sequence[Trial]
) -> tuple[dict[str, Config], dict[str, Recommendation]]:
    """Return the configurations to measure, and what was said of those that are recommended."""
    bound = bind_study(experiment, trials)
    own = [t for t in trials if t.purpose is Purpose.BASELINE]
    job = next(t.execution.profile for t in reversed(own) if t.execution.profile is not None)
    told = {
        label: answer(
            predictor,
            experiment.profile,
            experiment.machine,
            experiment.space,
            today=experiment.workload.properties,
            job=known,
        )
        for label, known in ((DATA, None), (LOG, job))
    }
    found = {label: said.config for label, said in told.items() if not said.keep_default}
    best = winner(experiment, trials, bound.baseline) or bound.baseline
    return {DEFAULT: bound.baseline, **found, WINNER: best}, told


def blocks_of(
    experiment: Experiment,
    configs: Mapping[str, Config],
    right: Answer | None,
    blocks: int,
    folder: Path,
) -> list[Block]:
    """Execute every configuration once a block, in random order; go on where it was ended.

    Two contenders with the same configuration are one: what is measured is configurations.
    """
    distinct = {config.digest: config for config in configs.values()}
    kept = folder / f"{experiment.name}-{digest_of(sorted(distinct))}.json"
    done: list[Block] = json.loads(kept.read_text()) if kept.exists() else []
    submit = SparkSubmit(find_installation(), Path(tempfile.gettempdir()) / "autotune-held-out")

    def ended(digest: str) -> Execution:
        limits = experiment.budget.limits(None)
        found = measure(experiment.workload, distinct[digest], limits, execute=submit).execution
        tolerance = experiment.output_tolerance
        return checked(found, right, own=False, tolerance=tolerance)[0]

    if len(done) < blocks:
        ended(configs[DEFAULT].digest)  # the page cache is cold
    while len(done) < blocks:
        order = sorted(distinct)
        random.Random(f"{experiment.name}/{len(done)}").shuffle(order)
        block = {digest: ended(digest) for digest in order}
        if any(execution.cause is Cause.LOST for execution in block.values()):
            continue
        done.append({digest: execution.duration_s for digest, execution in block.items()})
        print(f"block {len(done)} of {blocks}: {done[-1]}", file=sys.stderr, flush=True)
        kept.write_text(json.dumps(done))
    return done[:blocks]


def print_table(
    configs: Mapping[str, Config], told: Mapping[str, Recommendation], blocks: Sequence[Block]
) -> None:
    """Print what each took, relative to the default and to the winner in the same block."""
    print(f"{'':<20} {'median s':>9} {'÷ default':>22} {'÷ winner':>22} {'predicted':>10} failed")
    for name in (DEFAULT, DATA, LOG, WINNER):
        said = told.get(name)
        if name not in configs:
            print(f"{name:<20} keep the default: {said and said.reason}")
            continue
        took = [block[configs[name].digest] for block in blocks]
        worked = [seconds for seconds in took if seconds is not None]
        if not worked:
            print(f"{name:<20} failed in all {len(took)} blocks")
            continue
        columns = [ratio(blocks, configs[name], configs[other]) for other in (DEFAULT, WINNER)]
        guess = f"{1 / said.predicted_speedup:.2f}" if said else ""
        print(
            f"{name:<20} {statistics.median(worked):>9.1f} {columns[0]:>22} {columns[1]:>22} "
            f"{guess:>10} {len(took) - len(worked)}"
        )


def ratio(blocks: Sequence[Block], one: Config, other: Config) -> str:
    """Return median, geometric mean and its interval of time ÷ time, block by block."""
    pairs = [(block[one.digest], block[other.digest]) for block in blocks]
    logs = np.log([a / b for a, b in pairs if a is not None and b is not None])
    if one.digest == other.digest or len(logs) < 2:
        return "1" if one.digest == other.digest else "too few"
    low, high = np.exp(stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs)))
    return f"{np.exp(np.median(logs)):.2f}, {np.exp(logs.mean()):.2f} ({low:.2f}–{high:.2f})"


if __name__ == "__main__":
    main()
