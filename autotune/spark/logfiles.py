"""Opens event logs in every form that Spark leaves them in, line by line in bounded memory.

Plain JSON lines, gzip, zstd, and the block formats that Spark writes for ``lz4`` and ``snappy``;
single files, and the rolling folders (``eventlog_v2_…``) with their compacted files.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from autotune.errors import InputError

LONGEST_LINE_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 14
"""Decoded at once, and lost at once where a compressed log was cut off."""
_SLICE_BYTES = 1 << 18
_HEAD_BYTES = 4096
_ROLLED = re.compile(r"events_(\d+)_")
_CODECS = {".zstd": "zstd", ".zst": "zstd", ".lz4": "lz4", ".snappy": "snappy", ".gz": "gzip"}


class Readable(Protocol):
    """What is needed of a file: bytes, a piece at a time."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log; of an over-long one only its head is kept."""

    text: bytes
    complete: bool = True


class LineSplitter:
    """Cuts a stream of bytes into lines; keeps the unfinished last one, never a gigabyte of it."""

    def __init__(self, longest: int | None = None) -> None:
        self._longest = LONGEST_LINE_BYTES if longest is None else longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """Yield the lines that *data* completes."""
        # In slices: a megabyte of line breaks would become a million objects at once.
        for start in range(0, len(data), _SLICE_BYTES):
            *ended, rest = data[start : start + _SLICE_BYTES].split(b"\n")
            for piece in ended:
                self._keep(piece)
                if (line := self._take()) is not None:
                    yield line
            self._keep(rest)

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished line is kept."""
        return sum(map(len, self._parts))

    def rest(self) -> Line | None:
        """Return what is left when nothing more will come."""
        return self._take()

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._size += len(piece)
        if self._size <= self._longest:
            self._parts.append(piece)
        elif self._parts:
            self._parts = [b"".join(self._parts)[:_HEAD_BYTES]]
        else:
            self._parts = [piece[:_HEAD_BYTES]]

    def _take(self) -> Line | None:
        if not self._size:
            return None
        line = Line(b"".join(self._parts), self._size <= self._longest)
        self._parts, self._size = [], 0
        return line


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of the log at *path*, oldest first.

    A compressed log that was cut off ends where it can no longer be decoded.

    Raises:
        InputError: There is no such log, it can't be opened, or its compression is not known.
    """
    for part in parts(path):
        splitter = LineSplitter()
        with _opened(part) as stream:
            while data := _read(stream):
                yield from splitter.feed(data)
        if (line := splitter.rest()) is not None:
            yield line


def find_logs(folder: Path) -> tuple[Path, ...]:
    """Return the event logs (files and rolling folders) directly in *folder*, oldest first."""
    found = [
        (entry.stat().st_mtime, entry.name, entry)
        for entry in folder.iterdir()
        if not entry.name.startswith((".", "_")) and (entry.is_file() or _is_rolling(entry))
    ]
    return tuple(entry for _, _, entry in sorted(found))


def parts(path: Path) -> tuple[Path, ...]:
    """Return the files that make up one log, in reading order.

    Of a rolling folder these are the newest compacted file, which stands for all before it, and
    what was rolled after it. A folder with one log in it stands for that log.

    Raises:
        InputError: Nothing there, or several logs.
    """
    try:
        if not path.is_dir():
            if not path.exists():
                raise InputError(f"{path}: no such event log; name a file or a rolling folder")
            if not path.is_file():
                raise InputError(f"{path}: not a file; name an event log or a rolling folder")
            return (path,)
        if _is_rolling(path):
            return _rolled(path)
        logs = find_logs(path)
    except OSError as error:
        raise InputError(f"{path}: can't read the event log: {error.strerror}") from error
    if len(logs) != 1:
        raise InputError(f"{path}: holds {len(logs)} event logs; name the one that is meant")
    return parts(logs[0])


def _is_rolling(path: Path) -> bool:
    return path.is_dir() and (path.name.startswith("eventlog_v2_") or any(path.glob("events_*")))


