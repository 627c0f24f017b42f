"""The exception family: everything that stops a command, with its exit code.

    AutotuneError            exit code 2
    ├── InputError           a file, key, path or flag that the person can put right
    ├── EnvironmentFault     Java, Spark, disk or a server that is missing or refuses
    ├── StudyConflict        a study that may not be continued, or is in use
    ├── UnsafeWorkload       a job that is not safe to repeat
    └── NoUsableResult       exit code 1: finished, but there is nothing to recommend

A trial that fails is data, not one of these.
"""

from __future__ import annotations


class AutotuneError(Exception):
    """The root; the command line prints its one-line message and exits with ``exit_code``."""

    exit_code = 2


class InputError(AutotuneError):
    """Something the person wrote or named is wrong; says what, where and what to do."""


class EnvironmentFault(AutotuneError):
    """Something around us is missing, full or refuses; says what and how to mend it."""


class StudyConflict(AutotuneError):
    """The study exists with another meaning, or another process works on it."""


class UnsafeWorkload(AutotuneError):
    """The job writes outside its scratch folder, so it is not executed again."""


class NoUsableResult(AutotuneError):
    """The command did its work and has no answer to give."""

    exit_code = 1
