from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune import noise
from autotune.domain import Config, Limits, Objective
from autotune.noise import VerdictKind
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


def test_one_candidate_per_config_with_the_median() -> None:
    found = noise.candidates(
        [trial(3, 14), trial(0, 30, config=SLOW), trial(1, 10), trial(2, 11)],
        Objective.DURATION_S,
    )
    assert [c.config for c in found] == [SLOW, FAST]
    assert found[1].value == 11
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
    assert forgiven.value == 11


def test_a_wrong_output_is_never_forgiven() -> None:
    wrong = failed(0, Cause.OUTPUT_MISMATCH)
    candidate = only(wrong, trial(1, 10), trial(2, 12), trial(3, 12))
    assert candidate.failed
    assert candidate.cause is Cause.OUTPUT_MISMATCH


def test_a_lost_execution_says_nothing_about_the_config() -> None:
    candidate = only(failed(0, Cause.LOST), trial(1, 10))
    assert not candidate.failed
    assert candidate.value == 10


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


def test_a_clear_gain_is_claimed() -> None:
    verdict = noise.judge([(60, 40), (62, 41), (61, 40)], baseline_repeats=[59, 63, 60, 62, 61])
    assert verdict.kind is VerdictKind.GAIN
    assert verdict.claimed
    assert verdict.speedup == pytest.approx(61 / 40)
    assert verdict.low is not None
    assert verdict.high is not None
    assert 1 < verdict.low < 61 / 40 < verdict.high
    assert verdict.blocks == 3


def test_a_clear_loss_is_named() -> None:
    assert noise.judge([(40, 60), (41, 62), (40, 61)]).kind is VerdictKind.SLOWER


def test_a_gain_below_the_spread_of_the_baseline_is_none() -> None:
    blocks = [(60.0 + i % 2, 58.0 + i % 2) for i in range(10)]
    verdict = noise.judge(blocks, baseline_repeats=[50, 60, 70, 61, 55, 66])
    assert verdict.low is not None
    assert verdict.low > 1
    assert verdict.kind is VerdictKind.NO_GAIN


def test_what_looks_faster_but_scatters_is_undecided() -> None:
    verdict = noise.judge([(60, 40), (60, 75), (60, 30)], baseline_repeats=[60, 60, 60])
    assert verdict.kind is VerdictKind.UNDECIDED


@pytest.mark.parametrize("blocks", [[], [(60.0, 20.0)]])
def test_one_block_is_never_a_claim(blocks: list[tuple[float, float]]) -> None:
    verdict = noise.judge(blocks, baseline_repeats=[60, 61])
    assert verdict.kind is VerdictKind.UNDECIDED
    assert verdict.speedup is None
    assert verdict.reason


def test_nothing_beaten_is_an_honest_no_gain() -> None:
    verdict = noise.judge([], baseline_repeats=[60, 63], beaten=False)
    assert verdict.kind is VerdictKind.NO_GAIN
    assert verdict.aa_spread == pytest.approx(0.05)


@pytest.mark.parametrize(("blocks", "most"), [(2, 0.05), (3, 0.05), (8, 0.05)])
def test_false_claims_are_rare_when_no_parameter_matters(blocks: int, most: float) -> None:
    """Log-normal noise of 6 %, two baseline executions before the blocks."""
    random = np.random.default_rng(1)
    claims = 0
    for _ in range(250):
        values = 60 * np.exp(0.06 * random.standard_normal((blocks, 2)))
        repeats = [*(60 * np.exp(0.06 * random.standard_normal(2))), *values[:, 0]]
        pairs = [(float(before), float(after)) for before, after in values]
        claims += noise.judge(pairs, baseline_repeats=repeats).claimed
    assert claims / 250 <= most


def test_a_gain_of_thirty_percent_is_mostly_found_with_three_blocks() -> None:
    random = np.random.default_rng(2)
    found = 0
    for _ in range(200):
        values = 60 * np.exp(0.06 * random.standard_normal((3, 2)))
        repeats = [*(60 * np.exp(0.06 * random.standard_normal(2))), *values[:, 0]]
        pairs = [(float(before), float(after) / 1.3) for before, after in values]
        found += noise.judge(pairs, baseline_repeats=repeats).claimed
    assert found / 200 >= 0.9


times = st.floats(0.5, 5000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(times, times), min_size=2, max_size=9), st.floats(0.01, 100))
def test_verdicts_are_consistent_whatever_is_measured(
    blocks: list[tuple[float, float]], unit: float
) -> None:
    verdict = noise.judge(blocks)
    assert verdict.speedup is not None
    assert verdict.low is not None
    assert verdict.high is not None
    assert 0 < verdict.low <= verdict.speedup <= verdict.high
    assert math.isfinite(verdict.high) or verdict.high > verdict.speedup
    if verdict.claimed:
        assert verdict.low > 1
    assert verdict == noise.judge(blocks)
    rescaled = noise.judge([(before * unit, after * unit) for before, after in blocks])
    assert rescaled.speedup == pytest.approx(verdict.speedup)
