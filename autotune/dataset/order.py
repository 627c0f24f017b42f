"""Whether a column is in order, and what that tells of its distinct values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autotune.dataset.sampling import Sample, picked

_IN_ORDER = 0.99


@dataclass(frozen=True)
class Order:
    """How neighbouring rows compare."""

    sortedness: float
    """Share of neighbours of which the second is not below the first."""
    changes: float
    """Share of neighbours that differ."""
    throughout: bool
    """Whether the stretches of the sample are in order too, upwards or downwards."""

    def distinct(self, rows: float) -> int | None:
        """Return the distinct values of a column in order: one more than its changes."""
        return round(1 + self.changes * (rows - 1)) if self.throughout else None


def order_of(values: pa.ChunkedArray, sample: Sample) -> Order | None:
    """Compare the neighbours in a column of *sample*; ``None``: there are none, or no order."""
    second = np.flatnonzero(sample.follows)
    if not len(second) or pa.types.is_nested(values.type):
        return None
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    before, after = picked(values, second - 1), picked(values, second)
    up, same = _share(pc.less_equal, before, after), _share(pc.equal, before, after)
    if up is None or same is None:
        return None
    later = sample.starts[1:]
    edges = picked(values, later - 1), picked(values, later)
    down = 1 - up + same
    throughout = (up >= _IN_ORDER and _share(pc.less_equal, *edges) in (None, 1.0)) or (
        down >= _IN_ORDER and _share(pc.greater_equal, *edges) in (None, 1.0)
    )
    return Order(up, 1 - same, throughout)


def _share(compare: object, left: pa.ChunkedArray, right: pa.ChunkedArray) -> float | None:
    """Return for which share of pairs, nulls left out, *compare* holds."""
    assert callable(compare)
    try:
        share = pc.mean(compare(left, right).cast(pa.int8())).as_py()
    except pa.ArrowNotImplementedError:
        return None
    return None if share is None else float(share)
