from __future__ import annotations

import pytest

from autotune.domain import Objective
from autotune.draft import BudgetDraft, DataDraft, Draft, WorkloadDraft, from_flags, with_flags
from autotune.errors import InputError
from autotune.experiment import Sampler

DRAFT = Draft(
    name="x",
    workload=WorkloadDraft(application="job.py"),
    data=DataDraft(path="data/x", make="taxi", rows=10),
    seed=5,
    budget=BudgetDraft(trials=3, confirm_blocks=2),
)


def test_what_was_not_said_stays_as_the_file_has_it() -> None:
    silent = {"trials": None, "seed": None, "conf": (), "new": False, "rerunnable": False}
    assert with_flags(DRAFT, silent) == DRAFT


def test_zero_is_something_that_was_said() -> None:
    assert with_flags(DRAFT, {"no_race": True}).budget.race is False
    assert with_flags(DRAFT, {"no_race": False}).budget.race is None
    said = with_flags(DRAFT, {"confirm_blocks": 0, "seed": 0})
    assert said.budget.confirm_blocks == 0
    assert said.seed == 0
    assert said.budget.trials == 3


def test_flags_beat_the_file() -> None:
    flags = {"trials": 9, "execution_memory": "8g", "execution_disk": "1t",
             "objective": "gb_seconds", "sampler": "qmc", "data": "elsewhere",
             "conf": ("spark.a=1=2",), "preserve": ("spark.b",), "rerunnable": True}  # fmt: skip
    said = with_flags(DRAFT, flags)
    assert said.budget.trials == 9
    assert (said.budget.execution_memory, said.budget.execution_disk) == ("8g", "1t")
    assert said.objective is Objective.GB_SECONDS
    assert said.sampler is Sampler.QMC
    assert isinstance(said.data, DataDraft)
    assert (said.data.path, said.data.make) == ("elsewhere", "taxi")
    assert said.conf.enforced == {"spark.a": "1=2"}
    assert said.conf.preserve == ("spark.b",)
    assert said.rerunnable


def test_a_property_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="key=value"):
        with_flags(DRAFT, {"conf": ("spark.a",)})


def test_a_job_may_be_named_by_a_flag() -> None:
    draft = from_flags("app", "a.jar", arguments=("1",), main_class="a.B")
    assert draft.workload.application == "a.jar"
    assert draft.workload.arguments == ("1",)
    assert draft.workload.main_class == "a.B"
