"""Run a workload once with a config: a supervised ``spark-submit``, followed while it runs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autotune.domain import Config, Limits, Workload
from autotune.pending import Pending
from autotune.record import Checkpoint, Execution
from autotune.spark.archive import (
    References,
    Sharing,
    is_to_be_made,
    references_of,
    share_classes,
)
from autotune.spark.ceilings import Ceilings, asked_memory
from autotune.spark.command import (
    LOCAL_CLUSTER,
    Scratch,
    final_properties,
    make_scratch,
    submit_command,
    submit_environment,
)
from autotune.spark.installation import Installation
from autotune.spark.process import SupervisedProcess
from autotune.spark.reading import Ended, keep, read_execution, reading_command
from autotune.spark.supervise import WORK
from autotune.spark.watch import Watch, event_logs


@dataclass(frozen=True)
class SparkSubmit:
    """Executes workloads with the Spark of one installation; an ``Execute``."""

    installation: Installation
    scratch_root: Path
    """Where each execution gets a folder of its own; gone afterwards, and so is it when empty."""
    share_classes: bool = True
    """Start faster by class-data sharing; then every execution does, or says that it could not."""
    keep_event_log: Path | None = None
    """A folder to which event logs are moved instead of being removed."""
    pending: Pending | None = None
    """Where an execution is kept if this process dies when it has ended."""
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
        sharing = self._sharing(workload, config)
        scratch = make_scratch(self.scratch_root, workload.properties)
        try:
            watch = Watch(workload, scratch, sharing, limits, on_checkpoint)
            command = submit_command(self.installation, workload, config, scratch)
            environment = submit_environment(
                self.installation, scratch, sharing.java_options if sharing else ()
            )
            if sharing is not None and sharing.conf_folder is not None:
                environment["SPARK_CONF_DIR"] = str(sharing.conf_folder)
            asked = asked_memory(final_properties(workload, config, scratch), workload.master)
            with SupervisedProcess(
                command,
                environment=environment,
                log=scratch.log,
                folders=scratch.folders,
                afterwards=reading_command(scratch),
            ) as process:
                ceilings = Ceilings(limits, process.supervisor_pid, scratch.folders, asked)
                watch.follow(process, ceilings)
                process.finish()
                ended = Ended(
                    workload=workload,
                    config=config,
                    scratch=scratch,
                    started_at=watch.started_at,
                    wall_s=watch.wall_s,
                    end=watch.end,
                    breach=watch.breach,
                    exit_status=process.exit_status,
                    last_words=process.last_words(),
                    memory_was_short=ceilings.memory_was_short(),
                    peaks=ceilings.peaks,
                    heap=watch.heap,
                    mapped=watch.mapped,
                    pending=self.pending,
                )
                with contextlib.suppress(OSError):  # a full disk costs the safety only
                    ended.note()
                execution = read_execution(ended)
                keep(ended, execution)
                # Before the supervisor goes, who would do it if we died now.
                self._clear(scratch, workload.master)
                return execution
        finally:
            self._clear(scratch, workload.master)

    def is_to_prepare(self, workload: Workload) -> bool:
        """Say whether the first execution would be preceded by a minute of preparation."""
        return self.share_classes and is_to_be_made(
            self.installation, references_of(workload.properties)
        )

    def _sharing(self, workload: Workload, config: Config) -> Sharing | None:
        if not self.share_classes:
            return None
        # What measuring adds has no say in it.
        anywhere = Scratch(root=self.scratch_root.absolute(), local=())
        references = references_of(final_properties(workload, config, anywhere))
        if references not in self._sharings:
            self._sharings[references] = share_classes(self.installation, references)
        return self._sharings[references]

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
        with contextlib.suppress(OSError):
            self.scratch_root.rmdir()
