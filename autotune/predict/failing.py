"""The classifier of failure: kept only if it knows more than the plain share of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autotune.predict.leaving_out import taught
from autotune.predict.models import chance, classifier
from autotune.predict.rows import Table

Folds = Sequence[tuple[np.ndarray, np.ndarray]]
_MIN_FAILURES = 5


def fit_failure(
    table: Table, prepared: Sequence[np.ndarray], folds: Folds
) -> tuple[Any | None, float]:
    """Return a classifier of failure if it beats the plain share of failures, and that share.

    Args:
        table: What was learned from.
        prepared: Its features, as the preparation gives them; the same rows for each way to know
            more or less of their jobs.
        folds: Pairs of masks: rows to learn from, rows to check with.
    """
    failed = (table.failed >= 0.5).astype(int)
    prior = (failed.sum() + 0.5) / (len(failed) + 1)
    if failed.sum() < _MIN_FAILURES or failed.all():
        return None, float(prior)
    guesses = np.full((len(prepared), len(failed)), prior)
    plain = guesses[0].copy()
    for train, test in folds:
        plain[test] = failed[train].mean()
        guesses[:, test] = plain[test]
        if len(np.unique(failed[train])) == 2:
            model = _taught(prepared, failed, train)
            for known, rows in enumerate(prepared):
                guesses[known, test] = chance(model, rows[test])
    if np.mean((guesses - failed) ** 2) >= np.mean((plain - failed) ** 2):
        return None, float(prior)
    return _taught(prepared, failed, np.ones(len(failed), dtype=bool)), float(prior)


def _taught(prepared: Sequence[np.ndarray], failed: np.ndarray, train: np.ndarray) -> Any:
    shown, answers = taught(prepared, train, failed)
    return classifier(copies=len(shown) // int(train.sum())).fit(shown, answers)
