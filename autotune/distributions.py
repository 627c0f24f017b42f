"""Dimensions of a space in Optuna's words: for the record (study) and for the search alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autotune.space import Dimension, DimensionKind

Choice = float | int | str | None


def distributions(dimensions: Sequence[Dimension]) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of each dimension, by name."""
    return {dimension.name: distribution(dimension) for dimension in dimensions}


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return one dimension as an Optuna distribution.

    Raises:
        ValueError: a number without bounds; a bound space never holds one.
    """
    if dimension.kind is DimensionKind.CATEGORICAL:
        return CategoricalDistribution(dimension.choices)
    low, high = _bounds(dimension)
    if dimension.kind is DimensionKind.INT:
        step = 1 if dimension.log or dimension.step is None else int(dimension.step)
        return IntDistribution(int(low), int(high), log=dimension.log, step=step)
    step_size = None if dimension.log else dimension.step
    return FloatDistribution(low, high, log=dimension.log, step=step_size)


def from_unit(dimension: Dimension, position: float) -> Choice:
    """Return the choice at a *position* of [0, 1) on a dimension, equal shares for all choices."""
    if dimension.kind is DimensionKind.CATEGORICAL:
        return dimension.choices[int(position * len(dimension.choices))]
    low, high = _bounds(dimension)
    if dimension.kind is DimensionKind.INT:
        step = 1 if dimension.log or dimension.step is None else int(dimension.step)
        if not dimension.log:
            return int(low) + step * int(position * ((high - low) // step + 1))
        # Half a unit on either side, so that the ends are as likely as their neighbours.
        return min(max(round(_between(low - 0.5, high + 0.5, position)), int(low)), int(high))
    if dimension.log:
        return min(max(_between(low, high, position), low), high)
    value = low + position * (high - low)
    if dimension.step is None:
        return value
    return low + dimension.step * int(position * (round((high - low) / dimension.step) + 1))


def _between(low: float, high: float, position: float) -> float:
    return math.exp(math.log(low) + position * (math.log(high) - math.log(low)))


def _bounds(dimension: Dimension) -> tuple[float, float]:
    if dimension.low is None or dimension.high is None:
        message = f"dimension {dimension.name} has no bounds"
        raise ValueError(message)
    return dimension.low, dimension.high
