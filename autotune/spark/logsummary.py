"""Folds the events of one log into numbers, in memory that does not grow with the log.

Task times of a stage are kept as a uniform sample (Vitter's algorithm R, 1985) and dropped when
the stage ends; everything else is a running sum or a largest value.
"""

from __future__ import annotations

import random
import re
import statistics
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from autotune.domain import Value
from autotune.record import Metrics, Step
from autotune.spark.logcost import CostMeter
from autotune.spark.logsteps import SQL_END, SQL_START, STEP_EVENTS, StepTracker
from autotune.spark.logwrites import WriteFinder

Event = dict[str, Any]

PLAN_AGAIN = "SparkListenerSQLAdaptiveExecutionUpdate"
PROGRESS = "StreamingQueryListener$QueryProgressEvent"
SUMMARY_EVENTS = STEP_EVENTS | {
    "SparkListenerLogStart",
    "SparkListenerEnvironmentUpdate",
    "SparkListenerResourceProfileAdded",
    "SparkListenerBlockManagerAdded",
    "SparkListenerExecutorAdded",
    "SparkListenerExecutorRemoved",
    "SparkListenerStageCompleted",
    "SparkListenerStageExecutorMetrics",
    "SparkListenerTaskEnd",
    PLAN_AGAIN,
    PROGRESS,
}
_SAMPLE = 1000
_OPEN_STAGES = 200
_DISTINCT_VALUES = 50
_TEXT = 2000
_LOSSES = 5
_RESERVED_HEAP_BYTES = 300 << 20


class LogSummary(Value):
    """One application as its event log tells it."""

    application_id: str | None = None
    application_name: str | None = None
    spark_version: str | None = None
    started_at_s: float | None = None
    """Seconds since 1970."""
    duration_s: float | None = None
    """From start to end of the application; ``None``: the log has no end."""
    last_event_s: float = 0.0
    """Seconds from the start to the last time that the log tells of."""
    ended: bool = False
    failure: str | None = None
    """What the last job or SQL execution that failed said, if nothing succeeded after it."""
    executor_losses: tuple[str, ...] = ()
    """Why executors went away, other than by order; the first few."""
    metrics: Metrics = Metrics()
    steps: tuple[Step, ...] = ()
    effective: dict[str, str] = Field(default={})
    """Properties as they applied: those of the context, overlaid by what most SQL executions
    had when the session changed them (in a tie the session's value: it must not be claimed)."""
    driver_heap_bytes: int | None = None
    """Maximum heap of the driver's JVM as Spark saw it, whatever was asked."""
    writes: tuple[str, ...] = ()
    """Every place written to, or ``table …``, ``unknown path (…)``."""
    lines: int = 0
    ignored_lines: int = 0
    """Lines that were not a whole JSON event, or too long."""


