"""Rows as columns of hashes (a frame) → the digest of these rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import types

from autotune.digests import BUCKETS, FloatColumn, TableDigest, merged_floats
from autotune.outputs.cells import Cells, FloatCells, Spot, cells_of
from autotune.outputs.hashing import LANES, Hashes, hashed_bytes, mixed, order_free, seed

_LARGEST = sys.float_info.max
_FAMILIES = (
    (types.is_null, "void"),
    (types.is_boolean, "boolean"),
    (types.is_integer, "integer"),
    (types.is_float64, "float64"),
    (types.is_floating, "float32"),
    (types.is_timestamp, "timestamp"),
    (types.is_duration, "duration"),
    (types.is_time, "time"),
    (types.is_date, "date"),
    (types.is_string, "string"),
    (types.is_large_string, "string"),
    (types.is_string_view, "string"),
    (types.is_binary, "binary"),
    (types.is_large_binary, "binary"),
    (types.is_fixed_size_binary, "binary"),
    (types.is_binary_view, "binary"),
)


@dataclass(frozen=True)
class Column:
    """One column of a frame."""

    name: str
    family: str
    cells: Cells
    exact: bool = True
    """False for plain floating point numbers: all about them is in the floats."""


@dataclass(frozen=True)
class Frame:
    """Some rows of one table."""

    rows: int
    columns: list[Column] = field(default_factory=list)
    floats: list[FloatCells] = field(default_factory=list)

    def add_constants(self, values: Mapping[str, str | None]) -> None:
        """Add columns that hold one text, or nulls, in all rows."""
        taken = {column.name for column in self.columns}
        for name, value in values.items():
            hashes = np.repeat(hashed_bytes([(value or "").encode()]), self.rows)
            cells = Cells(hashes, np.full(self.rows, value is not None))
            unique = f"{name} (folder)" if name in taken else name
            self.columns.append(Column(unique, "text", cells))


def arrow_frame(batch: pa.RecordBatch) -> Frame:
    """Return the frame of typed columns."""
    frame = Frame(batch.num_rows)
    seen: dict[str, int] = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name} ({seen[name]})"
        cells = cells_of(array, Spot.of_column(unique, batch.num_rows), frame.floats)
        exact = not types.is_floating(array.type)
        frame.columns.append(Column(unique, family_of(array.type), cells, exact))
    return frame


def family_of(kind: pa.DataType) -> str:
    """Return the family of a type: what has to stay the same, without width and unit."""
    if isinstance(kind, pa.BaseExtensionType):
        return family_of(kind.storage_type)
    if types.is_dictionary(kind):
        return family_of(kind.value_type)
    if types.is_decimal(kind):
        return f"decimal of scale {kind.scale}"
    if types.is_struct(kind):
        return f"struct<{', '.join(f'{f.name}: {family_of(f.type)}' for f in kind)}>"
    if types.is_map(kind):
        return f"map<{family_of(kind.key_type)}, {family_of(kind.item_type)}>"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list<{family_of(kind.value_type)}>"
    return next((family for check, family in _FAMILIES if check(kind)), str(kind))


def frame_digest(table: str, frame: Frame) -> TableDigest:
    """Return the digest of the rows of *frame* under the name of *table*."""
    lanes = [np.zeros(frame.rows, dtype=np.uint64) for _ in LANES]
    digests: dict[str, str] = {}
    for column in frame.columns:
        parts = [column.cells.contributions(seed(column.name, lane)) for lane in LANES]
        for lane, part in zip(lanes, parts, strict=True):
            lane += part
        if column.exact:
            digests[column.name] = order_free(parts)
    rows = [mixed(lane + seed("row")) for lane in lanes]
    return TableDigest(
        name=table,
        rows=frame.rows,
        columns={column.name: column.family for column in frame.columns},
        exact=order_free(rows),
        column_digests=digests,
        floats=merged_floats(*(_float_column(cells, rows[0]) for cells in frame.floats)),
    )


def _float_column(cells: FloatCells, row_hashes: Hashes) -> FloatColumn:
    values, valid = cells.values, cells.valid
    finite = valid & np.isfinite(values)
    kept = values[finite]
    hashes = row_hashes[cells.rows[finite]]
    buckets = (hashes % np.uint64(BUCKETS)).astype(np.intp)
    weights = _weights(hashes + cells.places[finite])
    return FloatColumn(
        name=cells.name,
        family=cells.family,
        finite=len(kept),
        nulls=int((~valid).sum()),
        nans=int((valid & np.isnan(values)).sum()),
        positive_infinities=int((valid & np.isposinf(values)).sum()),
        negative_infinities=int((valid & np.isneginf(values)).sum()),
        sums=_sums(buckets, kept),
        absolute_sums=_sums(buckets, np.abs(kept)),
        weighted_sums=_sums(buckets, kept * weights),
        minimum=float(kept.min()) if len(kept) else None,
        maximum=float(kept.max()) if len(kept) else None,
    )


def _weights(hashes: Hashes) -> NDArray[np.float64]:
    """Return a number in [-1, 1) for each hash."""
    return (mixed(hashes) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def _sums(buckets: NDArray[np.intp], values: NDArray[np.float64]) -> tuple[float, ...]:
    sums = np.bincount(buckets, weights=values, minlength=BUCKETS)
    return tuple(np.nan_to_num(sums, posinf=_LARGEST, neginf=-_LARGEST).tolist())
