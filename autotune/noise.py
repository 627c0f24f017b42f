"""What was measured, made comparable: trials → candidates.

Single executions of the same configuration differ by 5–10 % on a quiet machine, and the machine
itself slows and recovers. So the first, cold execution is set apart, drift is taken out by what
was measured again and again (``drift``), and every value comes with its standard error. Nothing
here is stored: everything can be derived again from the trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np

from autotune.domain import Objective
from autotune.drift import Levels, levels
from autotune.record import Candidate, Cause, Purpose, Status, Trial

SMALLEST = 1e-9
"""Stands for zero where logarithms are taken."""
COLD_RATIO = 1.05
"""The first execution counts as cold when it takes so much longer than each later baseline …"""
COLD_NEEDS = 2
"""… of which there must be so many."""


def candidates(trials: Sequence[Trial], objective: Objective) -> tuple[Candidate, ...]:
    """Derive one candidate per distinct config, in the order of their first trials.

    The value is the level of the config, the machine's drift taken out. An execution that was
    ended by its limit, or early, counts with a lower bound; when at least half of them ended so,
    the value is *censored*. A config is *failed* when its output was ever wrong, or when it failed
    at least as often as it ran on: one success in two is no configuration to recommend, one
    failure in three may be the machine's. Executions that were lost say nothing about a config
    and are left out, and so is a cold start.

    Args:
        trials: Everything measured, in any order.
        objective: What is minimised.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        groups.setdefault(trial.config.digest, []).append(trial)
    known = _Corrected(trials, objective)
    return tuple(_candidate(group, known) for group in groups.values())


def cold_start(trials: Sequence[Trial], objective: Objective) -> Trial | None:
    """Return the first execution if it was a cold one: nothing in the page cache, no class loaded.

    It is recognised by being slower than each later baseline by more than a twentieth.
    """
    first = min(trials, key=lambda trial: trial.number, default=None)
    if first is None or first.purpose is not Purpose.BASELINE:
        return None
    value = first.execution.value(objective)
    later = [
        other
        for trial in trials
        if trial.purpose is Purpose.BASELINE and trial is not first and trial.succeeded
        if (other := trial.execution.value(objective)) is not None
    ]
    return first if value is not None and is_cold(value, later) else None


def is_cold(first: float, later: Sequence[float]) -> bool:
    """Whether the first of several baselines was a cold start, from what they took."""
    return len(later) >= COLD_NEEDS and first > COLD_RATIO * max(later)


def best(found: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate with the lowest measured value; of equals the one measured more."""
    fit = [c for c in found if c.value is not None and not (c.failed or c.censored)]
    return min(fit, key=lambda c: (c.value, -c.measured), default=None)


def soundest(found: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate to confirm: the lowest value, a standard error added to each.

    Of two that look alike, what was measured more often is less likely to have been lucky.
    """
    fit = [c for c in found if c.value is not None and not (c.failed or c.censored)]
    return min(fit, key=lambda c: (c.value or 0.0) * math.exp(c.error or 0.0), default=None)


def baseline_value(trials: Sequence[Trial], objective: Objective) -> float | None:
    """Return the median objective of the baseline trials, or ``None`` if none succeeded.

    A cold start is left out.
    """
    cold = cold_start(trials, objective)
    return _median(
        trial.execution.value(objective)
        for trial in trials
        if trial.purpose is Purpose.BASELINE and trial.succeeded and trial is not cold
    )


def median_duration_s(trials: Sequence[Trial]) -> float | None:
    """Return the median duration of the trials that succeeded, in seconds."""
    return _median(trial.execution.duration_s for trial in trials if trial.succeeded)


class _Corrected:
    """What was measured, less the drift of the moment; what tells nothing is left out."""

    def __init__(self, trials: Sequence[Trial], objective: Objective) -> None:
        self.objective = objective
        cold = cold_start(trials, objective)
        told = [
            (trial, value)
            for trial in sorted(trials, key=lambda trial: trial.number)
            if trial.succeeded and trial is not cold
            if (value := trial.execution.value(objective)) is not None
        ]
        self._group: dict[str, int] = {}
        for trial, _ in told:
            self._group.setdefault(trial.config.digest, len(self._group))
        self._at_s = np.array([_middle_s(trial) for trial, _ in told])
        self._found = _levels(told, self._at_s, self._group)

    def level(self, digest: str) -> tuple[float | None, float | None]:
        """Return value and standard error (of its logarithm) of a config that succeeded."""
        index = self._group.get(digest)
        if index is None:
            return None, None
        return math.exp(self._found.level[index]), float(self._found.error[index])

    def drift_at(self, trial: Trial) -> float:
        """Return the factor by which the machine was slower, at the measurement next in time."""
        if not len(self._at_s):
            return 1.0
        nearest = int(np.argmin(np.abs(self._at_s - _middle_s(trial))))
        return math.exp(self._found.drift[nearest])


def _levels(
    told: Sequence[tuple[Trial, float]], at_s: np.ndarray, group: dict[str, int]
) -> Levels:
    if not told:
        return Levels(np.zeros(0), np.zeros(0), 0.0, np.zeros(0))
    indices = np.array([group[trial.config.digest] for trial, _ in told])
    logs = np.log(np.maximum([value for _, value in told], SMALLEST))
    return levels(at_s, indices, logs)


def _middle_s(trial: Trial) -> float:
    return trial.execution.started_at.timestamp() + trial.execution.wall_s / 2


def _candidate(group: Sequence[Trial], known: _Corrected) -> Candidate:
    good = [t for t in group if t.succeeded]
    bad = [t for t in group if t.execution.status is Status.FAILED]
    bad = [t for t in bad if t.execution.cause is not Cause.LOST]
    measured = sum(t.execution.value(known.objective) is not None for t in good)
    ended = [t for t in group if t.execution.status in (Status.TIMED_OUT, Status.STOPPED_EARLY)]
    bounds = [
        bound / known.drift_at(t)
        for t in ended
        if (bound := _bound(t, known.objective)) is not None
    ]
    wrong = any(t.execution.cause is Cause.OUTPUT_MISMATCH for t in bad)
    failed = wrong or (bool(bad) and len(bad) >= measured)
    value, error = known.level(group[0].config.digest)
    return Candidate(
        config=group[-1].config,
        trial_numbers=tuple(t.number for t in group),
        value=_median([*[value] * measured, *bounds]),
        error=error,
        measured=measured,
        failed=failed,
        cause=bad[-1].execution.cause if failed else None,
        censored=len(bounds) >= max(measured, 1),
    )


def _bound(trial: Trial, objective: Objective) -> float | None:
    """Return what the execution would at least have come to."""
    execution = trial.execution
    heading_s = trial.extrapolated_s or trial.limits.time_s or execution.wall_s
    if objective is Objective.DURATION_S:
        return heading_s
    spent: float | None = getattr(execution.metrics, objective.value)
    if not spent or spent <= 0 or execution.wall_s <= 0:
        return None
    if objective.of_stream:
        return spent  # does not grow with the time
    return spent * max(1.0, heading_s / execution.wall_s)


def _median(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return median(known) if known else None
