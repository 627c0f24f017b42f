"""Ends an execution that takes more memory or disk than its share, before the machine suffers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autotune.domain import Limits, Value
from autotune.record import Cause
from autotune.spark.footprint import Pace, TreeMemory, allocated_bytes
from autotune.spark.headroom import (
    available_memory_bytes,
    free_disk_bytes,
    oom_kills,
    usable_memory_bytes,
)
from autotune.spark.logcost import size_bytes
from autotune.units import format_bytes

MEMORY_SHARE = 0.9
DISK_SHARE = 0.5
_MEMORY_RESERVE = (256 << 20, 0.03)
_DISK_RESERVE = (512 << 20, 0.02)
_PLENTY_RESERVES = 2
"""Memory was never short if so many reserves were always left."""
_LEAST_OVERHEAD_BYTES = 384 << 20
_OVERHEAD_SHARE = 0.1
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)")


class Breach(Value):
    """Why an execution must be ended."""

    cause: Cause
    text: str


class Ceilings:
    """Watches one execution.

    Two ceilings bound what the execution itself takes. Two reserves bound what the machine has
    left, whoever took it: an execution is blamed for that only if it took more than the others
    did since it started, and counts as lost otherwise.
    """

    def __init__(
        self,
        limits: Limits,
        supervisor: int,
        folders: Sequence[Path],
        asked_bytes: int = 0,
    ) -> None:
        """Note what there is at the start.

        Args:
            limits: of the execution; what they leave open gets a default: nine tenths of the
                machine's memory, but not less than the configuration asks for; half of the disk
                that is free.
            supervisor: the process above the execution's tree.
            folders: what the execution writes to; they exist.
            asked_bytes: the memory that the configuration asks for, see :func:`asked_memory`.
        """
        self._tree = TreeMemory(supervisor)
        self._memory_pace, self._disk_pace = Pace(0.5, most_s=1.0), Pace(1.5)
        usable = usable_memory_bytes()
        self._available_at_start = self._least_available = available_memory_bytes()
        self._memory_bytes = limits.memory_bytes or max(int(usable * MEMORY_SHARE), asked_bytes)
        self._memory_reserve = _reserve(_MEMORY_RESERVE, usable, self._available_at_start)
        self._folders = folders
        self._disks = _disks(folders)
        free = sum(at_start for _, at_start, _ in self._disks)
        self._disk_bytes = limits.disk_bytes or int(free * DISK_SHARE)
        self._kills_at_start = oom_kills()
        self._used_memory = self._used_disk = 0
        self._peak_memory = self._peak_disk = 0

    @property
    def peaks(self) -> dict[str, int]:
        """The most that was seen in use, by the names of ``Metrics``."""
        return {
            "peak_tree_memory_bytes": self._peak_memory,
            "peak_scratch_bytes": self._peak_disk,
        }

    def check(self) -> Breach | None:
        """Look, where it is time to; return why the execution must end, if it must."""
        if self._memory_pace.due:
            self._used_memory = self._memory_pace.look(lambda: self._tree.look(self._memory_bytes))
            self._peak_memory = max(self._peak_memory, self._used_memory)
        if self._disk_pace.due:
            self._disk_pace.look(self._look_at_disk)
        return self._beyond_ceiling() or self._into_memory_reserve() or self._into_disk_reserve()

    def memory_was_short(self) -> bool | None:
        """Say whether who was killed was killed for want of memory; ``None``: can't be told.

        The kernel counts its own kills; memory that was nearly gone speaks for a daemon that does
        the same.
        """
        kills = oom_kills()
        if kills is not None and self._kills_at_start is not None and kills > self._kills_at_start:
            return True
        least = min(self._least_available, available_memory_bytes())
        if least < _PLENTY_RESERVES * self._memory_reserve:
            return True
        return None if kills is None else False

    def _look_at_disk(self) -> None:
        self._used_disk = allocated_bytes(self._folders)
        self._peak_disk = max(self._peak_disk, self._used_disk)

    def _beyond_ceiling(self) -> Breach | None:
        if self._used_memory > self._memory_bytes:
            return Breach(
                cause=Cause.OUT_OF_MEMORY,
                text=f"ended: its processes used {format_bytes(self._used_memory)} of memory, its"
                f" ceiling is {format_bytes(self._memory_bytes)}; let it use less, or allow more"
                " (--execution-memory)",
            )
        if self._used_disk > self._disk_bytes:
            return Breach(
                cause=Cause.OUT_OF_DISK,
                text=f"ended: its scratch folders took {format_bytes(self._used_disk)} of disk,"
                f" their ceiling is {format_bytes(self._disk_bytes)}; let it write less, or allow"
                " more (--execution-disk)",
            )
        return None

    def _into_memory_reserve(self) -> Breach | None:
        left = available_memory_bytes()
        self._least_available = min(self._least_available, left)
        if left >= self._memory_reserve:
            return None
        used = self._tree.look()
        self._peak_memory = max(self._peak_memory, used)
        return Breach(
            cause=_who(Cause.OUT_OF_MEMORY, used, self._available_at_start - left),
            text=f"ended: the machine had {format_bytes(left)} of memory left, its reserve is"
            f" {format_bytes(self._memory_reserve)}; this execution used {format_bytes(used)};"
            " let it use less, or end what else runs",
        )

    def _into_disk_reserve(self) -> Breach | None:
        for folder, at_start, reserve in self._disks:
            left = at_start
            with contextlib.suppress(OSError):  # a job may remove its own folders
                left, _ = free_disk_bytes(folder)
            if left < reserve:
                self._look_at_disk()
                return Breach(
                    cause=_who(Cause.OUT_OF_DISK, self._used_disk, at_start - left),
                    text=f"ended: the disk of {folder} had {format_bytes(left)} left, its reserve"
                    f" is {format_bytes(reserve)}; this execution took"
                    f" {format_bytes(self._used_disk)}; free some, or let spark.local.dir name a"
                    " larger disk",
                )
        return None


def asked_memory(properties: Mapping[str, str], master: str) -> int:
    """Return the bytes that a configuration asks for on the machine of its driver.

    Heap, overhead (Spark's own rule where it is not set: a tenth, at least 384 MiB) and off-heap
    memory, of the driver and of the executors of a ``local-cluster``.
    """
    total = _asked("driver", properties)
    if (cluster := _LOCAL_CLUSTER.match(master)) is not None:
        total += int(cluster[1]) * _asked("executor", properties)
    return total


def _asked(role: str, properties: Mapping[str, str]) -> int:
    heap = size_bytes(properties.get(f"spark.{role}.memory"), "m") or 1 << 30
    overhead = size_bytes(properties.get(f"spark.{role}.memoryOverhead"), "m")
    if overhead is None:
        overhead = max(_LEAST_OVERHEAD_BYTES, int(heap * _OVERHEAD_SHARE))
    off_heap = 0
    if properties.get("spark.memory.offHeap.enabled", "").strip().lower() == "true":
        off_heap = size_bytes(properties.get("spark.memory.offHeap.size"), "") or 0
    return heap + overhead + off_heap


def _disks(folders: Sequence[Path]) -> list[tuple[Path, int, int]]:
    """Return a folder on each file system, with the bytes that are free and their reserve."""
    found = []
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        free, size = free_disk_bytes(folder)
        found.append((folder, free, _reserve(_DISK_RESERVE, size, free)))
    return found


def _reserve(rule: tuple[int, float], size: int, left_at_start: int) -> int:
    """Return what must stay; at most half of what there was, so that a start is possible."""
    least, share = rule
    return min(max(least, int(size * share)), left_at_start // 2)


def _who(cause: Cause, used: int, taken: int) -> Cause:
    """Return *cause* if the execution took at least half of what was taken since its start."""
    return cause if used >= taken - used else Cause.LOST
