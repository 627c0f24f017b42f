"""Which files of a Delta, Iceberg or Hudi table count: they keep what they have dropped."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

MAX_LOG_BYTES = 32 << 20
"""So much of a Delta log is read; of a longer one the live files are not known."""

_DELTA, _HUDI, _ICEBERG = "_delta_log", ".hoodie", "metadata"
MARKS = frozenset({_DELTA, _HUDI, _ICEBERG})
"""Folders that tell what the folder they are in is."""

_ADDRESS = re.compile(r"/|[A-Za-z][\w+.-]*:")


@dataclass(frozen=True)
class Lake:
    """A table that keeps what it has dropped."""

    live: frozenset[str] | None
    """Paths of the files that count; ``None``: all do, as far as is known."""
    dropped: str
    """What is counted although the table has dropped it: ``files``, ``rows`` or nothing."""
    metadata: str | None = None
    """A folder without data that has no name of its kind."""


def lake_of(folder: str, marks: Collection[str]) -> Lake | None:
    """Return what kind of table *folder* is; ``None``: a plain folder.

    Args:
        folder: Its path.
        marks: Which of ``MARKS`` are in it.
    """
    if _DELTA in marks:
        return _delta(folder)
    if _HUDI in marks:
        return Lake(None, "files")
    if _ICEBERG in marks:
        metadata = Path(folder, _ICEBERG)
        if any(metadata.glob("*.metadata.json")):
            return Lake(None, "files", str(metadata))
    return None


def _delta(folder: str) -> Lake:
    try:
        live = _live(Path(folder))
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return Lake(None, "files")
    paths = frozenset(os.path.join(folder, unquote(path)) for path in live)  # noqa: PTH118
    return Lake(paths, "rows" if any(live.values()) else "")


def _live(folder: Path) -> dict[str, bool]:
    """Return the files that a Delta table has, and whether rows of them are marked as deleted.

    That takes all commits from the first: checkpoints, which stand for older ones, are not read.

    Raises:
        ValueError: The log does not tell, like other errors of reading and of its form.
    """
    log = folder / _DELTA
    commits = sorted(each for each in log.iterdir() if re.fullmatch(r"\d{20}\.json", each.name))
    if not commits or [int(each.stem) for each in commits] != list(range(len(commits))):
        raise ValueError("older commits are gone")
    if sum(each.stat().st_size for each in commits) > MAX_LOG_BYTES:
        raise ValueError("too long")
    live: dict[str, bool] = {}
    for each in commits:
        actions = [json.loads(line) for line in each.read_bytes().splitlines() if line.strip()]
        # A commit that marks rows as deleted removes a file and adds it again, in any order.
        for action in actions:
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
        for action in actions:
            if "add" in action:
                path = action["add"]["path"]
                if _ADDRESS.match(path):
                    raise ValueError("files of another folder")
                live[path] = action["add"].get("deletionVector") is not None
    return live
