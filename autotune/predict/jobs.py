"""What a job does, as numbers that compare between jobs, data and machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from autotune.domain import Machine, Operator, ProfileSource, WorkloadProfile

JOB_KNOWN = "job known"
_MIB = float(1 << 20)
_MOSTLY = 0.5
_NOTHING = 1e-3
"""In MiB, or as a ratio: what is added before a logarithm is taken."""
SCHEDULING_S = 0.005
"""What starting one more task costs a slot, about: 4-6 ms on a local master."""
PYTHON_S = 0.04
"""And one of Python on an RDD, where a worker has to be found, fed and awaited: on the corpus."""
_LEAST_TARGET_BYTES = 1 << 20
"""``spark.sql.adaptive.coalescePartitions.minPartitionSize``, which hardly anybody changes."""


KIND_SHARES = frozenset(
    {"job rdd share", "job python stages", *(f"job {operator.value}" for operator in Operator)}
)
"""What says of what kind a job is, as shares of its jobs, stages and operators."""


class Knowledge(StrEnum):
    """What is known of a job when somebody asks."""

    LOG = "log"
    """What an execution of it did."""
    PLANS = "plans"
    """What Spark would do: its operators."""
    NOTHING = "nothing"


_HOW_MUCH = {Knowledge.LOG: 1.0, Knowledge.PLANS: 0.5, Knowledge.NOTHING: 0.0}


def knowledge_of(job: WorkloadProfile | None) -> Knowledge:
    """Return how much a profile tells."""
    if job is None:
        return Knowledge.NOTHING
    return Knowledge.PLANS if job.source is ProfileSource.PLANS else Knowledge.LOG


def known_as(job: WorkloadProfile | None, knowledge: Knowledge) -> WorkloadProfile | None:
    """Return what of a profile would be known, were no more known than *knowledge*."""
    if job is None or knowledge is Knowledge.NOTHING:
        return None
    if knowledge is Knowledge.LOG:
        return job
    source = ProfileSource.PLANS
    return WorkloadProfile(source=source, operators=job.operators, queries=job.queries)


def told_by_plans(job: WorkloadProfile | None) -> bool:
    """Whether plans tell most of what a job does: it is no folder of queries otherwise."""
    if job is None:
        return True
    parts = _part(job.rdd_jobs, job.jobs), _part(job.python_stages, job.stages)
    return not any(part > _MOSTLY for part in parts)


@dataclass(frozen=True)
class Shuffle:
    """What a configuration makes of a shuffle's partitions."""

    partitions: float | None
    adaptive: bool
    """Small partitions are put together when their sizes are known."""
    advisory_bytes: float
    least: float | None
    """So many partitions are kept, whatever the advised size; ``None``: that comes first."""
    parallelism: float = 1.0
    """Partitions of a shuffle outside of SQL, where the job names none."""

    def tasks(self, shuffled_bytes: float | None) -> float:
        """Return how many tasks read one shuffle; NaN where that can't be known.

        As the tuning guide describes it: https://spark.apache.org/docs/latest/sql-performance-tuning.html

        Args:
            shuffled_bytes: of that shuffle.
        """
        if self.partitions is None:
            return math.nan
        if not self.adaptive:
            return max(self.partitions, 1.0)
        if shuffled_bytes is None:
            return math.nan
        wanted = math.inf if self.least is None else shuffled_bytes / max(self.least, 1.0)
        target = max(_LEAST_TARGET_BYTES, min(self.advisory_bytes, wanted))
        return max(1.0, min(self.partitions, shuffled_bytes / target))


