"""How long the workloads take as they come: their experiments, as nobody has tuned them.

    python experiments/benchmarks/workload_times.py [--rounds 3] [--to FOLDER] [NAME ...]

Executes the baseline of every shipped experiment so many times, after one that does not count,
and prints a line each: rows, seconds (median, fastest, slowest) and the space. Data that is
missing is made under FOLDER. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from autotune import tuning
from autotune.draft import DataDraft
from autotune.errors import AutotuneError
from autotune.measure import measure
from autotune.plan import read_experiment
from autotune.record import Status
from autotune.results import bind_study
from autotune.shipped import shipped_folder
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit


def main() -> None:
    """Read the arguments and print the table."""
    names = sorted(path.stem for path in shipped_folder("experiments").glob("*.yaml"))
    parser = argparse.ArgumentParser(description="Time the workloads as they come.")
    parser.add_argument("names", nargs="*", default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, default=Path("workload_times"))
    options = parser.parse_args()
    print(f"{'experiment':<16} {'rows':>10} {'median s':>9} {'fastest':>8} {'slowest':>8}")
    for name in options.names:
        try:
            print(line_of(name, options.rounds, options.to.absolute()), flush=True)
        except AutotuneError as error:
            print(f"{name:<16} {error}", flush=True)


def line_of(name: str, rounds: int, folder: Path) -> str:
    """Return what one experiment's baseline took."""
    draft = read_experiment(name)
    if isinstance(draft.data, DataDraft):
        place = folder / Path(draft.data.path).name
        data = draft.data.model_copy(update={"path": str(place)})
        draft = draft.model_copy(update={"data": data})
    experiment = tuning.prepare(draft)
    submit = SparkSubmit(find_installation(), Path(tempfile.gettempdir()) / "autotune-times")
    baseline = bind_study(experiment, ()).baseline
    limits = experiment.budget.limits(None)
    took = []
    for number in range(rounds + 1):
        ended = measure(experiment.workload, baseline, limits, execute=submit).execution
        if ended.status is not Status.SUCCEEDED or ended.duration_s is None:
            return f"{name:<16} {ended.status.value}: {ended.error}"
        if number:
            took.append(ended.duration_s)
    rows = experiment.profile.rows if experiment.profile else 0
    return (
        f"{name:<16} {rows:>10,} {statistics.median(took):>9.1f} {min(took):>8.1f} "
        f"{max(took):>8.1f}"
    )


if __name__ == "__main__":
    main()
