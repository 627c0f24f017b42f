"""How often values occur: distinct ones and heavy hitters, in full or guessed from a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Counts = npt.NDArray[np.int64]

_FREQUENT = 50
"""Values seen more often than this are certain: they are counted, and left out of the guess."""


@dataclass(frozen=True)
class Frequencies:
    """How the rows of one column are divided among its values."""

    distinct: int
    top_share: float
    """Of all rows, the ones without a value included."""
    top10_share: float
    p99_to_median: float | None
    """Rows of the value at the 99th percentile ÷ of the one in the middle; ``None``: no value."""


def frequencies(values: pa.ChunkedArray, rows: int, *, whole: bool) -> Frequencies | None:
    """Count *values*, a sample of *rows* rows; ``None``: such values can't be compared."""
    if pa.types.is_nested(values.type):
        return None
    try:
        counted = pc.value_counts(pc.drop_null(values)).field("counts")
    except pa.ArrowNotImplementedError:
        return None
    counts = np.sort(_numbers(counted))[::-1]
    if not len(counts):
        return Frequencies(0, 0.0, 0.0, None)
    present = rows * float(counts.sum()) / len(values)
    distinct = len(counts) if whole else distinct_values(counts, present)
    return _of_counts(counts, len(values), distinct)


def _numbers(counted: pa.Array) -> Counts:
    """Return counts without a null among them; Arrow's own way would import pandas."""
    numbers = np.frombuffer(counted.buffers()[1] or b"", np.int64)
    return numbers[counted.offset : counted.offset + len(counted)]


def _of_counts(counts: Counts, sampled: int, distinct: int) -> Frequencies:
    top, top10 = int(counts[0]) / sampled, int(counts[:10].sum()) / sampled
    if counts[0] == 1 and distinct > len(counts):
        # Seen once each: a share of the sample would say more than is known.
        share = int(counts.sum()) / sampled
        top, top10 = share / distinct, share * min(10 / distinct, 1)
    # What the sample missed is rarer than what it saw, so it takes the lower ranks.
    middle = counts[min(distinct // 2, len(counts) - 1)] if distinct // 2 < len(counts) else 1
    frequent = counts[min(distinct // 100, len(counts) - 1)]
    return Frequencies(distinct, top, top10, float(frequent) / float(middle))


def distinct_values(counts: Counts, rows: float) -> int:
    """Guess how many distinct values *rows* rows hold, from how often a sample saw each value.

    This is the estimator Duj2a of Haas and Stokes, "Estimating the number of classes in a finite
    population" (Journal of the American Statistical Association 93, 1998): a second-order
    generalised jackknife, corrected by the estimated variation of the frequencies; values seen
    more than 50 times are set aside. Of samples below some 50,000 it may miss by much where half
    of the rows are values of their own and half are on a thousand keys.
    The answer is kept between what was seen and what could be: each value seen once may stand for
    as many as there are rows to one of the sample (the bounds of Charikar, Chaudhuri, Motwani
    and Narasayya, PODS 2000). A sample without any repetition tells of none.

    Args:
        counts: Of each value seen, at least one.
        rows: Of the whole column, those without a value left out.
    """
    seen, sampled = len(counts), int(counts.sum())
    once = int((counts == 1).sum())
    if once == 0 or rows <= sampled:
        return seen
    if once == sampled:
        return round(rows)
    fraction = sampled / rows
    rare = counts[counts <= _FREQUENT]
    n = int(rare.sum())
    total = n / fraction
    # First order, Duj1, which also scales the variation below.
    first = n * len(rare) / (n - once + once * fraction) if n > once else total
    repeated = float((rare * (rare - 1)).sum())
    variation = max(first * repeated / n**2 + first / total - 1, 0.0)
    log_rest = math.log1p(-fraction)
    second = (len(rare) - once * (1 - fraction) * log_rest * variation / fraction) / (
        1 - (1 - fraction) * once / n
    )
    most = seen - once + once / fraction
    return round(min(max(second + seen - len(rare), seen), most, rows))
