"""What lies too far from all that was learned from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import DatasetProfile, Machine, Operator, ProfileSource, WorkloadProfile
from autotune.predict import Predictor, fit
from autotune.predict.reach import reach_of
from autotune.recommendation import Recommendation, answer
from autotune.record import Cause, Origin, Status, StudyHistory
from past_studies import GB, PARTITIONS, config, facts_of, machine, profile, seconds, study
from tests.test_recommendation import BAD, SPACE

RULES = config(12)


def with_rules(history: StudyHistory, ratio: float | None) -> StudyHistory:
    """Add a trial of the expert's rules that took so much of the baseline's time."""
    assert history.profile is not None
    if ratio is None:
        return history
    first = history.trials[0]
    tried = first.model_copy(
        update={
            "config": RULES,
            "origin": Origin.EXPERT,
            "duration_s": seconds(config(2000), history.profile, history.machine) * ratio,
        }
    )
    return history.model_copy(update={"trials": (*history.trials, tried)})


def predictor_of(ratio: float | None) -> Predictor:
    histories = [
        with_rules(study(f"{workload}{i}", size, workload=workload), ratio)
        for workload in ("a", "b", "c")
        for i, size in enumerate((GB // 100, GB // 20))
    ]
    return fit(histories, facts_of=facts_of, models=("constant", "extra_trees"))


def ask(
    predictor: Predictor,
    data: DatasetProfile,
    where: Machine,
    job: WorkloadProfile | None = None,
    today: dict[str, str] = BAD,
) -> Recommendation:
    return answer(predictor, data, where, SPACE, today=today, job=job)


def test_what_is_near_is_answered_by_the_model() -> None:
    predictor = predictor_of(0.8)
    assert predictor.distance(profile(GB // 40), machine(), None) < 1
    assert not ask(predictor, profile(GB // 40), machine()).outside


def test_what_is_far_gets_the_rules_if_these_did_well() -> None:
    far = profile(5000 * GB), machine(512, 4000 * GB)
    predictor = predictor_of(0.8)
    assert predictor.distance(*far, None) > 1
    found = ask(predictor, *far)
    assert found.outside
    assert not found.keep_default
    assert found.origin == "expert rules"
    assert found.predicted_speedup == pytest.approx(1.25, rel=0.02)
    assert "unlike all that was learned from" in found.reason
    assert found.config.properties[PARTITIONS] == "32768"  # the most that the space has
    text = found.to_text()
    assert "Unlike" in text or "unlike" in text
    assert "% time" not in text  # no effect of a single property is claimed


def test_what_rules_bring_is_not_claimed_to_who_keeps_some_of_them() -> None:
    far = profile(5000 * GB), machine(512, 4000 * GB)
    found = ask(predictor_of(0.8), *far, today={PARTITIONS: "32768"})
    assert not found.keep_default
    assert (found.predicted_speedup, found.low) == (1.0, 1.0)
    assert "is not known, since you keep some of them already" in found.reason


@pytest.mark.parametrize("ratio", [None, 1.2, 0.99])
def test_what_is_far_keeps_the_default_if_the_rules_did_not(ratio: float | None) -> None:
    found = ask(predictor_of(ratio), profile(5000 * GB), machine(512, 4000 * GB))
    assert found.outside
    assert found.keep_default
    assert "unlike all that was learned from" in found.reason
    assert "autotune tune" in found.to_text()


def test_who_runs_the_rules_already_keeps_them() -> None:
    predictor, far = predictor_of(0.8), (profile(5000 * GB), machine(512, 4000 * GB))
    rules = ask(predictor, *far).config
    today = {name: value for name, value in rules.properties.items() if value is not None}
    found = answer(predictor, *far, SPACE, today=today)
    assert found.keep_default
    assert "what the rules of Spark's own guides say" in found.to_text()


def test_rules_that_failed_somewhere_are_not_recommended() -> None:
    def failed(history: StudyHistory) -> StudyHistory:
        last = history.trials[-1].model_copy(
            update={"status": Status.FAILED, "cause": Cause.OUT_OF_MEMORY, "duration_s": None}
        )
        return history.model_copy(update={"trials": (*history.trials[:-1], last)})

    good = [with_rules(study(name, GB // 50, workload=name), 0.8) for name in "abcdef"]
    for histories, said in ((good, 0.8), ([*good[:-2], *map(failed, good[-2:])], 2.0)):
        rules = fit(histories, facts_of=facts_of, models=("constant",)).card.rules
        assert rules is not None
        assert rules.studies == 6
        assert rules.high == pytest.approx(said, rel=0.05)


def test_a_job_of_another_kind_is_far() -> None:
    def job(**operators: int) -> WorkloadProfile:
        known = {Operator(name): count for name, count in operators.items()}
        return WorkloadProfile(
            source=ProfileSource.EVENT_LOG, operators=known, tasks=100, stages=10, jobs=5
        )

    usual = job(scan=2, exchange=2, hash_aggregate=4)
    histories = [
        study(f"{w}{i}", size, workload=w).model_copy(update={"job": usual})
        for w in ("a", "b", "c")
        for i, size in enumerate((GB // 100, GB // 20))
    ]
    predictor = fit(histories, facts_of=facts_of, models=("constant", "extra_trees"))
    asked = profile(GB // 40), machine()
    strange = {"gc_share": 0.9, "cached": 50, "rdd_jobs": 5, "python_stages": 10, "tasks": 10**6}
    other = job(python=5, cache=7, objects=9).model_copy(update=strange)
    near, far = predictor.distance(*asked, usual), predictor.distance(*asked, other)
    assert near < 1 < far


def test_a_job_that_is_mostly_of_an_unknown_kind_is_far() -> None:
    contexts = [{"x": float(i % 3), "job python stages": 0.1 * (i % 2)} for i in range(9)]
    groups = list("aaabbbccc")
    reach, apart = reach_of([*contexts, {"x": 1.0, "job python stages": 0.9}], [*groups, "d"])
    assert list(apart > 1) == [False] * 9 + [True]  # as seen by the others
    assert reach.distance({"x": 1.0, "job python stages": 0.9}) == 0  # now it is known
    without, _ = reach_of(contexts, groups)
    assert without.distance({"x": 1.0, "job python stages": 0.9}) > 1
    assert without.distance({"x": 1.0, "job python stages": 0.3}) < 1


def test_a_machine_of_twice_the_memory_is_none_of_another_kind() -> None:
    contexts = [
        {"machine memory per core": 11.0, "data size": float(i % 3), "data rows": float(i % 2)}
        for i in range(9)
    ]
    reach, _ = reach_of(contexts, list("aaabbbccc"))
    assert reach.distance({**contexts[0], "machine memory per core": 12.0}) < 1
    assert reach.distance({**contexts[0], "machine memory per core": 20.0}) > 1


@pytest.mark.parametrize("name", ["job seconds", "data size per slot", "machine slots"])
def test_eight_times_as_much_of_anything_is_far_whatever_else_is_alike(name: str) -> None:
    alike = {f"x{i}": 0.0 for i in range(50)}
    contexts = [{**alike, "x0": float(i % 3), name: 4.0 + 0.5 * i} for i in range(9)]
    reach, _ = reach_of(contexts, list("aaabbbccc"))
    assert reach.distance({**alike, name: 10.9}) < 1
    assert reach.distance({**alike, name: 11.1}) > 1
    assert reach.distance({**alike, name: 0.0}) < 1  # what is small costs little


def test_with_few_groups_nothing_is_far() -> None:
    reach, apart = reach_of([{"x": 1.0}, {"x": 2.0}], ["a", "b"])
    assert list(apart) == [0, 0]
    assert reach.limit is None
    assert reach.distance({"x": 1e9}) == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=8), st.floats(-1e6, 1e6))
def test_distances_are_numbers_and_what_was_seen_is_at_none(
    values: list[float], asked: float
) -> None:
    contexts = [{"x": value, "y": math.nan} for value in values]
    reach, apart = reach_of(contexts, [str(place) for place in range(len(values))])
    assert np.isfinite(apart).all()
    assert reach.names == ("x",)
    assert reach.distance({"x": values[0]}) == 0
    assert math.isfinite(reach.distance({"x": asked}))
    assert reach.distance({}) == 0
