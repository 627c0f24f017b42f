"""How far a question lies from all that was learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from autotune.domain import Value
from autotune.predict.jobs import JOB_KNOWN, KIND_SHARES

Context = Mapping[str, float]

_MARGIN = 1.5
_LEAST_SCALE = 0.25
"""Features that hardly differ between studies count a quarter, of a doubling or of a share."""
_LEAST_MACHINE_SCALE = 1.0
"""Machines hardly differ in a corpus, and what is learned of them is relative: a doubling."""
_LEAST_LIMIT = 0.75
_OTHER_KIND = 0.5
"""Of a job's stages, jobs or operators: so many more of one kind than any job had before."""
_AMOUNTS = frozenset(
    {
        "data rows",
        "data size",
        "data size per slot",
        "job input per slot",
        "job processor seconds per slot",
        "job rows per slot",
        "job seconds",
        "machine executors",
        "machine slots",
    }
)
_BEYOND = 3.0
"""Octaves above the largest amount that was learned from, whatever else is alike. What saves a
short job a second may cost a long one as a multiple, so that more of the same is not the same."""
_FEW = 3
"""With fewer groups than this nothing is known of how far apart jobs lie."""


class Reach(Value):
    """What was learned from, as points; and how far from them an answer may still be trusted."""

    names: tuple[str, ...]
    scales: tuple[float, ...]
    """By which differences are divided: the spread of each feature over the studies."""
    points: tuple[tuple[float | None, ...], ...]
    limit: float | None
    """Largest distance to the nearest point; ``None``: not known, everything is near."""

    def distance(self, context: Context) -> float:
        """Return the distance to the nearest study, 1 being as far as is trusted.

        Just as far is a job that has by half of the whole more of a kind than any study had, and
        what is eight times as long, as large or as wide as the largest.

        Args:
            context: The numbers about data, machine and job, as the features give them.
        """
        if self.limit is None:
            return 0.0
        here = _matrix([context], self.names)[0]
        points = np.array(self.points, dtype=float).reshape(len(self.points), len(self.names))
        gap = _gaps(here, points, np.array(self.scales)).min()
        return max(float(gap) / self.limit, _strangeness(here, points, self.names))


def reach_of(contexts: Sequence[Context], groups: Sequence[str]) -> tuple[Reach, np.ndarray]:
    """Measure how far groups lie from each other: whole groups are left out in turn.

    The limit is half as much again as the 90th percentile of the distances from a left-out
    study to the nearest one of another group.

    Args:
        contexts: Of each study, its numbers about data, machine and job.
        groups: Of each study, what is left out together.

    Returns:
        The reach of all studies; and for each of them the distance at which it would lie if its
        group had been left out.
    """
    names = tuple(
        name
        for name in sorted({name for context in contexts for name in context} - {JOB_KNOWN})
        if any(math.isfinite(context.get(name, math.nan)) for context in contexts)
    )
    table = _matrix(contexts, names)
    least = [_LEAST_MACHINE_SCALE if n.startswith("machine ") else _LEAST_SCALE for n in names]
    scales = np.maximum(np.nanstd(table, axis=0), least)
    points = tuple(tuple(None if math.isnan(v) else float(v) for v in row) for row in table)
    found = Reach(names=names, scales=tuple(map(float, scales)), points=points, limit=None)
    if len(set(groups)) < _FEW:
        return found, np.zeros(len(contexts))
    others = [table[np.array(groups) != group] for group in groups]
    apart = np.array(
        [_gaps(row, rest, scales).min() for row, rest in zip(table, others, strict=True)]
    )
    limit = max(_MARGIN * float(np.quantile(apart, 0.9)), _LEAST_LIMIT)
    strange = [_strangeness(row, rest, names) for row, rest in zip(table, others, strict=True)]
    return found.model_copy(update={"limit": limit}), np.maximum(apart / limit, strange)


def _matrix(contexts: Sequence[Context], names: Sequence[str]) -> np.ndarray:
    """Return contexts × names; NaN for what is not known, infinities among it."""
    found = np.array([[context.get(name, math.nan) for name in names] for context in contexts])
    found = found.reshape(len(contexts), len(names))
    return np.where(np.isfinite(found), found, math.nan)


def _gaps(one: np.ndarray, others: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return for each of *others* the root mean square of what both know; zero where that is none.

    One number that is far off counts more than many a little.
    """
    squares = ((others - one) / scales) ** 2
    shared = np.maximum((~np.isnan(squares)).sum(axis=1), 1)
    found: np.ndarray = np.sqrt(np.nansum(squares, axis=1) / shared)
    return found


def _strangeness(one: np.ndarray, others: np.ndarray, names: Sequence[str]) -> float:
    """Return above 1 for a job that has much more of a kind, or of anything, than all others.

    Args:
        one: features of a job.
        others: what is known, jobs × features.
        names: of the features.
    """
    shares = [place for place, name in enumerate(names) if name in KIND_SHARES]
    more = np.nan_to_num(one[shares]) - np.nan_to_num(others[:, shares]).max(axis=0)
    amounts = [place for place, name in enumerate(names) if name in _AMOUNTS]
    above = one[amounts] - np.where(np.isnan(others), -math.inf, others)[:, amounts].max(axis=0)
    known = above[np.isfinite(above)]
    return float(max([0.0, *more / _OTHER_KIND, *known / _BEYOND]))