def _rolled(folder: Path) -> tuple[Path, ...]:
    numbered = [
        (int(match[1]), entry.name.endswith(".compact"), entry)
        for entry in folder.iterdir()
        if (match := _ROLLED.match(entry.name)) and entry.is_file()
    ]
    compacted = max((index for index, compact, _ in numbered if compact), default=0)
    kept = [
        (index, entry)
        for index, compact, entry in numbered
        if index > compacted or (compact and index == compacted)
    ]
    if not kept:
        raise InputError(f"{folder}: a rolling event log without any events_ file")
    return tuple(entry for _, entry in sorted(kept))


def _read(stream: Readable) -> bytes:
    try:
        return stream.read(_CHUNK_BYTES)
    except (OSError, EOFError, ValueError, NotImplementedError, struct.error, zlib.error):
        return b""  # cut off while it was written: what came before is good


@contextmanager
def _opened(path: Path) -> Iterator[Readable]:
    name = path.name.removesuffix(".compact").removesuffix(".inprogress")
    suffix = Path(name).suffix.lower()
    if suffix == ".lzf":
        raise InputError(
            f"{path}: lzf-compressed event logs are not read; write them with "
            "spark.eventLog.compression.codec=zstd, or without compression"
        )
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: can't read the event log: {error.strerror}") from error
    with raw:
        yield _decoded(raw, _CODECS.get(suffix) or _sniffed(path))


def _sniffed(path: Path) -> str | None:
    """Return the codec that the file begins like, if it can also be decoded."""
    with path.open("rb") as raw:
        head = raw.read(8)
        raw.seek(0)
        codec = _codec_of(head)
        return codec if codec and _read(_decoded(raw, codec)) else None


def _codec_of(head: bytes) -> str | None:
    magics = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip", b"LZ4Block": "lz4"}
    magics[b"\x82SNAPPY\x00"] = "snappy"
    return next((codec for magic, codec in magics.items() if head.startswith(magic)), None)


def _decoded(raw: IO[bytes], codec: str | None) -> Readable:
    if codec is None:
        return raw
    if codec == "gzip":
        return cast("Readable", gzip.GzipFile(fileobj=raw))
    if codec == "zstd":
        import pyarrow as pa  # slow to import, and needed for these logs alone

        return cast("Readable", pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec))
    return _Blocks(_lz4_blocks(raw) if codec == "lz4" else _snappy_blocks(raw))


class _Blocks:
    """A file made of decoded blocks; each read returns one."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, _size: int, /) -> bytes:
        return next(self._blocks, b"")


def _lz4_blocks(raw: IO[bytes]) -> Iterator[bytes]:
    """Decode the frames of lz4-java's LZ4BlockOutputStream, which are not the LZ4 frame format."""
    import pyarrow as pa

    codec = pa.Codec("lz4_raw")
    while len(header := raw.read(21)) == 21 and header.startswith(b"LZ4Block"):
        token, packed, size = struct.unpack("<BII", header[8:17])
        data = _checked(raw, packed)
        if size > LONGEST_LINE_BYTES:
            raise ValueError("not a block that Spark wrote")
        if size:
            yield data if token & 0xF0 == 0x10 else codec.decompress(data, size, asbytes=True)


def _snappy_blocks(raw: IO[bytes]) -> Iterator[bytes]:
    """Decode the blocks of snappy-java's SnappyOutputStream: a header, then sized raw blocks."""
    import pyarrow as pa

    codec = pa.Codec("snappy")
    while len(head := raw.read(4)) == 4:
        if head == b"\x82SNA":  # concatenated streams repeat the header
            raw.read(12)
            continue
        data = _checked(raw, struct.unpack(">I", head)[0])
        yield codec.decompress(data, _snappy_size(data), asbytes=True)


def _checked(raw: IO[bytes], size: int) -> bytes:
    if size > LONGEST_LINE_BYTES:
        raise ValueError("not a block that Spark wrote")
    data = raw.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _snappy_size(data: bytes) -> int:
    size = 0
    for index, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            break
    return min(size, LONGEST_LINE_BYTES)
