"""Is the winner really faster? Judged by fresh, interleaved executions, and by nothing else.

A block is the baseline, the winner and the baseline once more, in random order: the two baselines
show what a difference of nothing looks like. What the search measured plays no part, because the
winner was chosen for it. False claims and coverage are measured by
``experiments/benchmarks/honesty.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from autotune.domain import Value

CONFIDENCE = 0.95
BOOTSTRAP_BLOCKS = 5
"""From so many blocks on the interval is a bootstrap; with fewer it would be far too narrow."""
LOOKS = ((3, 0.99), (6, 0.98))
"""A study may end after so many blocks already, if the interval of this confidence decides it."""
FEWEST = 2
RESAMPLES = 2000
SMALLEST = 1e-9
"""Stands for zero where logarithms are taken."""
WORTHWHILE = 1.02
"""A gain that is surely below is none: no more blocks are spent on it."""
_PAIR = 1.5
"""Variance of (mean of two baselines − one winner), in units of one execution's variance."""

Floats = NDArray[np.float64]


class VerdictKind(StrEnum):
    """What the confirmation showed."""

    GAIN = "gain"
    """Faster, beyond noise: the only one that is a claim."""
    NO_GAIN = "no_gain"
    """No difference that matters."""
    SLOWER = "slower"
    """Slower than the baseline, beyond noise."""
    UNDECIDED = "undecided"
    """Too little was measured to say."""
    WORKS = "works"
    """The baseline fails, this one does not: nothing to compare, but a claim all the same."""


class Block(Value):
    """One round of the confirmation, all three succeeded; the objective of each."""

    baseline: tuple[float, float]
    """In order of time."""
    winner: float


class Verdict(Value):
    """The winner against the baseline, and how sure that is."""

    kind: VerdictKind
    speedup: float | None = None
    """Baseline over winner: 1.25 means a quarter faster. Of a claim, what to expect of it: a
    winner that just passes the test was lucky more often than not, and that is taken off."""
    measured: float | None = None
    """Median of the baseline over median of the winner, as it came out."""
    low: float | None = None
    high: float | None = None
    """Bounds of the 95 % interval of the speedup."""
    blocks: int = 0
    """Interleaved blocks that it rests on."""
    aa_ratio: float | None = None
    """What the same executions show for the baseline against itself; 1.02 or its inverse: 1.02."""
    reason: str = ""
    advice: str = ""
    """What would decide it, or change it."""

    @property
    def claimed(self) -> bool:
        """Whether the winner may be recommended."""
        return self.kind in (VerdictKind.GAIN, VerdictKind.WORKS)


def judge(blocks: Sequence[Block], *, confidence: float = CONFIDENCE, seed: int = 0) -> Verdict:
    """Say whether the winner of a study is really faster than its baseline.

    The speedup is the ratio of medians. From ``BOOTSTRAP_BLOCKS`` blocks on its interval is a
    percentile bootstrap over whole blocks (Efron 1979; whole blocks as in Künsch 1989), so that
    what a block has in common stays together. With fewer blocks there are too few resamples for
    that; the interval is then Student's, on logarithms, its spread pooled from the differences
    within the blocks: baseline against winner and baseline against baseline.

    A gain is claimed only if the interval excludes "no gain" and the measured speedup exceeds what
    the baseline shows against itself.

    Args:
        blocks: In order of time.
        confidence: Of the interval that decides; the one that is reported has 95 %.
        seed: Of the bootstrap.
    """
    if len(blocks) < FEWEST:
        times = {0: "never", 1: "only once"}[len(blocks)]
        reason = f"{times} measured against your configuration, too little to claim anything"
        return Verdict(
            kind=VerdictKind.UNDECIDED,
            blocks=len(blocks),
            reason=reason,
            advice=f"at least {FEWEST} confirmation blocks would decide it",
        )
    logs = np.log(np.maximum([[*block.baseline, block.winner] for block in blocks], SMALLEST))
    gain, low, high = _interval(logs, CONFIDENCE, seed)
    _, least, most = _interval(logs, confidence, seed)
    itself = abs(float(np.median(logs[:, 0]) - np.median(logs[:, 1])))
    kind, reason = _classify(gain, least, most, itself)
    expected = _expected(gain, low, high) if kind is VerdictKind.GAIN else gain
    shown = f"measured {math.exp(gain):.2f}× ({math.exp(low):.2f}–{math.exp(high):.2f})"
    return Verdict(
        kind=kind,
        speedup=math.exp(expected),
        measured=math.exp(gain),
        low=math.exp(low),
        high=math.exp(high),
        blocks=len(blocks),
        aa_ratio=math.exp(itself),
        reason=f"{shown} in {len(blocks)} interleaved blocks: {reason}",
        advice=_advice(kind, gain, low, len(blocks)),
    )


