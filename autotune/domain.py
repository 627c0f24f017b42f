"""The frozen words that every room speaks: what is run, where, on what data, with what.

All values are immutable pydantic models that survive a JSON round trip. Stored records carry a
``schema_version``; a record from a newer autotune is refused, never guessed at.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from json import JSONEncoder

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
_CANONICAL = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class Objective(StrEnum):
    """What is minimised; the value doubles as the name of the metric."""

    DURATION_S = "duration_s"
    CORE_SECONDS = "core_seconds"
    GB_SECONDS = "gb_seconds"
    MICROBATCH_P95_S = "microbatch_p95_s"
    """Of a streaming job: the 95th percentile of the time of its micro-batches."""
    SECONDS_PER_MILLION_ROWS = "seconds_per_million_rows"
    """Of a streaming job: its throughput, turned round so that less is better."""

    @property
    def of_stream(self) -> bool:
        """Whether only a streaming job has it: a rate or a latency, not a sum that grows."""
        return self in (Objective.MICROBATCH_P95_S, Objective.SECONDS_PER_MILLION_ROWS)


class Value(BaseModel):
    """Base of all words: frozen, closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def digest_of(data: object) -> str:
    """Return 16 hex digits that identify JSON-like data, whatever the order of its keys."""
    return hashlib.sha256(_CANONICAL.encode(data).encode()).hexdigest()[:16]


class Config(Value):
    """One complete choice: Spark property → Spark string (``None``: unset), and job arguments."""

    properties: dict[str, str | None] = Field(default={})
    arguments: dict[str, str] = Field(default={})

    @property
    def digest(self) -> str:
        """Identity of the choice; equal for equal choices in any order."""
        return digest_of([self.properties, self.arguments])

    def value(self, name: str) -> str | None:
        """Return what a property or an argument is; ``None``: unset."""
        return self.properties.get(name, self.arguments.get(name))

    def differing(self, other: Config) -> list[str]:
        """Return the names of what has another value in *other*, sorted."""
        names = {n for config in (self, other) for n in {**config.properties, **config.arguments}}
        return sorted(name for name in names if self.value(name) != other.value(name))


class Workload(Value):
    """What is run, with what the person runs it with today.

    ``arguments`` may hold ``{data}``, ``{output}``, ``{scratch}`` and ``{name}`` of an argument
    parameter, filled in per execution. ``properties`` is the baseline, whichever way it was set.
    ``submit_options`` are the other ``spark-submit`` options, verbatim (``--jars`` …).
    """

    name: str
    application: str
    arguments: tuple[str, ...] = ()
    main_class: str | None = None
    submit_options: tuple[str, ...] = ()
    properties: dict[str, str] = Field(default={})
    master: str = "local[*]"
    data: str | None = None
    outputs: tuple[str, ...] = ()
    """Where its answer is afterwards, files or folders, to be compared; may hold ``{output}``."""
    ours: bool = False
    """Shipped with autotune, hence known to be safe to repeat."""


class Machine(Value):
    """Where it runs; the quantities that spaces are relative to."""

    master: str
    slots: int = Field(ge=1)
    """Tasks that may run at the same time, over all executors."""
    executors: int = Field(default=1, ge=1)
    """JVMs that run tasks: 1 for ``local``, workers for a cluster."""
    cores_per_executor: int = Field(ge=1)
    memory_bytes: int = Field(gt=0)
    """Memory that one machine offers to its Spark JVMs."""
    spark_version: str | None = None
    java_version: str | None = None
    python_version: str | None = None
    platform: str = ""


class Limits(Value):
    """What one execution may spend."""

    time_s: float | None = Field(default=None, gt=0)
    memory_bytes: int | None = Field(default=None, gt=0)
    """Of its whole process tree; ``None``: what the machine can spare."""
    disk_bytes: int | None = Field(default=None, gt=0)
    """Of its scratch folders, Spark's local ones included; ``None``: what the disk can spare."""


class ColumnProfile(Value):
    """Numbers about one column; ``None`` where the format or the budget did not tell.

    No value of the data is among them, neither a frequent nor the highest or lowest one.
    """

    name: str
    type: str
    null_share: float | None = None
    distinct: int | None = None
    top_share: float | None = None
    """Share of rows that hold the most frequent value."""
    top10_share: float | None = None
    """Share of rows that hold one of the ten most frequent values."""
    p99_to_median: float | None = None
    """Rows of the value at the 99th percentile of frequency ÷ of the one in the middle."""
    sortedness: float | None = None
    """Share of neighbouring rows in order: a half at random, 0 where they fall."""
    spread_bits: int | None = None
    """Whole numbers and dates: log2(range ÷ distinct values); 0 for keys without gaps."""
    mean_bytes: float | None = None
    """Of strings and binary values."""
    max_bytes: int | None = None
    depth: int = 0
    """How many arrays, maps and structs lie around the innermost values."""


class TableProfile(Value):
    """One of several tables that a job reads."""

    name: str
    format: str
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    files: int = Field(ge=0)


