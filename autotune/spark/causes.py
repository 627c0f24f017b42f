"""Says why an execution failed, from its exit code, the end of its output and its event log.

The order matters: a full disk first, because Spark reports a spill that fails as want of memory;
then memory, because an exhausted heap shows up as nearly every other error too; then settings that
Spark or the JVM refuse; then losses; the rest is the program's own.

What is too long is cut between words, and after what looks like a secret was blotted out: half a
secret is one that nobody would recognise later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from autotune.record import Cause
from autotune.redaction import without_login
from autotune.spark.logsummary import LogSummary

MOST_CHARS = 2000
LOG_TAIL_CHARS = 20_000
"""So much of a log is kept, in bytes or characters: as long as this, its beginning was cut."""
_CUT_FAILURE_CHARS = 2000
"""As long as this, what an event log says of a failure was cut at its end."""
KILLED = (137, -9)
"""SIGKILL: what the kernel sends when memory runs out."""
_OUT_OF_MEMORY_EXIT = 52
"""Spark's own code for a JVM that ended of an OutOfMemoryError (``SparkExitCode.OOM``)."""

_OUT_OF_DISK = re.compile(
    r"No space left on device|Disk quota exceeded|\bE(?:NOSPC|DQUOT)\b|errno=28\b|\[Errno 28\]"
    r"|There is not enough space on the disk"
)
_OUT_OF_MEMORY = re.compile(
    r"java\.lang\.OutOfMemoryError|SparkOutOfMemoryError|(?:^|[\s.])MemoryError(?::|$)"
    r"|UNABLE_TO_ACQUIRE_MEMORY|Unable to acquire \d+ bytes of memory"
    r"|OutOfDirectMemoryError|GC overhead limit exceeded"
    r"|bigger than (?:local )?spark\.driver\.maxResultSize|is bigger than local maxResultSize"
    r"|Cannot allocate memory|errno=12\b|Could not reserve enough space"
    r"|insufficient memory for the Java Runtime|Could not allocate (?:the )?\w* ?(?:heap|memory)"
    r"|Container (?:\S+ )?(?:was )?killed .{0,60}memory|running beyond (?:physical|virtual) memory"
    r"|[Ee]xit(?:ed with)? (?:code|status):? ?\(?52\b|exited with 52\b"
    r"|oom-kill|OOMKilled|Cannot broadcast the table that is larger|Not enough memory to build"
)
_KILLED_ELSEWHERE = re.compile(
    r"[Ee]xit(?:ed with)? (?:code|status):? ?\(?137\b|exited with 137\b"
)
_GONE = re.compile(r"Python worker exited unexpectedly|ExecutorLostFailure|Lost executor")
"""What is said of a process that was killed, by somebody who does not know why."""
_WHICH_MEMORY = re.compile(r"^(?:: |Caused by: )?java\.lang\.OutOfMemoryError: \w")
_BAD_CONFIG = re.compile(
    r"Unrecognized (?:VM|JVM|option)|Unrecognized option|Could not create the Java Virtual Machine"
    r"|Invalid (?:maximum|initial|minimum|thread|young)\w* (?:heap|stack|gen)"
    r"|Multiple garbage collectors|Conflicting collector|Improperly specified VM option"
    r"|exceeds the maximum representable size|Error: VM option|Initial heap size set to a larger"
    r"|System memory \d+ must be at least|Executor memory \d+ must be at least"
    r"|spark\.[\w.]+ should be|\bspark\.[\w.]+ (?:must|is not allowed|has been removed)"
    r"|Not allowed to (?:specify|set) |is set to .{0,80}spark\.\w+"
    r"|INVALID_CONF_VALUE|CANNOT_MODIFY_(?:CONFIG|STATIC)|INVALID_DRIVER_MEMORY"
    r"|INVALID_EXECUTOR_MEMORY|Could not parse Master URL|Master must either be"
    r"|Could not find (?:or load )?(?:serializer|codec|shuffle manager)|CODEC_NOT_AVAILABLE"
    r"|(?:IllegalArgument|NumberFormat)Exception: .{0,200}?\bspark\.(?!apache)[a-z][\w.]+"
    r"|Size must be specified as bytes|Time must be specified as seconds"
    r"|(?:Executor|Driver) (?:cores|memory) must be a positive|Number of executors must be"
    r"|Invalid value for parameter|Failed to parse byte string|Failed to parse time string"
)
_STARTING = re.compile(
    r"Error initializing SparkContext|calling None\.org\.apache\.spark\.api\.java\.Java"
)
_REFUSED = re.compile(r"ClassNotFoundException|NoSuchMethodException|ClassCastException")
_MASTER_GONE = re.compile(
    r"All masters are unresponsive|Master removed our app|[Aa]pplication has been killed"
)
_LOST = re.compile(
    r"Lost executor|ExecutorLostFailure|RECEIVED SIGNAL (?:TERM|HUP|INT)"
    r"|Executor heartbeat timed out|MetadataFetchFailed"
)
_ERROR = re.compile(r"Traceback \(most recent|Exception\b|\bError\b|\bERROR\b|FATAL")
_NOISE = re.compile(
    r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d (?:INFO|DEBUG|TRACE)|^\S*\[Stage \d+:"
    r"|^WARNING: Using incubator|^Setting default log level|^To adjust logging level"
    r"|^Using Spark's default log4j|^Picked up \w*JAVA|^WARNING: package sun"
)
_ASIDE = re.compile(
    r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d WARN|^\s+at [\w.$/<>]+|^\s*\.\.\. \d+ more"
    r'|^\s*File "[^"]*(?:pyspark|py4j)[^"]*[/.](?:zip|py|pyspark)[^"]*", line'
    r"|^(?:JVM stacktrace:|Driver stacktrace:)?$|^\s+[~^]+$"
)
_UP_TO_BLANK = re.compile(r".*(?=\s)", re.DOTALL)
_FROM_BLANK = re.compile(r"\s(.*)", re.DOTALL)
_START = re.compile(r"^(?:Traceback \(most recent|Exception in thread|Error: |Error occurred)")


def classify(
    exit_code: int | None,
    log_tail: str,
    summary: LogSummary | None,
    memory_was_short: bool | None = None,
) -> tuple[Cause, str]:
    """Return why an execution failed, and the lines that tell it.

    Args:
        exit_code: Of the ``spark-submit`` process; negative: the signal that ended it; ``None``:
            not known.
        log_tail: The end of what the process wrote to its outputs.
        summary: What its event log tells, if there is one.
        memory_was_short: Whether a process that was killed was killed for want of memory: the
            kernel counts its kills. ``None``: not known; SIGKILL then counts as that.

    Returns:
        The cause, and at most 2,000 characters of telling lines.
    """
    log_tail = without_login(_from_whole_line(log_tail))
    lines = [line.rstrip() for line in log_tail.splitlines() if not _NOISE.match(line)]
    said = _said(summary)
    everything = [*lines, *said]
    if (found := _first(_OUT_OF_DISK, everything)) is not None:
        return Cause.OUT_OF_DISK, _around(everything, found)
    found = _first(_WHICH_MEMORY, everything)
    found = found if found is not None else _first(_OUT_OF_MEMORY, everything)
    if found is None and memory_was_short is not False:
        found = _first(_KILLED_ELSEWHERE, everything)
    if found is None and memory_was_short:
        found = _first(_GONE, _last_error(lines) or said)
    if found is not None:
        return Cause.OUT_OF_MEMORY, _around(everything, found)
    if exit_code == _OUT_OF_MEMORY_EXIT:
        return Cause.OUT_OF_MEMORY, _fit(
            ["the JVM ran out of memory (exit code 52)", *_last(lines)]
        )
    found = _first(_BAD_CONFIG, everything)
    if found is None and _first(_STARTING, lines) is not None:
        found = _first(_REFUSED, lines)  # a class that a property names
    if found is not None:
        return Cause.BAD_CONFIG, _around(everything, found)
    if exit_code in KILLED:
        return _killed(lines, memory_was_short)
    if (loss := _loss(exit_code, lines, summary)) is not None:
        return Cause.LOST, loss
    return Cause.APP_ERROR, _error_lines(lines, said, exit_code)


def tells_of_error(log_tail: str) -> bool:
    """Say whether the last words of an application hold a traceback or the like."""
    return any(_START.match(line) for line in log_tail.splitlines())


def _killed(lines: Sequence[str], memory_was_short: bool | None) -> tuple[Cause, str]:
    if memory_was_short is False:
        telling = "killed by SIGKILL from outside: memory was plentiful"
        return Cause.LOST, _fit([telling, *_last(lines)])
    telling = "killed by SIGKILL, as the kernel does when memory runs out"
    return Cause.OUT_OF_MEMORY, _fit([telling, *_last(lines)])


def _said(summary: LogSummary | None) -> list[str]:
    if summary is None:
        return []
    failure = summary.failure or ""
    if len(failure) >= _CUT_FAILURE_CHARS:
        failure = _front(failure)
    return without_login("\n".join([failure, *summary.executor_losses])).splitlines()


def _from_whole_line(log_tail: str) -> str:
    """Leave out the line, or else the word, that a log was cut in."""
    if not len(log_tail) <= LOG_TAIL_CHARS <= len(log_tail.encode(errors="replace")):
        return log_tail
    rest = log_tail.partition("\n")[2]
    return rest if rest.strip() else _back(log_tail)


def _first(pattern: re.Pattern[str], lines: Sequence[str]) -> int | None:
    return next((index for index, line in enumerate(lines) if pattern.search(line)), None)


def _loss(exit_code: int | None, lines: Sequence[str], summary: LogSummary | None) -> str | None:
    """Return what tells of a loss from outside, if the program itself did not fail.

    An executor that was lost and replaced is no reason: the last error decides if there is one.
    """
    if (found := _first(_MASTER_GONE, lines)) is not None:
        return _around(lines, found)
    last = _last_error(lines)
    if (found := _first(_LOST, last or lines)) is not None:
        return _around(last or lines, found)
    if last:
        return None
    if summary is not None and summary.executor_losses:
        return _fit(summary.executor_losses)
    if (signal := _signal(exit_code)) is not None:
        return _fit([f"ended by signal {signal}", *_last(lines)])
    if exit_code in (0, None) or (summary is not None and not summary.ended):
        return _fit(["the application ended without saying why", *_last(lines)])
    return None


def _signal(exit_code: int | None) -> int | None:
    if exit_code is None:
        return None
    if exit_code < 0:
        return -exit_code
    return exit_code - 128 if 128 < exit_code < 128 + 32 else None


def _around(lines: Sequence[str], index: int) -> str:
    """Return the telling line with what belongs to it, without stack frames."""
    before = [line for line in lines[max(0, index - 3) : index] if not _ASIDE.search(line)]
    after = [line for line in lines[index + 1 : index + 60] if not _ASIDE.search(line)]
    return _fit([*before[-2:], lines[index], *after[:4]], important=lines[index])


def _last_error(lines: Sequence[str]) -> list[str]:
    """Return the lines from where the last error starts."""
    starts = [index for index, line in enumerate(lines) if _START.match(line)]
    starts = starts or [index for index, line in enumerate(lines) if _ERROR.search(line)]
    return list(lines[starts[-1] :]) if starts else []


def _error_lines(lines: Sequence[str], said: Sequence[str], exit_code: int | None) -> str:
    telling = _last_error(lines) or list(said) or [f"exit code {exit_code}", *_last(lines)]
    return _fit(_without_repeats(line for line in telling if not _ASIDE.search(line)))


def _last(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if not _ASIDE.search(line)][-8:]


def _without_repeats(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _fit(lines: Iterable[str], *, important: str | None = None) -> str:
    """Return the lines in at most 2,000 characters; the middle gives way, single lines too."""
    kept = [_short(line, 600) for line in lines]
    text = "\n".join(kept).strip()
    if len(text) > MOST_CHARS and important is not None:
        text = "\n".join(kept[: kept.index(_short(important, 600)) + 2])
    return _short(text, MOST_CHARS)


def _short(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head = most // 3
    return f"{_front(text[: head + 1])} … {_back(text[-(most - head - 2) :])}"


def _front(text: str) -> str:
    """Return *text* without its last word, which may be half of one."""
    found = _UP_TO_BLANK.match(text)
    return found[0] if found else ""


def _back(text: str) -> str:
    """Return *text* without its first word, which may be half of one."""
    found = _FROM_BLANK.search(text)
    return found[1] if found else ""
