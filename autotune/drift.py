"""Takes a machine's slowing and recovering out of measurements that were made one after another.

Every execution is its configuration's own level, plus where the machine stood at that moment, plus
noise, on the logarithmic scale. Where the machine stood is a Gaussian process in time with an
exponential kernel (Rasmussen and Williams 2006, section 4.2.1); it is learned from configurations
that were measured more than once, by restricted maximum likelihood (Patterson and Thompson 1971)
over a small grid. Executions that a burst of foreign load disturbed get less weight, as under
Student's t with four degrees of freedom (Lange, Little and Taylor 1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

USUAL_NOISE = 0.06
"""Spread of one execution where nothing is known yet: what a quiet machine shows."""
USUAL_DRIFT = 0.05
_NOISES = (0.01, 0.02, 0.03, 0.045, 0.065, 0.1, 0.15, 0.25)
_RATIOS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Drift as a multiple of noise."""
_SCALES_S = (300.0, 1200.0, 4800.0)
"""How long the machine takes to become another one: 5, 20 and 80 minutes."""
_ROUNDS = 3
_FREEDOM = 4.0
_SPREAD_OF_NOISE = 0.7


@dataclass(frozen=True)
class Levels:
    """What each configuration takes, the drift taken out; natural logarithms."""

    level: Floats
    """Shape (groups,)."""
    error: Floats
    """Standard error of each level. Shape (groups,)."""
    noise: float
    """Spread of one execution around its level."""
    drift: Floats
    """By how much the machine was slower at each measurement. Shape (measurements,)."""


@dataclass(frozen=True)
class _Sizes:
    noise: float
    drift: float
    scale_s: float


def levels(at_s: Floats, group: Ints, logs: Floats) -> Levels:
    """Estimate the level of each configuration.

    A configuration that was measured once gets what was measured, less the drift of that moment:
    nothing is shrunk towards what others took.

    Args:
        at_s: When each measurement was made, in seconds since any moment. Shape (measurements,).
        group: Which configuration it was of, from 0 on without gaps. Shape (measurements,).
        logs: Natural logarithm of what was measured. Shape (measurements,).
    """
    count = np.bincount(group)
    again = count[group] > 1
    sizes, weight, tail = _Sizes(USUAL_NOISE, 0.0, 1.0), np.ones(len(logs)), np.zeros(0)
    if again.any():
        sizes, weight[again], tail = _fit(at_s[again], group[again], logs[again])
    near = _kernel(at_s, at_s[again], sizes)
    drift = near @ tail if len(tail) else np.zeros(len(logs))
    mass = np.bincount(group, weights=weight)
    level = np.bincount(group, weights=weight * (logs - drift)) / mass
    unseen = sizes.drift**2 * (1 - (near.max(axis=1, initial=0.0) / (sizes.drift**2 or 1.0)) ** 2)
    error = np.sqrt(sizes.noise**2 / mass + np.bincount(group, weights=unseen) / count**2)
    return Levels(level=level, error=error, noise=sizes.noise, drift=drift)


def _fit(at_s: Floats, group: Ints, logs: Floats) -> tuple[_Sizes, Floats, Floats]:
    """Return the sizes, the weight of each measurement, and what predicts the drift elsewhere."""
    _, group = np.unique(group, return_inverse=True)
    design = np.eye(int(group.max()) + 1)[group]
    weight = np.ones(len(logs))
    for _ in range(_ROUNDS):
        _, sizes, rest, tail = max(
            (
                _most_likely(at_s, design, logs, weight, ratio, scale_s)
                for ratio, scale_s in product(_RATIOS, _SCALES_S)
                if ratio or scale_s == _SCALES_S[0]
            ),
            key=lambda found: _without_rounding(found[0]),
        )
        noise = rest - _kernel(at_s, at_s, sizes) @ tail
        weight = (_FREEDOM + 1) / (_FREEDOM + (noise / sizes.noise) ** 2)
    return sizes, weight, tail


def _most_likely(
    at_s: Floats, design: Floats, logs: Floats, weight: Floats, ratio: float, scale_s: float
) -> tuple[float, _Sizes, Floats, Floats]:
    """Find the noise that explains what was measured best, for one shape of drift.

    Returns:
        The restricted log likelihood with a mild belief in what is usual, the sizes, the
        residuals, and covariance⁻¹ · residuals.
    """
    shape = _kernel(at_s, at_s, _Sizes(1.0, ratio, scale_s)) + np.diag(1 / weight)
    factor = cho_factor(shape, lower=True, check_finite=False)
    inner = design.T @ cho_solve(factor, design, check_finite=False)
    fixed = cho_factor(inner, lower=True, check_finite=False)
    towards = design.T @ cho_solve(factor, logs, check_finite=False)
    rest = logs - design @ cho_solve(fixed, towards, check_finite=False)
    tail = cho_solve(factor, rest, check_finite=False)
    determinants = np.log(np.diag(factor[0])).sum() + np.log(np.diag(fixed[0])).sum()
    freedom, squares = len(logs) - design.shape[1], float(rest @ tail)

    def likelihood(noise: float) -> float:
        belief = -0.5 * (math.log(noise / USUAL_NOISE) / _SPREAD_OF_NOISE) ** 2
        belief -= ratio * noise / USUAL_DRIFT
        fit = freedom * math.log(noise) + squares / noise**2 / 2
        return float(belief - determinants - fit)

    noise = max(_NOISES, key=lambda noise: _without_rounding(likelihood(noise)))
    return likelihood(noise), _Sizes(noise, ratio * noise, scale_s), rest, tail / noise**2


def _without_rounding(likelihood: float) -> float:
    """Let sizes that explain alike be equal, whatever the unit of what was measured."""
    return round(likelihood, 6)


def _kernel(at_s: Floats, other_s: Floats, sizes: _Sizes) -> Floats:
    apart_s = np.abs(at_s[:, None] - other_s[None, :])
    return sizes.drift**2 * np.exp(-apart_s / sizes.scale_s)
