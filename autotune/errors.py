"""The exception family: everything that stops a command, with its exit code.

    AutotuneError            exit code 2
    ├── InputError           a file, key, path or flag that the person can put right
    │   └── NewerVersion     what a newer autotune wrote
    ├── EnvironmentFault     Java, Spark, disk or a server that is missing or refuses
    ├── StudyConflict        a study that may not be continued, or is in use
    ├── UnsafeWorkload       a job that is not safe to repeat
    └── NoUsableResult       exit code 1: finished, but there is nothing to recommend

A trial that fails is data, not one of these.
"""

from __future__ import annotations

import re

MOST_CHARS = 1000
_MOST_CHARS_OF_MANY_LINES = 6000
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")


class AutotuneError(Exception):
    """The root; the command line prints its one-line message and exits with ``exit_code``.

    A message may quote what a file says, so whatever could break the line or steer a terminal is
    written as an escape, and the middle of an overlong one is left out.
    """

    exit_code = 2

    def __init__(self, message: str = "") -> None:
        super().__init__(_visible(_LINE_BREAK.sub(" ", message), MOST_CHARS))


class InputError(AutotuneError):
    """Something the person wrote or named is wrong; says what, where and what to do."""


class NewerVersion(InputError):
    """It was written by a newer autotune."""


class EnvironmentFault(AutotuneError):
    """Something around us is missing, full or refuses; says what and how to mend it."""


class StudyConflict(AutotuneError):
    """The study exists with another meaning, or another process works on it."""


class UnsafeWorkload(AutotuneError):
    """The job writes outside its scratch folder, so it is not executed again."""


class NoUsableResult(AutotuneError):
    """The command did its work and has no answer to give; may quote several lines of a job."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        most = _MOST_CHARS_OF_MANY_LINES
        lines = message.splitlines()
        Exception.__init__(self, "\n".join(_visible(line, most) for line in lines)[:most])


def _visible(text: str, most: int) -> str:
    """Return *text* without its middle where it is too long, and with control codes escaped."""
    if len(text) > most:
        head = most * 2 // 3
        text = f"{text[:head]} … {text[len(text) - (most - head - 3) :]}"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
