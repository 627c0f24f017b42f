"""Which files under a path make which tables, as Spark would read them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from autotune.dataset.effort import Effort
from autotune.dataset.folders import File, Folders, ignored, join_dates, listing, table_root
from autotune.dataset.formats import (
    format_of,
    format_of_content,
    orc_file,
    parquet_footer,
    readable,
)
from autotune.dataset.text import Dialect
from autotune.errors import InputError
from autotune.pathtext import at_home, without_scheme

T = TypeVar("T")


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
    dropped: str = ""
    """``files`` or ``rows``, where some are counted that the table has dropped."""
    left_out: int = 0
    """Files and folders beside it that nobody can open by their names; told of one table."""

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
    text = without_scheme(path.strip())
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


@dataclass(frozen=True)
class _Group:
    """Files of one folder, or of folders of dates: of one table or several."""

    named: Path
    """What the person named."""
    at: Path
    files: list[File]
    dropped: str = ""
    left_out: int = 0


def find_tables(roots: Sequence[Path], effort: Effort) -> list[Table]:
    """Find the tables under *roots*; files of one folder that are named make those it would make.

    Raises:
        InputError: There are none under one of them, or one folder mixes formats.
    """
    files = [root for root in roots if root.is_file()]
    groups = list(_named(files, effort))
    for root in sorted({*roots} - {*files}):
        groups += _below(root, effort)
    tables: list[Table] = []
    made: set[Path] = set()
    for group, most in zip(groups, _shares(groups, effort), strict=True):
        split = list(_split(group.at, group.files, replace(effort, max_files=most)))
        for i, table in enumerate(split):
            told = 0 if i else group.left_out
            tables.append(replace(table, dropped=group.dropped, left_out=told))
        made |= {group.named} if split else set()
    for group in groups:
        if group.named not in made:
            known = "Parquet, ORC, CSV, JSON lines and text are known"
            raise InputError(f"{group.named}: of unknown format; {known}")
    return tables


def _below(root: Path, effort: Effort) -> Iterator[_Group]:
    """Find what is in a folder that was named."""
    found: Folders = defaultdict(list)
    dropped: dict[Path, str] = {}
    left_out = 0
    for folder, names, lake, nameless in listing(root):
        left_out += nameless
        found[table_root(Path(folder), root)] += _with_size(folder, names)
        if names and lake is not None and lake.dropped:
            dropped[table_root(Path(folder), root, dates=True)] = lake.dropped
    found = {at: files for at, files in found.items() if files}
    if not found:
        raise _empty(root, left_out)
    for at, files in join_dates(found, root, lambda folders: _keys(folders, effort)):
        lost = dropped.get(table_root(at, root, dates=True), "")
        yield _Group(root, at, files, lost, left_out)
        left_out = 0


def _named(paths: Sequence[Path], effort: Effort) -> Iterator[_Group]:
    """Find what files that were named make: a shell writes them all where a person wrote ``*``."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        folders[path.parent].append(path)
    formats: dict[str, Folders] = defaultdict(lambda: defaultdict(list))
    for folder, inside in folders.items():
        meant = [path.name for path in inside if not ignored(path.name)]
        files = _sizes(folder, meant or [path.name for path in inside])
        if not files:
            raise _empty(inside[0])
        kinds = _formats(files, effort)
        for file, kind in zip(files, kinds, strict=True):
            if kind or not any(kinds):
                formats[kind or ""][table_root(folder, Path(folder.anchor))].append(file)
    for found in formats.values():
        some = next(iter(found))
        for at, files in join_dates(
            found, Path(some.anchor), lambda folders: _keys(folders, effort)
        ):
            # One alone is called by its own name.
            place = at if len(files) > 1 else Path(files[0][0])
            yield _Group(Path(files[0][0]), place, files)


def _sizes(folder: Path, names: Sequence[str]) -> list[File]:
    with readable(folder, "folder"):
        return _with_size(str(folder), [(name, (folder / name).stat().st_size) for name in names])


def _empty(root: Path, left_out: int = 0) -> InputError:
    if left_out:
        return InputError(f"{root}: holds only names that are no Unicode; rename what is in it")
    return InputError(f"{root}: empty, there is nothing to profile; name a table with rows")


