"""What a person writes of an experiment, in a YAML file: its keys, types and ranges."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from autotune.domain import Objective, Value
from autotune.experiment import ConfRules, Sampler


def _strings(value: object) -> object:
    """Let people write 200, true or 0.6 where Spark wants a string."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_strings)]


class WorkloadDraft(Value):
    """One of the four ways to name a job: exactly one of the first four keys."""

    builtin: str | None = None
    sql: str | None = None
    application: str | None = None
    command: str | None = None
    arguments: tuple[Text, ...] = ()
    main_class: str | None = Field(default=None, alias="class")
    conf: dict[str, Text] = Field(default={})
    """What the person sets today."""
    submit_options: tuple[Text, ...] = ()


class DataDraft(Value):
    """Where the data is, and how it is made where it is missing."""

    path: str
    make: str | None = None
    rows: int | None = Field(default=None, gt=0)
    scale: float | None = Field(default=None, gt=0)
    seed: int = 7


class BudgetDraft(Value):
    """The budget, with durations as people write them."""

    trials: int | None = Field(default=None, ge=1, le=100_000)
    timeout: Text | None = None
    baseline_repeats: int | None = Field(default=None, ge=1, le=100)
    confirm_blocks: int | None = Field(default=None, ge=0, le=1000)
    execution_ratio: float | None = Field(default=None, gt=1)
    execution_limit: Text | None = None


class MachineDraft(Value):
    """Facts about a cluster that can't be asked."""

    slots: int | None = Field(default=None, ge=1)
    executors: int | None = Field(default=None, ge=1)
    memory: Text | None = None


class Draft(Value):
    """What the person wrote."""

    name: str | None = None
    description: str = ""
    workload: WorkloadDraft
    data: DataDraft | str | None = None
    master: str | None = None
    spark_home: str | None = None
    space: str = "default"
    objective: Objective = Objective.DURATION_S
    sampler: Sampler = Sampler.TPE
    seed: int = 0
    budget: BudgetDraft = BudgetDraft()
    machine: MachineDraft = MachineDraft()
    conf: ConfRules = ConfRules()
    rerunnable: bool = False
