"""What kind of data a file holds, and what its own metadata say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from autotune.errors import InputError

MAX_FOOTERS = 1000
"""In a folder of more files, so many footers are read and the rest is extrapolated."""

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}

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


def format_of(path: Path) -> str | None:
    """Name the format by extension, else by the first bytes; ``None``: not data of a known kind.

    Raises:
        InputError: It can't be read, or is compressed in a way that only whole files can be.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = bool(suffixes) and suffixes[-1] in (*COMPRESSIONS, *_UNREADABLE_COMPRESSIONS)
    data = suffixes[-2:-1] if compressed else suffixes[-1:]
    known = _FORMATS.get(data[0]) if data else None
    if known in ("csv", "json", "text") and suffixes[-1] in _UNREADABLE_COMPRESSIONS:
        raise InputError(
            f"{path}: {suffixes[-1]} can't be profiled; use gzip, bzip2, zstd or Parquet"
        )
    if known or (data and data[0][1:].isalpha()):
        return known
    return None if compressed else _by_content(path)


def _by_content(path: Path) -> str | None:
    with readable(path), path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ORC"):
        return "orc"
    if b"\0" in head:
        return None
    return "json" if head.lstrip()[:1] == b"{" else "csv"


@lru_cache(maxsize=2 * MAX_FOOTERS)
def _footer_of_version(path: Path, changed_ns: int) -> Any:
    import pyarrow.parquet as pq

    with readable(path, "Parquet file"):
        return pq.read_metadata(path)


def parquet_footer(path: Path) -> Any:
    """Return the metadata of a Parquet file; read once for each state of the file."""
    with readable(path):
        changed_ns = path.stat().st_mtime_ns
    return _footer_of_version(path, changed_ns)


def orc_file(path: Path) -> Any:
    """Open an ORC file; only its footer is read."""
    from pyarrow import orc

    with readable(path, "ORC file"):
        return orc.ORCFile(path)
