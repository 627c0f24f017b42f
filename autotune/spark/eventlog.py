"""Reads Spark event logs: followed while the application runs, or summarised in one pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, Any

from autotune.record import Step
from autotune.spark.logfiles import Line, LineSplitter, lines
from autotune.spark.logsteps import SQL_START, STEP_EVENTS, StepTracker
from autotune.spark.logsummary import PLAN_AGAIN, SUMMARY_EVENTS, Fold, LogSummary
from autotune.spark.logwrites import WriteFinder

__all__ = ["EventLogReader", "LogSummary", "summarise"]

POLL_BYTES = 16 << 20
_KIND = re.compile(
    rb'^\s*\{\s*"Event"\s*:\s*"(?:org\.apache\.spark\.[a-z.]*)?([A-Za-z$]+)"', re.ASCII
)
_NOT_AN_EVENT = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_HALF_CHARACTERS = re.compile(rb"\\u[dD][89a-fA-F]|\xed")
_MOST_VALUES = 2_000_000
"""Of one line, counted by what separates them: each becomes an object of some hundred bytes."""


class EventLogReader:
    """Follows the plain, growing event log of an application that runs.

    Spark flushes its log when a stage, job or SQL execution ends, so what is read is at most one
    stage behind. Compressed and rolling logs are not followed: they show no steps until the end.
    """

    def __init__(self, path: Path) -> None:
        """Get ready to follow *path*: the log, or a folder where one will appear."""
        self._path = path
        self._stream: IO[bytes] | None = None
        self._splitter = LineSplitter()
        self._tracker = StepTracker()

    @classmethod
    def follow(cls, path: Path) -> EventLogReader:
        """Return a reader of *path*, which need not exist yet."""
        return cls(path)

    @property
    def ended(self) -> bool:
        """Whether the application has written its end."""
        return self._tracker.end_ms is not None

    def poll(self, at_most: int = POLL_BYTES) -> tuple[Step, ...]:
        """Return all steps that ended so far; reads at most *at_most* new bytes.

        Never raises for what the log holds or lacks.
        """
        try:
            data = self._read(at_most)
        except OSError:
            data = b""
        for line in self._splitter.feed(data):
            _take(line, STEP_EVENTS, self._tracker.add)
        return self._tracker.ended()

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _read(self, at_most: int) -> bytes:
        if self._stream is None:
            path = self._path
            if path.is_dir():
                plain = [entry for entry in path.iterdir() if _plain(entry)]
                if not plain:
                    return b""
                path = max(plain, key=lambda entry: entry.stat().st_mtime)
            elif not path.exists():
                path = path.with_name(f"{path.name}.inprogress")
            # Held open, it is still the log after Spark has renamed it.
            self._stream = path.open("rb")
        return self._stream.read(at_most)


def summarise(path: Path) -> LogSummary:
    """Read one event log in one pass, in memory that does not grow with it.

    Args:
        path: A log file, plain or compressed; a rolling folder; a folder that holds one log.

    Returns:
        All that the log tells. A log that was cut off, or has damaged lines, is read as far as it
        goes: see ``ended`` and ``ignored_lines``.

    Raises:
        InputError: No such log, or one in a form that is not read.
    """
    fold = Fold()
    for line in lines(path):
        fold.lines += 1
        if not line.text.strip():
            continue
        if not _take(line, SUMMARY_EVENTS, fold.add):
            fold.ignored += 1
            whole = not line.complete or _closed(line.text)  # else: cut off as it was written
            if whole and _kind(line.text) in (SQL_START, PLAN_AGAIN):
                fold.writes.unreadable()
    return fold.summary()


def _plain(entry: Path) -> bool:
    name = entry.name.removesuffix(".inprogress")
    return entry.is_file() and not name.startswith(".") and "." not in name


def _kind(text: bytes) -> str | None:
    match = _KIND.match(text[:400])
    return match[1].decode() if match else None


def _take(line: Line, wanted: Collection[str], add: Callable[[str, dict[str, Any]], None]) -> bool:
    """Hand a line to *add* if it is wanted; false when it is no whole event."""
    if not line.complete or not _closed(line.text):
        return False
    kind = _kind(line.text)
    if kind is not None and kind not in wanted:
        return True
    if kind == PLAN_AGAIN and not WriteFinder.worth_reading(line.text):
        return True
    if sum(map(line.text.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        return False
    try:
        event = json.loads(line.text)
        if _HALF_CHARACTERS.search(line.text):
            event = _whole(event)
        # Spark writes the kind first; a log that passed through other tools may not have it so.
        kind = kind or str(event["Event"]).rpartition(".")[2]
        if kind in wanted:
            add(kind, event)
    except _NOT_AN_EVENT:
        return False
    return True


def _whole(value: Any) -> Any:
    """Return *value* without halves of surrogate pairs in its texts: they can't be stored."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(part) for key, part in value.items()}
    return [_whole(part) for part in value] if isinstance(value, list) else value


def _closed(text: bytes) -> bool:
    return text.rstrip().endswith(b"}")
