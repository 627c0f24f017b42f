"""Follows one execution while it runs: its steps, its limits, and how it comes to its end."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

import psutil

from autotune.domain import Limits, Workload
from autotune.record import Checkpoint
from autotune.spark.archive import Sharing, is_mapped
from autotune.spark.ceilings import Breach, Ceilings
from autotune.spark.command import Scratch
from autotune.spark.eventlog import EventLogReader
from autotune.spark.process import SupervisedProcess

POLL_S = 0.25
EXIT_GRACE_S = 20.0
"""For an application that has ended, to leave its JVM."""
_MAX_HEAP = re.compile(r"-Xmx(\d+[kmgtKMGT]?)")


class End(Enum):
    """What ended an execution."""

    ITSELF = auto()
    TIME = auto()
    CEILING = auto()
    STOP = auto()
    HANGING = auto()
    """Its application had ended, its JVM did not."""


class Watch:
    """Follows one execution from its start, and notes what can only be seen while it runs."""

    def __init__(
        self,
        workload: Workload,
        scratch: Scratch,
        sharing: Sharing | None,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> None:
        self._program = Path(workload.application).name
        self._events = scratch.events
        self._reader = EventLogReader.follow(scratch.events)
        self._archive = sharing.archive if sharing else None
        self._limit_s = limits.time_s
        self._on_checkpoint = on_checkpoint
        self._jvm_seen = False
        self._ended_at_s: float | None = None
        self.started_at = datetime.now(UTC)
        self._start_s = time.monotonic()
        self.wall_s = 0.0
        self.end = End.ITSELF
        self.breach: Breach | None = None
        self.heap: str | None = None
        self.mapped: bool | None = None

    def follow(self, process: SupervisedProcess, ceilings: Ceilings) -> None:
        """Watch *process* until it ends, or decide that it must."""
        try:
            while not process.wait(POLL_S):
                self._look_at_jvm(process.pid)
                self.wall_s = time.monotonic() - self._start_s
                self.breach = ceilings.check()
                if self.breach is not None:
                    process.kill()
                    self.end = End.CEILING
                    return
                if (end := self._must_end(process)) is not None:
                    self.end = end
                    return
            self.wall_s = time.monotonic() - self._start_s
        finally:
            self._reader.close()

    def _must_end(self, process: SupervisedProcess) -> End | None:
        steps = self._reader.poll()
        if self._reader.ended and self._ended_at_s is None:
            self._ended_at_s = self.wall_s
        if self._hangs(process.pid):
            return End.HANGING
        grace_s = EXIT_GRACE_S if self._reader.ended else 0.0
        if self._limit_s is not None and self.wall_s > self._limit_s + grace_s:
            return End.TIME
        checkpoint = Checkpoint(elapsed_s=self.wall_s, steps=steps)
        if self._on_checkpoint(checkpoint) and not self._reader.ended:
            return End.STOP
        return None

    def _hangs(self, pid: int | None) -> bool:
        """Say whether nothing but a JVM on its way out is left.

        The job's own Python program may work on after its last application, and a JAR may start
        another one: that is theirs to do, until the time limit.
        """
        if self._ended_at_s is None or self.wall_s <= self._ended_at_s + EXIT_GRACE_S:
            return False
        return not any(self._events.glob("*.inprogress")) and not self._program_runs(pid)

    def _program_runs(self, pid: int | None) -> bool:
        """Say whether the driver's Python program is still there: a child of the JVM."""
        words: list[str] = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(pid).children() if pid is not None else ():
                with contextlib.suppress(psutil.Error):
                    words += child.cmdline()
        return any(Path(word).name == self._program for word in words)

    def _look_at_jvm(self, pid: int | None) -> None:
        """Note heap and archive, once ``spark-submit`` has become the driver's JVM."""
        if self._jvm_seen or pid is None:
            return
        # Java maps an archive first and unmaps one that does not fit, so what counts is how it
        # is when the application is under way.
        under_way = bool(event_logs(self._events))
        try:
            words = psutil.Process(pid).cmdline()
        except psutil.Error:
            return
        if "org.apache.spark.deploy.SparkSubmit" not in words or "-cp" not in words:
            return
        heaps = [match[1] for word in words if (match := _MAX_HEAP.fullmatch(word))]
        self.heap = heaps[-1].lower() if heaps else None
        if self._archive is not None:
            self.mapped = is_mapped(pid, self._archive)
        self._jvm_seen = under_way


def event_logs(events: Path) -> list[Path]:
    """Return the event logs in a folder; none if the job has removed it."""
    try:
        return [entry for entry in sorted(events.iterdir()) if not entry.name.startswith(".")]
    except OSError:
        return []
