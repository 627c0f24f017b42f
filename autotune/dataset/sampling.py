"""Which rows are looked at: pairs of neighbours, scattered over what was decoded.

One of each pair stands for the table, since rows that lie together are often alike; the two
together tell whether the table is in order. Places are drawn with a fixed seed: evenly spaced ones
would meet only some values of a column that repeats itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from autotune.dataset.formats import readable

Rows = TypeVar("Rows", pa.Table, pa.ChunkedArray)


def picked(rows: Rows, at: npt.NDArray[np.int64]) -> Rows:
    """Return the rows or values at some places.

    Arrow would import pandas, at half a second, to turn an array of numpy into one of its own.
    """
    at = np.ascontiguousarray(at, dtype=np.int64)
    return rows.take(pa.Array.from_buffers(pa.int64(), len(at), [None, pa.py_buffer(at)]))


def without_views(rows: pa.Table) -> pa.Table:
    """Return the same rows, with texts as Arrow kept them before there were views of them.

    DuckDB, Polars and others write that their columns are views, and most of what Arrow computes
    does not take them.
    """
    kinds = [_plain(field.type) for field in rows.schema]
    if kinds == rows.schema.types:
        return rows
    fields = [field.with_type(kind) for field, kind in zip(rows.schema, kinds, strict=True)]
    return rows.cast(pa.schema(fields, metadata=rows.schema.metadata))


def _plain(kind: pa.DataType) -> pa.DataType:
    if kind == pa.string_view():
        return pa.large_string()
    if kind == pa.binary_view():
        return pa.large_binary()
    if pa.types.is_struct(kind):
        inner = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([field.with_type(_plain(field.type)) for field in inner])
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_plain(kind.value_type))
    return pa.list_(_plain(kind.value_type)) if pa.types.is_list(kind) else kind


@dataclass(frozen=True)
class Piece:
    """Rows of one stretch of a table, in its order."""

    rows: pa.Table
    follows: npt.NDArray[np.bool_]
    """Whether a row is the next one of the table after the row before it."""
    counts: npt.NDArray[np.bool_]
    """Whether a row stands for the table: one of each pair does."""

    @classmethod
    def whole(cls, rows: pa.Table) -> Piece:
        """Take all rows of a stretch."""
        rows = without_views(rows)
        follows = np.ones(rows.num_rows, dtype=bool)
        follows[:1] = False
        return cls(rows, follows, np.ones(rows.num_rows, dtype=bool))

    @classmethod
    def pairs(cls, rows: pa.Table, most: int, draw: random.Random) -> Piece:
        """Take at most about *most* rows, in pairs; one pair begins in each of as many parts.

        Every row but the last is as likely to be the first of a pair: a row that can't be would
        hide a value of a column that repeats itself in step with the parts.
        """
        rows = without_views(rows)
        count = -(-most // 2)
        if rows.num_rows <= 2 * count:
            return cls.whole(rows)
        edges = np.arange(count + 1) * rows.num_rows // count
        drawn = np.array([draw.random() for _ in range(count)])
        first = edges[:-1] + (drawn * np.diff(edges)).astype(np.int64)
        first[-1] = min(first[-1], rows.num_rows - 2)
        at = np.stack([first, first + 1], axis=1).ravel()
        second = np.tile(np.array([False, True]), count)
        return cls(picked(rows, at), second, ~second)

    @classmethod
    def joined(cls, pieces: Sequence[Piece]) -> Piece:
        """Put together what was read one after the other."""
        return cls(
            pa.concat_tables([piece.rows for piece in pieces]),
            np.concatenate([piece.follows for piece in pieces]),
            np.concatenate([piece.counts for piece in pieces]),
        )


@dataclass(frozen=True)
class Sample:
    """The rows of a table that were looked at."""

    rows: pa.Table
    follows: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    """Where the stretches begin."""

    @classmethod
    def of(cls, root: Path, schema: pa.Schema, pieces: Iterable[Piece]) -> Sample:
        """Put stretches together, in the order of the table.

        Raises:
            InputError: A column has another type in another file.
        """
        found = [piece for piece in pieces if piece.rows.num_rows]
        if not found:
            return cls(
                schema.empty_table(), np.zeros(0, bool), np.zeros(0, bool), np.zeros(0, int)
            )
        with readable(root, "table"):
            rows = pa.concat_tables([p.rows for p in found], promote_options="permissive")
        lengths = np.array([piece.rows.num_rows for piece in found])
        return cls(
            rows,
            np.concatenate([piece.follows for piece in found]),
            np.concatenate([piece.counts for piece in found]),
            np.cumsum(lengths) - lengths,
        )

    def scattered(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return those of *values*, a column of the sample, that stand for the table."""
        return values if self.counts.all() else picked(values, np.flatnonzero(self.counts))

    def __len__(self) -> int:
        return int(self.rows.num_rows)
