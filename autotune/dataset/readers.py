"""Rows, null counts and a spread sample of one table, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from autotune.dataset.files import Table, spread
from autotune.dataset.formats import MAX_FOOTERS, orc_file, parquet_footer, readable
from autotune.dataset.text import Dialect, parse, read_lines

_PIECES = 16
_MAX_SAMPLED_COLUMNS = 256
_MAX_DECODED_BYTES = 256 << 20


@dataclass(frozen=True)
class Content:
    """What was read of one table."""

    rows: int
    exact: bool
    """Whether ``rows`` is."""
    schema: pa.Schema
    sample: pa.Table
    null_counts: dict[str, int] = field(default_factory=dict)
    """Exact ones, from metadata; empty where those do not tell."""


def read_table(table: Table, sample_rows: int) -> Content:
    """Read metadata and at most about *sample_rows* rows of *table*.

    Raises:
        InputError: A file can't be decoded.
    """
    if table.format == "parquet":
        return _read_parquet(table, sample_rows)
    if table.format == "orc":
        return _read_orc(table, sample_rows)
    return _read_text(table, sample_rows)


def _read_parquet(table: Table, sample_rows: int) -> Content:
    probed = spread(table.files, MAX_FOOTERS)
    footers = [parquet_footer(path) for path in probed]
    rows = sum(footer.num_rows for footer in footers)
    exact = len(probed) == len(table.files)
    if not exact:
        sizes = dict(zip(table.files, table.sizes, strict=True))
        rows = round(rows * table.bytes / sum(sizes[path] for path in probed))
    schema = footers[0].schema.to_arrow_schema()
    groups = [
        (path, group, footer.row_group(group).num_rows)
        for path, footer in zip(probed, footers, strict=True)
        for group in range(footer.num_row_groups)
        if footer.row_group(group).num_rows
    ]
    batches = [
        batch
        for path, group, size in spread(groups, _PIECES)
        for batch in _group_sample(path, group, size, -(-sample_rows // min(len(groups), _PIECES)))
    ]
    sample = _concat(table.root, schema, batches)
    return Content(rows, exact, schema, sample, _null_counts(footers) if exact else {})


def _group_sample(path: Path, group: int, size: int, rows: int) -> Iterator[pa.Table]:
    """Read *rows* rows of one row group, from several places of it where that is cheap."""
    import pyarrow.parquet as pq

    footer = parquet_footer(path)
    fields = footer.schema.to_arrow_schema().names[:_MAX_SAMPLED_COLUMNS]
    columns = [name for name in fields if "." not in name] or None
    places = 4 if footer.row_group(group).total_byte_size <= _MAX_DECODED_BYTES // _PIECES else 1
    with readable(path, "Parquet file"), pq.ParquetFile(path, metadata=footer) as file:
        if rows >= size:
            yield file.read_row_group(group, columns=columns)
            return
        stride = max(size // places, 1) if places > 1 else rows
        batches = file.iter_batches(stride, row_groups=[group], columns=columns)
        for _, batch in zip(range(places), batches, strict=False):
            yield pa.Table.from_batches([batch.slice(0, -(-rows // places))])


def _null_counts(footers: list[Any]) -> dict[str, int]:
    """Sum the null counts of flat columns, where every row group has them."""
    counts: dict[str, int] = {}
    unknown: set[str] = set()
    for footer in footers:
        for group in map(footer.row_group, range(footer.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                name, statistics = column.path_in_schema, column.statistics
                if statistics is None or statistics.null_count is None:
                    unknown.add(name)
                else:
                    counts[name] = counts.get(name, 0) + statistics.null_count
    return {name: count for name, count in counts.items() if name not in unknown}


def _read_orc(table: Table, sample_rows: int) -> Content:
    probed = spread(table.files, MAX_FOOTERS)
    rows, probed_bytes, stripes = 0, 0, []
    sizes = dict(zip(table.files, table.sizes, strict=True))
    for path in probed:
        file = orc_file(path)
        rows, probed_bytes = rows + file.nrows, probed_bytes + sizes[path]
        stripes += [(path, i) for i in range(file.nstripes)]
    exact = len(probed) == len(table.files)
    schema = orc_file(probed[0]).schema
    columns = schema.names[:_MAX_SAMPLED_COLUMNS]
    chosen = spread(stripes, 4)
    batches = []
    for path, stripe in chosen:
        with readable(path, "ORC file"):
            read = pa.Table.from_batches([orc_file(path).read_stripe(stripe, columns=columns)])
        batches += _slices(read, -(-sample_rows // len(chosen)))
    rows = rows if exact else round(rows * table.bytes / probed_bytes)
    return Content(rows, exact, schema, _concat(table.root, schema, batches))


def _slices(read: pa.Table, rows: int, places: int = 4) -> list[pa.Table]:
    if rows >= read.num_rows:
        return [read]
    step = read.num_rows // places
    return [read.slice(i * step, -(-rows // places)) for i in range(places)]


def _read_text(table: Table, sample_rows: int) -> Content:
    dialect = Dialect.of(table.files[0]) if table.format == "csv" else None
    header = dialect is not None and dialect.header
    lines = read_lines(table.files, table.sizes, sample_rows, header=header)
    sample = parse(table.files[0], table.format, lines.data, dialect)
    whole = lines.exact and lines.count == lines.rows
    rows = sample.num_rows if whole else lines.rows
    if sample.num_rows > sample_rows and not whole:
        sample = pa.concat_tables(_slices(sample, sample_rows, _PIECES))
    return Content(rows, lines.exact, sample.schema, sample)


def _concat(root: Path, schema: pa.Schema, pieces: list[pa.Table]) -> pa.Table:
    with readable(root, "table"):
        if not pieces:
            return schema.empty_table()
        return pa.concat_tables(pieces, promote_options="permissive")
