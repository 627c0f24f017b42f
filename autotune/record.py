"""The frozen record of what happened: executions, trials, and what is derived from them.

A trial that fails is data, not an exception. Records are written once and never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from autotune.digests import TableDigest
from autotune.domain import (
    SCHEMA_VERSION,
    Config,
    DatasetProfile,
    Limits,
    Machine,
    Objective,
    Value,
    Workload,
    WorkloadProfile,
)


class Status(StrEnum):
    """How an execution ended; only ``succeeded`` has a duration that may be compared."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED_EARLY = "stopped_early"


class Cause(StrEnum):
    """Why an execution failed."""

    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    BAD_CONFIG = "bad_config"
    TIMED_OUT = "timed_out"
    """Only shown: what is recorded of such an execution is its status."""
    APP_ERROR = "app_error"
    OUTPUT_MISMATCH = "output_mismatch"
    LOST = "lost"


class Purpose(StrEnum):
    """What a trial was for."""

    BASELINE = "baseline"
    SEARCH = "search"
    REPEAT = "repeat"
    CONFIRM = "confirm"


class Origin(StrEnum):
    """Where a configuration came from."""

    BASELINE = "baseline"
    EXPERT = "expert"
    RESCUE = "rescue"
    """A failed configuration with more memory."""
    GIVEN = "given"
    """Named in the experiment, to be tried whatever the search thinks."""
    SAMPLER = "sampler"
    PREDICTOR = "predictor"


class StepKind(StrEnum):
    """What a step of an application is."""

    SQL = "sql"
    JOB = "job"


class Step(Value):
    """One part of an application that ended: a SQL execution, or a job outside of one."""

    name: str
    kind: StepKind
    start_s: float
    """Seconds since the application started."""
    duration_s: float
    succeeded: bool = True


class Metrics(Value):
    """Sums over all tasks of one execution, in the units that the names carry."""

    jobs: int = 0
    stages: int = 0
    tasks: int = 0
    failed_tasks: int = 0
    executor_run_time_s: float = 0.0
    executor_cpu_time_s: float = 0.0
    jvm_gc_time_s: float = 0.0
    shuffle_read_bytes: int = 0
    shuffle_write_bytes: int = 0
    memory_spilled_bytes: int = 0
    disk_spilled_bytes: int = 0
    peak_execution_memory_bytes: int = 0
    peak_heap_bytes: int = 0
    input_bytes: int = 0
    input_rows: int = 0
    output_bytes: int = 0
    output_rows: int = 0
    task_skew: float = 1.0
    """Longest to median task, in the stage where most task time is spent."""
    core_seconds: float = 0.0
    gb_seconds: float = 0.0
    microbatches: int | None = None
    """Of all streaming queries, as what follows; ``None``: nothing was streamed."""
    microbatch_time_s: float | None = None
    streamed_rows: int | None = None
    """Rows that micro-batches read."""
    microbatch_p95_s: float | None = None
    """95th percentile of the time of a micro-batch, of those that read rows."""
    seconds_per_million_rows: float | None = None
    """Time of all micro-batches, those without rows too, for a million rows."""
    peak_tree_memory_bytes: int | None = None
    """Most memory that all its processes were seen to use at once; ``None``: not watched."""
    peak_scratch_bytes: int | None = None
    """Most disk that its scratch folders were seen to take; ``None``: not watched."""


