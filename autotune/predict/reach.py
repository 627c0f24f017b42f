"""How far a question lies from all that was learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from autotune.domain import Value
from autotune.predict.jobs import JOB_KNOWN

Context = Mapping[str, float]

_MARGIN = 1.5
_LEAST_SCALE = 0.25
"""Features that hardly differ between studies count a quarter, of a doubling or of a share."""
_LEAST_LIMIT = 0.75
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

        Args:
            context: The numbers about data, machine and job, as the features give them.
        """
        if self.limit is None:
            return 0.0
        here = [_number(context.get(name)) for name in self.names]
        return min(self._between(here, point) for point in self.points) / self.limit

    def _between(self, one: Sequence[float | None], other: Sequence[float | None]) -> float:
        gaps = [
            abs(a - b) / scale
            for a, b, scale in zip(one, other, self.scales, strict=True)
            if a is not None and b is not None
        ]
        # Root mean square: one number that is far off counts more than many a little.
        return math.sqrt(sum(gap * gap for gap in gaps) / len(gaps)) if gaps else 0.0


def reach_of(contexts: Sequence[Context], groups: Sequence[str]) -> Reach:
    """Measure how far groups lie from each other: whole groups are left out in turn.

    The limit is half as much again as the 90th percentile of the distances from a left-out
    study to the nearest one of another group.

    Args:
        contexts: Of each study, its numbers about data, machine and job.
        groups: Of each study, what is left out together.
    """
    names = tuple(
        name
        for name in sorted({name for context in contexts for name in context} - {JOB_KNOWN})
        if any(_number(context.get(name)) is not None for context in contexts)
    )
    points = tuple(tuple(_number(c.get(name)) for name in names) for c in contexts)
    columns = np.array([[math.nan if v is None else v for v in p] for p in points]).T
    scales = tuple(max(float(np.nanstd(column)), _LEAST_SCALE) for column in columns)
    found = Reach(names=names, scales=scales, points=points, limit=None)
    if len(set(groups)) < _FEW:
        return found
    apart = [
        min(
            found._between(point, other)
            for other, theirs in zip(points, groups, strict=True)
            if theirs != mine
        )
        for point, mine in zip(points, groups, strict=True)
    ]
    limit = _MARGIN * float(np.quantile(apart, 0.9))
    return found.model_copy(update={"limit": max(limit, _LEAST_LIMIT)})


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
