"""What autotune itself costs, beside the Spark it drives. Prints one table.

    python experiments/benchmarks/overhead.py [--trials 500] [--rounds 5] [--no-spark]

- ``--help``: wall time of a fresh process, median.
- own time per trial: from the end of one execution to the start of the next, on a simulated Spark
  that takes no time: ask, tell, publish, bookkeeping; SQLite stores in a fresh folder.
- memory of the tuner: highest resident set of the process that did all of it.
- event log: a log of 1 GB summarised in one pass (``eventlog_memory.py``).
- start-up: with and without the class-data-sharing archive, interleaved (``startup.py``).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from autotune.domain import Config, Limits, Workload  # noqa: E402
from autotune.experiment import Budget  # noqa: E402
from autotune.record import Checkpoint, Execute, Execution  # noqa: E402
from autotune.tuning import Places, tune  # noqa: E402
from surfaces import Surface, bound_space, experiment  # noqa: E402

SHARE = 10


class Clocked:
    """Passes executions on, and notes when each began and ended."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.began: list[float] = []
        self.ended: list[float] = []

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        """Execute, and note when."""
        self.began.append(time.perf_counter())
        execution = self.execute(workload, config, limits, on_checkpoint)
        self.ended.append(time.perf_counter())
        return execution

    @property
    def between_s(self) -> list[float]:
        """Seconds between one execution and the next."""
        return [b - e for b, e in zip(self.began[1:], self.ended, strict=False)]


def help_s(rounds: int) -> list[float]:
    """Time fresh processes of ``autotune --help``."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "autotune", "--help"], check=True, capture_output=True
        )
        times.append(time.perf_counter() - began)
    return times


def own_time_s(trials: int) -> list[float]:
    """Make one study and return the time between its executions."""
    clocked = Clocked(Surface(bound_space()))
    with tempfile.TemporaryDirectory() as folder:
        places = Places(
            storage_url=f"sqlite:///{folder}/optuna.db",
            tracking_uri=f"sqlite:///{folder}/mlflow.db",
            folder=Path(folder, "studies"),
        )
        budget = Budget(trials=trials, baseline_repeats=2, confirm_blocks=2)
        tune(experiment(budget=budget), execute=clocked, places=places)
    return clocked.between_s


def row(name: str, values: list[float], goal: str, unit: str = "s") -> str:
    """Return one line of the table: median, spread, goal."""
    low, high = min(values), max(values)
    middle = statistics.median(values)
    return f"{name:<44} {middle:>8.3f} {unit:<4} {low:>8.3f} … {high:<8.3f} {goal}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-spark", action="store_true")
    asked = parser.parse_args()
    print(f"{'what':<44} {'median':>8} {'':<4} {'lowest … highest':<21} goal")
    print(row("autotune --help", help_s(asked.rounds), "< 0.5"))
    times = own_time_s(asked.trials)
    print(row(f"own time per trial, trials 1 to {SHARE * 5}", times[: SHARE * 5], "<= 0.5"))
    print(
        row(f"own time per trial, last {SHARE * 5} of {len(times)}", times[-SHARE * 5 :], "<= 0.5")
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(row("memory of the tuner", [peak_mb], "<= 400", "MB"))
    sys.stdout.flush()
    here = Path(__file__).parent
    subprocess.run([sys.executable, str(here / "eventlog_memory.py")], check=True)
    if not asked.no_spark:
        rounds = ["--rounds", str(asked.rounds)]
        subprocess.run([sys.executable, str(here / "startup.py"), *rounds], check=True)


if __name__ == "__main__":
    main()
