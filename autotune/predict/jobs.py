"""What a job does, as numbers that compare between jobs, data and machines."""

from __future__ import annotations

import math

from autotune.domain import Machine, Operator, WorkloadProfile

_MIB = float(1 << 20)
_NOTHING = 1e-3
"""In MiB, or as a ratio: what is added before a logarithm is taken."""
SCHEDULING_S = 0.005
"""What starting one more task costs a slot, about: 4-6 ms on a local master."""


def job_features(job: WorkloadProfile | None, machine: Machine) -> dict[str, float]:
    """Return what is known of the job; NaN where it is not. Logarithms to base 2, sizes in MiB.

    Operators are shares of all operators, so that a folder of a hundred queries compares with a
    single one; amounts are relative to the input, to the slots, or to the tasks.
    """
    of = _Known(job)
    found = {f"job {operator.value}": _share(job, operator) for operator in Operator}
    return found | {
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
        "job input per slot": _megabytes(of.input_bytes, machine.slots),
        "job shuffle per slot": _megabytes(of.shuffle_bytes, machine.slots),
        "job shuffle per input": _ratio(of.shuffle_bytes, of.input_bytes),
        "job spill per shuffle": _ratio(of.spilled_bytes, of.shuffle_bytes),
        "job output per input": _ratio(of.output_bytes, of.input_bytes),
    }


def interplay(
    job: WorkloadProfile | None, machine: Machine, partitions: float | None
) -> dict[str, float]:
    """Return what a number of shuffle partitions means to the job.

    Args:
        job: what it does.
        machine: where it runs.
        partitions: of a shuffle, as the configuration has it.
    """
    size, share = math.nan, math.nan
    if job is None or partitions is None:
        return {"job shuffle partition size": size, "job scheduling share": share}
    exchanges = job.operators.get(Operator.EXCHANGE, 0)
    if job.shuffle_bytes is not None:
        each = job.shuffle_bytes / max(exchanges, 1) / max(partitions, 1.0)
        size = math.log2(each / _MIB + _NOTHING)
    if job.duration_s:
        tasks = exchanges * partitions
        share = math.log2(tasks * SCHEDULING_S / machine.slots / job.duration_s + _NOTHING)
    return {"job shuffle partition size": size, "job scheduling share": share}


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
