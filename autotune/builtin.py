"""The Spark programs that come with autotune: where they are, how they are called, what they read.

The programs are found by path and never imported, so that nothing here needs pyspark.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from autotune.domain import Value
from autotune.errors import InputError

_PROGRAMS = Path(__file__).parent / "workloads"
_READ_AND_WRITE = ("--data", "{data}", "--output", "{output}")


class Size(StrEnum):
    """Sizes of data that every built-in workload has."""

    S = "S"
    M = "M"
    L = "L"


class Dataset(Value):
    """Data that a program of ours makes."""

    name: str
    version: int = 1
    """Raised when the generator makes other rows of the same numbers."""
    options: dict[str, str] = Field(default={})
    """What its generator is always told beside rows and seed, with the values by default."""
    settable: tuple[str, ...] = ()
    """What people may choose of it; what is no option above is the generator's own if unset."""

    @property
    def program(self) -> Path:
        """The generator, a Spark program that stands alone."""
        return _PROGRAMS / f"{self.name}_data.py"


_RECORDS = Dataset(name="records", settable=("keys",))


class Builtin(Value):
    """One program that comes with autotune."""

    name: str
    path: Path
    arguments: tuple[str, ...] = _READ_AND_WRITE
    """With ``{data}`` and ``{output}``, which are filled in per execution."""
    stresses: str = ""
    dataset: Dataset | None = None
    rows: dict[Size, int] = Field(default={})
    """How many rows each size has, of the main table; times are in docs/workloads.md."""


def _builtin(name: str, dataset: Dataset, rows: tuple[int, int, int], stresses: str) -> Builtin:
    path = _PROGRAMS / f"{name.replace('-', '_')}.py"
    sizes = dict(zip(Size, rows, strict=True))
    return Builtin(name=name, path=path, stresses=stresses, dataset=dataset, rows=sizes)


BUILTINS = (
    _builtin(
        "taxi",
        Dataset(name="taxi"),
        (200_000, 1_000_000, 3_000_000),
        "scans, wide aggregates, a window over many small groups, a join on the hour",
    ),
    _builtin(
        "partitions",
        _RECORDS,
        (10_000, 300_000, 2_000_000),
        "what a partition more or less costs: one aggregation at 1, 2, 4, 8, 16 … of them",
    ),
    _builtin(
        "caching",
        _RECORDS,
        (100_000, 400_000, 1_500_000),
        "storage memory against execution memory: one table read by several aggregations",
    ),
    _builtin(
        "aggregations",
        _RECORDS,
        (100_000, 400_000, 1_500_000),
        "hash aggregation: few and many groups, exact and approximate distinct, percentiles",
    ),
    _builtin(
        "windows",
        _RECORDS,
        (50_000, 200_000, 1_000_000),
        "sorting within groups: ranks, running sums, gaps",
    ),
    _builtin(
        "sort",
        _RECORDS,
        (100_000, 400_000, 1_500_000),
        "a range shuffle of wide rows, spills, codecs",
    ),
    _builtin(
        "udf",
        _RECORDS,
        (20_000, 100_000, 300_000),
        "Python workers: rows one by one, in pandas batches, in Arrow batches",
    ),
    _builtin(
        "rdd",
        _RECORDS,
        (20_000, 100_000, 300_000),
        "shuffles of objects, where the serialiser and the default parallelism matter",
    ),
    _builtin(
        "skew",
        Dataset(
            name="skew",
            options={"hot-share": "0.8"},
            settable=("hot-share", "hot-keys", "keys"),
        ),
        (100_000, 1_000_000, 3_000_000),
        "a join and an aggregation with most rows on a few keys",
    ),
    _builtin(
        "joins",
        Dataset(name="orders", settable=("promotions",)),
        (50_000, 300_000, 1_000_000),
        "broadcast, sort-merge, shuffled-hash, outer, semi and range joins",
    ),
    _builtin(
        "risk",
        Dataset(name="positions", settable=("instruments",)),
        (50_000, 200_000, 600_000),
        "decimal arithmetic, small factor tables that fit a broadcast, exact sums",
    ),
    _builtin(
        "ingest",
        Dataset(name="feed", options={"for": "ingest"}),
        (50_000, 200_000, 600_000),
        "reading and writing CSV, JSON, Parquet and ORC; codecs and row groups",
    ),
    _builtin(
        "etl",
        Dataset(name="feed", options={"for": "etl"}),
        (50_000, 200_000, 600_000),
        "many small text files, parsing, de-duplication, partitioned writes",
    ),
    _builtin(
        "clicks",
        Dataset(name="clicks", version=2, settable=("files", "format")),
        (50_000, 200_000, 600_000),
        "Structured Streaming: micro-batches, state with a watermark, windowed counts",
    ),
    _builtin(
        "features-ml",
        Dataset(name="visits"),
        (10_000, 30_000, 100_000),
        "a feature pipeline and cross-validated training: many short jobs over cached data",
    ),
    _builtin(
        "als",
        Dataset(name="ratings", settable=("per-user", "per-item")),
        (20_000, 60_000, 200_000),
        "alternating least squares: iterations of shuffles over small blocks",
    ),
    _builtin(
        "graph",
        Dataset(name="edges", settable=("degree", "tail")),
        (10_000, 50_000, 200_000),
        "page rank and connected components: iterated joins and a growing lineage",
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
