"""The digest of one table, and how two pieces of a table add up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum

from pydantic import Field

from autotune.domain import Value

DIGEST_VERSION = 1
"""To be raised by whoever changes what a digest of the same table is."""
BUCKETS = 8
"""Rows are dealt out by the hash of their exact part, so that a float that moved is noticed."""
NO_ROWS = "0" * 32
"""The order-free digest of nothing."""

_LANE = 1 << 64
_ZEROS = (0.0,) * BUCKETS


class FloatFamily(StrEnum):
    """How precise the numbers of a column are."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"


class FloatColumn(Value):
    """What the floating point values under one name come to; sums are per bucket of rows.

    ``weighted_sums`` gives every value a weight in [-1, 1) that follows from the exact part of
    its row and from its place in the row: two values that change places leave the plain sum as
    it is, and change this one.
    """

    name: str
    """The column; inside of nested ones a dotted path."""
    family: FloatFamily = FloatFamily.FLOAT64
    finite: int = 0
    nulls: int = 0
    """Only where the format writes them: in JSON a null is a key that is not there."""
    nans: int = 0
    positive_infinities: int = 0
    negative_infinities: int = 0
    sums: tuple[float, ...] = _ZEROS
    absolute_sums: tuple[float, ...] = _ZEROS
    weighted_sums: tuple[float, ...] = _ZEROS
    minimum: float | None = None
    maximum: float | None = None


class TableDigest(Value):
    """What one table holds, whatever the order of its rows and the number of its files.

    An order-free digest is 32 hex digits: two sums of hashes modulo 2⁶⁴.

    A first line that all files of a CSV table share may be a header or may be data; with one
    file nothing tells. It is set aside: ``head_text`` is the line, ``head`` the digest of these
    lines taken as data (one row per file), and the other fields leave it out.
    """

    name: str
    """Folder relative to the output, without ``key=value`` folders; empty for the output."""
    rows: int = 0
    columns: dict[str, str] = Field(default={})
    """Column → family of its type, such as ``integer`` (of any width) or ``list<string>``."""
    exact: str = NO_ROWS
    """Of whole rows: everything but the values of floating point numbers."""
    column_digests: dict[str, str] = Field(default={})
    """Of each column that has an exact part, to name what differs."""
    floats: tuple[FloatColumn, ...] = ()
    head: TableDigest | None = None
    head_text: str | None = None

    @property
    def whole(self) -> TableDigest:
        """The table with the line that was set aside counted as data."""
        return self if self.head is None else merged(self.body, self.head)

    @property
    def body(self) -> TableDigest:
        """The table with the line that was set aside left out."""
        return self.model_copy(update={"head": None, "head_text": None})


def merged(first: TableDigest, second: TableDigest) -> TableDigest:
    """Return the digest of the rows of both; the name is the first one's.

    First lines stay set aside as long as all pieces that have rows share them.
    """
    head, text = _merged_heads(first, second)
    if text is None:
        first, second = first.whole, second.whole
    return TableDigest(
        name=first.name,
        rows=first.rows + second.rows,
        columns=_united(first.columns, second.columns, _both_families),
        exact=_added(first.exact, second.exact),
        column_digests=_united(first.column_digests, second.column_digests, _added),
        floats=merged_floats(*first.floats, *second.floats),
        head=head,
        head_text=text,
    )


def merged_floats(*columns: FloatColumn) -> tuple[FloatColumn, ...]:
    """Return one entry per name, in the order of names."""
    found: dict[str, FloatColumn] = {}
    for column in columns:
        before = found.get(column.name)
        found[column.name] = column if before is None else _sum_of(before, column)
    return tuple(found[name] for name in sorted(found))


def _merged_heads(
    first: TableDigest, second: TableDigest
) -> tuple[TableDigest | None, str | None]:
    if first.head and second.head and first.head_text == second.head_text:
        return merged(first.head, second.head), first.head_text
    for one, other in ((first, second), (second, first)):
        if not other.rows and other.head is None:
            return one.head, one.head_text
    return None, None


def _sum_of(first: FloatColumn, second: FloatColumn) -> FloatColumn:
    low = [m for m in (first.minimum, second.minimum) if m is not None]
    high = [m for m in (first.maximum, second.maximum) if m is not None]
    # Of two precisions the lower one holds for both.
    single = FloatFamily.FLOAT32 in (first.family, second.family)
    return FloatColumn(
        name=first.name,
        family=FloatFamily.FLOAT32 if single else FloatFamily.FLOAT64,
        finite=first.finite + second.finite,
        nulls=first.nulls + second.nulls,
        nans=first.nans + second.nans,
        positive_infinities=first.positive_infinities + second.positive_infinities,
        negative_infinities=first.negative_infinities + second.negative_infinities,
        sums=_sums(first.sums, second.sums),
        absolute_sums=_sums(first.absolute_sums, second.absolute_sums),
        weighted_sums=_sums(first.weighted_sums, second.weighted_sums),
        minimum=min(low, default=None),
        maximum=max(high, default=None),
    )


def _sums(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
    # JSON has no infinity, so an overflow stops at the largest number.
    largest = sys.float_info.max
    return tuple(max(-largest, min(largest, a + b)) for a, b in zip(first, second, strict=True))


def _added(first: str, second: str) -> str:
    lanes = [(int(first[i : i + 16], 16) + int(second[i : i + 16], 16)) % _LANE for i in (0, 16)]
    return f"{lanes[0]:016x}{lanes[1]:016x}"


def _both_families(first: str, second: str) -> str:
    return " or ".join(sorted({*first.split(" or "), *second.split(" or ")}))


def _united(
    first: Mapping[str, str], second: Mapping[str, str], join: Callable[[str, str], str]
) -> dict[str, str]:
    both = {
        name: join(first[name], second[name]) if name in first and name in second else value
        for name, value in {**first, **second}.items()
    }
    return dict(sorted(both.items()))
