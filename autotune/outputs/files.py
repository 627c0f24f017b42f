"""Which files below an output make which tables, and what they hold."""

from __future__ import annotations

import lzma
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from autotune.errors import InputError

COMPRESSIONS = (".gz", ".bz2", ".zst", ".zstd", ".lz4", ".xz", ".deflate", ".snappy")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


class Format(StrEnum):
    """How the files of a table are read."""

    PARQUET = "parquet"
    ORC = "orc"
    CSV = "csv"
    JSON = "json"
    TEXT = "text"
    BINARY = "binary"
    """Any other kind: only its content as a whole is known."""


_FORMATS = {
    ".parquet": Format.PARQUET,
    ".parq": Format.PARQUET,
    ".orc": Format.ORC,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".tbl": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".log": Format.TEXT,
}
_MAGIC = {b"PAR1": Format.PARQUET, b"ORC": Format.ORC}
_FAULTS = (
    pa.ArrowException,
    OSError,
    EOFError,
    ValueError,
    RecursionError,
    lzma.LZMAError,
    zlib.error,
)


@dataclass(frozen=True)
class DataFile:
    """One file; ``partitions`` are the columns in the names of its folders."""

    path: Path
    partitions: dict[str, str | None]


@dataclass(frozen=True)
class TableFiles:
    """The files of one table, in the order of their paths; maybe none."""

    name: str
    format: Format
    files: tuple[DataFile, ...]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what file systems and decoders raise into one line that names *path*."""
    try:
        yield
    except PermissionError as error:
        raise InputError(f"{path}: may not be read; ask for permission to read it") from error
    except _FAULTS as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"{path}: can't be read ({said}); check what the job writes") from error


def find_tables(root: Path) -> list[TableFiles]:
    """Find the tables at and below *root*, in the order of their names.

    Files of two formats in one folder are two tables, told apart by the format in the name. A
    folder that Spark marked as written and that holds no file is a table without rows.

    Raises:
        InputError: There is nothing at *root*, or a folder can't be read.
    """
    if not root.exists():
        raise InputError(f"{root}: there is no such file or folder; check what the job writes")
    groups: dict[str, dict[Format, list[DataFile]]] = defaultdict(lambda: defaultdict(list))
    for folder, files, finished in [(root, [root], False)] if root.is_file() else _walk(root):
        name, partitions = _place(folder, root)
        if finished:
            groups.setdefault(name, defaultdict(list))  # maybe a table without rows
        for path in files:
            groups[name][format_of(path)].append(DataFile(path, partitions))
    return [
        TableFiles(
            name if len(formats) < 2 else f"{name} ({kind})".strip(),
            kind,
            tuple(sorted(formats.get(kind, ()), key=lambda file: file.path)),
        )
        for name, formats in sorted(groups.items())
        for kind in sorted(formats) or [Format.BINARY]
    ]


def format_of(path: Path) -> Format:
    """Tell the format by the ending, without that of a compression, else by the first bytes."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = bool(suffixes) and suffixes[-1] in COMPRESSIONS
    ending = suffixes[-2 if compressed else -1 :][:1] if len(suffixes) > compressed else []
    if ending:
        return _FORMATS.get(ending[0], Format.BINARY)
    if compressed:
        return Format.TEXT
    with readable(path), path.open("rb") as file:
        head = file.read(4096)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    return Format.BINARY if b"\0" in head else Format.TEXT


def _walk(root: Path) -> Iterator[tuple[Path, list[Path], bool]]:
    """Yield each folder with its data files, and whether Spark marked it as finished."""

    def refuse(error: OSError) -> None:
        with readable(Path(error.filename or root)):
            raise error

    for folder, names, files in os.walk(root, onerror=refuse):
        names[:] = sorted(name for name in names if not _ignored(name))
        paths = [Path(folder, name) for name in files if not _ignored(name)]
        data = [path for path in paths if path.is_file() and path.suffix != ".crc"]
        yield Path(folder), data, "_SUCCESS" in files


def _ignored(name: str) -> bool:
    """Tell whether Spark skips the name too: ``_SUCCESS``, but not ``_key=value``."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _place(folder: Path, root: Path) -> tuple[str, dict[str, str | None]]:
    """Return the name of the table that a folder belongs to, and its partition columns."""
    parts = list(folder.relative_to(root).parts)
    partitions: dict[str, str | None] = {}
    while parts and "=" in parts[-1]:
        key, _, value = parts.pop().partition("=")
        partitions[unquote(key)] = None if value == _NULL_PARTITION else unquote(value)
    return "/".join(parts), partitions
