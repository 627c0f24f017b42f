"""What this machine, or the container it is, has left, and whether the kernel had to kill."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
_CONTROLLERS = ("", "memory", "cpu", "cpu,cpuacct")
_RECLAIMABLE = ("inactive_file", "active_file", "slab_reclaimable")
"""Parts of a container's memory that the kernel takes back when it is asked for more."""


def cgroup_folders(root: Path = CGROUPS) -> list[Path]:
    """Return the folders whose limits bind this process, in either version of cgroups."""
    folders = [root, root / "cpu", root / "memory"]
    for line in (read_text(Path("/proc/self/cgroup")) or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers not in _CONTROLLERS:
            continue
        parts = Path(path.strip("/")).parts
        top = root / controllers
        folders += [top.joinpath(*parts[: end + 1]) for end in range(len(parts))]
    return folders


def usable_memory_bytes(cgroup_root: Path = CGROUPS) -> int:
    """Return the memory of this machine, or of the container it is if that has less."""
    total: int = psutil.virtual_memory().total
    limits = [limit for folder in cgroup_folders(cgroup_root) if (limit := _limit(folder))]
    return min([total, *limits])


def available_memory_bytes(cgroup_root: Path = CGROUPS) -> int:
    """Return what can still be used without swapping, in the machine and in the container.

    A container's page cache counts as available, as it does in the kernel's ``MemAvailable``.
    """
    machine = psutil.virtual_memory()
    left: int = machine.available
    for folder in cgroup_folders(cgroup_root):
        limit = _limit(folder)
        if limit and limit < machine.total and (used := _used(folder)) is not None:
            left = min(left, max(0, limit - used))
    return left


def oom_kills(cgroup_root: Path = CGROUPS) -> int | None:
    """Return how often the kernel killed for want of memory; ``None`` where it does not tell.

    The container's own count if there is one, since the machine's may rise for others.
    """
    for folder in reversed(cgroup_folders(cgroup_root)):
        for name in ("memory.events", "memory.oom_control"):
            if (count := _numbers(folder / name).get("oom_kill")) is not None:
                return count
    return _numbers(Path("/proc/vmstat")).get("oom_kill")


def free_disk_bytes(folder: Path) -> tuple[int, int]:
    """Return the bytes that we may still write to the file system of *folder*, and its size.

    Raises:
        OSError: there is no such folder.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def read_text(path: Path) -> str | None:
    """Return what a small file of the kernel says, or ``None`` where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _limit(folder: Path) -> int | None:
    found = [_number(folder / name) for name in ("memory.max", "memory.limit_in_bytes")]
    return min((number for number in found if number), default=None)


def _used(folder: Path) -> int | None:
    for name in ("memory.current", "memory.usage_in_bytes"):
        if (used := _number(folder / name)) is not None:
            parts = _numbers(folder / "memory.stat")
            # The older version counts the groups below only in its totals.
            return used - sum(parts.get(f"total_{n}", parts.get(n, 0)) for n in _RECLAIMABLE)
    return None


def _number(path: Path) -> int | None:
    text = read_text(path)
    return int(text) if text is not None and text.isdigit() else None


def _numbers(path: Path) -> dict[str, int]:
    pairs = [line.split() for line in (read_text(path) or "").splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