class Execution(Value):
    """What happened when a workload was run once with a config."""

    status: Status
    started_at: datetime
    wall_s: float
    """From the start of the process to its end."""
    duration_s: float | None = None
    """The application's own time, from its event log."""
    cause: Cause | None = None
    error: str | None = None
    """Tail of what the application said when it failed."""
    metrics: Metrics = Metrics()
    steps: tuple[Step, ...] = ()
    effective: dict[str, str] = Field(default={})
    """Properties as the application really had them, whoever set them."""
    writes_outside: tuple[str, ...] = ()
    """Places written to that are not in the scratch folder."""
    spark_version: str | None = None
    application_id: str | None = None
    profile: WorkloadProfile | None = None
    """What the job did; ``None``: its event log does not tell."""
    outputs: tuple[TableDigest, ...] | None = None
    """What it answered, in digests; ``None``: nothing was named, or it was not kept."""
    shared_archive_mapped: bool | None = None
    """Whether the class-data-sharing archive was in effect; ``None``: none was asked for."""

    @property
    def shown_cause(self) -> str | None:
        """Why it failed, for people: running out of time is a cause like any other."""
        cause = Cause.TIMED_OUT if self.status is Status.TIMED_OUT else self.cause
        return None if cause is None else cause.value

    def value(self, objective: Objective) -> float | None:
        """Return what is minimised, or ``None`` where this execution does not tell."""
        if self.duration_s is None:
            return None
        if objective is Objective.DURATION_S:
            return self.duration_s
        measured: float | None = getattr(self.metrics, objective.value)
        return measured if measured and measured > 0 else None


class Trial(Value):
    """One config executed once, for a purpose. Never edited afterwards."""

    schema_version: int = SCHEMA_VERSION
    number: int
    purpose: Purpose
    origin: Origin
    config: Config
    execution: Execution
    limits: Limits = Limits()
    output_match: bool | None = None
    """Whether the answer was the baseline's; ``None``: not compared."""
    extrapolated_s: float | None = None
    """For an execution that was stopped early: the duration it was heading for."""

    @property
    def succeeded(self) -> bool:
        """Whether the execution ended well."""
        return self.execution.status is Status.SUCCEEDED


class Candidate(Value):
    """One config with all its trials so far; derived, never stored."""

    config: Config
    trial_numbers: tuple[int, ...]
    value: float | None
    """Objective, lower is better; ``None`` when it never succeeded and is not known."""
    error: float | None = None
    """Standard error of the value's natural logarithm."""
    measured: int
    """How many executions the value rests on."""
    failed: bool = False
    cause: Cause | None = None
    censored: bool = False
    """The value is a lower bound: executions were stopped before their end."""


class PastTrial(Value):
    """What a predictor needs of a trial, read back from what was published."""

    config: Config
    purpose: Purpose
    status: Status
    duration_s: float | None
    cause: Cause | None = None
    origin: Origin | None = None
    started_at: datetime | None = None


class StudyHistory(Value):
    """One study as the ledger remembers it."""

    study: str
    workload: str
    machine: Machine
    profile: DatasetProfile | None
    job: WorkloadProfile | None = None
    """What the job does, as its baseline showed it."""
    objective: Objective = Objective.DURATION_S
    trials: tuple[PastTrial, ...]


class Checkpoint(Value):
    """What is known of a running execution."""

    elapsed_s: float
    steps: tuple[Step, ...]


class Execute(Protocol):
    """The seam between the tuner and what is tuned.

    Anything that takes a workload and a config and returns an :class:`Execution` can be tuned.
    ``on_checkpoint`` is called now and then while the workload runs; when it returns true, the
    execution should end with ``Status.STOPPED_EARLY``. It must not raise for a job that fails.
    """

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        """Run *workload* once with *config* within *limits*."""
        ...


def trial_names(trials: Sequence[Trial]) -> dict[int, str]:
    """Name each trial for people: ``baseline-1``, ``trial-007``, ``repeat-007-2``, ``confirm-03``.

    The number in ``trial-`` and ``repeat-`` is that of the first trial with the same config.
    """
    first: dict[str, int] = {}
    count: dict[tuple[Purpose, int], int] = {}
    names = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        origin = first.setdefault(trial.config.digest, trial.number)
        group = origin if trial.purpose is Purpose.REPEAT else -1
        nth = count[trial.purpose, group] = count.get((trial.purpose, group), 0) + 1
        names[trial.number] = {
            Purpose.BASELINE: f"baseline-{nth}",
            Purpose.SEARCH: f"trial-{trial.number:03d}",
            Purpose.REPEAT: f"repeat-{origin:03d}-{nth + 1}",
            Purpose.CONFIRM: f"confirm-{nth:02d}",
        }[trial.purpose]
    return names