@dataclass(slots=True)
class _Stage:
    """Task times of one stage that runs."""

    total_s: float = 0.0
    longest_s: float = 0.0
    tasks: int = 0
    sample: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Fold:
    """The running state of one pass over a log."""

    steps: StepTracker = field(default_factory=StepTracker)
    writes: WriteFinder = field(default_factory=WriteFinder)
    cost: CostMeter = field(default_factory=CostMeter)
    lines: int = 0
    ignored: int = 0
    _sums: dict[str, float] = field(default_factory=dict)
    _heaps: dict[str, int] = field(default_factory=dict)
    _stages: dict[tuple[int, int], _Stage] = field(default_factory=dict)
    _heaviest: tuple[float, float] = (0.0, 1.0)
    _application: Event = field(default_factory=dict)
    _version: str | None = None
    _properties: dict[str, str] = field(default_factory=dict)
    _changed: dict[str, dict[str, int]] = field(default_factory=dict)
    _plans: int = 0
    _failure: str | None = None
    _losses: list[str] = field(default_factory=list)
    _last_ms: float = 0.0
    _driver_storage: int | None = None
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def add(self, kind: str, event: Event) -> None:
        """Take one event.

        Raises:
            KeyError | TypeError | ValueError | AttributeError: It is not what Spark writes.
        """
        if kind == "SparkListenerTaskEnd":
            self._task(event)
            return
        if kind in STEP_EVENTS:
            self.steps.add(kind, event)
        if handler := _HANDLERS.get(kind):
            handler(self, event)

    def summary(self) -> LogSummary:
        """Return what the events so far amount to."""
        start, end = self.steps.start_ms, self.steps.end_ms
        for key in list(self._stages):
            self._close_stage(key)
        effective = self._effective()
        until = end if end is not None else max(self._last_ms, start or 0.0)
        core_seconds, gb_seconds = self.cost.totals(start, until, self._properties)
        return LogSummary(
            application_id=self._application.get("App ID"),
            application_name=self._application.get("App Name"),
            spark_version=self._version,
            started_at_s=None if start is None else start / 1000,
            duration_s=None if start is None or end is None else max(0.0, (end - start) / 1000),
            last_event_s=0.0 if start is None else max(0.0, (until - start) / 1000),
            ended=end is not None,
            failure=self._failure,
            executor_losses=tuple(self._losses),
            metrics=self._metrics(core_seconds, gb_seconds),
            steps=self.steps.ended(),
            effective=effective,
            driver_heap_bytes=self._driver_heap(effective),
            writes=self.writes.writes(effective),
            lines=self.lines,
            ignored_lines=self.ignored,
        )

    def _metrics(self, core_seconds: float, gb_seconds: float) -> Metrics:
        values = {
            name: value if isinstance(Metrics.model_fields[name].default, float) else int(value)
            for name, value in self._sums.items()
        }
        return Metrics.model_validate(
            {
                **values,
                "peak_heap_bytes": max(self._heaps.values(), default=0),
                "task_skew": self._heaviest[1],
                "core_seconds": core_seconds,
                "gb_seconds": gb_seconds,
            }
        )

    def _effective(self) -> dict[str, str]:
        changed = {}
        for key, values in self._changed.items():
            value, times = max(values.items(), key=lambda item: item[1])
            if 2 * sum(values.values()) >= self._plans or 2 * times >= self._plans:
                changed[key] = value
        return {**self._properties, **changed}

    def _driver_heap(self, effective: dict[str, str]) -> int | None:
        if not self._driver_storage:
            return None
        fraction = float(effective.get("spark.memory.fraction", "0.6"))
        return round(self._driver_storage / fraction) + _RESERVED_HEAP_BYTES if fraction else None

    def _count(self, name: str, value: float) -> None:
        self._sums[name] = self._sums.get(name, 0) + value

    def _largest(self, name: str, value: float) -> None:
        self._sums[name] = max(self._sums.get(name, 0), value)

    def _task(self, event: Event) -> None:
        info, metrics = event["Task Info"], event.get("Task Metrics")
        self._count("tasks", 1)
        reason = event["Task End Reason"]["Reason"]
        if reason not in ("Success", "TaskKilled"):
            self._count("failed_tasks", 1)
        self._seen(info["Finish Time"])
        self._heap(str(info["Executor ID"]), event.get("Task Executor Metrics"))
        if reason == "Success":
            self._task_time(event, (info["Finish Time"] - info["Launch Time"]) / 1000)
        if metrics:
            self._task_sums(metrics)

    def _task_sums(self, metrics: Event) -> None:
        self._count("executor_run_time_s", metrics["Executor Run Time"] / 1e3)
        self._count("executor_cpu_time_s", metrics.get("Executor CPU Time", 0) / 1e9)
        self._count("jvm_gc_time_s", metrics["JVM GC Time"] / 1e3)
        self._count("memory_spilled_bytes", metrics["Memory Bytes Spilled"])
        self._count("disk_spilled_bytes", metrics["Disk Bytes Spilled"])
        self._largest("peak_execution_memory_bytes", metrics.get("Peak Execution Memory", 0))
        read = metrics.get("Shuffle Read Metrics") or {}
        self._count(
            "shuffle_read_bytes",
            read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0),
        )
        written = metrics.get("Shuffle Write Metrics") or {}
        self._count("shuffle_write_bytes", written.get("Shuffle Bytes Written", 0))
        source, sink = metrics.get("Input Metrics") or {}, metrics.get("Output Metrics") or {}
        self._count("input_bytes", source.get("Bytes Read", 0))
        self._count("input_rows", source.get("Records Read", 0))
        self._count("output_bytes", sink.get("Bytes Written", 0))
        self._count("output_rows", sink.get("Records Written", 0))

    def _task_time(self, event: Event, seconds: float) -> None:
        key = (event["Stage ID"], event["Stage Attempt ID"])
        stage = self._stages.get(key)
        if stage is None:
            if len(self._stages) >= _OPEN_STAGES:
                self._close_stage(next(iter(self._stages)))
            stage = self._stages[key] = _Stage()
        stage.tasks += 1
        stage.total_s += seconds
        stage.longest_s = max(stage.longest_s, seconds)
        if len(stage.sample) < _SAMPLE:
            stage.sample.append(seconds)
        elif (place := self._random.randrange(stage.tasks)) < _SAMPLE:
            stage.sample[place] = seconds

    def _close_stage(self, key: tuple[int, int]) -> None:
        stage = self._stages.pop(key, None)
        if stage and stage.total_s > self._heaviest[0]:
            median = max(statistics.median(stage.sample), 0.001)
            self._heaviest = (stage.total_s, max(1.0, stage.longest_s / median))

    def _stage_completed(self, event: Event) -> None:
        info = event["Stage Info"]
        self._count("stages", 1)
        self._close_stage((info["Stage ID"], info["Stage Attempt ID"]))
        self._seen(info.get("Completion Time"))

    def _stage_metrics(self, event: Event) -> None:
        self._heap(str(event["Executor ID"]), event.get("Executor Metrics"))

    def _heap(self, executor: str, metrics: Event | None) -> None:
        heap = (metrics or {}).get("JVMHeapMemory", 0)
        if heap > self._heaps.get(executor, 0):
            self._heaps[executor] = heap

    def _seen(self, time_ms: float | None) -> None:
        if time_ms and time_ms > self._last_ms:
            self._last_ms = time_ms

    def _log_started(self, event: Event) -> None:
        self._version = str(event["Spark Version"])

    def _application_started(self, event: Event) -> None:
        self._application = {key: event.get(key) for key in ("App ID", "App Name")}
        self._seen(event["Timestamp"])

    def _environment(self, event: Event) -> None:
        self._properties = {str(k): str(v) for k, v in event["Spark Properties"].items()}

    def _job_started(self, event: Event) -> None:
        self._count("jobs", 1)
        self._seen(event["Submission Time"])
        self.writes.job(event)

    def _job_ended(self, event: Event) -> None:
        self._seen(event["Completion Time"])
        result = event["Job Result"]
        if result["Result"] == "JobSucceeded":
            self._failure = None
        else:
            self._failure = str((result.get("Exception") or {}).get("Message", ""))[:_TEXT]

    def _sql_started(self, event: Event) -> None:
        self._seen(event["time"])
        self._plans += 1
        for key, value in (event.get("modifiedConfigs") or {}).items():
            values = self._changed.setdefault(str(key), {})
            if str(value) in values or len(values) < _DISTINCT_VALUES:
                values[str(value)] = values.get(str(value), 0) + 1
        self.writes.plan(event)

    def _sql_ended(self, event: Event) -> None:
        self._seen(event["time"])
        if message := event.get("errorMessage"):
            self._failure = str(message)[:_TEXT]
        self.writes.sql_ended(int(event["executionId"]))

    def _executor_removed(self, event: Event) -> None:
        self.cost.removed(event)
        self._seen(event["Timestamp"])
        reason = " ".join(str(event.get("Removed Reason", "")).split())
        ordered = re.search(r"(?i)decommission|idle|killed by driver|scale", reason)
        if reason and not ordered and len(self._losses) < _LOSSES:
            self._losses.append(reason[:300])

    def _block_manager(self, event: Event) -> None:
        if event["Block Manager ID"]["Executor ID"] == "driver":
            self._driver_storage = int(event["Maximum Onheap Memory"])


_HANDLERS = {
    "SparkListenerLogStart": Fold._log_started,
    "SparkListenerApplicationStart": Fold._application_started,
    "SparkListenerEnvironmentUpdate": Fold._environment,
    "SparkListenerResourceProfileAdded": lambda fold, event: fold.cost.profile(event),
    "SparkListenerBlockManagerAdded": Fold._block_manager,
    "SparkListenerExecutorAdded": lambda fold, event: fold.cost.added(event),
    "SparkListenerExecutorRemoved": Fold._executor_removed,
    "SparkListenerStageCompleted": Fold._stage_completed,
    "SparkListenerStageExecutorMetrics": Fold._stage_metrics,
    "SparkListenerJobStart": Fold._job_started,
    "SparkListenerJobEnd": Fold._job_ended,
    SQL_START: Fold._sql_started,
    SQL_END: Fold._sql_ended,
    PLAN_AGAIN: lambda fold, event: fold.writes.plan(event),
    PROGRESS: lambda fold, event: fold.writes.streaming(event),
}
