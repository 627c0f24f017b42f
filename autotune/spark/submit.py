"""Run a workload once with a config: a supervised ``spark-submit``, followed while it runs."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil

from autotune.domain import Config, Limits, Workload
from autotune.errors import InputError
from autotune.record import Cause, Checkpoint, Execution, Status
from autotune.spark.archive import (
    References,
    Sharing,
    is_mapped,
    is_to_be_made,
    references_of,
    share_classes,
)
from autotune.spark.causes import classify
from autotune.spark.command import (
    Scratch,
    final_properties,
    make_scratch,
    submit_command,
    submit_environment,
)
from autotune.spark.eventlog import EventLogReader, LogSummary, summarise
from autotune.spark.installation import Installation
from autotune.spark.process import SupervisedProcess

POLL_S = 0.25
EXIT_GRACE_S = 20.0
"""For an application that has ended when its limit is reached, to leave its JVM."""
_MAX_HEAP = re.compile(r"-Xmx(\d+[kmgtKMGT]?)")


@dataclass(frozen=True)
class SparkSubmit:
    """Executes workloads with the Spark of one installation; an ``Execute``."""

    installation: Installation
    scratch_root: Path
    """Where each execution gets a folder of its own, which is gone afterwards."""
    share_classes: bool = True
    """Start faster by class-data sharing; then every execution does, or says that it could not."""
    keep_event_log: Path | None = None
    """A folder to which event logs are moved instead of being removed."""
    _sharings: dict[References, Sharing | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Asked for once per kind of JVM: what could not be made is not tried again and again."""

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        """Run *workload* once with *config* within *limits*.

        A job that fails is an answer, not an exception.

        Raises:
            EnvironmentFault: the scratch folder can't be written to.
        """
        scratch = make_scratch(self.scratch_root, workload.properties)
        try:
            sharing = self._sharing(workload, config, scratch)
            watch = _Watch(scratch, sharing, limits, on_checkpoint)
            command = submit_command(self.installation, workload, config, scratch)
            environment = submit_environment(
                self.installation, scratch, sharing.java_options if sharing else ()
            )
            if sharing is not None and sharing.conf_folder is not None:
                environment["SPARK_CONF_DIR"] = str(sharing.conf_folder)
            with SupervisedProcess(
                command, environment=environment, log=scratch.log, folders=scratch.folders
            ) as process:
                watch.follow(process)
            return self._execution(watch, process, scratch)
        finally:
            self._clear(scratch)

    def is_to_prepare(self, workload: Workload) -> bool:
        """Say whether the first execution would be preceded by a minute of preparation."""
        return self.share_classes and is_to_be_made(
            self.installation, references_of(workload.properties)
        )

    def _sharing(self, workload: Workload, config: Config, scratch: Scratch) -> Sharing | None:
        if not self.share_classes:
            return None
        properties = final_properties(workload, config, scratch)
        references = references_of(properties)
        if references not in self._sharings:
            self._sharings[references] = share_classes(self.installation, references)
        return self._sharings[references]

    def _execution(self, watch: _Watch, process: SupervisedProcess, scratch: Scratch) -> Execution:
        summary = _summary(scratch.events)
        status, cause, error = _outcome(watch, process, summary)
        found = summary or LogSummary()
        effective = dict(found.effective)
        if watch.heap is not None:
            # The property says what was asked; the JVM's own command line, what it got.
            effective["spark.driver.memory"] = watch.heap
        return Execution(
            status=status,
            started_at=watch.started_at,
            wall_s=watch.wall_s,
            duration_s=found.duration_s if status is Status.SUCCEEDED else None,
            cause=cause,
            error=error,
            metrics=found.metrics,
            steps=found.steps,
            effective=effective,
            writes_outside=tuple(
                path for path in found.writes if not is_inside(path, scratch.folders)
            ),
            spark_version=found.spark_version,
            application_id=found.application_id,
            shared_archive_mapped=watch.mapped,
        )

    def _clear(self, scratch: Scratch) -> None:
        if self.keep_event_log is not None:
            self.keep_event_log.mkdir(parents=True, exist_ok=True)
            for log in _logs(scratch.events):
                shutil.move(log, self.keep_event_log / log.name)
        scratch.remove()


