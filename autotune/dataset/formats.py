"""What kind of data a file holds, and what its own metadata say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from autotune.errors import InputError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}

_NOTES = {"readme", "license", "licence", "copying", "notice", "authors", "changelog", "makefile"}
"""Files without an extension that people lay beside data."""
_UNREADABLE_COMPRESSIONS = (".snappy", ".deflate", ".zip", ".xz")
_FORMATS = {
    ".parquet": "parquet",
    ".parq": "parquet",
    ".orc": "orc",
    ".csv": "csv",
    ".tsv": "csv",
    ".tbl": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
}


TEXTUAL = ("csv", "json", "text")
"""Formats without metadata."""


@contextmanager
def readable(path: Path, what: str = "file") -> Iterator[None]:
    """Turn what file systems and decoders raise into one line that names *path*."""
    try:
        yield
    except PermissionError as error:
        raise InputError(f"{path}: may not be read; ask for permission to read it") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"{path}: not a readable {what} ({said}); rewrite or remove it"
        ) from error


def format_of(name: str, folder: str) -> str | None:
    """Name the format by extension; ``None``: no data; empty: only the content can tell.

    Raises:
        InputError: It is compressed in a way that only whole files can be read.
    """
    if name.lower() in _NOTES:
        return "text"
    known, readable_part = _format_of_ending(tuple(name.rsplit(".", 2)[1:]))
    if not readable_part:
        ending = name[name.rindex(".") :]
        raise InputError(
            f"{Path(folder, name)}: {ending} can't be profiled; use gzip, bzip2, zstd or Parquet"
        )
    return known


@lru_cache(maxsize=1024)
def _format_of_ending(ending: tuple[str, ...]) -> tuple[str | None, bool]:
    """Return the format that the last one or two extensions name, and whether we can read it."""
    suffixes = [f".{part.lower()}" for part in ending]
    compressed = bool(suffixes) and suffixes[-1] in (*COMPRESSIONS, *_UNREADABLE_COMPRESSIONS)
    data = suffixes[-2:-1] if compressed else suffixes[-1:]
    known = _FORMATS.get(data[0]) if data else None
    if known in TEXTUAL and suffixes[-1] in _UNREADABLE_COMPRESSIONS:
        return known, False
    if known or compressed or (data and data[0][1:].isalpha()):
        return known, True
    return "", True


def format_of_content(path: Path) -> str | None:
    """Name the format by the first bytes; ``None``: binary, of no known kind.

    Raises:
        InputError: It can't be read.
    """
    with readable(path), path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ORC"):
        return "orc"
    if b"\0" in head:
        return None
    return "json" if head.lstrip()[:1] == b"{" else "csv"


@lru_cache(maxsize=2048)
def _footer_of_version(path: Path, changed_ns: int) -> Any:
    import pyarrow.parquet as pq

    with readable(path, "Parquet file"):
        return pq.read_metadata(path)


def parquet_footer(path: Path) -> Any:
    """Return the metadata of a Parquet file; read once for each state of the file."""
    with readable(path):
        changed_ns = path.stat().st_mtime_ns
    return _footer_of_version(path, changed_ns)


def forget_footers() -> None:
    """Free the memory of the footers that were read."""
    _footer_of_version.cache_clear()


def orc_file(path: Path) -> Any:
    """Open an ORC file; only its footer is read."""
    from pyarrow import orc

    with readable(path, "ORC file"):
        return orc.ORCFile(path)
