"""The first lines of a text file, compressed or not, and how many of its bytes they took."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from autotune.dataset.formats import COMPRESSIONS, readable
from autotune.errors import InputError

MAX_LINE_BYTES = 8 << 20
_SIP_BYTES = 1 << 12
_PART_BYTES = 1 << 16
_TELLING_BYTES = 1 << 15
_MAX_TELLING_BYTES = 4 << 20


class _Sips(FileIO):
    """A file that is read a little at a time: Arrow would read 64 KB of it ahead."""

    def read(self, size: int | None = -1, /) -> Any:
        some = size is not None and 0 <= size < _SIP_BYTES
        return super().read(size if some else _SIP_BYTES)


class _Measure:
    """Reads a file and notes how much of it has become how many decoded bytes."""

    def __init__(self, stream: Any, raw: Any) -> None:
        self._stream, self._raw = stream, raw
        self._decoded = self._taken = 0
        self.known = (0, 0)
        """Decoded bytes and those of the file they took, when none lay between."""

    @property
    def taken(self) -> int:
        """How much of the file was read."""
        return int(self._raw.tell())

    def read(self, size: int) -> bytes:
        """Read *size* decoded bytes; fewer are the last."""
        data: list[bytes] = []
        while size > 0 and (part := self._stream.read(min(size, _PART_BYTES))):
            # The decoder reads on when it has given all it had: what it took until then is that.
            if self.taken > self._taken:
                self.known = (self._decoded, self._taken)
                self._taken = self.taken
            self._decoded += len(part)
            size -= len(part)
            data.append(part)
        return b"".join(data)

    def ratio(self) -> float:
        """Return decoded bytes ÷ those of the file; reads on until enough of them were seen."""
        while self.known[1] < _TELLING_BYTES and self._decoded < _MAX_TELLING_BYTES:
            if not self.read(_PART_BYTES):
                return self._decoded / max(self.taken, 1)
        decoded, taken = self.known if self.known[0] else (self._decoded, self.taken)
        return decoded / max(taken, 1)


def read_head(path: Path, size: int, *, measured: bool = False) -> tuple[bytes, int]:
    """Return whole lines from the start of a file, and how many of its bytes they took.

    Args:
        path: A text file; one with the ending of a compression is decoded.
        size: About so many decoded bytes; as many more as a line has that is longer.
        measured: Whether the second number is needed: of compressed files it is an estimate, and
            more of them is decoded for it. All of the file is what a head of all of it took.

    Raises:
        InputError: It is not text, or its first line is longer than 8 MB.
    """
    codec = COMPRESSIONS.get(path.suffix.lower())
    with readable(path, "text file"), _Sips(path) if codec else path.open("rb") as raw:
        stream = pa.CompressedInputStream(pa.PythonFile(raw, "r"), codec) if codec else raw
        measure = _Measure(stream, raw)
        data = measure.read(size)
        while len(data) >= size and b"\n" not in data and len(data) < MAX_LINE_BYTES:
            size = len(data)
            more = measure.read(size)
            data += more
            if not more:
                break
        ended = not measure.read(1)
        ratio = measure.ratio() if codec and measured and not ended else 1.0
        used = measure.taken
    if b"\0" in data:
        raise InputError(f"{path}: binary, not text; name a Parquet, ORC, CSV or JSON table")
    if not ended:
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            raise InputError(
                f"{path}: has a line of more than {MAX_LINE_BYTES >> 20} MB; split the lines"
            )
        used = min(round(len(data) / ratio), used - 1)
    return data, used
