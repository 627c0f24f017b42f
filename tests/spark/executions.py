"""One program as a workload, and what is left after it was executed."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from autotune.domain import Limits, Workload
from autotune.spark.process import MARKER

PROGRAMS = Path(__file__).parent / "programs"
NO_LIMIT = Limits(time_s=180)


def job(program: str, *arguments: str, **fields) -> Workload:
    given = {"name": program, "application": str(PROGRAMS / f"{program}.py"), "master": "local[2]"}
    properties = {
        "spark.driver.memory": "600m",
        # A JVM that starts fast: these jobs are short.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.shuffle.partitions": "2",
    }
    return Workload(**{**given, "properties": properties, "arguments": arguments, **fields})


def never(checkpoint):
    return False


def leftovers() -> list[str]:
    """Processes below this one or marked as an execution's, that still live."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            marked = MARKER in process.environ()
            ours = process.environ().get("PYTEST_CURRENT_TEST")
        except psutil.Error:
            continue
        if marked and ours == os.environ["PYTEST_CURRENT_TEST"]:
            found.append(" ".join(process.cmdline()))
    return found


def gone(scratch_root: Path) -> bool:
    return not scratch_root.exists() or list(scratch_root.iterdir()) == []
