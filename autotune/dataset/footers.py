"""What Parquet and ORC files say of themselves, and what a text table can be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from autotune.dataset.effort import MAX_VISITED_CHUNKS, Effort
from autotune.dataset.files import Table, spread
from autotune.dataset.formats import orc_file, parquet_footer, readable

NO_CODEC = "none"


@dataclass(frozen=True)
class Group:
    """One row group of a Parquet file or stripe of an ORC file."""

    path: Path
    index: int
    rows: int
    decoded_bytes: int


@dataclass(frozen=True)
class Facts:
    """What is known of a table without looking at values."""

    rows: int
    exact: bool
    """Whether ``rows`` and ``row_groups`` are, all files having been asked."""
    schema: pa.Schema
    files: int
    """Looked into."""
    groups: tuple[Group, ...] = ()
    """Of the files that were looked into, the empty ones left out."""
    row_groups: int | None = None
    codec: str | None = None
    compression_ratio: float | None = None
    """Bytes before ÷ after compression, encodings not counted."""
    null_shares: dict[str, float] = field(default_factory=dict)
    """Of flat columns, where the metadata tell."""
    widths: dict[str, int] = field(default_factory=dict)
    """Highest − lowest of whole numbers and days: never the values themselves."""
    complete: bool = True
    """Whether ``null_shares`` and ``widths`` are those of the whole table."""


def parquet_facts(table: Table, effort: Effort) -> Facts:
    """Read the footers of some files; all of them, where there are not very many.

    Raises:
        InputError: One is no Parquet file, or cut off.
    """
    first = parquet_footer(Path(table.files[0]))
    probed = table.some(effort.files_of(first.serialized_size))
    footers = [parquet_footer(path) for path, _ in probed]
    exact = len(probed) == len(table.files)
    scale = table.bytes / sum(size for _, size in probed)
    found = [
        (group, Group(path, index, group.num_rows, group.total_byte_size))
        for (path, _), footer in zip(probed, footers, strict=True)
        for index in range(footer.num_row_groups)
        if (group := footer.row_group(index)).num_rows
    ]
    visited = spread(found, max(1, MAX_VISITED_CHUNKS // max(first.num_columns, 1)))
    schema = first.schema.to_arrow_schema()
    with readable(Path(table.files[0]), "Parquet file"):
        seen = _statistics([group for group, _ in visited], schema)
    groups = sum(footer.num_row_groups for footer in footers)
    return Facts(
        rows=round(sum(footer.num_rows for footer in footers) * (1 if exact else scale)),
        exact=exact,
        schema=schema,
        files=len(probed),
        groups=tuple(group for _, group in found),
        row_groups=groups if exact else round(groups * scale),
        codec=seen.codecs.most_common(1)[0][0] if seen.codecs else NO_CODEC,
        compression_ratio=seen.decoded / seen.codecs.total() if seen.codecs.total() else None,
        null_shares={
            name: nulls / seen.rows[name]
            for name, nulls in seen.nulls.items()
            if nulls is not None and seen.rows[name]
        },
        widths={name: high - low for name, (low, high) in seen.ranges.items() if high >= low},
        complete=exact and len(visited) == len(found),
    )


@dataclass
class _Statistics:
    """Sums over column chunks."""

    codecs: Counter[str] = field(default_factory=Counter)
    """Codec → compressed bytes."""
    decoded: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    nulls: dict[str, int | None] = field(default_factory=dict)
    """``None``: a chunk does not tell."""
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)


def _statistics(groups: Sequence[Any], schema: pa.Schema) -> _Statistics:
    ranged = {each.name for each in schema if _has_range(each.type)}
    unknown: set[str] = set()
    found = _Statistics()
    for group in groups:
        for chunk in map(group.column, range(group.num_columns)):
            name, said = chunk.path_in_schema, chunk.statistics
            codec = chunk.compression.lower()
            found.codecs[NO_CODEC if codec == "uncompressed" else codec] += (
                chunk.total_compressed_size
            )
            found.decoded += chunk.total_uncompressed_size
            found.rows[name] += group.num_rows
            nulls: int | None = said.null_count if said else None
            before = found.nulls.get(name, 0)
            found.nulls[name] = None if nulls is None or before is None else before + nulls
            if name not in ranged:
                continue
            if said is not None and said.has_min_max:
                low, high = found.ranges.get(name, (said.min_raw, said.max_raw))
                found.ranges[name] = (min(low, said.min_raw), max(high, said.max_raw))
            elif nulls != group.num_rows:
                unknown.add(name)
    for name in unknown:
        found.ranges.pop(name, None)
    return found


def _has_range(kind: pa.DataType) -> bool:
    """Tell whether the raw statistics of such a column are signed whole numbers."""
    return bool(pa.types.is_signed_integer(kind) or pa.types.is_date32(kind))


def orc_facts(table: Table, effort: Effort) -> Facts:
    """Read the footers of some files; all of them, where there are not very many.

    Raises:
        InputError: One is no ORC file, or cut off.
    """
    probed = table.some(effort.max_files)
    rows, stripes, groups = 0, 0, []
    for path, _ in probed:
        file = orc_file(path)
        rows, stripes = rows + file.nrows, stripes + file.nstripes
        shares = max(file.nstripes, 1)
        groups += [
            Group(path, i, file.nrows // shares, file.content_length // shares)
            for i in range(file.nstripes)
        ]
    exact = len(probed) == len(table.files)
    scale = 1.0 if exact else table.bytes / sum(size for _, size in probed)
    first = orc_file(probed[0][0])
    codec = str(first.compression).lower()
    return Facts(
        rows=round(rows * scale),
        exact=exact,
        schema=first.schema,
        files=len(probed),
        groups=tuple(groups),
        row_groups=round(stripes * scale),
        codec=NO_CODEC if codec == "uncompressed" else codec,
        complete=exact,
    )
