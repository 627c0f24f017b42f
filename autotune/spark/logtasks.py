"""Sums over all tasks of an application, and how evenly the work was spread.

Task times of a stage are kept as a uniform sample (Vitter's algorithm R, 1985) and dropped when
the stage ends; everything else is a running sum or a largest value.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from typing import Any

from autotune.record import Metrics
from autotune.spark.lognumbers import amount, identifier, number

Event = dict[str, Any]

_SAMPLE = 1000
_OPEN_STAGES = 200


@dataclass(slots=True)
class _Stage:
    """Task times of one stage, or of all of them."""

    total_s: float = 0.0
    longest_s: float = 0.0
    tasks: int = 0
    sample: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaskSpread:
    """How the times of all successful tasks are spread."""

    median_s: float
    longest_s: float
    heaviest_stage_s: float
    """Sum of the task times of the heaviest stage."""


@dataclass(slots=True)
class TaskMeter:
    """Folds ends of tasks and stages into sums and largest values."""

    _sums: dict[str, float] = field(default_factory=dict)
    _peak_heap_bytes: int = 0
    _stages: dict[tuple[int, int], _Stage] = field(default_factory=dict)
    _heaviest: tuple[float, float] = (0.0, 1.0)
    _all: _Stage = field(default_factory=_Stage)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def count(self, name: str, value: float = 1) -> None:
        """Add to one of the sums of :class:`Metrics`."""
        self._sums[name] = self._sums.get(name, 0) + value

    def task(self, event: Event) -> None:
        """Take the end of a task, whether it succeeded or not.

        A task that was killed by order (a speculative copy, a cancelled stage) is not a failure.
        """
        info = event["Task Info"]
        reason = event["Task End Reason"]["Reason"]
        sums, peak = _sums_of(event.get("Task Metrics") or {})
        seconds = (number(info["Finish Time"]) - number(info["Launch Time"])) / 1000
        stage = identifier(event["Stage ID"]), identifier(event["Stage Attempt ID"])
        # Nothing of an event counts before all of it was understood.
        self.heap(event.get("Task Executor Metrics"))
        self.count("tasks")
        if reason not in ("Success", "TaskKilled"):
            self.count("failed_tasks")
        if reason == "Success":
            self._task_time(stage, max(0.0, seconds))
        for name, value in sums.items():
            self.count(name, value)
        if peak > self._sums.get("peak_execution_memory_bytes", 0):
            self._sums["peak_execution_memory_bytes"] = peak

    def stage_completed(self, event: Event) -> None:
        """Take the end of a stage, and forget its tasks."""
        info = event["Stage Info"]
        stage = identifier(info["Stage ID"]), identifier(info["Stage Attempt ID"])
        self.count("stages")
        self._close(stage)

    def heap(self, metrics: Event | None) -> None:
        """Take what an executor reported of its memory; only sampled by Spark, so often zero."""
        used = int(amount((metrics or {}).get("JVMHeapMemory", 0)))
        self._peak_heap_bytes = max(self._peak_heap_bytes, used)

    def metrics(self, core_seconds: float, gb_seconds: float) -> Metrics:
        """Return everything so far; stages that never ended count as they are."""
        for key in list(self._stages):
            self._close(key)
        values = {
            name: value if isinstance(Metrics.model_fields[name].default, float) else int(value)
            for name, value in self._sums.items()
        }
        values["peak_heap_bytes"] = self._peak_heap_bytes
        values["task_skew"] = self._heaviest[1]
        values["core_seconds"], values["gb_seconds"] = core_seconds, gb_seconds
        return Metrics.model_validate(values)

    def spread(self) -> TaskSpread:
        """Return how task times are spread, of the stages that ended; ask after the sums."""
        times = self._all.sample
        median_s = statistics.median(times) if times else 0.0
        return TaskSpread(median_s, self._all.longest_s, self._heaviest[0])

    def _task_time(self, key: tuple[int, int], seconds: float) -> None:
        stage = self._stages.get(key)
        if stage is None:
            if len(self._stages) >= _OPEN_STAGES:
                self._close(next(iter(self._stages)))
            stage = self._stages[key] = _Stage()
        for times in (stage, self._all):
            self._take(times, seconds)

    def _take(self, times: _Stage, seconds: float) -> None:
        times.tasks += 1
        times.total_s += seconds
        times.longest_s = max(times.longest_s, seconds)
        if len(times.sample) < _SAMPLE:
            times.sample.append(seconds)
        elif (place := self._random.randrange(times.tasks)) < _SAMPLE:
            times.sample[place] = seconds

    def _close(self, key: tuple[int, int]) -> None:
        stage = self._stages.pop(key, None)
        if stage and stage.total_s > self._heaviest[0]:
            median = max(statistics.median(stage.sample), 0.001)
            self._heaviest = (stage.total_s, max(1.0, stage.longest_s / median))


def _sums_of(metrics: Event) -> tuple[dict[str, float], float]:
    """Return what one task adds to the sums, and its peak of execution memory."""
    if not metrics:
        return {}, 0.0
    read = metrics.get("Shuffle Read Metrics") or {}
    written = metrics.get("Shuffle Write Metrics") or {}
    source, sink = metrics.get("Input Metrics") or {}, metrics.get("Output Metrics") or {}
    remote = amount(read.get("Remote Bytes Read", 0))
    sums = {
        "executor_run_time_s": amount(metrics["Executor Run Time"]) / 1e3,
        "executor_cpu_time_s": amount(metrics.get("Executor CPU Time", 0)) / 1e9,
        "jvm_gc_time_s": amount(metrics["JVM GC Time"]) / 1e3,
        "memory_spilled_bytes": amount(metrics["Memory Bytes Spilled"]),
        "disk_spilled_bytes": amount(metrics["Disk Bytes Spilled"]),
        "shuffle_read_bytes": remote + amount(read.get("Local Bytes Read", 0)),
        "shuffle_write_bytes": amount(written.get("Shuffle Bytes Written", 0)),
        "input_bytes": amount(source.get("Bytes Read", 0)),
        "input_rows": amount(source.get("Records Read", 0)),
        "output_bytes": amount(sink.get("Bytes Written", 0)),
        "output_rows": amount(sink.get("Records Written", 0)),
    }
    return sums, amount(metrics.get("Peak Execution Memory", 0))
