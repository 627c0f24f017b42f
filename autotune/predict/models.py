"""The regressors that compete, and the classifier of failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

TRUSTED_TYPES = ("numpy.dtype", "sklearn.tree._tree.Tree", "sklearn.utils._bunch.Bunch")
"""What skops must be told that it may rebuild, beside what it trusts by itself."""

_SEED = 0


def _extra_trees() -> ExtraTreesRegressor:
    return ExtraTreesRegressor(
        n_estimators=80, min_samples_leaf=2, max_features=0.5, random_state=_SEED
    )


def _boosting() -> GradientBoostingRegressor:
    return GradientBoostingRegressor(
        n_estimators=100, max_depth=4, subsample=0.7, max_features=0.5, random_state=_SEED
    )


def _kernel_ridge() -> KernelRidge:
    # The mean of a Gaussian process of variance 0.05 and length 8, where the noise has 0.01; of
    # hundreds of noisy rows these can't be learned. It answers in half the time of one.
    return KernelRidge(kernel="rbf", gamma=1 / (2 * 8.0**2), alpha=0.01 / 0.05)


REGRESSORS: dict[str, Callable[[], Any]] = {
    "constant": lambda: DummyRegressor(strategy="constant", constant=0.0),
    "extra_trees": _extra_trees,
    "forest": lambda: RandomForestRegressor(
        n_estimators=80, min_samples_leaf=2, max_features=0.5, random_state=_SEED
    ),
    "gradient_boosting": _boosting,
    "kernel_ridge": _kernel_ridge,
    "nearest": lambda: KNeighborsRegressor(n_neighbors=7, weights="distance", algorithm="brute"),
    "blend": lambda: VotingRegressor([("trees", _extra_trees()), ("boosting", _boosting())]),
}
"""From the plainest on. ``constant`` says that no
configuration differs from another, hence "keep your default". All are flat far outside of what
they have seen: the best of a linear model would always be a corner of the space."""


def pipeline(name: str) -> Pipeline:
    """Return an unfitted regressor with its preparation."""
    return Pipeline([("prepare", preparation()), ("model", REGRESSORS[name]())])


def fitted_on(name: str, features: np.ndarray, targets: np.ndarray) -> Pipeline:
    """Return a fitted regressor, with its preparation of *features*."""
    return pipeline(name).fit(features, targets)


def classifier(copies: int) -> ExtraTreesClassifier:
    """Return an unfitted classifier of failure, over prepared features.

    Args:
        copies: How often it sees each row: no leaf holds one configuration alone.
    """
    return ExtraTreesClassifier(
        n_estimators=40, min_samples_leaf=3 * copies, max_features=0.5, random_state=_SEED
    )


def chance(classifier: ExtraTreesClassifier, prepared: np.ndarray) -> np.ndarray:
    """Return how probable failure is, one a row, as ``predict_proba`` does and quicker.

    Args:
        classifier: A fitted one, of 0 and 1.
        prepared: As :func:`ask` takes them.
    """
    rows = np.ascontiguousarray(prepared, dtype=np.float32)
    place = list(classifier.classes_).index(1)
    each = [tree.tree_.predict(rows)[:, place] for tree in classifier.estimators_]
    found: np.ndarray = np.mean(each, axis=0)
    return found


def preparation() -> Pipeline:
    """Return what fills the gaps in rows of features, and scales them."""
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("impute", impute), ("scale", StandardScaler())])


def ask(
    model: Any, prepared: np.ndarray, reference: np.ndarray | int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model says of rows, and how much it is in two minds about each.

    Args:
        model: a fitted regressor.
        prepared: rows × features, as the preparation gives them.
        reference: for each row, or for all, the place of the row that it is compared with.

    Returns:
        log(time), one a row; and the standard deviation between the trees of a forest of
        log(time ÷ time of the reference). Of a blend its forest is asked; zero where there are no
        trees of equal standing.
    """
    members = getattr(model, "named_estimators_", None)
    trees = getattr(model if members is None else members["trees"], "estimators_", None)
    if not isinstance(trees, list):  # boosting keeps an array: stages, not opinions
        return model.predict(prepared), np.zeros(len(prepared))
    # Straight to the trees: to check the same rows for each of them takes longer than the answer.
    rows = np.ascontiguousarray(prepared, dtype=np.float32)
    each = np.array([tree.tree_.predict(rows)[:, 0] for tree in trees])
    said = each.mean(axis=0)
    if members is not None:
        others = [m.predict(prepared) for name, m in members.items() if name != "trees"]
        said = np.mean([said, *others], axis=0)
    places = np.broadcast_to(reference, len(prepared))
    return said, np.std(each - each[:, places], axis=0)
