"""Numbers about a table, without Spark: metadata where that tells, a bounded sample where not.

Parquet and ORC footers give rows (and Parquet null counts) exactly. Everything about values comes
from one sample that is spread over files and row groups, at places that depend on nothing but the
data, so the same data give the same profile.
"""

from __future__ import annotations

from collections.abc import Sequence

from autotune.dataset.columns import column_profiles, key_skew
from autotune.dataset.files import Table, find_tables, local_path, partition_values
from autotune.dataset.readers import Content, read_table
from autotune.domain import DatasetProfile
from autotune.errors import InputError

__all__ = ["profile_dataset"]


def profile_dataset(path: str, *, sample_rows: int = 100_000) -> DatasetProfile:
    """Profile the table at *path*: a file, a folder of files, or a folder of such folders.

    Folders named ``key=value`` are partitions of one table and give a column each. Files with
    other columns, or in another folder, are other tables: rows, bytes and files are then those of
    all tables together, while format, columns, row width, null share and skew are those of the
    largest (in bytes). Hidden files, ``_SUCCESS`` and checksums are ignored. The row width is
    that of decoded rows in memory, so it compares between formats.

    Args:
        path: A local path; ``file:`` is understood.
        sample_rows: At most so many rows are read for what metadata does not tell.

    Raises:
        InputError: There is nothing there, nothing readable, no rows, an unknown format, or a mix
            of formats in one table.
    """
    if sample_rows < 1:
        raise InputError(f"sample_rows is {sample_rows}; it must be at least 1")
    root = local_path(path)
    tables = find_tables(root)
    contents = [read_table(table, sample_rows if table is tables[0] else 1) for table in tables]
    if not sum(content.rows for content in contents):
        raise InputError(f"{root}: there are no rows in it; name a table that has some")
    return _profile(str(root), tables, contents)


def _profile(path: str, tables: Sequence[Table], contents: Sequence[Content]) -> DatasetProfile:
    largest, content = tables[0], contents[0]
    columns, estimated = column_profiles(content, partition_values(largest))
    sampled = content.sample.num_rows
    sizes = [size for table in tables for size in table.sizes]
    null_shares = [c.null_share for c in columns if c.null_share is not None]
    if sampled < content.rows:
        estimated |= {"row_width_bytes", "key_skew"}
    if not all(each.exact for each in contents):
        estimated |= {"rows"}
    return DatasetProfile(
        path=path,
        format=largest.format,
        rows=sum(each.rows for each in contents),
        bytes=sum(sizes),
        files=len(sizes),
        largest_file_bytes=max(sizes),
        smallest_file_bytes=min(sizes),
        row_width_bytes=round(content.sample.nbytes / sampled, 2) if sampled else 0.0,
        null_share=sum(null_shares) / len(null_shares) if null_shares else 0.0,
        key_skew=key_skew(columns),
        columns=columns,
        estimated=tuple(sorted(estimated)),
    )
