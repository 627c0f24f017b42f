"""When a predicted gain is told: only what is large enough, and was sure of others."""

from __future__ import annotations

import math

import numpy as np

SMALLEST_GAIN = 0.03
"""Less than this can't be told from noise on any machine, and is never recommended."""
NOISE = 0.08
"""In log(time): so near is an execution to its configuration's level in four of five cases."""


def doubt(spread: np.ndarray) -> np.ndarray:
    """Return how uncertain a prediction is, in log(time): noise and the model's own doubt.

    Args:
        spread: Disagreement inside the model, in log(time).
    """
    found: np.ndarray = np.hypot(NOISE, spread)
    return found


def worth(log_time: float) -> bool:
    """Return whether so much less time would be worth telling if it were sure.

    Args:
        log_time: log(time ÷ baseline time), as predicted.
    """
    return log_time <= math.log(1 - SMALLEST_GAIN)


def lead(log_time: float, spread: float, sure: float) -> float:
    """Return by how much more is gained than it takes to be sure, in log(time).

    Args:
        log_time: As :func:`worth` takes it.
        spread: As :func:`doubt` takes it.
        sure: ``Margins.sure``; infinite where nothing is.
    """
    return -log_time - sure * float(doubt(np.array(spread)))
