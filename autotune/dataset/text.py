"""CSV, JSON lines and plain text: what a bounded part of the lines tells."""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from autotune.dataset.effort import MAX_COUNTED_BYTES
from autotune.dataset.formats import COMPRESSIONS, readable
from autotune.dataset.heads import MAX_LINE_BYTES, read_head
from autotune.errors import InputError

_HEAD_BYTES = 1 << 16
_MAX_SAMPLE_BYTES = 48 << 20
_HIVES = "\x01"
_PIECES = 64
_HEADS = 16
_NAME = re.compile(r"[^\W\d][\w .:/()%#-]*")
_NUMBER = re.compile(r"[-+$€£]?\.?\d[\d.,:/TZ +-]*([eE][-+]?\d+)?%?")
"""Or a date or a time."""
_MISSING = ("", "na", "nan", "null", "\\n")


@dataclass(frozen=True)
class Dialect:
    """How the lines of a CSV file are to be read."""

    delimiter: str
    names: tuple[str, ...]
    header: bool

    @classmethod
    def of(cls, path: Path, *, headless: bool = False) -> Dialect:
        """Guess from the first lines: the delimiter that divides them most evenly, and a header.

        That is a first line without a number above a column of numbers, or of distinct words
        and no number, unless it is known that there is none. Names are those that Spark gives.
        """
        head, _ = read_head(path, _HEAD_BYTES)
        some = [line for line in head.splitlines() if line][:20]
        lines = [line.decode("utf-8-sig", "replace") for line in some] or [""]
        delimiter = _delimiter(lines)
        try:
            first = _fields(lines[0], delimiter)
        except csv.Error as error:
            message = f"{path}: its first line is none of a table ({error}); name the table alone"
            raise InputError(message) from error
        worded = len(set(first)) == len(first) and all(map(_NAME.fullmatch, first))
        header = not headless and (worded or _tops_numbers(first, lines[1:], delimiter))
        names = _spark_names(first) if header else [f"_c{i}" for i in range(len(first))]
        return cls(delimiter, tuple(names), header)

    @property
    def shape(self) -> object:
        """Equal for files of one table."""
        return (self.delimiter, self.names)


@dataclass(frozen=True)
class Lines:
    """Whole lines from places all over some files."""

    data: bytes
    lengths: tuple[int, ...]
    """Lines from each place."""
    rows: int
    """Of all files, headers not counted."""
    exact: bool
    decoded_bytes: int = 0
    """What was read, headers included, …"""
    file_bytes: int = 0
    """… and what it takes in the files."""

    @property
    def count(self) -> int:
        """Lines that were read."""
        return sum(self.lengths)


def _delimiter(lines: Sequence[str]) -> str:
    if all(_HIVES in line for line in lines):
        return _HIVES  # which no text holds, while commas may well be part of it
    return max(",;\t|", key=lambda mark: _evenness(lines, mark))


def _evenness(lines: Sequence[str], mark: str) -> float:
    counts = [line.count(mark) for line in lines]
    return min(counts) + sum(counts) / len(counts) / 1000


def _fields(line: str, delimiter: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [""])]


def _tops_numbers(first: Sequence[str], lines: Sequence[str], delimiter: str) -> bool:
    """Tell whether the first line has no number, and a column below it nothing else."""
    if not any(first) or not all(first[1:]) or any(map(_NUMBER.fullmatch, first)):
        return False  # of a row something may be missing; an index alone has no name
    try:
        rows = [row for line in lines if len(row := _fields(line, delimiter)) == len(first)]
    except csv.Error:
        return False
    columns = [
        [each for each in column if each.lower() not in _MISSING]
        for column in zip(*rows, strict=True)
    ]
    return any(column and all(map(_NUMBER.fullmatch, column)) for column in columns)


def _spark_names(first: Sequence[str]) -> list[str]:
    """Return names as Spark makes them of a header: without one or with one twice, by number."""
    many = Counter(name.lower() for name in first)
    names: dict[str, None] = {}
    for i, name in enumerate(first):
        unique = f"_c{i}" if not name else f"{name}{i}" if many[name.lower()] > 1 else name
        while unique in names:
            unique += "_"
        names[unique] = None
    return list(names)


