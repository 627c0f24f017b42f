"""Spark's answers to all 22 queries against DuckDB's, on the same tables and on its own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from autotune.datagen import make_data
from autotune.tpch import tpch_answers, tpch_queries
from plainly import submit

pytestmark = pytest.mark.spark

SCALE = 0.01
# DuckDB draws the words of comments in its own way, and query 13 counts by them.
BY_COMMENT = {13}


def test_all_queries_give_what_duckdb_gives(tmp_path: Path) -> None:
    data = make_data("tpch", scale=SCALE, to=tmp_path / "tpch")
    out = tmp_path / "out"
    done = submit("sql.py", "--tables", data, "--queries", data / "queries", "--output", out)
    assert done.returncode == 0, done.stderr
    connection = duckdb.connect()
    for table in (data / "tables").glob("*.parquet"):
        connection.execute(f"CREATE VIEW {table.stem} AS FROM '{table}'")
    answers = tpch_answers(SCALE)
    for number, query in tpch_queries().items():
        wanted = sorted(connection.execute(query).fetchall(), key=str)
        found = connection.execute(f"FROM '{out}/q{number:02d}/*.parquet'").fetchall()
        assert len(found) == len(wanted), f"query {number}"
        for one, other in zip(sorted(found, key=str), wanted, strict=True):
            assert all(map(same, one, other)), f"query {number}: {one} is not {other}"
        if number not in BY_COMMENT:
            own = answers[number].removesuffix("\n").split("\n")[1:]
            assert len(found) == len(own), f"query {number}"


def same(one: object, other: object) -> bool:
    if isinstance(one, Decimal | float) and isinstance(other, Decimal | float):
        return float(one) == pytest.approx(float(other), rel=1e-6, abs=1e-6)
    return one == other