def job_features(job: WorkloadProfile | None, machine: Machine) -> dict[str, float]:
    """Return what is known of the job; NaN where it is not. Logarithms to base 2, sizes in MiB.

    Operators are shares of all operators, so that a folder of a hundred queries compares with a
    single one; amounts are relative to the input, to the slots, or to the tasks.
    """
    of = _Known(job)
    found = {f"job {operator.value}": _share(job, operator) for operator in Operator}
    return found | {
        JOB_KNOWN: _HOW_MUCH[knowledge_of(job)],
        "job queries": _log(of.queries),
        "job seconds": _log(of.duration_s),
        "job tasks per stage": _ratio(of.tasks, of.stages),
        "job stages": _log(of.stages),
        "job task seconds": _log(of.median_task_s, 1e-3),
        "job task skew": _log(of.task_skew),
        "job heaviest stage": _plain(of.heaviest_stage_share),
        "job slot use": _plain(of.slot_use),
        "job cpu share": _plain(of.cpu_share),
        "job gc share": _plain(of.gc_share),
        "job rdd share": _part(of.rdd_jobs, of.jobs),
        "job python stages": _part(of.python_stages, of.stages),
        "job cached": _log(of.cached),
        "job processor seconds per slot": _processor(job, machine),
        "job input per slot": _megabytes(of.input_bytes, machine.slots),
        "job rows per slot": _ratio(of.input_rows, machine.slots),
        "job shuffle per slot": _megabytes(of.shuffle_bytes, machine.slots),
        "job shuffle per input": _ratio(of.shuffle_bytes, of.input_bytes),
        "job spill per shuffle": _ratio(of.spilled_bytes, of.shuffle_bytes),
        "job spill per input": _ratio(of.spilled_bytes, of.input_bytes),
        "job input per step": _ratio(of.input_bytes, of.steps),
        "job output per input": _ratio(of.output_bytes, of.input_bytes),
    }


def interplay(job: WorkloadProfile | None, machine: Machine, shuffle: Shuffle) -> dict[str, float]:
    """Return what the partitions of a shuffle mean to the job; NaN where that is not known.

    Args:
        job: what it does.
        machine: where it runs.
        shuffle: what the configuration makes of its shuffles.
    """
    plain, python = _plain_stages(job)
    exchanges = job.operators.get(Operator.EXCHANGE, 0) if job else 0
    count = max(exchanges + plain, 1.0)
    each = None if job is None or job.shuffle_bytes is None else job.shuffle_bytes / count
    tasks = shuffle.tasks(each)
    ours = max(shuffle.parallelism, 1.0)
    if plain:  # a job may be of both kinds
        tasks = ours if not exchanges else (exchanges * tasks + plain * ours) / count
    size = math.nan if each is None else each / tasks / _MIB
    busy_s = count * tasks * SCHEDULING_S + python * ours * (PYTHON_S - SCHEDULING_S)
    busy_s /= machine.slots
    share = busy_s / job.duration_s if job and job.duration_s else math.nan
    return {
        "job shuffle partition size": math.log2(size + _NOTHING),
        "job shuffle tasks per slot": math.log2(tasks / machine.slots),
        "job scheduling share": math.log2(share + _NOTHING),
    }


def _plain_stages(job: WorkloadProfile | None) -> tuple[float, float]:
    """Return about how many stages run outside of SQL, and how many of them Python.

    A result that ends as a table is a job of SQL, though it is made of RDDs: then Python tells.
    """
    if job is None or job.stages is None:
        return 0.0, 0.0
    python = float(job.python_stages or 0)
    return max(python, job.stages * (job.rdd_jobs or 0) / max(job.jobs or 0, 1)), python


class _Known:
    """The fields of a profile as numbers; ``None`` where they, or it, are not known."""

    def __init__(self, job: WorkloadProfile | None) -> None:
        self._job = job

    def __getattr__(self, name: str) -> float | None:
        value: float | None = None if self._job is None else getattr(self._job, name)
        return value


def _share(job: WorkloadProfile | None, operator: Operator) -> float:
    if job is None:
        return math.nan
    return job.operators.get(operator, 0) / max(sum(job.operators.values()), 1)


def _processor(job: WorkloadProfile | None, machine: Machine) -> float:
    """Return how long each slot's JVM computes: what a better compiler can make up for."""
    if job is None or job.task_time_s is None or job.cpu_share is None:
        return math.nan
    return math.log2(1 + job.task_time_s * job.cpu_share / machine.slots)


def _plain(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _log(value: float | None, least: float = 1.0) -> float:
    return math.nan if value is None else math.log2(least + value)


def _part(value: float | None, whole: float | None) -> float:
    return math.nan if value is None or whole is None else value / max(whole, 1)


def _ratio(value: float | None, other: float | None) -> float:
    if value is None or other is None:
        return math.nan
    return math.log2((value + 1) / (other + 1) + _NOTHING)


def _megabytes(value: float | None, slots: int) -> float:
    return math.nan if value is None else math.log2(value / _MIB / slots + _NOTHING)
