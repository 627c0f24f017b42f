"""CSV files, lines of text, and files of unknown kinds → frames."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autotune.digests import FloatFamily
from autotune.outputs.cells import Cells, FloatCells, Spot, cells_of, kinds_of
from autotune.outputs.frames import Column, Frame
from autotune.outputs.hashing import hashed_bytes
from autotune.outputs.lines import MAX_LINE_BYTES, as_text, line_blocks

_MAX_HEAD_LENGTH = 10_000
_MAX_RECORD_LINES = 1000
# All that commonly divides fields: which one it is can't be told from every line, and two files
# of one table must not be read in two ways. Which mark stood where is kept apart.
_MARK = r"[,;\t|]"
_MARKS = re.compile(_MARK)
# Quotes inside of quotes are written \" by Spark and "" by others; one that neither ends the field
# nor is written so is let pass. Nothing is ever tried twice (*+), so the time is linear.
_QUOTED = re.compile(rf'"(?:[^"\\]|\\.|""|"(?!{_MARK}|\Z))*+"(?={_MARK}|\Z)', re.DOTALL)
_PLAIN = re.compile(r"[^,;\t|]*")
# An exponent without a point needs its sign, as Java and Python write it: 12e4 may be a name.
_FRACTION = (
    r'^"?[+-]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]\d+'
    r'|NaN|nan|Infinity|inf|Inf|INF)"?$'
)
_NUMBER = re.compile(r'"?[+-]?[\d.]+(?:[eE][+-]?\d+)?"?')


class HeadLine(NamedTuple):
    """The first line of a CSV file, and what it is as data."""

    text: str
    frame: Frame


def text_frames(path: Path) -> Iterator[Frame]:
    """Yield the lines of a text file; each is exact as a whole."""
    for lines in line_blocks(path):
        cells = Cells(hashed_bytes(lines), np.ones(len(lines), dtype=np.bool_))
        yield Frame(len(lines), [Column("value", "text", cells)])


def content_frames(path: Path) -> Iterator[Frame]:
    """Yield one row for a file of unknown kind."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    cells = Cells(hashed_bytes([content]), np.ones(1, dtype=np.bool_))
    yield Frame(1, [Column("content", "file", cells)])


def first_line(path: Path) -> HeadLine | None:
    """Return the first line of a CSV file if it may be a header.

    The fields of a header differ from each other, and are not all numbers.
    """
    line = next((as_text(lines[0]) for lines in line_blocks(path)), None)
    fields = _fields(line) if line and len(line) <= _MAX_HEAD_LENGTH else None
    if line is None or fields is None or len({*fields}) < len(fields):
        return None
    if all(not field or _NUMBER.fullmatch(field) for field in fields):
        return None
    (frame,) = _record_frames([(fields, _unusual_marks(line))])
    return HeadLine(line, frame)


def csv_frames(path: Path) -> Iterator[Frame]:
    """Yield the records of a CSV file but for a first line that may be a header.

    A field of a record is a column ``_c0``, ``_c1`` … and is taken as it is written, in its
    quotes: so an empty text differs from a null.
    """
    blocks = (map(as_text, lines) for lines in line_blocks(path))
    records = _records(line for lines in blocks for line in lines)
    if first_line(path) is not None:
        next(records)
    while piece := list(islice(records, 1 << 14)):
        yield from _record_frames(piece)


def _records(lines: Iterable[str]) -> Iterator[tuple[list[str], str | None]]:
    """Yield the fields of each record, which goes on while a quoted field is open."""
    held: list[str] = []
    length = 0
    for line in lines:
        length = length + len(line) if held else len(line)
        held.append(line)
        full = len(held) >= _MAX_RECORD_LINES or length > MAX_LINE_BYTES
        if len(held) > 1 and '"' not in line and not full:
            continue
        record = "\n".join(held)
        fields = _fields(record)
        if fields is not None:
            yield fields, _unusual_marks(record)
            held = []
        elif full:
            yield from map(_as_it_is, held)  # that quote opened nothing
            held = []
    yield from map(_as_it_is, held)


def _as_it_is(line: str) -> tuple[list[str], str | None]:
    return _MARKS.split(line), _unusual_marks(line)


def _fields(record: str) -> list[str] | None:
    """Divide a record at its marks; ``None`` if a quoted field does not end."""
    if '"' not in record:
        return _MARKS.split(record)
    fields, at = [], 0
    while at <= len(record):
        kind = _QUOTED if record.startswith('"', at) else _PLAIN
        match = kind.match(record, at)
        if match is None:
            return None
        fields.append(match[0])
        at = match.end() + 1
    return fields


def _unusual_marks(record: str) -> str | None:
    """Return the marks of a record that are not all commas."""
    if not (";" in record or "\t" in record or "|" in record):
        return None
    return "".join(_MARKS.findall(record))


def _record_frames(records: list[tuple[list[str], str | None]]) -> Iterator[Frame]:
    """Yield a frame for the records of each length."""
    lengths: dict[int, list[int]] = {}
    for i, (fields, _) in enumerate(records):
        lengths.setdefault(len(fields), []).append(i)
    for rows in lengths.values():
        frame = Frame(len(rows))
        for i, texts in enumerate(zip(*(records[row][0] for row in rows), strict=True)):
            column = pa.array(texts, pa.string())
            frame.columns.append(Column(f"_c{i}", "text", _loose_cells(f"_c{i}", column, frame)))
        marks = pa.array([records[row][1] for row in rows], pa.string())
        if marks.null_count < len(marks):
            cells = cells_of(marks, Spot.of_column("marks", len(rows)), [])
            frame.columns.append(Column("marks between fields", "text", cells))
        yield frame


def _loose_cells(name: str, texts: pa.Array, frame: Frame) -> Cells:
    """Hash texts, but take those that are numbers with a fraction as floating point."""
    spot = Spot.of_column(name, len(texts))
    cells = cells_of(texts, spot, [])
    is_float = pc.match_substring_regex(texts, _FRACTION)
    rows = np.flatnonzero(is_float.to_numpy(zero_copy_only=False))
    if len(rows):
        written = pc.utf8_trim(texts.filter(is_float), '"').to_pylist()
        values = np.array(written, dtype=np.str_).astype(np.float64)
        every = np.ones(len(rows), dtype=np.bool_)
        cells.hashes[rows] = kinds_of(values)
        frame.floats.append(
            FloatCells(name, FloatFamily.FLOAT64, rows, spot.places[rows], values, every)
        )
    return cells
