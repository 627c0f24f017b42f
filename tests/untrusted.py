"""What reads files from outside, as far as it goes without starting anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autotune.domain import Machine
from autotune.draft import with_flags
from autotune.plan import complete, read_experiment
from autotune.spacefile import check_space, load_space, show_space
from autotune.spark.eventlog import EventLogReader, summarise
from autotune.spark.installation import Installation
from autotune.spark.properties import property_facts

MACHINE = Machine(
    master="local[4]", slots=4, cores_per_executor=4, memory_bytes=16 << 30, spark_version="4.1.0"
)
INSTALLATION = Installation(
    home="/nowhere/spark",
    spark_version="4.1.0",
    java="java",
    java_version="17.0.1",
    python="python",
)
SMALL = """
name: small
parameters:
  spark.sql.shuffle.partitions: {type: int, low: 2, high: 64, applies: session, why: Tasks.}
"""


def prepare_folder(folder: Path) -> None:
    """Make what the valid documents name."""
    (folder / "small.yaml").write_text(SMALL)
    (folder / "job.py").write_text("print()\n")
    (folder / "table.csv").write_text("a,b\n1,2\n")
    for name in ("queries", "data", "sql"):
        (folder / name).mkdir()
        (folder / name / "q1.sql").write_text("select 1\n")
    (folder / "data" / "taxi-100k").mkdir()
    (folder / "data" / "taxi-100k" / "t.csv").write_text("a,b\n1,2\n")


def read_space(path: Path) -> None:
    """Read a space, check it, and bind it to a machine, as ``space show`` and ``tune`` do."""
    named = path.with_suffix(".yaml")
    path.rename(named)
    space = load_space(str(named.absolute()))
    facts = property_facts("4.1.0")
    check_space(space, facts)
    for row in show_space(space, machine=MACHINE, facts=facts):
        row.model_dump_json()


def read_an_experiment(path: Path) -> None:
    """Read an experiment and make it complete, as ``tune`` does before it starts anything."""
    draft = with_flags(read_experiment(str(path)), {})
    complete(draft, installation=INSTALLATION).model_dump_json()


def read_whole_log(path: Path) -> None:
    """Summarise an event log, and write the summary down."""
    summarise(path).model_dump_json()


def follow_log(path: Path) -> None:
    """Follow an event log in small pieces."""
    size = max(1, path.stat().st_size // 7)
    reader = EventLogReader.follow(path)
    try:
        for _ in range(9):
            for step in reader.poll(size):
                step.model_dump_json()
    finally:
        reader.close()


Reader = Callable[[Path], None]
YAML_READERS: dict[str, Reader] = {"spaces": read_space, "experiments": read_an_experiment}
EVENT_READERS: dict[str, Reader] = {
    "event logs": read_whole_log,
    "event logs, followed": follow_log,
}
