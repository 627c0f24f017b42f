"""Folds the events of one log into one summary, in memory that does not grow with the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from autotune.domain import Value, WorkloadProfile
from autotune.record import Metrics, Step
from autotune.spark.logcost import CostMeter
from autotune.spark.lognumbers import amount, identifier, number
from autotune.spark.logprofile import ProfileMeter
from autotune.spark.logsteps import SQL_END, SQL_START, STEP_EVENTS, StepTracker
from autotune.spark.logstreams import StreamMeter
from autotune.spark.logtasks import TaskMeter
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
_DISTINCT_VALUES = 50
_MOST_CHANGED = 500
_MOST_PROPERTIES = 20_000
_MOST_CHARS = 16_000
"""Of one property's value; Spark's own longest are class paths."""
_MOST_CHARS_CHANGED = 1000
_TEXT = 2000
_LOSSES = 5
_REDACTED = "(redacted)"
"""How Spark ends what it puts in the place of a secret."""
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
    profile: WorkloadProfile | None = None
    """What the job does; ``None``: nothing ran."""
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
class Fold:
    """The running state of one pass over a log."""

    steps: StepTracker = field(default_factory=StepTracker)
    writes: WriteFinder = field(default_factory=WriteFinder)
    tasks: TaskMeter = field(default_factory=TaskMeter)
    cost: CostMeter = field(default_factory=CostMeter)
    streams: StreamMeter = field(default_factory=StreamMeter)
    plans: ProfileMeter = field(default_factory=ProfileMeter)
    lines: int = 0
    ignored: int = 0
    _application: Event = field(default_factory=dict)
    _version: str | None = None
    _properties: dict[str, str] = field(default_factory=dict)
    _changed: dict[str, dict[str, int]] = field(default_factory=dict)
    _plans: int = 0
    _failure: str | None = None
    _losses: list[str] = field(default_factory=list)
    _last_ms: float = 0.0
    _driver_storage: int | None = None

    def add(self, kind: str, event: Event) -> None:
        """Take one event.

        Raises:
            KeyError | TypeError | ValueError | AttributeError: It is not what Spark writes.
        """
        if kind == "SparkListenerTaskEnd":
            self.tasks.task(event)
            self._seen(number(event["Task Info"]["Finish Time"]))
            return
        if kind in STEP_EVENTS:
            self.steps.add(kind, event)
        if handler := _HANDLERS.get(kind):
            handler(self, event)

    def summary(self) -> LogSummary:
        """Return what the events so far amount to."""
        start, end = self.steps.start_ms, self.steps.end_ms
        effective = self._effective()
        until = end if end is not None else max(self._last_ms, start or 0.0)
        core_seconds, gb_seconds = self.cost.totals(start, until, self._properties)
        metrics, steps = self.tasks.metrics(core_seconds, gb_seconds), self.steps.ended()
        duration_s = None if start is None or end is None else max(0.0, (end - start) / 1000)
        return LogSummary(
            application_id=self._application.get("App ID"),
            application_name=self._application.get("App Name"),
            spark_version=self._version,
            started_at_s=None if start is None else start / 1000,
            duration_s=duration_s,
            last_event_s=0.0 if start is None else max(0.0, (until - start) / 1000),
            ended=end is not None,
            failure=self._failure,
            executor_losses=tuple(self._losses),
            metrics=metrics.model_copy(update=self.streams.metrics()),
            steps=steps,
            profile=self.plans.profile(
                metrics, self.tasks.spread(), steps=len(steps), duration_s=duration_s
            ),
            effective=effective,
            driver_heap_bytes=self._driver_heap(effective),
            writes=self.writes.writes(effective),
            lines=self.lines,
            ignored_lines=self.ignored,
        )

    def _effective(self) -> dict[str, str]:
        changed = {}
        for key, values in self._changed.items():
            value, times = max(values.items(), key=lambda item: item[1])
            if 2 * sum(values.values()) >= self._plans or 2 * times >= self._plans:
                changed[key] = value
        found = {**self._properties, **changed}
        return {key: value for key, value in found.items() if not value.endswith(_REDACTED)}

    def _driver_heap(self, effective: dict[str, str]) -> int | None:
        try:
            fraction = float(effective.get("spark.memory.fraction", "0.6"))
        except ValueError:
            return None
        if not self._driver_storage or not 0 < fraction <= 1:
            return None
        return round(self._driver_storage / max(fraction, 1e-6)) + _RESERVED_HEAP_BYTES

    def _seen(self, time: object) -> None:
        time_ms = number(time or 0)
        if time_ms > self._last_ms:
            self._last_ms = time_ms

    def _stage_completed(self, event: Event) -> None:
        self.tasks.stage_completed(event)
        self._seen(event["Stage Info"].get("Completion Time"))

    def _log_started(self, event: Event) -> None:
        self._version = str(event["Spark Version"])[:100]

    def _application_started(self, event: Event) -> None:
        self._seen(event["Timestamp"])
        for key in ("App ID", "App Name"):
            if (value := event.get(key)) is not None:
                self._application[key] = str(value)[:_TEXT]

    def _environment(self, event: Event) -> None:
        properties = list(event["Spark Properties"].items())[:_MOST_PROPERTIES]
        self._properties = {str(k)[:_TEXT]: str(v)[:_MOST_CHARS] for k, v in properties}

    def _job_started(self, event: Event) -> None:
        self.tasks.count("jobs")
        self._seen(event["Submission Time"])
        self.writes.job(event)
        self.plans.job(event)

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
            name, text = str(key)[:_TEXT], str(value)[:_MOST_CHARS_CHANGED]
            if name not in self._changed and len(self._changed) >= _MOST_CHANGED:
                continue
            values = self._changed.setdefault(name, {})
            if text in values or len(values) < _DISTINCT_VALUES:
                values[text] = values.get(text, 0) + 1
        self.writes.plan(event)
        self.plans.plan(event)

    def _sql_ended(self, event: Event) -> None:
        self._seen(event["time"])
        if message := event.get("errorMessage"):
            self._failure = str(message)[:_TEXT]
        self.writes.sql_ended(identifier(event["executionId"]))

    def _progress(self, event: Event) -> None:
        self.writes.streaming(event)  # first: what was written counts, whatever the rest is
        self.streams.progress(event)

    def _executor_removed(self, event: Event) -> None:
        self.cost.removed(event)
        self._seen(event["Timestamp"])
        reason = " ".join(str(event.get("Removed Reason", ""))[:_TEXT].split())
        ordered = re.search(r"(?i)decommission|idle|killed by driver|code 143", reason)
        if reason and not ordered and len(self._losses) < _LOSSES:
            self._losses.append(reason[:300])

    def _block_manager(self, event: Event) -> None:
        if event["Block Manager ID"]["Executor ID"] == "driver":
            self._driver_storage = int(amount(event["Maximum Onheap Memory"]))


_HANDLERS: dict[str, Callable[[Fold, Any], None]] = {
    "SparkListenerLogStart": Fold._log_started,
    "SparkListenerApplicationStart": Fold._application_started,
    "SparkListenerEnvironmentUpdate": Fold._environment,
    "SparkListenerResourceProfileAdded": lambda fold, event: fold.cost.profile(event),
    "SparkListenerBlockManagerAdded": Fold._block_manager,
    "SparkListenerExecutorAdded": lambda fold, event: fold.cost.added(event),
    "SparkListenerExecutorRemoved": Fold._executor_removed,
    "SparkListenerStageCompleted": Fold._stage_completed,
    "SparkListenerStageExecutorMetrics": lambda fold, event: fold.tasks.heap(
        event["Executor Metrics"]
    ),
    "SparkListenerJobStart": Fold._job_started,
    "SparkListenerJobEnd": Fold._job_ended,
    SQL_START: Fold._sql_started,
    SQL_END: Fold._sql_ended,
    PLAN_AGAIN: lambda fold, event: fold.writes.plan(event),
    PROGRESS: Fold._progress,
}
