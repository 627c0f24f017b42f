"""Measures what the shipped predictor recommends, on workloads that it never saw.

    python experiments/benchmarks/held_out.py [--to FOLDER] [--size M] [--trials 20] [--blocks 6]

For each workload: a study of so many trials; what the predictor recommends for the data alone, and
with the log of one execution; then the default, both recommendations and the winner of the study,
each once a block in random order. Prints time ÷ time of the default in the same block: median, and
a 95 % interval of the mean of its logarithm (Student's t over blocks). Nothing else should run
meanwhile. What was measured is kept in FOLDER and not measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import stats

from autotune import tuning
from autotune.domain import Config
from autotune.draft import DataDraft, Draft
from autotune.experiment import Experiment
from autotune.measure import measure
from autotune.predict import Predictor, shipped_files
from autotune.progress import watching
from autotune.recommendation import Recommendation, answer
from autotune.record import Purpose, Status
from autotune.results import bind_study
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit
from autotune.study import load_study
from autotune.tuning import Places

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))

from groups import HELD_OUT

DEFAULT, DATA, LOG, WINNER = "default", "recommended, data", "recommended, log", "winner of study"
Times = dict[str, list[float | None]]


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
        configs, told = contenders(predictor, experiment, folder)
        print(f"\n{name}: {experiment.profile and experiment.profile.rows:,} rows")
        times = blocks_of(experiment, configs, options.blocks, folder / f"{experiment.name}.json")
        print_table(configs, told, times)


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
    predictor: Predictor, experiment: Experiment, folder: Path
) -> tuple[dict[str, Config], dict[str, Recommendation]]:
    """Return the configurations to measure, and what was said of those that are recommended."""
    trials = load_study(str(places_of(folder).storage_url), experiment.name).trials
    bound = bind_study(experiment, trials)
    own = [t for t in trials if t.purpose is Purpose.BASELINE]
    job = next(t.execution.profile for t in reversed(own) if t.execution.profile is not None)
    told = {
        label: answer(
            predictor, experiment.profile, experiment.machine, experiment.space, job=known
        )
        for label, known in ((DATA, None), (LOG, job))
    }
    good = [t for t in trials if t.execution.status is Status.SUCCEEDED and t.execution.duration_s]
    times: dict[str, list[float]] = {}
    for trial in good:
        times.setdefault(trial.config.digest, []).append(trial.execution.duration_s or 0.0)
    best = min(good, key=lambda trial: statistics.median(times[trial.config.digest]))
    found = {label: said.config for label, said in told.items() if not said.keep_default}
    return {DEFAULT: bound.baseline, **found, WINNER: best.config}, told


def blocks_of(
    experiment: Experiment, configs: Mapping[str, Config], blocks: int, kept: Path
) -> Times:
    """Execute every configuration once a block, in random order; go on where it was ended."""
    known = json.loads(kept.read_text()) if kept.exists() else {}
    times: Times = {name: known.get(config.digest, []) for name, config in configs.items()}
    submit = SparkSubmit(find_installation(), Path(tempfile.gettempdir()) / "autotune-held-out")
    for block in range(blocks):
        names = sorted(configs)
        random.Random(block).shuffle(names)
        for name in names:
            if len(times[name]) > block:
                continue
            limits = experiment.budget.limits(None)
            done = measure(experiment.workload, configs[name], limits, execute=submit).execution
            took = done.duration_s if done.status is Status.SUCCEEDED else None
            times[name].append(took)
            print(f"block {block + 1}: {name}: {took}", file=sys.stderr, flush=True)
            kept.write_text(json.dumps({configs[n].digest: t for n, t in times.items()}))
    return times


def print_table(
    configs: Mapping[str, Config], told: Mapping[str, Recommendation], times: Times
) -> None:
    """Print what each took, relative to the default in the same block."""
    titles = ("median s", "÷ default", "95 % interval", "predicted")
    print(f"{'':<20} {titles[0]:>9} {titles[1]:>10} {titles[2]:>16} {titles[3]:>10} failed")
    for name in (DEFAULT, DATA, LOG, WINNER):
        said = told.get(name)
        if name not in configs:
            print(f"{name:<20} keep the default: {said and said.reason}")
            continue
        pairs = [
            (one, base)
            for one, base in zip(times[name], times[DEFAULT], strict=True)
            if one is not None and base is not None
        ]
        seconds = statistics.median(one for one, _ in pairs)
        logs = np.log([one / base for one, base in pairs])
        low, high = np.exp(stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs)))
        shown = "" if name == DEFAULT else f"{low:.2f}–{high:.2f}"
        guess = f"{1 / said.predicted_speedup:.2f}" if said else ""
        failed = sum(one is None for one in times[name])
        ratio = float(np.exp(np.median(logs)))
        print(f"{name:<20} {seconds:>9.1f} {ratio:>10.2f} {shown:>16} {guess:>10} {failed}")


if __name__ == "__main__":
    main()
