"""The lines of text files, packed or not, in blocks of bounded size."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

MAX_LINE_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_ARROW_CODECS = {".zst": "zstd", ".zstd": "zstd", ".lz4": "lz4"}


def line_blocks(path: Path) -> Iterator[list[bytes]]:
    """Yield lists of whole lines, without their ends; a last line need not be ended.

    Raises:
        ValueError: A line is longer than 16 MiB, or the compression is not one we can undo.
    """
    rest = b""
    for chunk in _chunks(path):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES >> 20} MiB")
        if lines:
            yield [line.removesuffix(b"\r") for line in lines]
    if rest:
        yield [rest]


def as_text(line: bytes) -> str:
    """Return the line as text; bytes that are no UTF-8 are spelled out."""
    return line.decode("utf-8", "backslashreplace")


def _chunks(path: Path) -> Iterator[bytes]:
    ending = path.suffix.lower()
    if ending == ".deflate":
        yield from _inflated(path)
        return
    if ending == ".snappy":
        raise ValueError("snappy is not understood for text; let the job write gzip or plain text")
    if ending in _ARROW_CODECS:
        with pa.CompressedInputStream(str(path), _ARROW_CODECS[ending]) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
        return
    with _OPENERS.get(ending, open)(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _inflated(path: Path) -> Iterator[bytes]:
    """Undo what Hadoop calls deflate: a zlib stream."""
    unpack = zlib.decompressobj()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            while chunk:
                yield unpack.decompress(chunk, _CHUNK_BYTES)
                chunk = unpack.unconsumed_tail
    yield unpack.flush()
    if not unpack.eof:
        raise EOFError("the compressed stream ends too early")
