"""Which files under a path make which tables, as Spark would read them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from autotune.dataset.formats import MAX_FOOTERS, format_of, orc_file, parquet_footer, readable
from autotune.dataset.text import Dialect
from autotune.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """Files that one reader reads as one table."""

    root: Path
    format: str
    files: tuple[Path, ...]
    sizes: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(self.sizes)


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return at most *most* of *items*, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    step = (len(items) - 1) / max(most - 1, 1)
    return [items[round(i * step)] for i in range(most)]


def local_path(path: str) -> Path:
    """Return the absolute path of what the person named.

    Raises:
        InputError: It is on another file system, or not there.
    """
    text = path.strip()
    text = text.removeprefix("file://").removeprefix("file:")
    if "://" in text:
        raise InputError(f"{path}: only local paths can be profiled; copy or mount the data")
    if not text or not text.isprintable():
        raise InputError(f"{path!r}: no path of data; name a file or a folder")
    root = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  # keeps links' names
    with readable(root):
        if not root.exists():
            raise InputError(f"{root}: there is no such file or folder; check the path")
        if not (root.is_file() or root.is_dir()):
            raise InputError(f"{root}: neither a file nor a folder; name a table")
    return root


def find_tables(root: Path) -> list[Table]:
    """Find the tables under *root*, the largest first.

    Raises:
        InputError: There are none, or one folder mixes formats.
    """
    groups: dict[Path, list[tuple[Path, int]]] = defaultdict(list)
    for path in [root] if root.is_file() else _walk(root):
        with readable(path):
            size = path.stat().st_size
        if size:
            groups[_table_root(path, root)].append((path, size))
    if not groups:
        raise InputError(f"{root}: empty, there is nothing to profile; name a table with rows")
    tables = [table for at, files in sorted(groups.items()) for table in _split(at, files)]
    if not tables:
        raise InputError(
            f"{root}: of unknown format; Parquet, ORC, CSV, JSON lines and text are known"
        )
    return sorted(tables, key=lambda table: (-table.bytes, table.files[0]))


def _walk(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        with readable(Path(error.filename or root), "folder"):
            raise error

    for folder, names, files in os.walk(root, onerror=refuse):
        names[:] = sorted(name for name in names if not _ignored(name))
        for name in sorted(files):
            path = Path(folder, name)
            if not _ignored(name) and not name.endswith(".crc") and path.is_file():
                yield path


def _ignored(name: str) -> bool:
    """Tell whether Spark skips the name too: ``_SUCCESS``, but not ``_key=value``."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _table_root(path: Path, root: Path) -> Path:
    folder = path.parent if path != root else path
    while "=" in folder.name and folder != root:
        folder = folder.parent
    return folder


def _split(root: Path, files: list[tuple[Path, int]]) -> Iterator[Table]:
    """Divide the files of one folder into tables: other columns, another table."""
    formats = {path: format_of(path) for path, _ in files}
    kinds = set(formats.values()) - {None}
    if len(kinds) > 1:
        kinds.discard("text")  # notes beside data are not data
    if len(kinds) > 1:
        named = " and ".join(sorted(str(kind) for kind in kinds))
        raise InputError(f"{root}: mixes {named} files; give each table a folder and one format")
    data = [(path, size) for path, size in files if formats[path] in kinds - {None}]
    groups: dict[object, list[tuple[Path, int]]] = defaultdict(list)
    for path, size in data:
        kind = formats[path]
        shape = _shape(path, str(kind)) if len(data) <= MAX_FOOTERS else None
        groups[shape].append((path, size))
    for group in groups.values():
        paths, sizes = zip(*group, strict=True)
        yield Table(root, str(formats[paths[0]]), tuple(paths), tuple(sizes))


def _shape(path: Path, kind: str) -> object:
    """Return what tells tables in one folder apart."""
    if kind == "parquet":
        return tuple(parquet_footer(path).schema.names)
    if kind == "orc":
        return tuple(orc_file(path).schema.names)
    return Dialect.of(path).shape if kind == "csv" else None


def partition_values(table: Table) -> dict[str, Counter[str]]:
    """Return the columns that are folder names: column → value → bytes that lie in it."""
    columns: dict[str, Counter[str]] = {}
    for path, size in zip(table.files, table.sizes, strict=True):
        for part in path.parts[len(table.root.parts) - 1 : -1]:
            name, equals, value = part.partition("=")
            if equals:
                columns.setdefault(unquote(name), Counter())[unquote(value)] += size
    return columns
