"""Names and times the steps of an application from the events of its log, as they come.

A step is a SQL execution (with those nested in it), or a job outside of one. All work that the
program put under one description (``setJobDescription``) or job group is one step together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from autotune.record import Step, StepKind
from autotune.spark.lognumbers import identifier, number

Event = dict[str, Any]

SQL_START = "SparkListenerSQLExecutionStart"
SQL_END = "SparkListenerSQLExecutionEnd"
STEP_EVENTS = frozenset(
    {
        "SparkListenerApplicationStart",
        "SparkListenerApplicationEnd",
        "SparkListenerJobStart",
        "SparkListenerJobEnd",
        SQL_START,
        SQL_END,
    }
)
MOST_STEPS = 2000
MOST_OPEN = 20_000
"""Jobs or SQL executions at a time; of more the ends are not waited for."""
_MOST_CHARS = 4000
_LATER = "(later steps)"
_CALL_SITE = re.compile(r"^(?P<method>\S+) at (?P<place>.+):(?P<line>\d+)$")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_VOLATILE = re.compile(r"\$\$Lambda\S*|@[0-9a-f]{4,}\b|\b0x[0-9a-f]+|#\d+L?\b")
_STREAM = re.compile(r"^(?P<name>[^\n]*)\n?id = \S+\nrunId = \S+\nbatch = ", re.MULTILINE)


@dataclass(slots=True)
class _Open:
    """A SQL execution or job that has started."""

    base: str
    named: bool
    kind: StepKind
    start_s: float
    name: str = ""
    failed: bool = False


@dataclass(slots=True)
class _Merged:
    """All work under one name given by the program."""

    kind: StepKind
    start_s: float
    busy_s: float = 0.0
    end_s: float = 0.0
    running: int = 0
    failed: bool = False


@dataclass(slots=True)
class StepTracker:
    """Folds events into steps; feed it with :meth:`add` and ask :meth:`ended` any time."""

    start_ms: float | None = None
    end_ms: float | None = None
    _open_sql: dict[int, _Open] = field(default_factory=dict)
    _root_of: dict[int, int] = field(default_factory=dict)
    _open_jobs: dict[int, _Open] = field(default_factory=dict)
    _merged: dict[str, _Merged] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _ended: list[Step] = field(default_factory=list)
    _latest: str = ""

    def add(self, kind: str, event: Event) -> None:
        """Take one event; those that say nothing of steps are ignored.

        Raises:
            KeyError | TypeError | ValueError: The event is not what Spark writes.
        """
        if kind == "SparkListenerJobStart":
            self._job_started(event)
        elif kind == "SparkListenerJobEnd":
            self._job_ended(event)
        elif kind == SQL_START:
            self._sql_started(event)
        elif kind == SQL_END:
            self._sql_ended(event)
        elif kind == "SparkListenerApplicationStart":
            self.start_ms = number(event["Timestamp"])
        elif kind == "SparkListenerApplicationEnd":
            self.end_ms = number(event["Timestamp"])

    def ended(self) -> tuple[Step, ...]:
        """Return the steps that ended, in the order of their starts.

        Work under a name given by the program counts as ended when nothing of it runs and the
        program went on to something else.
        """
        over = self.end_ms is not None
        merged = [
            Step(
                name=name,
                kind=part.kind,
                start_s=part.start_s,
                duration_s=part.busy_s,
                succeeded=not part.failed,
            )
            for name, part in self._merged.items()
            if not part.running and (over or name != self._latest)
        ]
        return tuple(sorted([*self._ended, *merged], key=lambda step: step.start_s))

    def _seconds(self, time: object) -> float:
        time_ms = number(time)
        if self.start_ms is None:
            self.start_ms = time_ms
        return max(0.0, (time_ms - self.start_ms) / 1000)

    def _sql_started(self, event: Event) -> None:
        execution = identifier(event["executionId"])
        root = event.get("rootExecutionId")
        if len(self._open_sql) + len(self._root_of) >= MOST_OPEN:
            return
        if (
            root is not None
            and identifier(root) != execution
            and identifier(root) in self._open_sql
        ):
            self._root_of[execution] = identifier(root)
            return
        base, named = _title(str(event.get("description") or "SQL"))
        if not named and (group := _group(event.get("jobGroupId"))):
            base, named = group, True
        opened = _Open(base, named, StepKind.SQL, self._seconds(event["time"]))
        self._open_sql[execution] = self._start(opened)

    def _sql_ended(self, event: Event) -> None:
        execution = identifier(event["executionId"])
        if self._root_of.pop(execution, None) is not None:
            return
        end_s = self._seconds(event["time"])
        if opened := self._open_sql.pop(execution, None):
            opened.failed = bool(event.get("errorMessage"))
            self._end(opened, end_s)

    def _job_started(self, event: Event) -> None:
        properties = event.get("Properties") or {}
        start_s = self._seconds(event["Submission Time"])
        if properties.get("spark.sql.execution.id") is not None:
            return
        base, named = _title(job_title(event))
        if not named and (group := _group(properties.get("spark.jobGroup.id"))):
            base, named = group, True
        job = identifier(event["Job ID"])
        if len(self._open_jobs) < MOST_OPEN:
            self._open_jobs[job] = self._start(_Open(base, named, StepKind.JOB, start_s))

    def _job_ended(self, event: Event) -> None:
        failed = event["Job Result"]["Result"] != "JobSucceeded"
        end_s = self._seconds(event["Completion Time"])
        if opened := self._open_jobs.pop(identifier(event["Job ID"]), None):
            opened.failed = failed
            self._end(opened, end_s)

    def _start(self, opened: _Open) -> _Open:
        if len(self._ended) + len(self._merged) >= MOST_STEPS and opened.base not in self._merged:
            opened.base, opened.named = _LATER, True
        if opened.named:
            opened.name = opened.base
            merged = self._merged.setdefault(
                opened.name, _Merged(opened.kind, opened.start_s, end_s=opened.start_s)
            )
            merged.running += 1
        else:
            nth = self._seen[opened.base] = self._seen.get(opened.base, 0) + 1
            opened.name = opened.base if nth == 1 else f"{opened.base} #{nth}"
        self._latest = opened.name
        return opened

    def _end(self, opened: _Open, end_s: float) -> None:
        if not opened.named:
            self._ended.append(
                Step(
                    name=opened.name,
                    kind=opened.kind,
                    start_s=opened.start_s,
                    duration_s=max(0.0, end_s - opened.start_s),
                    succeeded=not opened.failed,
                )
            )
            return
        merged = self._merged[opened.name]
        # Parts may overlap (threads); the union counts, and parts come nearly in order.
        merged.busy_s += max(0.0, end_s - max(opened.start_s, merged.end_s))
        merged.end_s = max(merged.end_s, end_s)
        merged.running -= 1
        merged.failed = merged.failed or opened.failed


def job_title(event: Event) -> str:
    """Return what a job is called: its description, else its call site, else its last stage."""
    properties = event.get("Properties") or {}
    for key in ("spark.job.description", "callSite.short"):
        if title := properties.get(key):
            return str(title)
    scope = re.search(
        r'"name":"(save\w+)"', str(properties.get("spark.rdd.scope", ""))[:_MOST_CHARS]
    )
    if scope:
        return f"{scope[1]} at JVM:0"
    stages = event.get("Stage Infos") or []
    last = max(stages, key=lambda stage: identifier(stage["Stage ID"]), default=None)
    return str(last["Stage Name"]) if last else "job"


def _title(text: str) -> tuple[str, bool]:
    """Return a name that is the same in every execution, and whether the program gave it."""
    text = text[:_MOST_CHARS]
    if stream := _STREAM.match(text):
        return f"{stream['name'].strip() or 'stream'} batch", False
    if site := _CALL_SITE.match(text.strip()):
        method = _VOLATILE.sub("", site["method"]).strip("$") or "call"
        place = site["place"].replace("\\", "/").rpartition("/")[2]
        # Without a line of the person's own program the place says nothing.
        known = site["line"] != "0" and not place.startswith(("CompletableFuture", "<"))
        return (f"{method} at {place}:{site['line']}" if known else method)[:80], False
    plain = " ".join(_VOLATILE.sub("", _UUID.sub("…", text)).split())
    return plain[:80] or "step", True


def _group(group: object) -> str | None:
    if not isinstance(group, str) or not group or _UUID.search(group[:_MOST_CHARS]):
        return None
    return _title(group)[0]
