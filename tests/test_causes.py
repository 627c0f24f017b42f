"""Causes of failures, from what Spark 4.3 and 3.5 really said when they were made to fail."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.record import Cause
from autotune.spark.causes import LOG_TAIL_CHARS, MOST_CHARS, classify, tells_of_error
from autotune.spark.eventlog import summarise
from autotune.spark.logsummary import LogSummary
from autotune.spark.process import SupervisedProcess

DATA = Path(__file__).parent / "data"
EXPECTED = {
    "heap": (Cause.OUT_OF_MEMORY, ""),
    "maxresult": (Cause.OUT_OF_MEMORY, "is bigger than spark.driver.maxResultSize"),
    "direct": (Cause.OUT_OF_MEMORY, "direct buffer memory"),
    "metaspace": (Cause.OUT_OF_MEMORY, "OutOfMemoryError"),
    "hugeheap": (Cause.OUT_OF_MEMORY, "Could not reserve enough space"),
    "pymem": (Cause.OUT_OF_MEMORY, "MemoryError"),
    "workermem": (Cause.OUT_OF_MEMORY, "MemoryError"),
    "execoom": (Cause.OUT_OF_MEMORY, ""),
    "killself": (Cause.OUT_OF_MEMORY, "SIGKILL"),
    "sigkill": (Cause.OUT_OF_MEMORY, "SIGKILL"),
    "badsize": (Cause.BAD_CONFIG, "Invalid maximum heap size: -Xmx1giga"),
    "codec": (Cause.BAD_CONFIG, "spark.io.compression.codec"),
    "partitions": (Cause.BAD_CONFIG, "spark.sql.shuffle.partitions"),
    "smallheap": (Cause.BAD_CONFIG, "must be at least 471859200"),
    "fraction": (Cause.BAD_CONFIG, "spark.memory.fraction should be between 0 and 1"),
    "serializer": (Cause.BAD_CONFIG, "org.nosuch.Serializer"),
    "xmx": (Cause.BAD_CONFIG, "Not allowed to specify max heap"),
    "twogc": (Cause.BAD_CONFIG, "Multiple garbage collectors selected"),
    "static": (Cause.BAD_CONFIG, "Executor cores must be a positive number"),
    "offheap": (Cause.BAD_CONFIG, "spark.memory.offHeap.size"),
    "kryo": (Cause.BAD_CONFIG, "spark.kryoserializer.buffer.max"),
    "badmaster": (Cause.BAD_CONFIG, "Master must either be yarn or start with"),
    "udf": (Cause.APP_ERROR, "ValueError: no such thing"),
    "zero": (Cause.APP_ERROR, "ZeroDivisionError: division by zero"),
    "sql": (Cause.APP_ERROR, "`nosuch`"),
    "path": (Cause.APP_ERROR, "PATH_NOT_FOUND"),
    "javatask": (Cause.APP_ERROR, "broken row"),
    "killworker": (Cause.APP_ERROR, "Python worker exited unexpectedly"),
    "exit": (Cause.APP_ERROR, "exit code 3"),
    "sigterm": (Cause.LOST, "ended by signal 15"),
    "nomaster": (Cause.LOST, "All masters are unresponsive"),
}
TAILS = sorted((DATA / "tails").glob("*.txt"))


@pytest.mark.parametrize("path", TAILS, ids=lambda path: path.stem)
def test_recorded_failures(path: Path) -> None:
    name, _, rest = path.name.partition("-")
    exit_text = rest.partition(".exit")[2].removesuffix(".txt")
    exit_code = None if exit_text == "timeout" else int(exit_text)
    cause, telling = classify(exit_code, path.read_text(), None)
    expected, words = EXPECTED[name]
    assert (cause, words in telling) == (expected, True), telling
    assert len(telling) <= MOST_CHARS
    assert "at org.apache.spark" not in telling
    assert " INFO " not in telling


def test_every_expectation_was_recorded() -> None:
    assert {path.name.partition("-")[0] for path in TAILS} == set(EXPECTED)


def test_the_event_log_tells_where_the_output_is_silent() -> None:
    summary = summarise(DATA / "eventlogs" / "fail-3.5.gz")
    cause, telling = classify(1, "", summary)
    assert cause is Cause.APP_ERROR
    assert "ValueError: no such thing: 90" in telling


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (
            LogSummary(
                executor_losses=("Container killed by YARN for exceeding memory limits. 5 GB",)
            ),
            Cause.OUT_OF_MEMORY,
        ),
        (LogSummary(executor_losses=("Command exited with code 52",)), Cause.OUT_OF_MEMORY),
        (LogSummary(executor_losses=("Command exited with code 137",)), Cause.OUT_OF_MEMORY),
        (LogSummary(executor_losses=("worker lost: host is gone",)), Cause.LOST),
        (LogSummary(), Cause.LOST),
        (LogSummary(ended=True), Cause.APP_ERROR),
        (LogSummary(ended=True, failure="java.lang.OutOfMemoryError: Java"), Cause.OUT_OF_MEMORY),
    ],
)
def test_summaries(summary: LogSummary, expected: Cause) -> None:
    assert classify(1, "nothing of interest", summary)[0] is expected


@pytest.mark.parametrize(
    ("exit_code", "tail", "expected"),
    [
        (52, "", Cause.OUT_OF_MEMORY),
        (137, "", Cause.OUT_OF_MEMORY),
        (-15, "", Cause.LOST),
        (143, "", Cause.LOST),
        (129, "", Cause.LOST),
        (None, "", Cause.LOST),
        (1, "OpenJDK: Native memory: Cannot allocate memory (errno=12)", Cause.OUT_OF_MEMORY),
        (1, "Error: Could not create the Java Virtual Machine.", Cause.BAD_CONFIG),
        (1, "Unrecognized VM option 'UseMagicGC'", Cause.BAD_CONFIG),
        (1, "java.io.IOException: No space left on device", Cause.OUT_OF_DISK),
        (1, "OSError: [Errno 28] No space left on device", Cause.OUT_OF_DISK),
        (1, "OSError: [Errno 122] Disk quota exceeded", Cause.OUT_OF_DISK),
        # A spill that fails is reported as want of memory.
        (
            1,
            "org.apache.spark.memory.SparkOutOfMemoryError: error while calling spill() on"
            " UnsafeExternalSorter: No space left on device",
            Cause.OUT_OF_DISK,
        ),
        # What an application says of its own must not be taken for Spark's.
        (
            1,
            "Traceback (most recent call last):\nConnectionRefusedError: [Errno 111]",
            Cause.APP_ERROR,
        ),
        (1, "-XX:+ExitOnOutOfMemoryError -XX:OnOutOfMemoryError=kill", Cause.APP_ERROR),
        (
            1,
            "ERROR TaskSchedulerImpl: Lost executor 1 on host: worker lost\n"
            "Traceback (most recent call last):\nZeroDivisionError: division by zero",
            Cause.APP_ERROR,
        ),
        (
            1,
            "Traceback (most recent call last):\nAnalysisException: [X] set "
            '"spark.sql.ansi.enabled" to "false" to bypass this error',
            Cause.APP_ERROR,
        ),
    ],
)
def test_short_tails(exit_code: int | None, tail: str, expected: Cause) -> None:
    assert classify(exit_code, tail, None)[0] is expected


CRASH = "Traceback (most recent call last):\nSparkException: Python worker exited unexpectedly"


@pytest.mark.parametrize(
    ("exit_code", "tail", "short", "expected"),
    [
        (-9, "", None, Cause.OUT_OF_MEMORY),
        (-9, "", True, Cause.OUT_OF_MEMORY),
        (-9, "", False, Cause.LOST),
        (137, "java.lang.OutOfMemoryError: Java heap space", False, Cause.OUT_OF_MEMORY),
        (1, "ERROR Lost executor 0: Command exited with code 137", None, Cause.OUT_OF_MEMORY),
        (1, "ERROR Lost executor 0: Command exited with code 137", False, Cause.LOST),
        (1, CRASH, True, Cause.OUT_OF_MEMORY),
        (1, CRASH, False, Cause.APP_ERROR),
        (1, "Traceback (most recent call last):\nValueError: x", True, Cause.APP_ERROR),
        (-15, "", True, Cause.LOST),
    ],
)
def test_who_was_killed_is_asked_of_the_kernel(
    exit_code: int, tail: str, short: bool | None, expected: Cause
) -> None:
    assert classify(exit_code, tail, None, short)[0] is expected


def test_last_words_tell_of_an_error() -> None:
    assert tells_of_error("26/01/01 10:00:00 INFO x\n" + CRASH)
    assert tells_of_error('Exception in thread "main" java.lang.IllegalStateException')
    assert not tells_of_error("26/01/01 10:00:00 WARN x: Exception\n3 errors were found\n")


@given(st.none() | st.integers(-64, 255), st.text(max_size=500), st.integers(1, 30))
def test_anything_is_classified_briefly(exit_code: int | None, text: str, times: int) -> None:
    cause, telling = classify(exit_code, f"{text}\n" * times, None)
    assert isinstance(cause, Cause)
    assert len(telling) <= MOST_CHARS


def test_an_endless_line_stays_short() -> None:
    telling = classify(1, "java.lang.OutOfMemoryError: Java heap space " + "x" * 100_000, None)[1]
    assert len(telling) <= MOST_CHARS
    assert telling.startswith("java.lang.OutOfMemoryError: Java heap space")


KEY = "kq7Zp2mXv9Rt4Lw8Bn3Yc6Hd1Fg5Js0A"
"""Stands for a secret of the person's, of which no half may be left."""


