"""Makes the data of workloads and reads what they answered, for the tests that recompute it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as parquet

from one_jvm import OneJvm

Row = dict[str, Any]
Datasets = Mapping[str, tuple[str, int, dict[str, Any]]]
"""By the name of a workload: its dataset, how many rows, and options of the generator."""

ODD = {
    "spark.sql.shuffle.partitions": "7",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.default.parallelism": "5",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100",
    "spark.sql.files.maxPartitionBytes": "20000",
}


def logged(to: Path) -> dict[str, str]:
    """Configuration that makes a job write its event log as plain text into a new folder."""
    to.mkdir()
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": str(to),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


def made(one_jvm: OneJvm, datasets: Datasets, to: Path, *, seed: int = 7) -> dict[str, Path]:
    """Make every dataset in a folder of its own."""
    return {
        name: one_jvm.make(dataset, to / name, rows=count, seed=seed, **options)
        for name, (dataset, count, options) in datasets.items()
    }


def rows(folder: Path) -> list[Row]:
    """The rows of a table, in an order that doesn't depend on its files."""
    found = parquet.read_table(folder).to_pylist()
    return sorted(found, key=lambda row: str(list(row.values())))


def contents(folder: Path) -> dict[str, list[Row]]:
    """The rows of all tables in a folder."""
    return {table.name: rows(table) for table in sorted(folder.iterdir())}


def frame(folder: Path) -> pd.DataFrame:
    """A table as a frame."""
    return parquet.read_table(folder).to_pandas()


def by(table: list[Row], *keys: str) -> dict[Any, Row]:
    """The rows by one column, or by a tuple of several."""
    found = {tuple(row[key] for key in keys): row for row in table}
    assert len(found) == len(table)
    return {key[0] if len(keys) == 1 else key: row for key, row in found.items()}


def column(table: dict[Any, Row], name: str) -> dict[Any, Any]:
    """One column of rows that :func:`by` keyed."""
    return {key: row[name] for key, row in table.items()}


def texts(folder: Path) -> dict[str, list[str]]:
    """All lines of a dataset, by table and number of the file."""
    return {
        f"{path.parent.name}/{path.name.split('-')[1]}": path.read_text().splitlines()
        for kind in ("csv", "json", "txt")
        for path in sorted(folder.rglob(f"part-*.{kind}"))
    }


def answers(folder: Path, name: str, *, by: list[str]) -> pd.DataFrame:
    """An answer as a frame, in the order of some columns."""
    table = pd.read_parquet(folder / name)
    return table.sort_values(by).reset_index(drop=True)
