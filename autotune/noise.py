"""Pure statistics: trials → candidates, and whether a winner is really faster.

Single executions of the same configuration differ by 5–10 % on a quiet machine. Values are
therefore medians, and a gain is claimed only from fresh, interleaved executions (``judge``).
Nothing here is stored: everything can be derived again from the trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from statistics import median

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from autotune.domain import Objective, Value
from autotune.record import Candidate, Cause, Purpose, Status, Trial

CONFIDENCE = 0.95
BOOTSTRAP_BLOCKS = 6
"""From so many blocks on the interval is a bootstrap; with fewer it would be far too narrow."""
RESAMPLES = 4000
SMALLEST = 1e-9
"""Stands for zero where logarithms are taken."""

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
    """It looks faster, but too little was measured to say so."""


class Verdict(Value):
    """The winner against the baseline, and how sure that is."""

    kind: VerdictKind
    speedup: float | None = None
    """Median of the baseline over median of the winner: 1.25 means a quarter faster."""
    low: float | None = None
    high: float | None = None
    """Bounds of the 95 % interval of ``speedup``."""
    blocks: int = 0
    """Interleaved pairs that it rests on."""
    aa_spread: float | None = None
    """By how much two executions of the baseline typically differ: 0.06 means 6 %."""
    reason: str = ""

    @property
    def claimed(self) -> bool:
        """Whether the winner may be recommended."""
        return self.kind is VerdictKind.GAIN


def candidates(trials: Sequence[Trial], objective: Objective) -> tuple[Candidate, ...]:
    """Derive one candidate per distinct config, in the order of their first trials.

    The value is the median of what was measured. An execution that was ended by its limit, or
    early, counts with a lower bound; when at least half of them ended so, the value is *censored*.
    A config is *failed* when its output was ever wrong, or when it failed at least as often as it
    ran on: one success in two is no configuration to recommend, one failure in three may be the
    machine's. Executions that were lost say nothing about a config and are left out.

    Args:
        trials: Everything measured, in any order.
        objective: What is minimised.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        groups.setdefault(trial.config.digest, []).append(trial)
    return tuple(_candidate(group, objective) for group in groups.values())


