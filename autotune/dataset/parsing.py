"""Lines as columns, and what is odd about some of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autotune.dataset.formats import readable
from autotune.dataset.text import Dialect
from autotune.errors import InputError

_MAX_NESTED = 200
_TRIED_LINES = 1000
_BRACKETS = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
"""One deeper, one less deep."""
_NO_MARKS = bytes(set(range(256)) - set(b'{[}]"'))
_MARKS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Parsed:
    """Lines that were decoded to columns."""

    table: pa.Table
    lines: int
    """That Spark makes rows of: those that hold anything, and of text all."""
    cautions: tuple[str, ...] = ()


def parse(path: Path, kind: str, data: bytes, dialect: Dialect | None) -> Parsed:
    """Decode lines to columns; types are inferred from all of *data*.

    Raises:
        InputError: They can't be.
    """
    if not data.strip():
        return Parsed(pa.table({}), 0)
    if kind == "text":
        # Of bytes these are lines as Spark has them; those of a str end at form feeds too.
        lines = [line.decode() for line in _utf8(data).splitlines()]
        return Parsed(pa.table({"value": pa.array(lines, pa.string())}), len(lines))
    if kind == "json":
        table = _parse_json(path, data)
        return Parsed(table, table.num_rows)
    assert dialect is not None
    return _parse_csv(path, _utf8(data), dialect)


def _parse_csv(path: Path, data: bytes, dialect: Dialect) -> Parsed:
    """Spark makes a row of each line, without ``multiLine`` and whatever fields it lacks."""
    table, passed = _csv_table(path, data, dialect)
    lines = data.count(b"\n")
    if table.num_rows != lines:
        lines = max(sum(1 for line in data.split(b"\n") if line.strip()), table.num_rows)
    if table.num_rows + passed < lines:
        mended = _without_stray_quotes(path, data, dialect)
        if mended is not data:
            table, passed = _csv_table(path, mended, dialect)
    if not table.num_rows:
        raise InputError(
            f"{path}: no line has the {len(dialect.names)} fields of the first; mend it"
        )
    cautions = []
    if passed:
        cautions.append(
            f"{passed:,} of {lines:,} lines that were read do not have the fields of the first: "
            "they count as rows, as Spark counts them, and their values were not looked at"
        )
    if inside := lines - table.num_rows - passed:
        cautions.append(
            f"{inside:,} of {lines:,} lines that were read end within quotes: they count as rows, "
            "as Spark counts them unless multiLine is set"
        )
    return Parsed(table, lines, tuple(cautions))


def _csv_table(path: Path, data: bytes, dialect: Dialect) -> tuple[pa.Table, int]:
    """Return the rows that have all fields, and how many have not."""
    from pyarrow import csv

    passed: list[None] = []

    def passed_over(row: Any) -> str:
        passed.append(None)
        return "skip"

    with readable(path, "CSV file"):
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(column_names=dialect.names, block_size=3 * len(data) + 1),
            csv.ParseOptions(delimiter=dialect.delimiter, invalid_row_handler=passed_over),
            # To Spark an empty field is missing, and NA is a text.
            csv.ConvertOptions(null_values=[""], strings_can_be_null=True),
        )
    return table, len(passed)


def _without_stray_quotes(path: Path, data: bytes, dialect: Dialect) -> bytes:
    """Take those quotes away that end with their line to Spark, but not to Arrow.

    They are in lines that have all fields already. So may be the first line of a longer record:
    whether there are more rows without is tried where the first of them is.
    """
    lines = data.split(b"\n")
    mark, marks = dialect.delimiter.encode(), len(dialect.names) - 1
    mended = [
        line.replace(b'"', b"") if line.count(b'"') % 2 and line.count(mark) >= marks else line
        for line in lines
    ]
    at = next((i for i, line in enumerate(lines) if line is not mended[i]), None)
    if at is None:
        return data
    trials = (b"\n".join(each[at : at + _TRIED_LINES]) + b"\n" for each in (lines, mended))
    before, after = (_csv_table(path, trial, dialect)[0].num_rows for trial in trials)
    return b"\n".join(mended) if after > before else data


def _utf8(data: bytes) -> bytes:
    """As Spark reads text: what isn't UTF-8 becomes U+FFFD. Arrow can't skip such a row."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data


def _parse_json(path: Path, data: bytes) -> pa.Table:
    from pyarrow import json

    if data.lstrip()[:1] != b"{":
        raise InputError(f"{path}: not JSON lines; write one object {{…}} on each line")
    if _depth(data) > _MAX_NESTED:
        raise InputError(f"{path}: nests brackets more than {_MAX_NESTED} deep; flatten them")
    with readable(path, "JSON lines file"):
        table = json.read_json(pa.BufferReader(data), json.ReadOptions(block_size=len(data) + 1))
    if table.num_rows != sum(1 for line in data.splitlines() if line.strip()):
        raise InputError(f"{path}: an object spans lines; write one object {{…}} on each line")
    return table


def _depth(data: bytes) -> int:
    """Return how deep brackets outside of texts lie in each other.

    Arrow reads them by recursion, and tens of thousands would end the process. What is no JSON
    may be counted wrong only after the place where Arrow stops.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = data.translate(None, _NO_MARKS).replace(b'""', b"")
    outside = b"".join(marks.split(b'"')[::2])
    steps = np.frombuffer(outside.translate(_BRACKETS), np.int8)
    depth = deepest = 0
    for at in range(0, len(steps), _MARKS_AT_ONCE):
        depths = depth + np.cumsum(steps[at : at + _MARKS_AT_ONCE], dtype=np.int32)
        depth, deepest = int(depths[-1]), max(deepest, int(depths.max()))
    return deepest