def _slice(path: Path, start: int, size: int) -> bytes:
    """Return the whole lines that begin in ``[start, start + size)`` of a plain file."""
    with readable(path, "text file"), path.open("rb") as file:
        file.seek(max(start - 1, 0))
        data = file.read(size + 1)
        if b"\n" not in data[1:]:
            data += file.readline(MAX_LINE_BYTES)
    first = data.find(b"\n") + 1 if start else 0
    return data[first : data.rfind(b"\n") + 1]


def read_lines(
    files: Sequence[tuple[Path, int]],
    all_bytes: int,
    rows: int,
    *,
    header: bool,
    counted_bytes: int = MAX_COUNTED_BYTES,
) -> Lines:
    """Read twice *rows* lines or so, spread over the files, headers left out; at most 48 MB.

    Args:
        files: Those that may be looked into, with their sizes in bytes.
        all_bytes: Of these and the files that may not.
        rows: How many are wanted; twice as many let pairs be chosen among them.
        header: Whether the first line of each file holds names.
        counted_bytes: Files of no more than this are read to their end to count their lines.

    Raises:
        InputError: It is not text, or lines are longer than 8 MB.
    """
    head, _ = read_head(files[0][0], _HEAD_BYTES)
    width = len(head) / max(head.count(b"\n"), 1)
    budget = int(min(max(rows * width * 2, _HEAD_BYTES), _MAX_SAMPLE_BYTES))
    if any(path.suffix.lower() in COMPRESSIONS for path, _ in files):
        return _from_heads(files, all_bytes, budget, header=header)
    size = sum(length for _, length in files)
    if size <= budget:
        pieces = [_whole(path, header) for path, _ in files]
        read = size
    else:
        pieces = _spread_pieces(files, budget, header=header)
        read = sum(map(len, pieces))
    data, lengths = b"".join(pieces), tuple(piece.count(b"\n") for piece in pieces)
    if size == all_bytes and (size <= budget or size <= counted_bytes):
        counted = sum(lengths)
        if size > budget:
            counted = sum(_count_lines(path) for path, _ in files) - header * len(files)
        return Lines(data, lengths, counted, True, size, size)
    return Lines(data, lengths, round(all_bytes * sum(lengths) / max(read, 1)), False, read, read)


def _whole(path: Path, header: bool) -> bytes:
    with readable(path, "text file"):
        data = path.read_bytes()
    if b"\0" in data:
        raise InputError(f"{path}: binary, not text; name a Parquet, ORC, CSV or JSON table")
    data = data if data.endswith(b"\n") else data + b"\n"
    return _without_header(data) if header else data


def _without_header(data: bytes) -> bytes:
    data = data.lstrip(b"\r\n")  # Spark takes the first line that holds anything
    return data[data.find(b"\n") + 1 :]


def _spread_pieces(files: Sequence[tuple[Path, int]], budget: int, *, header: bool) -> list[bytes]:
    """Read pieces at places that are evenly spaced in the files as if they were one."""
    ends = list(accumulate(length for _, length in files))
    size = budget // _PIECES
    pieces = []
    for number in range(_PIECES):
        start = round((ends[-1] - size) * number / (_PIECES - 1))
        at = bisect_right(ends, start)
        path, length = files[at]
        inside = start - (ends[at] - length)
        piece = _slice(path, inside, size)
        pieces.append(_without_header(piece) if header and not inside else piece)
    return pieces


def _from_heads(
    files: Sequence[tuple[Path, int]], all_bytes: int, budget: int, *, header: bool
) -> Lines:
    """Compressed files can only be read from their start: take some of them."""
    chosen = files[:: max(1, len(files) // _HEADS)]
    size = budget // len(chosen) + 1
    heads = [read_head(path, size, measured=True) for path, _ in chosen]
    bodies = [_without_header(data) if header else data for data, _ in heads]
    bodies = [body if body.endswith(b"\n") or not body else body + b"\n" for body in bodies]
    lengths = tuple(body.count(b"\n") for body in bodies)
    used, read = sum(taken for _, taken in heads), sum(len(data) for data, _ in heads)
    whole = used >= all_bytes
    rows = sum(lengths) if whole else round(sum(lengths) * all_bytes / max(used, 1))
    return Lines(b"".join(bodies), lengths, rows, whole, read, used)


def _count_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with readable(path, "text file"), path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + (last != b"\n")
