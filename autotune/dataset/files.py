"""Which files under a path make which tables, as Spark would read them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autotune.dataset.effort import Effort
from autotune.dataset.formats import (
    format_of,
    format_of_content,
    orc_file,
    parquet_footer,
    readable,
)
from autotune.dataset.text import Dialect
from autotune.errors import InputError
from autotune.pathtext import at_home

T = TypeVar("T")
_File = tuple[str, int]
"""A path and its size in bytes: a string, because there may be hundreds of thousands."""


@dataclass(frozen=True)
class Table:
    """Files that one reader reads as one table."""

    root: Path
    format: str
    files: tuple[str, ...]
    sizes: tuple[int, ...]
    name: str
    """Of its folder, or of its file where several tables are in one folder."""
    headless: bool = False
    """The first lines of its files are known to be no names, whatever they look like."""

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(self.sizes)

    def some(self, most: int) -> list[tuple[Path, int]]:
        """Return at most *most* of the files, evenly spaced, with their sizes in bytes."""
        return [(Path(self.files[i]), self.sizes[i]) for i in spread(range(len(self.files)), most)]


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
    root = Path(os.path.abspath(at_home(Path(text))))  # noqa: PTH100  # keeps links' names
    with readable(root):
        if not root.exists():
            raise InputError(f"{root}: there is no such file or folder; check the path")
        if not (root.is_file() or root.is_dir()):
            raise InputError(f"{root}: neither a file nor a folder; name a table")
    return root


def find_tables(root: Path, effort: Effort) -> list[Table]:
    """Find the tables under *root*.

    Raises:
        InputError: There are none, or one folder mixes formats.
    """
    groups: dict[Path, list[_File]] = defaultdict(list)
    if root.is_file():
        with readable(root):
            listed = [(str(root.parent), [(root.name, root.stat().st_size)])]
        groups[root] = _with_size(*listed[0])
    else:
        for folder, names in _listing(root):
            groups[_table_root(Path(folder), root)] += _with_size(folder, names)
    groups = {at: files for at, files in groups.items() if files}
    if not groups:
        raise InputError(f"{root}: empty, there is nothing to profile; name a table with rows")
    tables: list[Table] = []
    for at, files in sorted(groups.items()):
        tables += _split(at, files, effort)
    if not tables:
        raise InputError(
            f"{root}: of unknown format; Parquet, ORC, CSV, JSON lines and text are known"
        )
    return tables


def _with_size(folder: str, names: list[_File]) -> list[_File]:
    return [(os.path.join(folder, name), size) for name, size in names if size]  # noqa: PTH118


def _listing(root: Path) -> Iterator[tuple[str, list[_File]]]:
    """Yield folders with the names and sizes of their files, in order; one ``stat`` a file.

    Links to folders are followed, as Spark does, but not to a folder that they lie in.
    """
    # Each with the folders whose links led there.
    waiting: list[tuple[str, tuple[str, ...]]] = [(str(root), ())]
    while waiting:
        folder, doors = waiting.pop()
        files, folders = [], []
        with readable(Path(folder), "folder"), os.scandir(folder) as entries:
            for entry in entries:
                if _ignored(entry.name):
                    continue
                if entry.is_dir():
                    inside = (*doors, os.path.realpath(folder)) if entry.is_symlink() else doors
                    if inside is doors or not _leads_up(entry.path, inside):
                        folders.append((entry.path, inside))
                elif entry.is_file() and not entry.name.endswith(".crc"):
                    files.append((entry.name, entry.stat().st_size))
        waiting += sorted(folders, reverse=True)
        yield folder, sorted(files)


def _leads_up(link: str, inside: Sequence[str]) -> bool:
    """Tell whether a link leads to a folder that one of these folders is, or lies in."""
    target = os.path.join(os.path.realpath(link), "")  # noqa: PTH118  # with a slash behind
    return any(os.path.join(folder, "").startswith(target) for folder in inside)  # noqa: PTH118


def _ignored(name: str) -> bool:
    """Tell whether Spark skips the name too: ``_SUCCESS``, but not ``_key=value``."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _table_root(folder: Path, root: Path) -> Path:
    while "=" in folder.name and folder != root:
        folder = folder.parent
    return folder


def _split(root: Path, files: list[_File], effort: Effort) -> Iterator[Table]:
    """Divide the files of one folder into tables: other columns, another table."""
    formats = _formats(files, effort)
    kinds = {kind for kind in formats if kind}
    if len(kinds) > 1:
        kinds.discard("text")  # notes beside data are not data
    if len(kinds) > 1:
        named = " and ".join(sorted(kinds))
        raise InputError(f"{root}: mixes {named} files; give each table a folder and one format")
    data = [file for file, kind in zip(files, formats, strict=True) if kind in kinds]
    if not data:
        return
    kind = kinds.pop()
    shaped = 1 < len(data) <= _affordable(Path(data[0][0]), kind, effort)
    groups: dict[object, list[_File]] = defaultdict(list)
    for path, size in data:
        groups[_shape(Path(path), kind) if shaped else None].append((path, size))
    headless = kind == "csv" and len(groups) > 1 and _parts_of_one(list(groups.values()))
    if headless:
        groups = {None: data}
    for group in groups.values():
        paths, sizes = zip(*group, strict=True)
        name = root.name if len(groups) == 1 else Path(paths[0]).name.split(".")[0]
        yield Table(root, kind, tuple(paths), tuple(sizes), name, headless)


def _parts_of_one(groups: Sequence[Sequence[_File]]) -> bool:
    """Tell whether one write of Spark made them: then first lines that differ are no names."""
    names = [os.path.basename(path) for group in groups for path, _ in group]  # noqa: PTH119
    fields = {len(Dialect.of(Path(group[0][0])).names) for group in groups}
    return len(fields) == 1 and all(name.startswith("part-") for name in names)


def _formats(files: list[_File], effort: Effort) -> list[str | None]:
    """Return each file's format; of very many without extension, most files' is a guess."""
    formats = [format_of(*reversed(os.path.split(path))) for path, _ in files]
    unknown = [i for i, kind in enumerate(formats) if kind == ""]
    seen = {i: format_of_content(Path(files[i][0])) for i in spread(unknown, effort.max_files)}
    usual = Counter(seen.values()).most_common(1)[0][0] if seen else None
    for i in unknown:
        formats[i] = seen.get(i, usual)
    return formats


def _affordable(path: Path, kind: str, effort: Effort) -> int:
    """Return how many files like this one may be looked into."""
    return effort.files_of(parquet_footer(path).serialized_size if kind == "parquet" else 0)


def _shape(path: Path, kind: str) -> object:
    """Return what tells tables in one folder apart."""
    if kind == "parquet":
        return tuple(parquet_footer(path).schema.names)
    if kind == "orc":
        return tuple(orc_file(path).schema.names)
    return Dialect.of(path).shape if kind == "csv" else None
