"""JSON lines → frames: each top-level key is a column.

What type a column has is not written, so every value is taken by itself: whole numbers, texts and
truth values as they are, numbers with a fraction as floating point. Spark leaves nulls out, hence
a key that is not there is a null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np

from autotune.digests import FloatFamily
from autotune.outputs.cells import Cells, FloatCells
from autotune.outputs.frames import Column, Frame
from autotune.outputs.hashing import hashed_bytes
from autotune.outputs.lines import as_text, line_blocks

_ROWS = 1 << 13
_MAX_DOCUMENT_LENGTH = 32 << 20
_MAX_NAMES = 10_000
_PLACE, _STEP = 1 << 64, 0x9E3779B97F4A7C15
# JSON has no words for these; Spark writes them as texts.
_WORDS = {word: float(word) for word in ("NaN", "Infinity", "-Infinity", "+Infinity")}


def json_frames(path: Path) -> Iterator[Frame]:
    """Yield the objects of a file of JSON lines, or of a small one that is a single document.

    Raises:
        ValueError: It is not JSON, or it has thousands of different keys.
    """
    values = _values(chain.from_iterable(line_blocks(path)))
    while piece := list(islice(values, _ROWS)):
        yield _Piece(piece).frame()


def _values(lines: Iterable[bytes]) -> Iterator[object]:
    texts = (text for text in map(as_text, lines) if text.strip())
    first = next(texts, None)
    if first is None:
        return
    try:
        yield json.loads(first)
    except ValueError:
        document = json.loads(_joined(first, texts))
        yield from document if isinstance(document, list) else [document]
    yield from map(json.loads, texts)


def _joined(first: str, texts: Iterable[str]) -> str:
    found, length = [first], len(first)
    for text in texts:
        found.append(text)
        length += len(text)
        if length > _MAX_DOCUMENT_LENGTH:
            raise ValueError("not JSON lines, which have one object on each line")
    return "\n".join(found)


class _Piece:
    """Some rows: the exact part of each cell as text, floating point numbers by their path."""

    def __init__(self, rows: list[object]) -> None:
        self.rows = len(rows)
        self.texts: dict[str, dict[int, str]] = {}
        self.floats: dict[str, list[tuple[int, int, float]]] = {}
        for row, value in enumerate(rows):
            self._row = row
            columns = value if isinstance(value, dict) else {"value": value}
            for name, cell in columns.items():
                if cell is not None:
                    self.texts.setdefault(name, {})[row] = self._exact(cell, name, 0)
        if max(len(self.texts), len(self.floats)) > _MAX_NAMES:
            raise ValueError(f"more than {_MAX_NAMES:,} different keys")

    def _exact(self, value: object, path: str, place: int) -> str:
        """Return the text of everything exact in *value*; note the rest."""
        if isinstance(value, str):
            word = _WORDS.get(value)
            return json.dumps(value) if word is None else self._float(word, path, place)
        if isinstance(value, float):
            return self._float(value, path, place)
        if isinstance(value, list):
            inner = [
                self._exact(item, f"{path}.element", (place * _STEP + i + 1) % _PLACE)
                for i, item in enumerate(value)
            ]
            return f"[{','.join(inner)}]"
        if isinstance(value, dict):
            pairs = sorted((key, item) for key, item in value.items() if item is not None)
            texts = [
                f"{json.dumps(key)}:{self._exact(item, f'{path}.{key}', place)}"
                for key, item in pairs
            ]
            return f"{{{','.join(texts)}}}"
        return json.dumps(value)

    def _float(self, value: float, path: str, place: int) -> str:
        self.floats.setdefault(path, []).append((self._row, place, value))
        return "number" if math.isfinite(value) else str(value)

    def frame(self) -> Frame:
        """Return the rows as columns of hashes."""
        frame = Frame(self.rows)
        for name, texts in self.texts.items():
            hashes = np.zeros(self.rows, dtype=np.uint64)
            at = np.fromiter(texts, dtype=np.int64)
            hashes[at] = hashed_bytes([text.encode() for text in texts.values()])
            valid = np.zeros(self.rows, dtype=np.bool_)
            valid[at] = True
            frame.columns.append(Column(name, "json", Cells(hashes, valid)))
        for path, found in self.floats.items():
            rows, places, values = zip(*found, strict=True)
            frame.floats.append(
                FloatCells(
                    path,
                    FloatFamily.FLOAT64,
                    np.array(rows, dtype=np.int64),
                    np.array(places, dtype=np.uint64),
                    np.array(values, dtype=np.float64),
                    np.ones(len(values), dtype=np.bool_),
                )
            )
        return frame