class _End(Enum):
    """What ended an execution."""

    ITSELF = auto()
    LIMIT = auto()
    STOP = auto()


class _Watch:
    """Follows one execution from its start, and notes what can only be seen while it runs."""

    def __init__(
        self,
        scratch: Scratch,
        sharing: Sharing | None,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> None:
        self._events = scratch.events
        self._reader = EventLogReader.follow(scratch.events)
        self._archive = sharing.archive if sharing else None
        self._limit_s = limits.time_s
        self._on_checkpoint = on_checkpoint
        self._jvm_seen = False
        self.started_at = datetime.now(UTC)
        self._start_s = time.monotonic()
        self.wall_s = 0.0
        self.end = _End.ITSELF
        self.heap: str | None = None
        self.mapped: bool | None = None

    def follow(self, process: SupervisedProcess) -> None:
        """Watch *process* until it ends, or decide that it must."""
        try:
            while not process.wait(POLL_S):
                self._look_at_jvm(process.pid)
                steps = self._reader.poll()
                self.wall_s = time.monotonic() - self._start_s
                if self._past_limit():
                    self.end = _End.LIMIT
                    return
                checkpoint = Checkpoint(elapsed_s=self.wall_s, steps=steps)
                if self._on_checkpoint(checkpoint) and not self._reader.ended:
                    self.end = _End.STOP
                    return
            self.wall_s = time.monotonic() - self._start_s
        finally:
            self._reader.close()

    def _past_limit(self) -> bool:
        if self._limit_s is None:
            return False
        grace_s = EXIT_GRACE_S if self._reader.ended else 0.0
        return self.wall_s > self._limit_s + grace_s

    def _look_at_jvm(self, pid: int | None) -> None:
        """Note heap and archive, once ``spark-submit`` has become the driver's JVM."""
        if self._jvm_seen or pid is None:
            return
        # Java maps an archive first and unmaps one that does not fit, so what counts is how it
        # is when the application is under way.
        under_way = bool(_logs(self._events))
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


def _outcome(
    watch: _Watch, process: SupervisedProcess, summary: LogSummary | None
) -> tuple[Status, Cause | None, str | None]:
    if watch.end is _End.STOP:
        return Status.STOPPED_EARLY, None, None
    if watch.end is _End.LIMIT:
        return Status.TIMED_OUT, None, f"ended after {watch.wall_s:.0f} s, its limit"
    if process.exit_status == 0 and summary is not None and summary.duration_s is not None:
        return Status.SUCCEEDED, None, None
    if process.exit_status == 0:
        message = "the job ended well but no Spark application of it has an event log to its end"
        return Status.FAILED, Cause.APP_ERROR, message
    cause, telling = classify(process.exit_status, process.last_words(), summary)
    return Status.FAILED, cause, telling


def _summary(events: Path) -> LogSummary | None:
    """Summarise the event logs: the longest application's, with what any of them wrote to."""
    found, writes = [], []
    for log in _logs(events):
        try:
            found.append(summarise(log))
        except InputError:
            writes.append(f"unknown path (event log {log.name} can't be read)")
    longest = max(found, key=lambda summary: summary.duration_s or 0.0, default=None)
    if longest is None:
        return None
    writes += [path for summary in found for path in summary.writes]
    return longest.model_copy(update={"writes": tuple(dict.fromkeys(writes))})


def _logs(events: Path) -> list[Path]:
    return [entry for entry in sorted(events.iterdir()) if not entry.name.startswith(".")]


def is_inside(written: str, folders: Sequence[Path]) -> bool:
    """Say whether a place that was written to, a path or a ``file:`` address, is in *folders*."""
    parts = urlsplit(written)
    if parts.scheme not in {"", "file"} or parts.netloc or not parts.path.startswith("/"):
        return False
    path = Path(unquote(parts.path) if parts.scheme else written).resolve()
    return any(path.is_relative_to(folder.resolve()) for folder in folders)
