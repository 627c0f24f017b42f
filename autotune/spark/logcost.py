"""What an application occupied: cores and memory, over the time that its executors were there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autotune.spark.lognumbers import amount, identifier, number

Event = dict[str, Any]

_MEMORY_PARTS = ("memory", "memoryOverhead", "pyspark.memory", "offHeap")
_SIZE = re.compile(r"^\s*(\d{1,18})\s*([kmgtp]?)b?\s*$", re.IGNORECASE)
_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_DEFAULT_HEAP_BYTES = 1 << 30
_MOST_KEPT = 10_000
"""Executors at a time, and resource profiles: more would be no log of Spark's."""


@dataclass(slots=True)
class CostMeter:
    """Integrates cores and memory of executors over time."""

    _running: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    _memory: dict[int, int] = field(default_factory=dict)
    _past: dict[int, list[float]] = field(default_factory=dict)

    def profile(self, event: Event) -> None:
        """Take a resource profile: what an executor of its kind is given, in MiB."""
        requests = event.get("Executor Resource Requests") or {}
        given = sum(amount(requests[part]["Amount"]) for part in _MEMORY_PARTS if part in requests)
        profile = identifier(event["Resource Profile Id"])
        if len(self._memory) < _MOST_KEPT:
            self._memory[profile] = int(given) << 20

    def added(self, event: Event) -> None:
        """Take the arrival of an executor; in local mode the driver is the only one."""
        info = event["Executor Info"]
        arrival = (
            number(event["Timestamp"]),
            int(amount(info["Total Cores"])),
            identifier(info.get("Resource Profile Id", 0)),
        )
        if len(self._running) < _MOST_KEPT:
            self._running[_name(event)] = arrival

    def removed(self, event: Event) -> None:
        """Take the loss or release of an executor."""
        if gone := self._running.pop(_name(event), None):
            self._book(gone, number(event["Timestamp"]))

    def totals(
        self, start_ms: float | None, end_ms: float, properties: Mapping[str, str]
    ) -> tuple[float, float]:
        """Return core seconds and GiB seconds up to *end_ms*.

        In local mode the driver's JVM holds cores and memory from the application's start. On a
        cluster the driver is not counted.
        """
        booked = {profile: list(sums) for profile, sums in self._past.items()}
        for name, (since, cores, profile) in self._running.items():
            begin = start_ms if name == "driver" and start_ms is not None else since
            seconds = max(0.0, (end_ms - begin) / 1000)
            sums = booked.setdefault(-1 if name == "driver" else profile, [0.0, 0.0])
            sums[0] += seconds * cores
            sums[1] += seconds
        core_seconds = sum(sums[0] for sums in booked.values())
        gb_seconds = sum(
            sums[1] * self._memory_of(profile, properties) / (1 << 30)
            for profile, sums in booked.items()
        )
        return core_seconds, gb_seconds

    def _book(self, executor: tuple[float, int, int], end_ms: float) -> None:
        since, cores, profile = executor
        seconds = max(0.0, (end_ms - since) / 1000)
        sums = self._past.setdefault(profile, [0.0, 0.0])
        sums[0] += seconds * cores
        sums[1] += seconds

    def _memory_of(self, profile: int, properties: Mapping[str, str]) -> int:
        if profile >= 0 and self._memory.get(profile):
            return self._memory[profile]
        heap = "spark.driver.memory" if profile < 0 else "spark.executor.memory"
        memory = size_bytes(properties.get(heap), "m") or _DEFAULT_HEAP_BYTES
        if properties.get("spark.memory.offHeap.enabled", "").lower() == "true":
            memory += size_bytes(properties.get("spark.memory.offHeap.size"), "") or 0
        overhead = heap.replace(".memory", ".memoryOverhead")
        memory += size_bytes(properties.get(overhead), "m") or 0
        memory += size_bytes(properties.get("spark.executor.pyspark.memory"), "m") or 0
        return memory


def _name(event: Event) -> str:
    return str(event["Executor ID"])[:200]


def size_bytes(text: str | None, unit: str) -> int | None:
    """Return the bytes of a size as Spark writes it; a bare number is in *unit*."""
    match = _SIZE.match(text or "")
    if match is None:
        return None
    return int(match[1]) << _SHIFT[match[2].lower() or unit]
