"""The classifier of failure: kept only if it knows more than the plain share of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autotune.predict.models import classifier
from autotune.predict.rows import Table

Folds = Sequence[tuple[np.ndarray, np.ndarray]]
_MIN_FAILURES = 5


def fit_failure(
    table: Table, prepared: Sequence[np.ndarray], folds: Folds
) -> tuple[Any | None, float]:
    """Return a classifier of failure if it beats the plain share of failures, and that share.

    Args:
        table: What was learned from.
        prepared: Its features, as the preparation gives them; the same rows once more as if
            nothing were known of their jobs, where that differs.
        folds: Pairs of masks: rows to learn from, rows to check with.
    """
    failed = (table.failed >= 0.5).astype(int)
    prior = (failed.sum() + 0.5) / (len(failed) + 1)
    if failed.sum() < _MIN_FAILURES or failed.all():
        return None, float(prior)
    guesses = np.full(len(failed), prior)
    plain = guesses.copy()
    for train, test in folds:
        plain[test] = failed[train].mean()
        guesses[test] = _fitted_probability(prepared[0], failed, train, test)
    if np.mean((guesses - failed) ** 2) >= np.mean((plain - failed) ** 2):
        return None, float(prior)
    return classifier().fit(np.vstack(prepared), np.tile(failed, len(prepared))), float(prior)


def _fitted_probability(
    prepared: np.ndarray, failed: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray | float:
    if len(np.unique(failed[train])) < 2:
        return float(failed[train].mean())
    model = classifier().fit(prepared[train], failed[train])
    found: np.ndarray = model.predict_proba(prepared[test])[:, 1]
    return found
