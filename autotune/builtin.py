"""The Spark programs that come with autotune: where they are and how they are called.

The programs are found by path and never imported, so that nothing here needs pyspark.
"""

from __future__ import annotations

from pathlib import Path

from autotune.domain import Value
from autotune.errors import InputError

_PROGRAMS = Path(__file__).parent / "workloads"


class Builtin(Value):
    """One program that comes with autotune."""

    name: str
    path: Path
    arguments: tuple[str, ...]
    """With ``{data}`` and ``{output}``, which are filled in per execution."""
    generator: str | None = None
    """The name of the data that it reads, as ``autotune data`` knows it."""
    stresses: str = ""


BUILTINS = (
    Builtin(
        name="taxi",
        path=_PROGRAMS / "taxi.py",
        arguments=("--data", "{data}", "--output", "{output}"),
        generator="taxi",
        stresses="scans, wide aggregates, a window over many small groups, a join on the hour",
    ),
)


def find(name: str) -> Builtin:
    """Return the built-in workload of that name.

    Raises:
        InputError: there is none.
    """
    for builtin in BUILTINS:
        if builtin.name == name:
            return builtin
    known = ", ".join(builtin.name for builtin in BUILTINS)
    message = f"workload: builtin: '{name}' is not built in; choose one of: {known}"
    raise InputError(message)


def sql_program(queries: Path) -> Builtin:
    """Return the program that runs a folder of SQL files over the tables of the data."""
    folder = str(queries.absolute())
    return Builtin(
        name="sql",
        path=_PROGRAMS / "sql.py",
        arguments=("--tables", "{data}", "--queries", folder, "--output", "{output}"),
        stresses="whatever its queries do",
    )
