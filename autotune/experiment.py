"""One experiment, complete and checked: workload × space × budget × objective × seed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field

from autotune.digests import TOLERANCE
from autotune.domain import (
    SCHEMA_VERSION,
    Config,
    DatasetProfile,
    Limits,
    Machine,
    Objective,
    Value,
    Workload,
)
from autotune.redaction import Secrets
from autotune.space import Space

LONG_S = (600.0, 3600.0)
"""Executions of such length are measured once less, and once less again, before the search."""


class Sampler(StrEnum):
    """How the search proposes; ``gp`` needs the extra of that name."""

    TPE = "tpe"
    RANDOM = "random"
    QMC = "qmc"
    GP = "gp"


class Budget(Value):
    """How much may be spent; ``trials`` bounds the search, the rest comes on top."""

    trials: int = Field(default=30, ge=1)
    timeout_s: float | None = Field(default=None, gt=0)
    """Wall time of the whole study, this session; no new trial starts after it."""
    baseline_repeats: int | None = Field(default=None, ge=1)
    """How often the baseline is measured before the search, a cold start not counted; ``None``:
    three times, twice when an execution takes over 10 minutes, once when it takes over an hour."""
    confirm_blocks: int = Field(default=6, ge=0)
    """Interleaved blocks of baseline, winner and baseline at the end, at most; 0: no claim."""
    execution_ratio: float = Field(default=2.0, gt=1)
    """Time limit of an execution as a multiple of the baseline's time …"""
    execution_limit_s: float = Field(default=3600.0, gt=0)
    """… and never more than this, nor for the first baseline."""
    execution_memory_bytes: int | None = Field(default=None, gt=0)
    """Memory that the process tree of an execution may use; ``None``: nine tenths of the
    machine's, but not less than the configuration asks for."""
    execution_disk_bytes: int | None = Field(default=None, gt=0)
    """Disk that the scratch folders of an execution may take; ``None``: half of what is free."""

    race: bool = True
    """End an execution of the search early that is far behind the best so far."""

    def baselines(self, duration_s: float | None) -> int:
        """Return how often the baseline is measured first, given what it took if it is known."""
        if self.baseline_repeats is not None:
            return self.baseline_repeats
        return 3 - sum((duration_s or 0.0) > longer_s for longer_s in LONG_S)

    def limits(self, baseline_s: float | None) -> Limits:
        """Return the limits of the next execution, given what the baseline took if it is known.

        Fifteen seconds are always added: a fixed cost of starting up does not scale with the job.
        """
        time_s = self.execution_limit_s
        if baseline_s is not None:
            time_s = min(time_s, baseline_s * self.execution_ratio + 15)
        return Limits(
            time_s=time_s,
            memory_bytes=self.execution_memory_bytes,
            disk_bytes=self.execution_disk_bytes,
        )


class ConfRules(Value):
    """What the person pins, keeps and leaves out."""

    enforced: dict[str, str] = Field(default={})
    """Set for every execution, the baseline included, and never searched."""
    preserve: tuple[str, ...] = ()
    """Kept as the person has them today: never searched."""
    exclude: tuple[str, ...] = ()
    """Left out of the space."""


class Experiment(Value):
    """Everything that defines a study. Two equal experiments are the same study."""

    schema_version: int = SCHEMA_VERSION
    name: str
    workload: Workload
    space: Space
    machine: Machine
    budget: Budget = Budget()
    objective: Objective = Objective.DURATION_S
    sampler: Sampler = Sampler.TPE
    seed: int = 0
    conf: ConfRules = ConfRules()
    profile: DatasetProfile | None = None
    starts: tuple[dict[str, str], ...] = ()
    """Tried before the search proposes: what each changes of what the person runs today."""
    challenger: Config | None = None
    """Compared with the baseline instead of searching."""
    output_tolerance: float = Field(default=TOLERANCE, ge=0)
    """By which fraction floating point sums of two outputs may differ."""
    spark_home: str | None = None
    """Of the Spark that is used; ``None``: the one of the environment."""
    rerunnable: bool = False
    """The person vouches that the job may write outside its scratch folder, many times."""
    identity: dict[str, str] = Field(default={})
    """What may not change while a study goes on: ``space``, ``data``, ``command``, ``spark`` …
    → a digest or a short text. Compared when a study is continued."""

    def secrets(self) -> Secrets:
        """Return what must not be quoted of this experiment, wherever it was given."""
        other = self.challenger.properties if self.challenger is not None else {}
        return secrets_of(self.workload, texts=tuple(other.values()))


def secrets_of(workload: Workload, *, texts: Sequence[str | None] = ()) -> Secrets:
    """Return what must not be quoted of *workload*: in properties, arguments and addresses.

    Args:
        workload: what is run.
        texts: what else may quote a secret.
    """
    return Secrets(
        workload.properties,
        (*workload.submit_options, *workload.arguments),
        texts=(workload.data, workload.master, workload.application, *texts),
    )
