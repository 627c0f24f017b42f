"""What an execution wrote → digests that do not depend on order, files or compression.

Everything is read to its end, in pieces of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from autotune.digests import TableDigest, merged
from autotune.outputs.columnar import orc_frames, parquet_frames
from autotune.outputs.files import DataFile, Format, find_tables, readable
from autotune.outputs.frames import Frame, frame_digest
from autotune.outputs.jsonlines import json_frames
from autotune.outputs.textlines import content_frames, csv_frames, first_line, text_frames

__all__ = ["digest_outputs"]

_READERS: dict[Format, Callable[[Path], Iterator[Frame]]] = {
    Format.PARQUET: parquet_frames,
    Format.ORC: orc_frames,
    Format.CSV: csv_frames,
    Format.JSON: json_frames,
    Format.TEXT: text_frames,
    Format.BINARY: content_frames,
}


def digest_outputs(root: Path) -> tuple[TableDigest, ...]:
    """Digest everything below an output folder, or a single file: one digest per table.

    A table is a folder that holds data files, directly or in ``key=value`` folders, whose names
    are columns of exact text. Hidden files, ``_SUCCESS`` and checksums are passed over.

    Parquet and ORC are digested by type. In CSV and JSON lines a number with a fraction, NaN and
    Infinity are floating point and everything else is exact; ``.txt`` files and files without an
    ending are exact lines; files of other kinds must have the same contents.

    Args:
        root: What was written, by Spark or otherwise; local.

    Returns:
        The digests in the order of their names; none if nothing was written.

    Raises:
        InputError: There is nothing there, or a file can't be read.
    """
    digests = []
    for table in find_tables(root):
        digest = TableDigest(name=table.name)
        for file in table.files:
            with readable(file.path):
                digest = merged(digest, _file_digest(table.name, table.format, file))
        digests.append(digest)
    return tuple(digests)


def _file_digest(table: str, kind: Format, file: DataFile) -> TableDigest:
    digest = TableDigest(name=table)
    for frame in _READERS[kind](file.path):
        frame.add_constants(file.partitions)
        digest = merged(digest, frame_digest(table, frame))
    head = first_line(file.path) if kind is Format.CSV else None
    if head is None:
        return digest
    head.frame.add_constants(file.partitions)
    return digest.model_copy(
        update={"head": frame_digest(table, head.frame), "head_text": head.text}
    )
