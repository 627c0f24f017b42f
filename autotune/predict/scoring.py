"""How good predictions were of what had been left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import spearmanr

from autotune.predict.card import Margins, Regret, Score
from autotune.predict.predictor import Predictor
from autotune.predict.rows import Lessons, Table, digests_of, usable
from autotune.predict.telling import doubt, lead, worth
from autotune.record import StudyHistory

FAILED_SHARE = 0.5
"""A configuration that fails so often is none to recommend."""
FAILED_RATIO = 2.0
"""It costs at least as much as one that takes so many times as long as the baseline."""
_SLOWER = math.log(1.05)
_SHARE_SLOWER = 0.05
_FEWEST = 9
"""Studies from which it is learned what is sure; of nine, one in ten may still be slower."""


@dataclass(frozen=True)
class LeftOut:
    """What a kind of model says of each row without having seen its group."""

    logs: np.ndarray
    """log(time ÷ baseline time)."""
    spread: np.ndarray
    """Disagreement inside the model, in log(time)."""
    outside: np.ndarray | None = None
    """Whether it lies so far from what was seen that the model would not be asked."""

    @classmethod
    def blank(cls, outside: np.ndarray) -> LeftOut:
        """Return one to be filled in."""
        return cls(np.zeros(len(outside)), np.zeros(len(outside)), outside)

    def relative_to(self, rows: np.ndarray) -> LeftOut:
        """Return the same relative to what is said of other rows, the baselines."""
        return replace(self, logs=self.logs - self.logs[rows])

    def within(self) -> np.ndarray:
        """Return of each row whether the model would be asked about it."""
        return np.ones(len(self.logs), bool) if self.outside is None else ~self.outside


def regrets(predictor: Predictor, histories: Sequence[StudyHistory]) -> dict[str, Regret]:
    """Return what it costs to follow *predictor* among measured configurations, study by study.

    Keys are those of ``ModelCard.study_regrets``. Studies that *predictor* has learned from
    flatter it; what can't be used is left out.
    """
    found = {}
    for lesson in usable(histories):
        history = lesson.history
        costs = cost_of(lesson)
        digests = [lesson.baseline.digest, *sorted(set(costs) - {lesson.baseline.digest})]
        predictions = predictor.predict(
            history.profile,
            history.machine,
            [lesson.configs[digest] for digest in digests],
            baseline=lesson.baseline,
            workload=history.workload,
            job=history.job,
        )
        said = LeftOut(
            np.array([math.log(told.relative_time) for told in predictions]),
            np.array([told.spread for told in predictions]),
        )
        truth = np.array([costs[digest] for digest in digests])
        far = predictor.distance(history.profile, history.machine, history.job) > 1
        margins = predictor.card.margins[predictor.card.known(history.job)]
        sure = math.inf if far else margins.sure
        found[lesson.key] = _regret(truth, said, sure)
    return found


def cost_of(lesson: Lessons) -> dict[str, float]:
    """Return digest of a configuration → log(time ÷ baseline time), failures among them.

    What failed costs twice the baseline's time, or as much as the slowest that is known.
    """
    worst = max([math.log(FAILED_RATIO), *lesson.log_times.values()])
    failed = {d: worst for d, share in lesson.failures.items() if share >= FAILED_SHARE}
    return {**lesson.log_times, **failed}


def _regret(truth: np.ndarray, said: LeftOut, sure: float) -> Regret:
    """Return what following costs in one study, the baseline being its first configuration."""
    pick = int(np.argmin(said.logs + said.spread))
    log_time, spread = float(said.logs[pick]), float(said.spread[pick])
    told = worth(log_time) and lead(log_time, spread, sure) > 0
    lost = np.exp(truth - truth.min()) - 1
    return Regret(told=float(lost[pick if told else 0]), pick=float(lost[pick]))


def score_of(
    table: Table, lessons: Sequence[Lessons], left_out: LeftOut
) -> tuple[Score, list[Regret]]:
    """Return how well left-out times were foreseen, and what following costs in each study.

    Args:
        table: What was measured.
        lessons: What the table was made of.
        left_out: What is said of each row.
    """
    predicted = left_out.logs
    lost = _lost(table, lessons, left_out)
    correlations = []
    for number in range(len(lessons)):
        rows = (table.study == number) & ~np.isnan(table.log_times)
        truth, guess = table.log_times[rows], predicted[rows]
        varies = np.ptp(truth) > 0 and np.ptp(guess) > 0
        correlations.append(spearmanr(truth, guess).statistic if varies else 0.0)
    score = Score(
        told_regret=float(np.mean([study.told for study in lost])),
        regret=float(np.mean([study.pick for study in lost])),
        rank_correlation=float(np.mean(correlations)),
        mae_log_time=float(np.nanmean(np.abs(table.log_times - predicted))),
    )
    return score, lost


def _lost(table: Table, lessons: Sequence[Lessons], left_out: LeftOut) -> list[Regret]:
    """Return what following costs in each study, by what other groups say is sure enough."""
    picks = _picks(table, left_out)
    within = left_out.within()
    sure = {
        group: _sure(picks, picks.group != group, table.study[within & (table.group != group)])
        for group in np.unique(table.group)
    }
    high = margins_of(table, left_out).high
    found = []
    for number, lesson in enumerate(lessons):
        costs = cost_of(lesson)
        own = zip(np.flatnonzero(table.study == number), digests_of(lesson), strict=True)
        rows, digests = zip(*[(row, d) for row, d in own if d in costs], strict=True)
        said = LeftOut(left_out.logs[list(rows)], left_out.spread[list(rows)])
        learned = sure[table.group[rows[0]]]
        told = (high if learned is None else learned) if within[rows[0]] else math.inf
        found.append(_regret(np.array([costs[d] for d in digests]), said, told))
    return found


def margins_of(table: Table, left_out: LeftOut) -> Margins:
    """Return how far left-out times lay from their prediction, and what was sure to be faster.

    In units of :func:`~autotune.predict.telling.doubt`, so that the interval is wide where the
    model is in two minds. Of few residuals the outer ones are taken, as in split conformal
    prediction with normalised residuals (Lei and others, JASA 2018, section 5.2). At least the
    noise between two executions of one configuration is allowed for.

    What looks best of many is more often overrated than the others, and it is what people are
    told: so the upper end holds for the first picks of the left-out studies by themselves too; for
    those that are sure enough to be told it has an end of its own.

    ``sure`` is the least lead with which at most one in twenty studies would have been made over
    5 % slower, one bad study more than was seen counted in (conformal risk control,
    Angelopoulos and others, ICLR 2024, equation 4). Of fewer than 19 studies that can't be said:
    then none of them may have been, so that it is one in as many at most; of fewer than nine not
    even that, and the whole interval must lie above no gain. Studies of one workload are alike, so
    that they count for less than their number; what is promised is as good as that. Studies that
    lie too far from the others are not asked about, and say nothing here.
    """
    picks = _picks(table, left_out)
    search = (np.arange(len(left_out.logs)) != table.baseline_row) & left_out.within()
    residuals = (table.log_times - left_out.logs) / doubt(left_out.spread)
    timed = search & ~np.isnan(residuals)
    if not timed.any():
        return Margins(low=-1.0, high=1.0, sure=1.0, high_if_sure=1.0)
    level = _conformal_level(int(timed.sum()))
    low = float(min(np.quantile(residuals[timed], 1 - level, method="lower"), -1.0))
    high_of_all = float(max(np.quantile(residuals[timed], level, method="higher"), 1.0))

    def high(chosen: np.ndarray) -> float:
        few = residuals[picks.rows[chosen & timed[picks.rows]]]
        if not len(few):
            return high_of_all
        outer = np.quantile(few, _conformal_level(len(few)), method="higher")
        return max(high_of_all, float(outer))

    every = np.ones(len(picks.rows), dtype=bool)
    learned = _sure(picks, every, table.study[left_out.within()])
    sure = high(every) if learned is None else learned
    return Margins(low=low, high=high(every), sure=sure, high_if_sure=high(picks.gain > sure))


def _conformal_level(count: int) -> float:
    """Return the quantile of *count* residuals that a new one stays below in nine of ten cases."""
    return float(min(1.0, np.ceil((count + 1) * 0.9) / count))


@dataclass(frozen=True)
class _Picks:
    """What would have been picked first, of the studies where any would be: one each."""

    rows: np.ndarray
    gain: np.ndarray
    """Predicted, in units of doubt: what ``sure`` is learned from."""
    slower: np.ndarray
    """Whether it was over 5 % slower."""
    group: np.ndarray


def _picks(table: Table, left_out: LeftOut) -> _Picks:
    # What fails is slower, whatever it would take.
    costs = np.where(table.failed >= FAILED_SHARE, math.log(FAILED_RATIO), table.log_times)
    search = (np.arange(len(left_out.logs)) != table.baseline_row) & left_out.within()
    told = search & ~np.isnan(costs)
    found = []
    for study in np.unique(table.study[told]):
        rows = np.flatnonzero(told & (table.study == study))
        best = int(rows[np.argmin((left_out.logs + left_out.spread)[rows])])
        if worth(float(left_out.logs[best])):
            found.append(best)
    picked = np.array(found, dtype=int)
    gain = -left_out.logs[picked] / doubt(left_out.spread[picked])
    return _Picks(picked, gain, costs[picked] > _SLOWER, table.group[picked])


def _sure(picks: _Picks, chosen: np.ndarray, asked: np.ndarray) -> float | None:
    """Return the lead that was hardly ever misleading; ``None``: there are too few studies.

    Args:
        picks: Of all studies.
        chosen: Which of them count.
        asked: The studies of which they are some, any number of times.
    """
    count = len(np.unique(asked))
    if count < _FEWEST:
        return None
    allowed = max(0, math.floor(_SHARE_SLOWER * (count + 1)) - 1)
    slower = np.sort(picks.gain[chosen & picks.slower])[::-1]
    return float(slower[allowed]) if len(slower) > allowed else 0.0
