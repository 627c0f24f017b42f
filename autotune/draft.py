"""What a person writes of an experiment, in a YAML file: its keys, types and ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from autotune.builtin import Size
from autotune.domain import Objective, Value
from autotune.errors import InputError
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
    size: Size | None = None
    rows: int | None = Field(default=None, gt=0)
    scale: float | None = Field(default=None, gt=0)
    seed: int = 7
    options: dict[str, Text] = Field(default={})


class BudgetDraft(Value):
    """The budget, with durations and sizes as people write them."""

    trials: int | None = Field(default=None, ge=1, le=100_000)
    timeout: Text | None = None
    baseline_repeats: int | None = Field(default=None, ge=1, le=100)
    confirm_blocks: int | None = Field(default=None, ge=0, le=1000)
    execution_ratio: float | None = Field(default=None, gt=1)
    execution_limit: Text | None = None
    execution_memory: Text | None = None
    execution_disk: Text | None = None
    race: bool | None = None


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
    starts: tuple[dict[str, Text], ...] = ()
    """Tried first: properties and arguments that differ from what the person runs today."""
    rerunnable: bool = False
    outputs: tuple[Text, ...] = ()
    output_tolerance: float | None = Field(default=None, ge=0, lt=1)


def from_flags(way: str, job: str, *, arguments: tuple[str, ...], main_class: str | None) -> Draft:
    """Return the draft of a job that is named by a flag instead of a file.

    Args:
        way: ``builtin``, ``sql`` or ``app``.
        job: what the flag named.
        arguments: of the job.
        main_class: of a JAR.
    """
    key = {"app": "application"}.get(way, way)
    workload = {key: job, "arguments": arguments, "class": main_class}
    return Draft.model_validate({"workload": workload})


_BUDGET_FLAGS = (
    *("trials", "timeout", "execution_limit", "execution_memory", "execution_disk"),
    *("baseline_repeats", "confirm_blocks"),
)
_PLAIN_FLAGS = (
    "name",
    "master",
    "space",
    "objective",
    "sampler",
    "seed",
    "spark_home",
    "data",
    "outputs",
    "output_tolerance",
)


def with_flags(draft: Draft, flags: Mapping[str, Any]) -> Draft:
    """Return the draft with what was said on the command line, which beats the file.

    Raises:
        InputError: a ``--conf`` is not ``key=value``.
    """
    # Zero is something that was said; it also equals False.
    said = {
        key: value
        for key, value in flags.items()
        if value is not None and value is not False and value != ()
    }
    plain = {key: said[key] for key in _PLAIN_FLAGS if key in said}
    if isinstance(draft.data, DataDraft) and "data" in plain:
        plain["data"] = draft.data.model_copy(update={"path": plain["data"]})
    budget = {key: said[key] for key in _BUDGET_FLAGS if key in said}
    if said.get("no_race"):
        budget["race"] = False
    enforced = pairs_of(said.get("conf", ()))
    conf = ConfRules(
        enforced={**draft.conf.enforced, **enforced},
        preserve=(*draft.conf.preserve, *said.get("preserve", ())),
        exclude=(*draft.conf.exclude, *said.get("exclude", ())),
    )
    update: dict[str, Any] = {
        **plain,
        "conf": conf,
        "budget": draft.budget.model_copy(update=budget),
    }
    if said.get("rerunnable"):
        update["rerunnable"] = True
    for key, words in (("objective", Objective), ("sampler", Sampler)):
        if key in update:
            update[key] = words(update[key])
    return draft.model_copy(update=update)


def pairs_of(texts: Sequence[str], *, flag: str = "--conf") -> dict[str, str]:
    """Return what several ``key=value`` say, as Spark properties are written.

    Args:
        texts: what stood behind the flag, each time it was used.
        flag: which one, for the message.

    Raises:
        InputError: one is written in another way.
    """
    return dict(_pair(text, flag) for text in texts)


def _pair(text: str, flag: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        message = f"{flag} {text}: write it as key=value"
        raise InputError(message)
    return key.strip(), value
