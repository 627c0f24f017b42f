"""The regressors that compete, and the classifier of failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    *(
        f"sklearn.gaussian_process.kernels.{name}"
        for name in ("ConstantKernel", "Product", "RBF", "Sum", "WhiteKernel")
    ),
)
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


def _gaussian_process() -> GaussianProcessRegressor:
    # Fixed length scales: with hundreds of noisy rows their likelihood is flat, and fitting slow.
    kernel = ConstantKernel(0.05) * RBF(8.0) + WhiteKernel(0.01)
    return GaussianProcessRegressor(kernel, optimizer=None, normalize_y=False)


REGRESSORS: dict[str, Callable[[], Any]] = {
    "constant": lambda: DummyRegressor(strategy="constant", constant=0.0),
    "extra_trees": _extra_trees,
    "forest": lambda: RandomForestRegressor(
        n_estimators=80, min_samples_leaf=2, max_features=0.5, random_state=_SEED
    ),
    "gradient_boosting": _boosting,
    "gaussian_process": _gaussian_process,
    "nearest": lambda: KNeighborsRegressor(n_neighbors=7, weights="distance", algorithm="brute"),
    "blend": lambda: VotingRegressor([("trees", _extra_trees()), ("boosting", _boosting())]),
}
"""From the plainest on: of two equally good ones the first is taken. ``constant`` says that no
configuration differs from another, hence "keep your default". All are flat far outside of what
they have seen: the best of a linear model would always be a corner of the space."""


def pipeline(name: str, features: pd.DataFrame) -> Pipeline:
    """Return an unfitted regressor with its preparation of *features*."""
    return Pipeline([("prepare", preparation(features)), ("model", REGRESSORS[name]())])


def fitted_on(
    name: str, features: pd.DataFrame, known: np.ndarray, targets: np.ndarray
) -> Pipeline:
    """Return a regressor fitted on the *known* rows, whose preparation has seen all of them."""
    found = pipeline(name, features)
    prepared = found["prepare"].fit_transform(features)
    found["model"].fit(prepared[known], targets[known])
    return found


def classifier() -> ExtraTreesClassifier:
    """Return an unfitted classifier of failure, over prepared features."""
    return ExtraTreesClassifier(n_estimators=40, min_samples_leaf=3, random_state=_SEED)


def preparation(features: pd.DataFrame) -> ColumnTransformer:
    """Return what turns a table of features into numbers; unknown words become zeros."""
    words = [name for name in features if features[name].dtype == object]
    numbers = [name for name in features if features[name].dtype != object]
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    steps = [("impute", impute), ("scale", StandardScaler())]
    return ColumnTransformer(
        [
            ("numbers", Pipeline(steps), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )


def spread_between_trees(
    model: Any, prepared: np.ndarray, reference: np.ndarray | int = 0
) -> np.ndarray:
    """Return how much the trees of a forest disagree on log(time ÷ time of another row).

    Args:
        model: a regressor; of a blend its forest is asked. Zero for one without trees of equal
            standing.
        prepared: rows × features, as the preparation gives them.
        reference: for each row, or for all, the place of the row that it is compared with.

    Returns:
        Standard deviations, one a row.
    """
    members = getattr(model, "named_estimators_", None)
    trees = getattr(model if members is None else members["trees"], "estimators_", None)
    if not isinstance(trees, list):  # boosting keeps an array: stages, not opinions
        return np.zeros(len(prepared))
    each = np.array([tree.predict(prepared.astype(np.float32)) for tree in trees])
    places = np.broadcast_to(reference, len(prepared))
    spread: np.ndarray = np.std(each - each[:, places], axis=0)
    return spread
