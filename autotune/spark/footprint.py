"""What an execution uses while it runs: memory of its process tree, disk of its folders.

Looking costs the processor that the job needs, so whatever is dear is looked at again only when
a hundred times its cost has passed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from autotune.spark.supervise import descendants

SHARE = 0.01
"""Of one processor, for each kind of look."""
MOST_WALK_S = 1.0
_HAS_PROC = Path("/proc/self/statm").exists()
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BLOCK_BYTES = 512
"""The unit of ``st_blocks``, whatever the file system's own blocks are."""

_Seen = TypeVar("_Seen")


class Pace:
    """Says when to look again: after *every_s*, later if looking is dear, never over *most_s*."""

    def __init__(self, every_s: float, most_s: float = math.inf) -> None:
        self._every_s = every_s
        self._most_s = most_s
        self._next_s = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._next_s

    def look(self, how: Callable[[], _Seen]) -> _Seen:
        """Return what *how* sees, and note what that cost."""
        start_s = time.monotonic()
        seen = how()
        end_s = time.monotonic()
        self._next_s = end_s + min(self._most_s, max(self._every_s, (end_s - start_s) / SHARE))
        return seen


class TreeMemory:
    """The memory of everything below one supervisor, shared pages counted once.

    Resident sizes are cheap but count what processes share once for each. The proportional sizes
    (PSS) are right but make the kernel walk all pages, 20 ms for each GiB. So those are asked for
    now and then; in between, what resident sizes grew by is added to them.
    """

    def __init__(self, supervisor: int) -> None:
        self._supervisor = supervisor
        self._pace = Pace(0.5)
        self._proportional = 0
        self._resident = 0

    def look(self, ceiling_bytes: float = math.inf) -> int:
        """Return the bytes in use; never more than *ceiling_bytes* by an estimate alone."""
        pids = tree(self._supervisor)
        resident = sum(resident_bytes(pid) for pid in pids)
        growth = max(0, resident - self._resident)
        estimate = min(resident, self._proportional + growth)
        if estimate <= ceiling_bytes and not self._pace.due:
            return estimate
        self._resident = resident
        self._proportional = self._pace.look(lambda: sum(map(proportional_bytes, pids)))
        return self._proportional


def tree(supervisor: int) -> list[int]:
    """Return the processes below *supervisor*, which adopts those that detach (on Linux)."""
    if _HAS_PROC:
        return descendants(supervisor)
    try:
        return [child.pid for child in psutil.Process(supervisor).children(recursive=True)]
    except psutil.Error:
        return []


def resident_bytes(pid: int) -> int:
    """Return the resident size of a process; 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        if not _HAS_PROC:
            return int(psutil.Process(pid).memory_info().rss)
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES
    return 0


def proportional_bytes(pid: int) -> int:
    """Return what is a process's own plus its part of what it shares; else its resident size."""
    with contextlib.suppress(OSError):
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
        if found is not None:
            return int(found[1]) << 10
    return resident_bytes(pid)


def allocated_bytes(folders: Iterable[Path], *, most_s: float = MOST_WALK_S) -> int:
    """Return what the files below *folders* take on disk, as far as is seen within *most_s*."""
    end_s = time.monotonic() + most_s
    left, total = [str(folder) for folder in folders], 0
    while left and time.monotonic() < end_s:
        found, below = _blocks_in(left.pop())
        total += found * _BLOCK_BYTES
        left += below
    return total


def _blocks_in(folder: str) -> tuple[int, Sequence[str]]:
    blocks, below = 0, []
    # Files come and go while we look.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                blocks += entry.stat(follow_symlinks=False).st_blocks
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
    return blocks, below