def halves(text: str) -> list[str]:
    """Return the pieces of the key, so long that they give it away, that are left in a text."""
    return [KEY[i : i + 6] for i in range(len(KEY) - 5) if KEY[i : i + 6] in text]


@pytest.mark.parametrize("kept", range(1, len(KEY)))
def test_half_a_secret_is_not_left_where_the_log_was_cut(kept: int) -> None:
    cut = f"{KEY[-kept:]} is what the driver was given\n"
    filler = "26/01/01 10:00:00 INFO Nothing: much\n"
    log = (cut + filler * LOG_TAIL_CHARS)[:LOG_TAIL_CHARS]
    _, telling = classify(-9, log, None)
    assert halves(telling) == []


@pytest.mark.parametrize("place", range(170, 680, 5))
def test_half_a_secret_is_not_left_where_a_line_was_cut(place: int) -> None:
    words = "and so on " * 100
    line = f"Error: {words[:place]}{KEY} {words}"
    _, telling = classify(1, line, None)
    assert KEY in telling or halves(telling) == []
    named = f"Error: {words[:place]}--password {KEY} {words}"
    _, telling = classify(1, named, None)
    assert halves(telling) == []


def test_the_length_at_which_a_log_was_cut_is_that_of_the_last_words() -> None:
    parameters = inspect.signature(SupervisedProcess.last_words).parameters
    assert parameters["max_chars"].default == LOG_TAIL_CHARS


def test_half_a_secret_is_not_left_where_the_event_log_was_cut() -> None:
    words = "and so on " * 200
    for kept in range(1, len(KEY)):
        failure = (words[: 2000 - kept] + KEY)[:2000]
        summary = LogSummary(failure=f"x{failure[1:]}", executor_losses=("Removed",))
        assert halves(classify(1, "", summary)[1]) == []