class DatasetProfile(Value):
    """Numbers about the data of one job; ``estimated`` names the fields that are not exact.

    Rows, bytes and files are those of all tables together; ``format`` and everything about
    columns, groups, compression, order and partitions is about the largest one.
    """

    path: str
    format: str
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    files: int = Field(ge=0)
    largest_file_bytes: int = 0
    smallest_file_bytes: int = 0
    row_width_bytes: float = Field(default=0.0, ge=0)
    null_share: float = 0.0
    key_skew: float = 0.0
    """Largest ``top_share`` among the columns that look like keys."""
    columns: tuple[ColumnProfile, ...] = ()
    estimated: tuple[str, ...] = ()
    key_top10_share: float = 0.0
    """Largest ``top10_share`` among the columns that look like keys."""
    key_p99_to_median: float | None = None
    """Largest ``p99_to_median`` among the columns that look like keys."""
    sortedness: float | None = None
    """Of the column among them that is most in order."""
    row_groups: int | None = None
    """Parquet row groups or ORC stripes."""
    codec: str | None = None
    """As Parquet and ORC name it; ``none``: not compressed."""
    compression_ratio: float | None = None
    """Bytes before ÷ after compression; ``None``: the format does not tell."""
    partition_folders: int = 0
    partition_skew: float | None = None
    """Bytes of the largest partition folder ÷ of the median one."""
    tables: tuple[TableProfile, ...] = ()
    """The largest tables, in bytes, the largest first."""
    table_count: int = 1
    table_ratio: float = 1.0
    """Bytes of the largest table ÷ of the smallest."""
    sampled_rows: int = 0
    """Rows of the largest table whose values were looked at."""
    inspected_files: int = 0
    """Files that were looked into, of all that were listed."""
    cautions: tuple[str, ...] = ()
    """What about the data will cost time, and what was not looked at; a sentence each."""

    @property
    def largest_share(self) -> float:
        """Share of all bytes that lie in the largest table."""
        return self.tables[0].bytes / self.bytes if self.tables and self.bytes else 1.0

    @property
    def depth(self) -> int:
        """Depth of the most nested column."""
        return max((column.depth for column in self.columns), default=0)


class Operator(StrEnum):
    """Families of operators of Spark's physical plans."""

    SCAN = "scan"
    FILTER = "filter"
    PROJECT = "project"
    EXCHANGE = "exchange"
    BROADCAST_EXCHANGE = "broadcast_exchange"
    REUSED_EXCHANGE = "reused_exchange"
    SORT_MERGE_JOIN = "sort_merge_join"
    SHUFFLED_HASH_JOIN = "shuffled_hash_join"
    BROADCAST_JOIN = "broadcast_join"
    OTHER_JOIN = "other_join"
    HASH_AGGREGATE = "hash_aggregate"
    OTHER_AGGREGATE = "other_aggregate"
    SORT = "sort"
    WINDOW = "window"
    EXPAND = "expand"
    GENERATE = "generate"
    UNION = "union"
    PYTHON = "python"
    CACHE = "cache"
    STATE = "state"
    OBJECTS = "objects"
    WRITE = "write"


class ProfileSource(StrEnum):
    """Where a workload profile was read from."""

    EVENT_LOG = "event_log"
    PLANS = "plans"
    """Nothing was executed: only what the plans tell is known."""


class WorkloadProfile(Value):
    """What a job does: operators from its plans, amounts from its tasks.

    What only an execution tells is ``None`` where there was none.
    """

    source: ProfileSource
    operators: dict[Operator, int] = Field(default={})
    """How often each occurs in the first plans of all SQL executions together."""
    queries: int = 0
    """SQL executions, micro-batches included."""
    rdd_jobs: int | None = None
    """Jobs outside of any SQL execution."""
    python_stages: int | None = None
    """Stages in which Python functions work on RDDs."""
    cached: int | None = None
    """Tables and RDDs that are kept in memory or on disk."""
    steps: int | None = None
    jobs: int | None = None
    stages: int | None = None
    tasks: int | None = None
    duration_s: float | None = None
    task_time_s: float | None = None
    """Sum over all tasks."""
    slot_use: float | None = None
    """Share of the slots' time that tasks ran in."""
    cpu_share: float | None = None
    """Of the tasks' time; the rest is waiting for disk, network and Python."""
    gc_share: float | None = None
    median_task_s: float | None = None
    longest_task_s: float | None = None
    heaviest_stage_share: float | None = None
    """Of the tasks' time: how much of it the heaviest stage takes."""
    task_skew: float | None = None
    """Longest to median task of that stage."""
    input_bytes: int | None = None
    input_rows: int | None = None
    shuffle_bytes: int | None = None
    """Written to shuffles."""
    spilled_bytes: int | None = None
    """To disk."""
    output_bytes: int | None = None


class PropertyFact(Value):
    """What one version of Spark says of one of its properties."""

    name: str
    default: str | None
    """As Spark prints it; ``None``: no default of its own."""
    session: bool
    """May be changed on a live session."""
    doc: str = ""
    internal: bool = False
