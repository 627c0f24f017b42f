"""Two configurations against each other, on a simulated Spark."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotune.comparison import comparison_of, named_properties
from autotune.errors import InputError
from autotune.experiment import Budget
from autotune.record import Purpose
from autotune.study import load_study
from autotune.tuning import Places, tune
from autotune.verdict import VerdictKind
from surfaces import Surface, bound_space, experiment

BOUND = bound_space()
KEY = "spark.sql.shuffle.partitions"
STORAGE = "sqlite:///mlruns/optuna.db"
FEW = experiment(budget=Budget(confirm_blocks=4))


def surface() -> Surface:
    return Surface(BOUND, gain=3.0, noise=0.01, crash=False)


@pytest.fixture
def quick(places: Places) -> Places:
    return places.model_copy(update={"tracking_uri": None})


@pytest.fixture
def tuned(quick: Places) -> str:
    tune(experiment(budget=Budget(trials=8, confirm_blocks=3)), execute=surface(), places=quick)
    return "simulated"


def test_a_study_against_what_is_run_today(tuned: str, quick: Places) -> None:
    better = named_properties(tuned, STORAGE)
    asked = comparison_of(FEW, ("today", {}), (tuned, better))
    assert asked.name == "simulated-today-vs-simulated"
    results = tune(asked, execute=surface(), places=quick)
    assert results.verdict.kind is VerdictKind.GAIN
    changed = {row.name for row in results.report.changed}
    assert changed == {name for name, value in better.items() if value is not None}
    purposes = [t.purpose for t in load_study(STORAGE, asked.name).trials]
    assert purposes[:2] == [Purpose.BASELINE] * 2
    assert set(purposes[2:]) == {Purpose.CONFIRM}
    back = tune(
        comparison_of(FEW, (tuned, better), ("today", {})), execute=surface(), places=quick
    )
    assert back.verdict.kind in (VerdictKind.SLOWER, VerdictKind.NO_GAIN)
    assert not back.verdict.claimed


def test_sides_are_named_in_four_ways(tuned: str) -> None:
    Path("mine.conf").write_text(f"{KEY}  9\nspark.x y\n")
    assert named_properties("mine.conf", STORAGE) == {KEY: "9", "spark.x": "y"}
    several = named_properties(f"{KEY}=9,spark.jars=a.jar,b.jar", STORAGE)
    assert several == {KEY: "9", "spark.jars": "a.jar,b.jar"}
    assert named_properties("today", STORAGE) == {}
    assert KEY in named_properties(tuned, STORAGE)


def test_what_is_none_of_them_is_told_in_one_line(places: Places) -> None:
    with pytest.raises(InputError, match="'nothing': no file of properties, no study") as told:
        named_properties("nothing", STORAGE)
    assert "\n" not in str(told.value)


def test_two_that_do_not_differ_are_refused() -> None:
    with pytest.raises(InputError, match="same configuration"):
        comparison_of(FEW, ("today", {}), ("a.conf", {}))
    with pytest.raises(InputError, match="same configuration"):
        comparison_of(FEW, ("a", {KEY: "3"}), ("b", {KEY: "3"}))