def _with_size(folder: str, names: list[File]) -> list[File]:
    return [(os.path.join(folder, name), size) for name, size in names if size]  # noqa: PTH118


def _shares(groups: Sequence[_Group], effort: Effort) -> list[int]:
    """Return how many files of each group may be looked into: of small ones all, if possible."""
    left, shares = effort.max_files, [1] * len(groups)
    order = sorted(range(len(groups)), key=lambda i: len(groups[i].files))
    for before, i in enumerate(order):
        share = min(len(groups[i].files), left // (len(groups) - before))
        left -= share
        shares[i] = max(share, 1)
    return shares


def _keys(folders: Sequence[tuple[Path, list[File]]], effort: Effort) -> list[object]:
    """Return what tells folders of dates apart: format and columns; of most of very many, a guess.

    Of some folders the first and the last file are looked into. One in which these differ holds
    several tables, so it is joined with none; one that is not looked into is as the one before.
    """
    few = replace(effort, max_files=2)
    kind, data = _data(*folders[0], few)
    most = _affordable(Path(data[0][0]), kind, effort) // 4 if data else 0
    looked: dict[int, tuple[str, list[File]]] = {}
    for i in spread(range(len(folders)), max(most, 2)):
        kind, data = _data(*folders[i], few)
        looked[i] = kind, spread(data, 2)
    shapes = {
        i: [_shape(Path(file), kind) for file, _ in ends] for i, (kind, ends) in looked.items()
    }
    keys: dict[int, object] = {
        i: (looked[i][0], each[0]) if each and each[0] == each[-1] else i
        for i, each in shapes.items()
    }
    ends = [[file] for _, files in looked.values() for file in files]
    text = {kind for kind, _ in looked.values()} == {"csv"}
    if text and len(set(keys.values())) > 1 and _parts_of_one(ends):
        return [None] * len(folders)
    usual: list[object] = []
    for i in range(len(folders)):
        usual.append(keys[i] if i in keys else usual[-1])
    return usual


def _split(root: Path, files: list[File], effort: Effort) -> Iterator[Table]:
    """Divide the files of one folder into tables: other columns, another table."""
    kind, data = _data(root, files, effort)
    if not data:
        return
    shaped = 1 < len(data) <= effort.max_files
    shaped = shaped and len(data) <= _affordable(Path(data[0][0]), kind, effort)
    groups: dict[object, list[File]] = defaultdict(list)
    for path, size in data:
        groups[_shape(Path(path), kind) if shaped else None].append((path, size))
    headless = kind == "csv" and len(groups) > 1 and _parts_of_one(list(groups.values()))
    if headless:
        groups = {None: data}
    for group in groups.values():
        paths, sizes = zip(*group, strict=True)
        name = root.name if len(groups) == 1 else Path(paths[0]).name.split(".")[0]
        yield Table(root, kind, tuple(paths), tuple(sizes), name, headless)


def _data(root: Path, files: list[File], effort: Effort) -> tuple[str, list[File]]:
    """Return the one format of the files of a folder, and those of them that have it.

    Raises:
        InputError: There are several formats.
    """
    formats = _formats(files, effort)
    kinds = {kind for kind in formats if kind}
    if len(kinds) > 1:
        kinds.discard("text")  # notes beside data are not data
    if len(kinds) > 1:
        named = " and ".join(sorted(kinds))
        raise InputError(f"{root}: mixes {named} files; give each table a folder and one format")
    data = [file for file, kind in zip(files, formats, strict=True) if kind in kinds]
    return (kinds.pop() if kinds else ""), data


def _parts_of_one(groups: Sequence[Sequence[File]]) -> bool:
    """Tell whether one write of Spark made them: then first lines that differ are no names."""
    names = [os.path.basename(path) for group in groups for path, _ in group]  # noqa: PTH119
    fields = {len(Dialect.of(Path(group[0][0])).names) for group in groups}
    return len(fields) == 1 and all(name.startswith("part-") for name in names)


def _formats(files: list[File], effort: Effort) -> list[str | None]:
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
