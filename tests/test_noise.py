from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autotune import noise
from autotune.domain import Config, Limits, Objective
from autotune.record import Cause, Execution, Metrics, Origin, Purpose, Status, Trial

AT = datetime(2026, 1, 1, tzinfo=UTC)
SLOW = Config(properties={"spark.a": "1"})
FAST = Config(properties={"spark.a": "2"})


def trial(
    number: int,
    duration_s: float | None = None,
    *,
    config: Config = FAST,
    status: Status = Status.SUCCEEDED,
    cause: Cause | None = None,
    limit_s: float | None = None,
    extrapolated_s: float | None = None,
    purpose: Purpose = Purpose.SEARCH,
    wall_s: float = 1.0,
    core_seconds: float = 0.0,
) -> Trial:
    return Trial(
        number=number,
        purpose=purpose,
        origin=Origin.SAMPLER,
        config=config,
        limits=Limits(time_s=limit_s),
        extrapolated_s=extrapolated_s,
        execution=Execution(
            status=status,
            cause=cause,
            started_at=AT,
            wall_s=wall_s,
            duration_s=duration_s,
            metrics=Metrics(core_seconds=core_seconds),
        ),
    )


def failed(number: int, cause: Cause = Cause.OUT_OF_MEMORY) -> Trial:
    return trial(number, status=Status.FAILED, cause=cause)


def only(*trials: Trial, objective: Objective = Objective.DURATION_S) -> noise.Candidate:
    (candidate,) = noise.candidates(trials, objective)
    return candidate


def test_one_candidate_per_config_with_its_level() -> None:
    found = noise.candidates(
        [trial(3, 14), trial(0, 30, config=SLOW), trial(1, 10), trial(2, 11)],
        Objective.DURATION_S,
    )
    assert [c.config for c in found] == [SLOW, FAST]
    assert found[1].value == pytest.approx(11.5, rel=0.03)
    assert found[1].trial_numbers == (1, 2, 3)
    assert found[1].measured == 3
    best = noise.best(found)
    assert best is not None
    assert best.config == FAST


def test_a_failure_has_no_value_and_names_its_cause() -> None:
    candidate = only(failed(0))
    assert candidate.failed
    assert candidate.value is None
    assert candidate.cause is Cause.OUT_OF_MEMORY
    assert noise.best([candidate]) is None


def test_as_many_failures_as_successes_disqualify_but_one_in_three_does_not() -> None:
    assert only(failed(0), trial(1, 10)).failed
    forgiven = only(failed(0), trial(1, 10), trial(2, 12))
    assert not forgiven.failed
    assert forgiven.cause is None
    assert forgiven.value == pytest.approx(11, rel=0.02)


def test_a_wrong_output_is_never_forgiven() -> None:
    wrong = failed(0, Cause.OUTPUT_MISMATCH)
    candidate = only(wrong, trial(1, 10), trial(2, 12), trial(3, 12))
    assert candidate.failed
    assert candidate.cause is Cause.OUTPUT_MISMATCH


def test_a_lost_execution_says_nothing_about_the_config() -> None:
    candidate = only(failed(0, Cause.LOST), trial(1, 10))
    assert not candidate.failed
    assert candidate.value == pytest.approx(10)


def test_a_time_out_is_a_lower_bound() -> None:
    candidate = only(trial(0, status=Status.TIMED_OUT, limit_s=90))
    assert candidate.censored
    assert candidate.value == 90
    assert candidate.measured == 0
    assert noise.best([candidate]) is None


def test_an_early_stop_counts_with_where_it_was_heading() -> None:
    stopped = trial(0, status=Status.STOPPED_EARLY, extrapolated_s=75, limit_s=90)
    assert only(stopped).value == 75


def test_bounds_of_other_objectives_follow_what_was_spent() -> None:
    stopped = trial(0, status=Status.STOPPED_EARLY, extrapolated_s=60, wall_s=20, core_seconds=80)
    assert only(stopped, objective=Objective.CORE_SECONDS).value == pytest.approx(240)
    assert only(stopped, objective=Objective.GB_SECONDS).value is None


def test_baseline_value_looks_at_baseline_trials_alone() -> None:
    trials = [
        trial(0, 30, config=SLOW, purpose=Purpose.BASELINE),
        trial(1, 34, config=SLOW, purpose=Purpose.BASELINE),
        trial(2, 90, config=SLOW, purpose=Purpose.CONFIRM),
    ]
    assert noise.baseline_value(trials, Objective.DURATION_S) == 32
    assert noise.median_duration_s(trials) == 34
    assert noise.baseline_value([], Objective.DURATION_S) is None


def at(
    number: int, seconds: float, minutes: float, config: Config = FAST, **more: object
) -> Trial:
    found = trial(number, seconds, config=config, **more)
    started_at = AT + timedelta(minutes=minutes)
    execution = found.execution.model_copy(update={"started_at": started_at})
    return found.model_copy(update={"execution": execution})


def test_a_cold_start_is_recognised_and_set_apart() -> None:
    own = {"config": SLOW, "purpose": Purpose.BASELINE}
    warm = [trial(1, 30.0, **own), trial(2, 31.0, **own)]
    trials = [trial(0, 40.0, **own), *warm]
    assert noise.cold_start(trials, Objective.DURATION_S) == trials[0]
    assert noise.baseline_value(trials, Objective.DURATION_S) == 30.5
    (candidate,) = noise.candidates(trials, Objective.DURATION_S)
    assert candidate.value == pytest.approx(30.5, rel=0.01)
    assert candidate.measured == 3


@pytest.mark.parametrize("first", [29.0, 31.5, 32.4])
def test_a_first_execution_within_noise_is_not_cold(first: float) -> None:
    own = {"config": SLOW, "purpose": Purpose.BASELINE}
    trials = [trial(0, first, **own), trial(1, 30.0, **own), trial(2, 31.0, **own)]
    assert noise.cold_start(trials, Objective.DURATION_S) is None
    assert noise.cold_start(trials[:2], Objective.DURATION_S) is None


def test_a_config_measured_while_the_machine_was_slow_is_not_blamed() -> None:
    fine, worse = (Config(properties={"spark.a": text}) for text in ("fine", "worse"))
    trials = [
        *(at(i, 100.0, i, SLOW) for i in range(4)),
        at(4, 90.0, 4, worse),
        # From here on everything takes half as long again.
        *(at(5 + i, 150.0, 60 + i, SLOW) for i in range(4)),
        at(9, 120.0, 64, fine),
    ]
    found = {c.config.digest: c.value for c in noise.candidates(trials, Objective.DURATION_S)}
    assert found[fine.digest] < found[worse.digest]
    assert trials[9].execution.duration_s == 120.0


def test_of_two_alike_the_one_measured_more_is_confirmed() -> None:
    trials = [trial(0, 10.0), *(trial(i, 10.05, config=SLOW) for i in range(1, 5))]
    found = noise.candidates(trials, Objective.DURATION_S)
    best, soundest = noise.best(found), noise.soundest(found)
    assert best is not None
    assert soundest is not None
    assert (best.config, soundest.config) == (FAST, SLOW)
