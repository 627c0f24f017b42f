"""Run a workload once with a config: a supervised ``spark-submit``, followed while it runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from autotune.domain import Config, Limits, Workload
from autotune.errors import InputError
from autotune.record import Cause, Checkpoint, Execution, Status
from autotune.spark.answer import with_answer
from autotune.spark.archive import (
    References,
    Sharing,
    is_to_be_made,
    references_of,
    share_classes,
)
from autotune.spark.causes import KILLED, classify, tells_of_error
from autotune.spark.ceilings import Ceilings, asked_memory
from autotune.spark.command import (
    LOCAL_CLUSTER,
    Scratch,
    final_properties,
    make_scratch,
    submit_command,
    submit_environment,
)
from autotune.spark.eventlog import LogSummary, summarise
from autotune.spark.installation import Installation
from autotune.spark.process import SupervisedProcess
from autotune.spark.supervise import WORK
from autotune.spark.watch import End, Watch, event_logs


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
            watch = Watch(workload, scratch, sharing, limits, on_checkpoint)
            command = submit_command(self.installation, workload, config, scratch)
            environment = submit_environment(
                self.installation, scratch, sharing.java_options if sharing else ()
            )
            if sharing is not None and sharing.conf_folder is not None:
                environment["SPARK_CONF_DIR"] = str(sharing.conf_folder)
            asked = asked_memory(final_properties(workload, config, scratch), workload.master)
            with SupervisedProcess(
                command, environment=environment, log=scratch.log, folders=scratch.folders
            ) as process:
                ceilings = Ceilings(limits, process.supervisor_pid, scratch.folders, asked)
                watch.follow(process, ceilings)
            local = workload.master.startswith("local")
            execution = self._execution(watch, process, ceilings, scratch, local=local)
            return with_answer(execution, workload, config, scratch)
        finally:
            self._clear(scratch, workload.master)

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

    def _execution(
        self,
        watch: Watch,
        process: SupervisedProcess,
        ceilings: Ceilings,
        scratch: Scratch,
        *,
        local: bool,
    ) -> Execution:
        summary = _summary(scratch.events)
        short = ceilings.memory_was_short()
        if not local and process.exit_status not in KILLED:
            short = short or None  # of executors on other machines nothing was seen
        status, cause, error = _outcome(watch, process, summary, short)
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
            metrics=found.metrics.model_copy(update=ceilings.peaks),
            steps=found.steps,
            effective=effective,
            writes_outside=tuple(
                path for path in found.writes if not is_inside(path, scratch.folders)
            ),
            spark_version=found.spark_version,
            application_id=found.application_id,
            shared_archive_mapped=watch.mapped,
        )

    def _clear(self, scratch: Scratch, master: str) -> None:
        if master.startswith(LOCAL_CLUSTER):
            # Its executors work in the folder of Spark itself, whatever they are told.
            for log in event_logs(scratch.events):
                folder = f"{self.installation.home}/work/{log.name.partition('.')[0]}"
                if WORK.search(folder):
                    shutil.rmtree(folder, ignore_errors=True)
        if self.keep_event_log is not None:
            self.keep_event_log.mkdir(parents=True, exist_ok=True)
            for log in event_logs(scratch.events):
                shutil.move(log, self.keep_event_log / log.name)
        scratch.remove()


def _outcome(
    watch: Watch,
    process: SupervisedProcess,
    summary: LogSummary | None,
    memory_was_short: bool | None,
) -> tuple[Status, Cause | None, str | None]:
    if watch.end is End.STOP:
        return Status.STOPPED_EARLY, None, None
    if watch.end is End.TIME:
        return Status.TIMED_OUT, None, f"ended after {watch.wall_s:.0f} s, its limit"
    if watch.breach is not None:
        return Status.FAILED, watch.breach.cause, watch.breach.text
    words, ended = process.last_words(), summary is not None and summary.duration_s is not None
    # One that hung on its way out can't tell its status any more; its last words can.
    well = not tells_of_error(words) if watch.end is End.HANGING else process.exit_status == 0
    if well and ended:
        return Status.SUCCEEDED, None, None
    if well:
        message = "the job ended well but no Spark application of it has an event log to its end"
        return Status.FAILED, Cause.APP_ERROR, message
    exit_status = 1 if watch.end is End.HANGING else process.exit_status
    cause, telling = classify(exit_status, words, summary, memory_was_short)
    return Status.FAILED, cause, telling


def _summary(events: Path) -> LogSummary | None:
    """Summarise the event logs: the longest application's, with what any of them wrote to."""
    found, writes = [], []
    for log in event_logs(events):
        try:
            found.append(summarise(log))
        except InputError:
            writes.append(f"unknown path (event log {log.name} can't be read)")
    longest = max(found, key=lambda summary: summary.duration_s or 0.0, default=None)
    if longest is None:
        return None
    writes += [path for summary in found for path in summary.writes]
    return longest.model_copy(update={"writes": tuple(dict.fromkeys(writes))})


def is_inside(written: str, folders: Sequence[Path]) -> bool:
    """Say whether a place that was written to, a path or a ``file:`` address, is in *folders*."""
    parts = urlsplit(written)
    if parts.scheme not in {"", "file"} or parts.netloc or not parts.path.startswith("/"):
        return False
    path = Path(unquote(parts.path) if parts.scheme else written).resolve()
    return any(path.is_relative_to(folder.resolve()) for folder in folders)
