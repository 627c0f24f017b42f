"""Which folders there are under a path, and which of them make one table."""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autotune.dataset.formats import readable
from autotune.dataset.lakes import MARKS, Lake, lake_of

File = tuple[str, int]
"""A path and its size in bytes: a string, because there may be hundreds of thousands."""

Folders = dict[Path, list[File]]
"""A folder, or a file that was named, and the files of data in it."""

_DATE = re.compile(r"\d+(?:[-_.T]\d+)*")
"""``2024``, ``05``, ``2024-05-17``, ``20240517``, ``2024-05-17T13``: dates, hours and counts."""


class Listed(NamedTuple):
    """One folder, and what is in it."""

    folder: str
    names: list[File]
    """The names of its files."""
    lake: Lake | None
    """The table of Delta or the like that it is, or is in."""
    left_out: int
    """Files and folders in it that nobody can open by their names."""


def listing(root: Path) -> Iterator[Listed]:
    """Yield folders with the names and sizes of their files, in order; one ``stat`` a file.

    Of a table of Delta only the live files are listed, as far as they are known. Links to folders
    are followed, as Spark does, but not to a folder that they lie in.
    """
    # Each with the folders whose links led there.
    waiting: list[tuple[str, tuple[str, ...], Lake | None]] = [(str(root), (), None)]
    while waiting:
        folder, doors, lake = waiting.pop()
        files, folders, marks, left_out = [], [], set[str](), 0
        with readable(Path(folder), "folder"), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in MARKS and _kind(entry) == "folder":
                    marks.add(entry.name)
                if ignored(entry.name):
                    continue
                kind = _kind(entry)
                if kind and not _is_text(entry.name):
                    left_out += 1
                elif kind == "folder":
                    inside = (*doors, os.path.realpath(folder)) if entry.is_symlink() else doors
                    if inside is doors or not _leads_up(entry.path, inside):
                        folders.append((entry.path, inside))
                elif kind == "file" and not entry.name.endswith(".crc"):
                    files.append((entry.name, entry.stat().st_size))
        lake = lake_of(folder, marks) or lake
        if lake is not None and lake.live is not None:
            files = [each for each in files if os.path.join(folder, each[0]) in lake.live]  # noqa: PTH118
        skipped = lake.metadata if lake is not None else None
        waiting += [(*each, lake) for each in sorted(folders, reverse=True) if each[0] != skipped]
        yield Listed(folder, sorted(files), lake, left_out)


def _kind(entry: os.DirEntry[str]) -> str:
    """Tell a file from a folder, and both from what is neither, such as a link to itself."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else ""
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return ""


def _is_text(name: str) -> bool:
    """Tell whether Arrow, which wants UTF-8, can open what is so called."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_up(link: str, inside: Sequence[str]) -> bool:
    """Tell whether a link leads to a folder that one of these folders is, or lies in."""
    target = os.path.join(os.path.realpath(link), "")  # noqa: PTH118  # with a slash behind
    return any(os.path.join(folder, "").startswith(target) for folder in inside)  # noqa: PTH118


def ignored(name: str) -> bool:
    """Tell whether Spark skips the name too: ``_SUCCESS``, but not ``_key=value``."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def table_root(folder: Path, root: Path, *, dates: bool = False) -> Path:
    """Return the folder whose partitions *folder* is one of, at or below *root*.

    Args:
        folder: One with files in it.
        root: What the person named.
        dates: Whether folders of dates are partitions too.
    """
    while folder != root and ("=" in folder.name or (dates and _DATE.fullmatch(folder.name))):
        folder = folder.parent
    return folder


def join_dates(
    found: Folders, root: Path, keys_of: Callable[[list[tuple[Path, list[File]]]], list[object]]
) -> list[tuple[Path, list[File]]]:
    """Join folders of dates (``2024/05/17``) that make one table: half of all lakes have such.

    Args:
        found: Folders and their files.
        root: What the person named: nothing above it is joined.
        keys_of: For folders of one place, tells by equal keys which are of one table.
    """
    places: dict[Path, list[Path]] = defaultdict(list)
    for folder in sorted(found):
        places[table_root(folder, root, dates=True)].append(folder)
    joined: list[tuple[Path, list[File]]] = []
    for place, folders in places.items():
        if len(folders) == 1:
            joined.append((folders[0], found[folders[0]]))
            continue
        tables: dict[object, list[Path]] = defaultdict(list)
        for folder, key in zip(folders, keys_of([(f, found[f]) for f in folders]), strict=True):
            tables[key].append(folder)
        for same in tables.values():
            # Where there are several, each is called by what its own folders share.
            at = place if len(tables) == 1 else Path(os.path.commonpath(same))
            joined.append((at, [file for folder in same for file in found[folder]]))
    return joined