def is_settled(blocks: Sequence[Block], most: int, *, seed: int = 0) -> bool:
    """Say whether more blocks would not change the verdict, so that none is to be spent.

    Looking again and again would find a gain where there is none, so there are few looks, early
    ones with a stricter interval (group-sequential testing, Pocock 1977).

    Args:
        blocks: What was measured so far.
        most: How many there may be.
        seed: Of the bootstrap.
    """
    if len(blocks) >= most:
        return True
    confidence = dict(LOOKS).get(len(blocks))
    if confidence is None:
        return False
    verdict = judge(blocks, confidence=confidence, seed=seed)
    hopeless = verdict.high is not None and verdict.high < WORTHWHILE
    return verdict.claimed or hopeless


def final(blocks: Sequence[Block], most: int, *, seed: int = 0) -> Verdict:
    """Judge with the confidence that is due after so many blocks of at most *most*."""
    early = dict(LOOKS).get(len(blocks), CONFIDENCE) if len(blocks) < most else CONFIDENCE
    return judge(blocks, confidence=early, seed=seed)


def _interval(logs: Floats, confidence: float, seed: int) -> tuple[float, float, float]:
    """Return the logarithms of the speedup and of its bounds. *logs* has shape (blocks, 3)."""
    gain = float(np.median(logs[:, :2]) - np.median(logs[:, 2]))
    if len(logs) >= BOOTSTRAP_BLOCKS:
        low, high = _bootstrap(logs, gain, confidence, seed)
    else:
        low, high = _student(logs, confidence)
    # A mean and a median need not agree: never report bounds that exclude what they bound.
    return gain, min(low, gain), max(high, gain)


def _bootstrap(logs: Floats, gain: float, confidence: float, seed: int) -> tuple[float, float]:
    """Return percentile bounds, as wide as the spread of so few blocks really is.

    Resampling n blocks underestimates their spread by the root of (n − 1) ÷ n (Hesterberg 2015).
    """
    rows = np.random.default_rng(seed).integers(0, len(logs), (RESAMPLES, len(logs)))
    drawn = logs[rows]
    gains = np.median(drawn[:, :, :2], axis=(1, 2)) - np.median(drawn[:, :, 2], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(gains, [tail, 1 - tail])
    wider = math.sqrt(len(logs) / (len(logs) - 1))
    return gain + wider * (float(low) - gain), gain + wider * (float(high) - gain)


def _student(logs: Floats, confidence: float) -> tuple[float, float]:
    gains = logs[:, :2].mean(axis=1) - logs[:, 2]
    freedom = 2 * len(gains) - 1
    squares = ((gains - gains.mean()) ** 2).sum() / _PAIR
    squares += ((logs[:, 0] - logs[:, 1]) ** 2).sum() / 2
    error = math.sqrt(_PAIR * squares / freedom / len(gains))
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return float(gains.mean()) - half, float(gains.mean()) + half


def _expected(gain: float, low: float, high: float) -> float:
    """Return what to expect of a gain that was only reported because it passed the test.

    The median-unbiased estimate under that selection (Zhong and Prentice 2008), on logarithms:
    the true gain for which what was measured is the median of what passes. Never below the
    interval's own bound.
    """
    quantile = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    error = (high - low) / 2 / quantile
    if error <= 0 or gain / error <= quantile:
        return low if error > 0 else gain
    shown = gain / error

    def surplus(true: float) -> float:
        passing = stats.norm.logsf(quantile - true) + math.log(0.5)
        return float(stats.norm.logsf(shown - true) - passing)

    lowest = -5.0
    if surplus(lowest) * surplus(shown + 0.1) >= 0:
        return low
    true = float(optimize.brentq(surplus, lowest, shown + 0.1))
    return min(gain, max(low, true * error))


def _classify(gain: float, low: float, high: float, itself: float) -> tuple[VerdictKind, str]:
    own = f"your configuration differs from itself by {math.expm1(itself):.0%}"
    if low > 0 and gain > itself:
        return VerdictKind.GAIN, own
    if low > 0:
        return VerdictKind.NO_GAIN, f"no more than that, since {own}"
    if high < 0:
        return VerdictKind.SLOWER, "it was faster in the search only by chance"
    if high < math.log(WORTHWHILE):
        return VerdictKind.NO_GAIN, "at the very most too little to matter"
    if gain > itself:
        return VerdictKind.UNDECIDED, "it looks faster, but that may be noise"
    return VerdictKind.NO_GAIN, f"no difference beyond noise, {own}"


def _advice(kind: VerdictKind, gain: float, low: float, blocks: int) -> str:
    if kind is not VerdictKind.UNDECIDED:
        return ""
    # The interval narrows with the root of the number of blocks.
    needed = math.ceil(blocks * ((gain - low) / max(gain, 1e-3)) ** 2) + 1
    needed = max(needed, blocks + 1, BOOTSTRAP_BLOCKS)
    if needed > 50:
        return "more than 50 blocks would be needed to tell so small a difference from none"
    return f"about {needed} blocks would decide it"
