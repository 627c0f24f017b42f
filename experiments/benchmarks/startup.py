"""What starting Spark costs, with and without class-data sharing.

    python experiments/benchmarks/startup.py [--rounds 5] [--spark-home FOLDER]

The job is a session, one aggregation and its end. Both kinds alternate, so that a machine that
becomes slower does so for both; medians are printed, of the whole process and of the part that an
archive can help: from the start of the process to the end of the first query.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from autotune.domain import Config, Limits, Workload
from autotune.errors import EnvironmentFault
from autotune.record import Execution, Status
from autotune.spark.archive import References, share_classes
from autotune.spark.installation import Installation, find_installation
from autotune.spark.submit import SparkSubmit

JOB = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(1000).selectExpr("id % 7 as key").groupBy("key").count().collect()
spark.stop()
"""


@dataclass(frozen=True)
class StartupCost:
    """Medians of one benchmark, in seconds."""

    rounds: int
    plain_wall_s: float
    shared_wall_s: float
    plain_first_query_s: float
    shared_first_query_s: float
    mapped: int

    @property
    def wall_saving(self) -> float:
        """Share of the process's time that is saved."""
        return 1 - self.shared_wall_s / self.plain_wall_s

    @property
    def first_query_saving(self) -> float:
        """Share of the time to the end of the first query that is saved."""
        return 1 - self.shared_first_query_s / self.plain_first_query_s


def startup_cost(installation: Installation, *, rounds: int = 5) -> StartupCost:
    """Measure *rounds* interleaved pairs of executions of a trivial job.

    Raises:
        EnvironmentFault: no archive can be made here, or the job does not run.
    """
    if share_classes(installation, References.COMPRESSED) is None:
        raise EnvironmentFault("class-data sharing: no archive can be made with this Java")
    with tempfile.TemporaryDirectory(prefix="autotune-startup-") as folder:
        file = Path(folder, "job.py")
        file.write_text(JOB, encoding="utf-8")
        job = Workload(name="startup", application=str(file), master="local[2]")
        kinds = {
            shared: SparkSubmit(installation, Path(folder, "scratch"), share_classes=shared)
            for shared in (False, True)
        }
        found: dict[bool, list[Execution]] = {False: [], True: []}
        for number in range(rounds):
            # The order alternates too, since the second of a pair finds warmer caches.
            for shared in (False, True) if number % 2 == 0 else (True, False):
                found[shared].append(_succeeded(kinds[shared], job))
    return StartupCost(
        rounds=rounds,
        plain_wall_s=statistics.median(each.wall_s for each in found[False]),
        shared_wall_s=statistics.median(each.wall_s for each in found[True]),
        plain_first_query_s=statistics.median(map(first_query_s, found[False])),
        shared_first_query_s=statistics.median(map(first_query_s, found[True])),
        mapped=sum(each.shared_archive_mapped is True for each in found[True]),
    )


def first_query_s(execution: Execution) -> float:
    """Return the seconds from the start of the process to the end of its first query.

    The process ends soon after its application: what is left of the wall time is the way there.
    """
    step = execution.steps[0]
    assert execution.duration_s is not None
    return execution.wall_s - execution.duration_s + step.start_s + step.duration_s


def _succeeded(submit: SparkSubmit, job: Workload) -> Execution:
    execution = submit(job, Config(), Limits(time_s=300), lambda seen: False)
    if execution.status is not Status.SUCCEEDED:
        message = f"startup job: {execution.error}"
        raise EnvironmentFault(message)
    return execution


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--spark-home")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    installation = find_installation(options.spark_home)
    cost = startup_cost(installation, rounds=options.rounds)
    if options.json:
        savings = {"wall_saving": cost.wall_saving, "first_query_saving": cost.first_query_saving}
        print(json.dumps({**asdict(cost), **savings}))
        return
    print(f"Spark {installation.spark_version}, Java {installation.java_version},", end=" ")
    print(f"{cost.rounds} interleaved pairs, archive mapped in {cost.mapped}")
    print(f"{'median seconds':<34}{'plain':>8}{'shared':>8}{'saved':>8}")
    for name, plain, shared, saving in (
        ("whole process", cost.plain_wall_s, cost.shared_wall_s, cost.wall_saving),
        (
            "to the end of the first query",
            *(cost.plain_first_query_s, cost.shared_first_query_s, cost.first_query_saving),
        ),
    ):
        print(f"{name:<34}{plain:>8.2f}{shared:>8.2f}{saving:>8.0%}")


if __name__ == "__main__":
    main()
