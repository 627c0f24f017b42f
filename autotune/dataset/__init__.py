"""Numbers about tables, without Spark: metadata where that tells, a bounded sample where not.

Parquet and ORC footers give rows (and Parquet null counts) exactly. Everything about values comes
from one sample that is spread over files and row groups, at places that depend on nothing but the
data, so the same data give the same profile. What is looked at has limits (`effort`), so that ten
times the data cost little more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from autotune.dataset.effort import MAX_COUNTED_BYTES, Effort
from autotune.dataset.files import Table, find_tables, local_path
from autotune.dataset.formats import TEXTUAL, forget_footers
from autotune.dataset.readers import Content, read_table
from autotune.dataset.summary import Reading, summarise
from autotune.domain import DatasetProfile
from autotune.errors import InputError
from autotune.pathtext import without_scheme

__all__ = ["profile_dataset", "profile_if_readable"]


def profile_dataset(
    path: str | Sequence[str],
    *,
    sample_rows: int = 100_000,
    max_files: int = 1000,
    columns: Sequence[str] = (),
) -> DatasetProfile:
    """Profile the data at *path*: a file, a folder of files, or a folder of such folders.

    Folders named ``key=value`` are partitions of one table and give a column each; folders named
    by dates or numbers are one table where columns are equal. Files with other columns, or in
    another folder, are other tables: rows, bytes and files are then those of all tables together,
    while format, columns, row width, null share and skew are those of the largest (in bytes) that
    has rows. Hidden files, ``_SUCCESS`` and checksums are ignored, and so are files that a Delta
    table has dropped, where its log tells. The row width is that of decoded rows in memory, so it
    compares between formats.

    Args:
        path: A local path, or those of all inputs of one job; ``file:`` is understood. Files that
            are named make the tables that their folder would make of them.
        sample_rows: At most so many rows are read for what metadata does not tell.
        max_files: At most about so many files are looked into; of more, some are, and rows are
            estimated. All are listed.
        columns: Whose values are looked at, in the largest table; none named: of its first 256.

    Raises:
        InputError: There is nothing there, nothing readable, no rows, no such column, an unknown
            format, or a mix of formats in one table.
    """
    if sample_rows < 1:
        raise InputError(f"sample_rows is {sample_rows}; it must be at least 1")
    effort = Effort(sample_rows, max_files, tuple(columns))
    roots = _roots([path] if isinstance(path, str) else path)
    try:
        tables = find_tables(roots, effort)
        tables.sort(key=lambda table: (-table.bytes, table.files[0]))
        readings = _read(tables, effort)
    finally:
        forget_footers()
    said = ", ".join(map(str, roots))
    if not any(reading.rows for reading in readings):
        raise InputError(f"{said}: there are no rows in it; name a table that has some")
    return summarise(said, readings, effort)


def profile_if_readable(
    path: str | None, tell: Callable[[str], None] | None = None
) -> DatasetProfile | None:
    """Profile data that a job reads, if they can be: the job may well read what we can't.

    Args:
        path: ``None`` where a job has no data; those of another file system have no profile.
        tell: called with a line if the data are there and can't be profiled.

    Raises:
        InputError: There is nothing there.
    """
    if path is None or "://" in without_scheme(path):
        return None
    local_path(path)
    try:
        return profile_dataset(path)
    except InputError as error:
        if tell is not None:
            tell(f"the data have no profile for the predictor: {error}")
        return None


def _roots(paths: Sequence[str]) -> list[Path]:
    """Return the absolute paths that were named, each once."""
    roots = list(dict.fromkeys(local_path(path) for path in paths))
    if not roots:
        raise InputError("no path of data; name a file or a folder")
    named = set(roots)
    for root in roots:
        for other in named.intersection(root.parents):
            raise InputError(f"{root}: is part of {other}; name each table once")
    return roots


def _read(tables: Sequence[Table], effort: Effort) -> list[Reading]:
    """Read the tables, and the values of the first that has rows; guess at what is too many."""
    files = sum(len(table.files) for table in tables)
    readings: list[Reading] = []
    sampled, counted_bytes = False, MAX_COUNTED_BYTES
    for table in tables[: effort.max_files]:
        part = effort.share(len(table.files), files, sample=not sampled)
        content: Content = read_table(table, replace(part, counted_bytes=counted_bytes))
        if table.format in TEXTUAL and content.facts.exact:
            counted_bytes = max(0, counted_bytes - table.bytes)
        sampled = sampled or content.rows > 0
        readings.append(Reading(table, content.rows, content))
    rows = sum(reading.rows for reading in readings)
    density = rows / max(sum(reading.table.bytes for reading in readings), 1)
    readings += [
        Reading(table, round(table.bytes * density), None) for table in tables[effort.max_files :]
    ]
    return readings
