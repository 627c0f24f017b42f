"""What each configuration of a past study took, the machine's ups and downs taken out."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from autotune.drift import levels
from autotune.noise import is_cold
from autotune.record import Cause, PastTrial, Purpose, Status

_DIGITS = 6


def log_levels(trials: Sequence[PastTrial]) -> Mapping[str, float]:
    """Return digest of a configuration → log(seconds), of those that are known to some extent.

    A cold start and what was lost are left out. Of a configuration that never came to its end,
    the time after which it was stopped counts: it is at least as slow.

    Args:
        trials: Of one study, in the order in which they were made.
    """
    cold = _cold_start(trials)
    told = [trial for trial in trials if trial is not cold and _took(trial) is not None]
    found = _levels([trial for trial in told if trial.status is Status.SUCCEEDED])
    stopped: dict[str, list[float]] = defaultdict(list)
    for trial in told:
        if trial.status in (Status.STOPPED_EARLY, Status.TIMED_OUT):
            stopped[trial.config.digest].append(_took(trial) or 0.0)
    ended = {digest: statistics.median(logs) for digest, logs in stopped.items()}
    # Processors differ in the last digits, and models in what they make of equal splits: without
    # these digits the same studies teach the same everywhere.
    return {digest: round(log, _DIGITS) for digest, log in (ended | found).items()}


def _levels(told: Sequence[PastTrial]) -> dict[str, float]:
    logs: dict[str, list[float]] = defaultdict(list)
    for trial in told:
        logs[trial.config.digest].append(_took(trial) or 0.0)
    times = [t.started_at.timestamp() for t in told if t.started_at is not None]
    if not told or len(times) < len(told) or len(set(times)) < len(times):
        return {digest: statistics.median(values) for digest, values in logs.items()}
    places = {digest: place for place, digest in enumerate(logs)}
    middle = np.array(times) + [(trial.duration_s or 0.0) / 2 for trial in told]
    group = np.array([places[trial.config.digest] for trial in told])
    level = levels(middle, group, np.array([_took(trial) for trial in told])).level
    return {digest: float(level[place]) for digest, place in places.items()}


def _took(trial: PastTrial) -> float | None:
    known = trial.cause is not Cause.LOST and trial.duration_s is not None and trial.duration_s > 0
    return math.log(trial.duration_s) if known and trial.duration_s else None


def _cold_start(trials: Sequence[PastTrial]) -> PastTrial | None:
    """Return the first execution if it was a cold one, as ``noise.cold_start`` tells it."""
    own = [t for t in trials if t.purpose is Purpose.BASELINE and t.status is Status.SUCCEEDED]
    if not own or own[0] is not trials[0]:
        return None
    first, *later = [trial.duration_s or 0.0 for trial in own]
    return own[0] if is_cold(first, later) else None
