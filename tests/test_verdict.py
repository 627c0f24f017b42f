from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.verdict import Block, VerdictKind, final, is_settled, judge


def block(before: float, again: float, winner: float) -> Block:
    return Block(baseline=(before, again), winner=winner)


def noisy(random: np.random.Generator, blocks: int, gain: float = 1.0) -> list[Block]:
    """Blocks of a machine with 6 % noise."""
    values = 60 * np.exp(0.06 * random.standard_normal((blocks, 3)))
    return [block(float(a), float(b), float(w) / gain) for a, b, w in values]


def test_a_clear_gain_is_claimed() -> None:
    verdict = judge([block(60, 61, 40), block(62, 61, 41), block(61, 60, 40)])
    assert verdict.kind is VerdictKind.GAIN
    assert verdict.claimed
    assert verdict.measured == pytest.approx(61 / 40)
    assert verdict.speedup == pytest.approx(61 / 40, rel=0.01)
    assert verdict.low is not None
    assert verdict.high is not None
    assert 1 < verdict.low < 61 / 40 < verdict.high
    assert verdict.blocks == 3


def test_a_clear_loss_is_named() -> None:
    verdict = judge([block(40, 41, 60), block(41, 40, 62), block(40, 40, 61)])
    assert verdict.kind is VerdictKind.SLOWER
    assert "chance" in verdict.reason


def test_a_gain_that_the_baseline_shows_against_itself_is_none() -> None:
    verdict = judge([block(66.0 + i % 2, 60.0 + i % 2, 60.0 + i % 2) for i in range(10)])
    assert verdict.low is not None
    assert verdict.low > 1
    assert verdict.kind is VerdictKind.NO_GAIN
    assert "itself" in verdict.reason


def test_what_looks_faster_but_scatters_is_undecided_and_says_what_would_decide() -> None:
    verdict = judge([block(60, 61, 40), block(60, 59, 75), block(60, 60, 30)])
    assert verdict.kind is VerdictKind.UNDECIDED
    assert "blocks would" in verdict.advice


def test_what_can_only_be_a_trifle_is_no_gain() -> None:
    verdict = judge([block(60.0, 60.1, 60.0 + i / 100) for i in range(6)])
    assert verdict.kind is VerdictKind.NO_GAIN


@pytest.mark.parametrize("blocks", [[], [block(60, 60, 20)]])
def test_one_block_is_never_a_claim(blocks: list[Block]) -> None:
    verdict = judge(blocks)
    assert verdict.kind is VerdictKind.UNDECIDED
    assert verdict.speedup is None
    assert verdict.reason
    assert verdict.advice


@pytest.mark.parametrize("blocks", [2, 3, 5, 8])
def test_false_claims_are_rare_when_no_parameter_matters(blocks: int) -> None:
    random = np.random.default_rng(1)
    claims = sum(judge(noisy(random, blocks)).claimed for _ in range(250))
    assert claims / 250 <= 0.05


def test_a_gain_of_thirty_percent_is_mostly_found_with_three_blocks() -> None:
    random = np.random.default_rng(2)
    found = sum(judge(noisy(random, 3, gain=1.3)).claimed for _ in range(200))
    assert found / 200 >= 0.9


def test_what_a_winner_owes_to_luck_is_taken_off() -> None:
    random = np.random.default_rng(3)
    claims = [v for _ in range(400) if (v := judge(noisy(random, 6, gain=1.06))).claimed]
    assert len(claims) > 30
    measured = float(np.median([v.measured for v in claims]))
    claimed = float(np.median([v.speedup for v in claims]))
    assert measured > 1.075
    assert abs(claimed - 1.06) < 0.02


def test_a_large_gain_ends_the_confirmation_early_and_a_small_one_does_not() -> None:
    clear = [block(60, 61, 30), block(62, 60, 31), block(60, 61, 30)]
    assert not is_settled(clear[:2], 6)
    assert is_settled(clear, 6)
    slight = [block(60, 61, 52), block(62, 60, 61), block(60, 61, 56)]
    assert not is_settled(slight, 6)
    assert is_settled(slight, 3)
    assert final(clear, 6).claimed


def test_a_hopeless_one_ends_early_too() -> None:
    hopeless = [block(60, 60.2, 70 + i / 10) for i in range(3)]
    assert is_settled(hopeless, 6)
    assert not final(hopeless, 6).claimed


times = st.floats(0.5, 5000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(times, times, times), min_size=2, max_size=9), st.floats(0.01, 100))
def test_verdicts_are_consistent_whatever_is_measured(
    rows: Sequence[tuple[float, float, float]], unit: float
) -> None:
    blocks = [block(*row) for row in rows]
    verdict = judge(blocks)
    assert verdict.speedup is not None
    assert verdict.low is not None
    assert verdict.high is not None
    assert 0 < verdict.low <= verdict.speedup * (1 + 1e-9)
    assert verdict.speedup <= verdict.high * (1 + 1e-9)
    assert math.isfinite(verdict.high) or verdict.high > verdict.speedup
    if verdict.claimed:
        assert verdict.low > 1
    assert verdict == judge(blocks)
    rescaled = judge([block(*(value * unit for value in row)) for row in rows])
    assert rescaled.measured == pytest.approx(verdict.measured)