def best(found: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate with the lowest measured value; of equals the one measured more."""
    fit = [c for c in found if c.value is not None and not (c.failed or c.censored)]
    return min(fit, key=lambda c: (c.value, -c.measured), default=None)


def baseline_value(trials: Sequence[Trial], objective: Objective) -> float | None:
    """Return the median objective of the baseline trials, or ``None`` if none succeeded."""
    return _median(
        trial.execution.value(objective)
        for trial in trials
        if trial.purpose is Purpose.BASELINE and trial.succeeded
    )


def median_duration_s(trials: Sequence[Trial]) -> float | None:
    """Return the median duration of the trials that succeeded, in seconds."""
    return _median(trial.execution.duration_s for trial in trials if trial.succeeded)


def judge(
    blocks: Sequence[tuple[float, float]],
    *,
    baseline_repeats: Sequence[float] = (),
    beaten: bool = True,
    seed: int = 0,
) -> Verdict:
    """Say whether the winner of a study is really faster than its baseline.

    The speedup is the ratio of medians over interleaved blocks. From ``BOOTSTRAP_BLOCKS`` blocks
    on its interval is a percentile bootstrap over whole blocks (Efron 1979), so that what a block
    has in common stays together. With fewer blocks there are too few resamples for that (three
    blocks claim a gain in 13 % of the cases when there is none); the interval is then Student's
    on logarithms, with one spread pooled from both arms and from the baseline's other executions.
    Drift between blocks widens it, which is the safe side.

    A gain is claimed only if the interval excludes "no gain" and the speedup exceeds what the
    baseline shows against itself.

    Args:
        blocks: (baseline, winner) values of each block, all succeeded, in order of time.
        baseline_repeats: All values of the baseline in this study, in order of time, those of
            the blocks included.
        beaten: Whether anything measured in the search was faster than the baseline.
        seed: Of the bootstrap.
    """
    spread = aa_spread(baseline_repeats or [before for before, _ in blocks])
    if not beaten:
        reason = "nothing that was tried is faster than your configuration"
        return Verdict(kind=VerdictKind.NO_GAIN, aa_spread=spread, reason=reason)
    if len(blocks) < 2:
        reason = f"{_times(len(blocks))} measured against your configuration, too little to claim"
        return Verdict(
            kind=VerdictKind.UNDECIDED, blocks=len(blocks), aa_spread=spread, reason=reason
        )
    winner = max(median(after for _, after in blocks), SMALLEST)
    speedup = median(before for before, _ in blocks) / winner
    low, high = _interval(blocks, baseline_repeats, seed)
    # Geometric mean and median need not agree: never report bounds that exclude what they bound.
    low, high = min(low, speedup), max(high, speedup)
    kind, reason = _classify(speedup, low, high, spread or 0.0)
    return Verdict(
        kind=kind,
        speedup=speedup,
        low=low,
        high=high,
        blocks=len(blocks),
        aa_spread=spread,
        reason=f"{reason}; {len(blocks)} interleaved blocks",
    )


def aa_spread(values: Sequence[float]) -> float | None:
    """Return by which fraction two executions of one config typically differ.

    It is the median over all pairs: unlike the range it does not grow with the number of
    executions, and one disturbed execution does not decide it.
    """
    if len(values) < 2:
        return None
    logs = _logs(values)
    first, second = np.triu_indices(len(logs), 1)
    return math.expm1(float(np.median(np.abs(logs[first] - logs[second]))))


def _candidate(group: Sequence[Trial], objective: Objective) -> Candidate:
    good = [t for t in group if t.succeeded]
    bad = [t for t in group if t.execution.status is Status.FAILED]
    bad = [t for t in bad if t.execution.cause is not Cause.LOST]
    measured = [v for t in good if (v := t.execution.value(objective)) is not None]
    ended = [t for t in group if t.execution.status in (Status.TIMED_OUT, Status.STOPPED_EARLY)]
    bounds = [v for t in ended if (v := _bound(t, objective)) is not None]
    wrong = any(t.execution.cause is Cause.OUTPUT_MISMATCH for t in bad)
    failed = wrong or (bool(bad) and len(bad) >= len(measured))
    return Candidate(
        config=group[-1].config,
        trial_numbers=tuple(t.number for t in group),
        value=_median([*measured, *bounds]),
        measured=len(measured),
        failed=failed,
        cause=bad[-1].execution.cause if failed else None,
        censored=len(bounds) >= max(len(measured), 1),
    )


def _bound(trial: Trial, objective: Objective) -> float | None:
    """Return what the execution would at least have come to."""
    execution = trial.execution
    heading_s = trial.extrapolated_s or trial.limits.time_s or execution.wall_s
    if objective is Objective.DURATION_S:
        return heading_s
    spent: float = getattr(execution.metrics, objective.value)
    if spent <= 0 or execution.wall_s <= 0:
        return None
    return spent * max(1.0, heading_s / execution.wall_s)


def _median(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return median(known) if known else None


def _interval(
    blocks: Sequence[tuple[float, float]], repeats: Sequence[float], seed: int
) -> tuple[float, float]:
    logs = _logs(blocks)
    if len(blocks) >= BOOTSTRAP_BLOCKS:
        return _bootstrap(logs, seed)
    others = list(repeats)
    for before, _ in blocks:
        if before in others:
            others.remove(before)
    return _student(logs, _logs(others))


def _logs(values: ArrayLike) -> Floats:
    return np.log(np.maximum(np.asarray(values, dtype=np.float64), SMALLEST))


def _bootstrap(logs: Floats, seed: int) -> tuple[float, float]:
    rows = np.random.default_rng(seed).integers(0, len(logs), (RESAMPLES, len(logs)))
    medians = np.median(logs[rows], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians[:, 0] - medians[:, 1], [tail, 1 - tail])
    return math.exp(low), math.exp(high)


def _student(logs: Floats, others: Floats) -> tuple[float, float]:
    arms = [logs[:, 0], logs[:, 1], *([others] if len(others) > 1 else [])]
    freedom = sum(len(arm) - 1 for arm in arms)
    variance = sum(float(((arm - arm.mean()) ** 2).sum()) for arm in arms) / freedom
    centre = float(logs[:, 0].mean() - logs[:, 1].mean())
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
    half = quantile * math.sqrt(2 * variance / len(logs))
    return math.exp(centre - half), math.exp(centre + half)


def _classify(speedup: float, low: float, high: float, spread: float) -> tuple[VerdictKind, str]:
    shown = f"measured {speedup:.2f}× ({low:.2f}–{high:.2f})"
    if low > 1 and speedup > 1 + spread:
        reason = f"{shown}; your configuration differs from itself by {spread:.0%}"
        return VerdictKind.GAIN, reason
    if low > 1:
        reason = f"{shown}, less than your configuration differs from itself ({spread:.0%})"
        return VerdictKind.NO_GAIN, reason
    if high < 1:
        return VerdictKind.SLOWER, f"{shown}: it was faster only by chance"
    if speedup > 1 + spread:
        return VerdictKind.UNDECIDED, f"{shown}: it looks faster, but that may be noise"
    return VerdictKind.NO_GAIN, f"{shown}: no difference beyond noise"


def _times(count: int) -> str:
    return {0: "never", 1: "only once"}.get(count, f"{count} times")
