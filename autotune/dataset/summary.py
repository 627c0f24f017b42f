"""One profile of all that was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autotune.dataset.columns import column_profiles, key_columns
from autotune.dataset.effort import Effort
from autotune.dataset.files import Table
from autotune.dataset.partitions import partitions_of
from autotune.dataset.readers import Content
from autotune.domain import DatasetProfile, TableProfile
from autotune.units import format_bytes

_MAX_TABLES = 50
_MANY_FILES = 100
_OF_FOLDERS = {"null_share", "top_share", "top10_share"}
"""Their shares are those of bytes."""
_TINY_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Reading:
    """What was learnt of one table."""

    table: Table
    rows: int
    content: Content | None
    """``None``: it was not looked into."""


def summarise(path: str, readings: Sequence[Reading], effort: Effort) -> DatasetProfile:
    """Make the profile of *readings*, the largest table first.

    Args:
        path: What it is called.
        readings: One of them at least has rows, and was looked into.
        effort: What could be spent, for the cautions.
    """
    main, content = next((r.table, r.content) for r in readings if r.rows and r.content)
    facts, partitions = content.facts, partitions_of(main)
    columns, estimated = column_profiles(content)
    inside = {column.name for column in columns}
    folders = [column for column in partitions.columns() if column.name not in inside]
    estimated |= _estimated(readings, content) | (_OF_FOLDERS if folders else set())
    columns += folders
    sizes = [size for reading in readings for size in reading.table.sizes]
    null_shares = [column.null_share for column in columns if column.null_share is not None]
    keys = key_columns(columns)
    tables = [reading.table.bytes for reading in readings]
    return DatasetProfile(
        path=path,
        format=main.format,
        rows=sum(reading.rows for reading in readings),
        bytes=sum(sizes),
        files=len(sizes),
        largest_file_bytes=max(sizes),
        smallest_file_bytes=min(sizes),
        row_width_bytes=round(content.row_width_bytes, 2),
        null_share=sum(null_shares) / len(null_shares) if null_shares else 0.0,
        key_skew=max((key.top_share or 0.0 for key in keys), default=0.0),
        columns=tuple(columns),
        estimated=tuple(sorted(estimated)),
        key_top10_share=max((key.top10_share or 0.0 for key in keys), default=0.0),
        key_p99_to_median=_largest(key.p99_to_median for key in keys),
        sortedness=_largest(key.sortedness for key in keys),
        row_groups=facts.row_groups,
        codec=facts.codec,
        compression_ratio=facts.compression_ratio and round(facts.compression_ratio, 3),
        partition_folders=len(partitions.sizes),
        partition_skew=partitions.skew,
        tables=tuple(map(_table_profile, readings[:_MAX_TABLES])),
        table_count=len(readings),
        table_ratio=round(max(tables) / min(tables), 3),
        sampled_rows=len(content.sample),
        inspected_files=sum(r.content.facts.files for r in readings if r.content),
        cautions=tuple(_cautions(readings, content, effort)),
    )


def _largest(numbers: Iterable[float | None]) -> float | None:
    return max((number for number in numbers if number is not None), default=None)


def _estimated(readings: Sequence[Reading], content: Content) -> set[str]:
    """Name the fields of a whole profile that are estimates."""
    facts, estimated = content.facts, set[str]()
    if not content.whole:
        estimated |= {"row_width_bytes", "key_skew", "key_top10_share", "key_p99_to_median"}
    if len(content.sample.rows.schema) < len(facts.schema):
        estimated.add("row_width_bytes")
    exact = (r.content and r.content.facts.exact and not r.table.dropped for r in readings)
    if not all(exact):
        estimated.add("rows")
    if not facts.exact and facts.row_groups is not None:
        estimated.add("row_groups")
    if not facts.complete and facts.compression_ratio is not None:
        estimated.add("compression_ratio")
    return estimated


def _table_profile(reading: Reading) -> TableProfile:
    table = reading.table
    return TableProfile(
        name="".join(mark if mark.isprintable() else "?" for mark in table.name),
        format=table.format,
        rows=reading.rows,
        bytes=table.bytes,
        files=len(table.files),
    )


def _cautions(readings: Sequence[Reading], content: Content, effort: Effort) -> Iterator[str]:
    files = sum(len(reading.table.files) for reading in readings)
    mean = sum(reading.table.bytes for reading in readings) / files
    if files >= _MANY_FILES and mean < _TINY_FILE_BYTES:
        yield (
            f"{files:,} files of {format_bytes(mean)} on average are tiny: opening them takes "
            "longer than reading them, so compact them into files of about 128 MiB"
        )
    looked = sum(r.content.facts.files for r in readings if r.content)
    if looked < files:
        advice = "; --max-files raises that" if files > effort.max_files else ""
        yield (
            f"only {looked:,} of {files:,} files were looked into, so rows are estimated{advice}"
        )
    left_out = sum(reading.table.left_out for reading in readings)
    if left_out == 1:
        yield "a file or folder whose name is no Unicode was left out; rename it"
    elif left_out:
        named = f"{left_out:,} files or folders whose names are no Unicode"
        yield f"{named} were left out; rename them"
    for dropped in sorted({reading.table.dropped for reading in readings} - {""}):
        yield f"{dropped} that the table has dropped are counted too, so rows are estimated"
    seen, all_columns = len(content.sample.rows.schema), len(content.facts.schema)
    if seen < all_columns and not effort.columns:
        yield (
            f"of {all_columns:,} columns only the values of the first {seen:,} were looked at; "
            "name those that matter with --column"
        )
    yield from content.cautions
