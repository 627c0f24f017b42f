"""How good predictions were of what had been left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from autotune.predict.predictor import Predictor, Score, doubt
from autotune.predict.rows import Table, usable
from autotune.record import StudyHistory


@dataclass(frozen=True)
class LeftOut:
    """What a kind of model says of each row without having seen its group."""

    logs: np.ndarray
    """log(time ÷ baseline time)."""
    spread: np.ndarray
    """Disagreement inside the model, in log(time)."""


def regrets(predictor: Predictor, histories: Sequence[StudyHistory]) -> dict[str, float]:
    """Return what *predictor*'s picks among measured configurations lose, study by study.

    Keys are those of ``ModelCard.study_regrets``. Studies that *predictor* has learned from
    flatter it; what can't be used is left out.
    """
    found = {}
    for lesson in usable(histories):
        history = lesson.history
        others = sorted(set(lesson.log_times) - {lesson.baseline.digest})
        digests = [lesson.baseline.digest, *others]
        predictions = predictor.predict(
            history.profile,
            history.machine,
            [lesson.configs[digest] for digest in digests],
            baseline=lesson.baseline,
            workload=history.workload,
            job=history.job,
        )
        truth = np.array([lesson.log_times[digest] for digest in digests])
        guess = np.log([prediction.relative_time for prediction in predictions])
        found[lesson.key] = _regret(truth, guess)
    return found


def _regret(truth: np.ndarray, guess: np.ndarray) -> float:
    """Return time of the pick ÷ best − 1; of equal guesses the first, the baseline, counts."""
    return float(np.exp(truth[np.argmin(guess)] - truth.min()) - 1)


def score_of(table: Table, predicted: np.ndarray) -> tuple[Score, list[float]]:
    """Return how well left-out times were foreseen, and the regret of each study's pick.

    Args:
        table: What was measured.
        predicted: log(time ÷ baseline time), one a row.
    """
    lost, correlations = [], []
    for study in np.unique(table.study):
        rows = (table.study == study) & ~np.isnan(table.log_times)
        truth, guess = table.log_times[rows], predicted[rows]
        lost.append(_regret(truth, guess))
        varies = np.ptp(truth) > 0 and np.ptp(guess) > 0
        correlations.append(spearmanr(truth, guess).statistic if varies else 0.0)
    score = Score(
        regret=float(np.mean(lost)),
        rank_correlation=float(np.mean(correlations)),
        mae_log_time=float(np.nanmean(np.abs(table.log_times - predicted))),
    )
    return score, lost


def residual_interval(table: Table, left_out: LeftOut) -> tuple[float, float]:
    """Return how far left-out times lay from their prediction: 10th and 90th percentile.

    In units of :func:`~autotune.predict.predictor.doubt`, so that the interval is wide where the
    model is in two minds. Of few residuals the outer ones are taken, as in split conformal
    prediction with normalised residuals (Lei and others, JASA 2018, section 5.2). At least the
    noise between two executions of one configuration is allowed for.
    """
    search = np.arange(len(left_out.logs)) != table.baseline_row
    told = search & ~np.isnan(table.log_times)
    residuals = (table.log_times - left_out.logs)[told] / doubt(left_out.spread[told])
    if not len(residuals):
        return -1.0, 1.0
    level = min(1.0, np.ceil((len(residuals) + 1) * 0.9) / len(residuals))
    low = np.quantile(residuals, 1 - level, method="lower")
    high = np.quantile(residuals, level, method="higher")
    return float(min(low, -1.0)), float(max(high, 1.0))
