"""Read what an ended execution left in its scratch folder.

What only the tuner saw is noted there first, as :class:`Ended`. If the tuner dies while it reads,
the supervisor runs this module as a program, ``python -m autotune.spark.reading NOTE``, which
reads on and keeps the execution for the next tuner.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from autotune.domain import Config, Value, Workload
from autotune.errors import InputError
from autotune.experiment import secrets_of
from autotune.pending import Measurement, Pending
from autotune.record import Cause, Execution, Status
from autotune.spark.answer import with_answer
from autotune.spark.causes import KILLED, classify, tells_of_error
from autotune.spark.ceilings import Breach
from autotune.spark.command import Scratch
from autotune.spark.eventlog import LogSummary, summarise
from autotune.spark.watch import End, event_logs

READ_LIMIT_S = 600
"""How long an answer may be read after the tuner's death."""


class Ended(Value):
    """An execution whose processes are gone, before anything that it left was read."""

    workload: Workload
    config: Config
    scratch: Scratch
    started_at: datetime
    wall_s: float
    end: End
    breach: Breach | None
    exit_status: int | None
    last_words: str
    memory_was_short: bool | None
    peaks: dict[str, int]
    heap: str | None
    """What the JVM really got, from its own command line."""
    mapped: bool | None
    pending: Pending | None
    """Where to keep the execution if the tuner can't record it."""

    def note(self) -> None:
        """Write it down for whoever reads on.

        It quotes what the job was told, so it is for one's own eyes and goes with the folder.
        """
        handle = os.open(note_of(self.scratch), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.model_dump_json())


def note_of(scratch: Scratch) -> Path:
    """Return where an execution is noted when it has ended."""
    return scratch.root / "ended.json"


def reading_command(scratch: Scratch) -> list[str]:
    """Return the command that reads on behind a tuner that died."""
    return [sys.executable, "-P", "-m", "autotune.spark.reading", str(note_of(scratch))]


def read_execution(ended: Ended) -> Execution:
    """Read event log and outputs."""
    summary = _summary(ended.scratch.events)
    status, cause, error = _outcome(ended, summary)
    found = summary or LogSummary()
    effective = dict(found.effective)
    if ended.heap is not None:
        # The property says what was asked; the JVM's own command line, what it got.
        effective["spark.driver.memory"] = ended.heap
    execution = Execution(
        status=status,
        started_at=ended.started_at,
        wall_s=ended.wall_s,
        duration_s=found.duration_s if status is Status.SUCCEEDED else None,
        cause=cause,
        error=error,
        metrics=found.metrics.model_copy(update=ended.peaks),
        steps=found.steps,
        profile=found.profile,
        effective=effective,
        writes_outside=tuple(
            path for path in found.writes if not is_inside(path, ended.scratch.folders)
        ),
        spark_version=found.spark_version,
        application_id=found.application_id,
        shared_archive_mapped=ended.mapped,
    )
    return with_answer(execution, ended.workload, ended.config, ended.scratch)


def _outcome(ended: Ended, summary: LogSummary | None) -> tuple[Status, Cause | None, str | None]:
    if ended.end is End.STOP:
        return Status.STOPPED_EARLY, None, None
    if ended.end is End.TIME:
        return Status.TIMED_OUT, None, f"ended after {ended.wall_s:.0f} s, its limit"
    if ended.breach is not None:
        return Status.FAILED, ended.breach.cause, ended.breach.text
    words = ended.last_words
    complete = summary is not None and summary.duration_s is not None
    # One that hung on its way out can't tell its status any more; its last words can.
    well = not tells_of_error(words) if ended.end is End.HANGING else ended.exit_status == 0
    if well and complete:
        return Status.SUCCEEDED, None, None
    if well:
        message = "the job ended well but no Spark application of it has an event log to its end"
        return Status.FAILED, Cause.APP_ERROR, message
    short = ended.memory_was_short
    if not ended.workload.master.startswith("local") and ended.exit_status not in KILLED:
        short = short or None  # of executors on other machines nothing was seen
    exit_status = 1 if ended.end is End.HANGING else ended.exit_status
    cause, telling = classify(exit_status, words, summary, short)
    return Status.FAILED, cause, telling


def _summary(events: Path) -> LogSummary | None:
    """Summarise the event logs: the longest application's, with what any of them wrote to."""
    found, writes = [], []
    for log in event_logs(events):
        try:
            found.append(summarise(log))
        except InputError:
            writes.append(f"unknown path (event log {log.name} can't be read)")
    longest = max(found, key=lambda summary: summary.duration_s or 0.0, default=None)
    if longest is None:
        return None
    writes += [path for summary in found for path in summary.writes]
    return longest.model_copy(update={"writes": tuple(dict.fromkeys(writes))})


def is_inside(written: str, folders: Sequence[Path]) -> bool:
    """Say whether a place that was written to, a path or a ``file:`` address, is in *folders*."""
    parts = urlsplit(written)
    if parts.scheme not in {"", "file"} or parts.netloc or not parts.path.startswith("/"):
        return False
    path = Path(unquote(parts.path) if parts.scheme else written).resolve()
    return any(path.is_relative_to(folder.resolve()) for folder in folders)


def keep(ended: Ended, execution: Execution) -> None:
    """Keep the execution, before its scratch folder goes, for a tuner that can't record it now."""
    # Where an execution was heading that was stopped early, only the tuner knows.
    if ended.pending is None or ended.end is End.STOP:
        return
    properties = {**ended.workload.properties, **ended.config.properties}
    known = {name: value for name, value in properties.items() if value is not None}
    secrets = secrets_of(ended.workload.model_copy(update={"properties": known}))
    ended.pending.keep(ended.config, Measurement(execution=execution), secrets)


def main(note: Path) -> None:
    """Read on behind a tuner that died, and keep the execution; nothing noted: do nothing."""
    signal.alarm(READ_LIMIT_S)
    try:
        ended = Ended.model_validate_json(note.read_bytes())
    except (OSError, ValueError):
        return
    keep(ended, read_execution(ended))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
