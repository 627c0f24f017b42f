"""The workloads over the table of purchases, against a plain recomputation in another engine."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from one_jvm import OneJvm
from workload_answers import logged

pytestmark = pytest.mark.spark

ROWS = 10_000
ODD = {"spark.sql.shuffle.partitions": "7", "spark.sql.adaptive.enabled": "false"}
ONE = {
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.files.maxPartitionBytes": "300k",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.codegen.wholeStage": "false",
}
PROGRAMS = {
    "partitions": ["partitions_3", "partitions_1", "partitions_own"],
    "caching": ["agents", "coupons", "dearest", "notes", "products", "weeks"],
    "aggregations": [
        *("few_groups", "many_groups", "cube", "distinct_exact", "distinct_approximate"),
        *("percentiles_exact", "percentiles_approximate"),
    ],
    "windows": ["ranks", "running_sums", "gaps", "moving_week"],
    "sort": ["by_amount", "by_text", "by_place_and_time"],
}
ARGUMENTS = {"partitions": ["--partitions", "3,1"]}
LEVELS = {
    "NONE": None,
    "MEMORY_ONLY": "StorageLevel(memory, deserialized, 1 replicas)",
    "MEMORY_ONLY_SER": "StorageLevel(memory, 1 replicas)",
    "MEMORY_AND_DISK": "StorageLevel(disk, memory, deserialized, 1 replicas)",
    "MEMORY_AND_DISK_SER": "StorageLevel(disk, memory, 1 replicas)",
    "MEMORY_AND_DISK_2": "StorageLevel(disk, memory, deserialized, 2 replicas)",
    "DISK_ONLY": "StorageLevel(disk, 1 replicas)",
}
SUMS = """count(*), count(note), sum(quantity), sum(amount_cents), min(amount_cents),
    max(amount_cents), max(moment)"""
SHOWN = "count(*), sum(quantity), sum(amount_cents), sum(shown_ms)"


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_jvm.make("records", tmp_path_factory.mktemp("data") / "records", rows=ROWS)


@pytest.fixture(scope="module")
def tables(data: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW records AS FROM '{data}/records/*.parquet'")
    connection.execute("""CREATE VIEW prepared AS SELECT id, "user", amount_cents, quantity,
        category, country, note, payload->>'$.session' AS session, payload->>'$.agent' AS agent,
        payload->>'$.path' AS path, (payload->>'$.shown_ms')::BIGINT AS shown_ms,
        payload->>'$.coupon' AS coupon, split_part(path, '/', 4)::INT AS product,
        weekofyear(moment) AS week, len(string_split(coalesce(note, ''), ' ')) AS words
        FROM records""")
    return connection


@pytest.fixture(scope="module")
def answers(
    one_jvm: OneJvm, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def answer(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            run(one_jvm, name, data, made[name], {})
        return made[name]

    return answer


def run(one_jvm: OneJvm, name: str, data: Path, to: Path, conf: dict[str, str]) -> None:
    given = ARGUMENTS.get(name, [])
    one_jvm.run(f"{name}.py", "--data", data, "--output", to, *given, conf=conf)


def agree(tables: duckdb.DuckDBPyConnection, folder: Path, query: str) -> None:
    """Fail unless the answer in a folder has exactly the rows of a query, in any order."""
    ours = f"SELECT * FROM '{folder}/*.parquet'"
    first, second = (f"(({a}) EXCEPT ALL ({b}))" for a, b in ((ours, query), (query, ours)))
    assert tables.execute(f"{first} UNION ALL {second} LIMIT 5").fetchall() == []
    assert tables.execute(f"SELECT count(*) > 0 FROM ({ours})").fetchone() == (True,)


def one(tables: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = tables.execute(query).fetchone()
    assert row is not None
    return row[0]


def texts(folder: Path) -> list[str]:
    return sorted(map(str, parquet.read_table(folder).to_pylist()))


def in_rows(folder: Path) -> pa.Table:
    return parquet.read_table(folder / "records").sort_by("id")


def test_the_same_seed_makes_the_same_records_on_any_number_of_cores(
    one_jvm: OneJvm, data: Path, tmp_path: Path
) -> None:
    for name, seed in (("same", 7), ("other", 8)):
        (tmp_path / name).mkdir()
        given = (f"--rows={ROWS}", f"--seed={seed}", "--to", tmp_path / name)
        one_jvm.run("records_data.py", *given, conf=ONE)
    assert in_rows(tmp_path / "same").equals(in_rows(data))
    assert not in_rows(tmp_path / "other").equals(in_rows(data))
    assert len(list((data / "records").glob("*.parquet"))) == 2


def test_the_records_look_like_purchases(tables: duckdb.DuckDBPyConnection) -> None:
    assert one(tables, "SELECT count(DISTINCT id) FROM records") == ROWS
    assert 900 < one(tables, "SELECT count(DISTINCT key) FROM records") <= 1000
    assert ROWS // 14 < one(tables, 'SELECT count(DISTINCT "user") FROM records') <= ROWS // 10
    assert one(tables, "SELECT count(DISTINCT category) FROM records") == 20
    assert one(tables, "SELECT count(DISTINCT country) FROM records") == 50
    largest = "SELECT max(n) / sum(n) FROM (SELECT count(*) AS n FROM records GROUP BY {})"
    assert 0.02 < one(tables, largest.format("key")) < 0.05
    assert 0.15 < one(tables, largest.format("country")) < 0.3
    assert 0.1 < one(tables, "SELECT avg((note IS NULL)::INT) FROM records") < 0.2
    assert 180 < one(tables, "SELECT avg(length(payload)) FROM records") < 230
    assert one(tables, "SELECT bool_and(json_valid(payload)) FROM records")
    assert one(tables, "SELECT bool_and(year(moment) = 2024) FROM records")
    assert 0 < one(tables, "SELECT avg((amount_cents < 0)::INT) FROM records") < 0.05
    assert one(tables, "SELECT min(quantity) || '-' || max(quantity) FROM records") == "1-12"


@pytest.mark.parametrize("name", PROGRAMS)
def test_answers_do_not_depend_on_the_configuration(
    one_jvm: OneJvm, data: Path, answers: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    usual = answers(name)
    assert sorted(path.name for path in usual.iterdir()) == sorted(PROGRAMS[name])
    for number, conf in enumerate((ODD, ONE)):
        run(one_jvm, name, data, tmp_path / str(number), conf)
        for step in PROGRAMS[name]:
            assert texts(tmp_path / str(number) / step) == texts(usual / step), step


def test_every_number_of_partitions_gives_the_same_right_answer(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    query = """SELECT purchases, count(*), sum(cents), max(dearest), sum(letters), max(last) FROM (
        SELECT count(*) AS purchases, sum(amount_cents) AS cents, max(amount_cents) AS dearest,
        sum(length(note)) AS letters, max(moment) AS last FROM records GROUP BY "user")
        GROUP BY purchases"""
    for step in PROGRAMS["partitions"]:
        agree(tables, answers("partitions") / step, query)


def test_prepared_records_are_summed_up_rightly(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    queries = {
        "products": f"SELECT product, {SHOWN} FROM prepared GROUP BY 1",
        "agents": f"""SELECT agent, contains(agent, 'Mobile'), {SHOWN}, max(session)
            FROM prepared GROUP BY 1, 2""",
        "weeks": f"SELECT week, country, {SHOWN} FROM prepared GROUP BY 1, 2",
        "notes": f"SELECT category, words, {SHOWN}, max(note) FROM prepared GROUP BY 1, 2",
        "coupons": f"SELECT substring(coupon, 1, 2), {SHOWN} FROM prepared GROUP BY 1",
        "dearest": "SELECT * FROM prepared ORDER BY amount_cents DESC, id LIMIT 100",
    }
    for step, query in queries.items():
        agree(tables, answers("caching") / step, query)


@pytest.mark.parametrize("level", LEVELS)
def test_answers_do_not_depend_on_the_storage_level(
    one_jvm: OneJvm, data: Path, answers: Callable[[str], Path], tmp_path: Path, level: str
) -> None:
    events = tmp_path / "events"
    log = logged(events)
    given = ("--data", data, "--output", tmp_path / "out", "--storage-level", level)
    one_jvm.run("caching.py", *given, conf=log)
    for step in PROGRAMS["caching"]:
        assert texts(tmp_path / "out" / step) == texts(answers("caching") / step), step
    told = next(events.iterdir()).read_text()
    if (kept := LEVELS[level]) is None:
        assert "InMemoryRelation" not in told
    else:
        assert "InMemoryRelation" in told
        assert kept in told


def test_groups_are_summed_up_and_counted_rightly(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    queries = {
        "few_groups": f"SELECT category, {SUMS} FROM records GROUP BY 1",
        "many_groups": """SELECT category, purchases, count(*), sum(cents),
            sum(dearest - cheapest), max(last) FROM (
            SELECT category, count(*) AS purchases, sum(amount_cents) AS cents,
            max(amount_cents) AS dearest, min(amount_cents) AS cheapest, max(moment) AS last
            FROM records GROUP BY "user", category) GROUP BY 1, 2""",
        "cube": f"""SELECT category, country, grouping(category, country), {SUMS}
            FROM records GROUP BY CUBE (category, country)""",
        "distinct_exact": """SELECT category, count(DISTINCT "user"), count(DISTINCT key),
            count(DISTINCT country), count(DISTINCT note) FROM records GROUP BY 1""",
    }
    for step, query in queries.items():
        agree(tables, answers("aggregations") / step, query)


def test_approximate_counts_are_near_the_exact_ones(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    folder = answers("aggregations") / "distinct_approximate"
    worst, usual = (
        one(
            tables,
            f"""SELECT {measure}(abs(ours.payload / exact.payload - 1)) FROM '{folder}/*.parquet'
            AS ours JOIN (SELECT key, count(DISTINCT payload) AS payload FROM records GROUP BY key)
            AS exact USING (key) WHERE exact.payload >= 20""",
        )
        for measure in ("max", "avg")
    )
    assert 0 < usual < 0.05
    assert worst < 0.25


def test_percentiles_are_right_or_near(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    records = tables.execute("SELECT country, amount_cents FROM records").df()
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    cents_of = dict(list(records.groupby("country")["amount_cents"]))
    ours = pd.read_parquet(answers("aggregations") / "percentiles_exact")
    assert len(ours) == 50
    for country, cents in zip(ours["country"], ours["cents"], strict=True):
        assert list(cents) == pytest.approx(cents_of[country].quantile(shares).tolist())
    near = pd.read_parquet(answers("aggregations") / "percentiles_approximate")
    assert sorted(set(zip(near["asked"], near["near"], strict=True))) == [(5, 5)]


def test_windows_see_the_right_neighbours(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    queries = {
        "ranks": """SELECT place, category, count(*), sum(amount_cents), sum(level), sum("of"),
            sum(length(note)) FROM (SELECT *,
            row_number() OVER (PARTITION BY "user" ORDER BY amount_cents DESC, id) AS place,
            dense_rank() OVER (PARTITION BY "user" ORDER BY quantity DESC) AS level,
            count(*) OVER (PARTITION BY "user") AS "of" FROM records) WHERE place <= 3
            GROUP BY 1, 2""",
        "running_sums": """SELECT key, max(so_far), min(so_far), sum(so_far)::DECIMAL(38,0),
            min(moment) FILTER (so_far * 2 >= earned) FROM (SELECT *,
            sum(amount_cents) OVER (PARTITION BY key ORDER BY moment, id) AS so_far,
            sum(amount_cents) OVER (PARTITION BY key) AS earned FROM records) GROUP BY 1""",
        "gaps": """SELECT days, count(*), sum(stayed), sum(visit), sum(amount_cents) FROM (
            SELECT *, sum(CASE WHEN days >= 30 THEN 1 ELSE 0 END) OVER in_time AS visit FROM (
            SELECT *, (epoch(moment) - epoch(lag(moment) OVER in_time))::BIGINT // 86400 AS days,
            (category = lag(category) OVER in_time)::INT AS stayed FROM records
            WINDOW in_time AS (PARTITION BY "user" ORDER BY moment, id))
            WINDOW in_time AS (PARTITION BY "user" ORDER BY moment, id)) GROUP BY 1""",
        "moving_week": """SELECT country, max(cents), max(purchases), sum(cents)::DECIMAL(38,0)
            FROM (SELECT country, sum(amount_cents) OVER week AS cents, count(*) OVER week
            AS purchases FROM records WINDOW week AS (PARTITION BY country ORDER BY moment
            RANGE BETWEEN INTERVAL '604799 seconds' PRECEDING AND CURRENT ROW)) GROUP BY 1""",
    }
    for step, query in queries.items():
        agree(tables, answers("windows") / step, query)


def test_the_checksum_of_an_order_is_that_of_the_sorted_rows(
    tables: duckdb.DuckDBPyConnection, answers: Callable[[str], Path]
) -> None:
    orders = {
        "by_amount": "amount_cents DESC, quantity, id",
        "by_text": "note ASC NULLS LAST, category DESC, id",
        "by_place_and_time": "country, moment, id",
    }
    for step, order in orders.items():
        rows = tables.execute(f"SELECT * FROM records ORDER BY {order}").fetchall()
        lines = ("|".join(str(value) for value in row if value is not None) for row in rows)
        checksum = sum(
            (zlib.crc32(line.encode()) >> 2) * place for place, line in enumerate(lines)
        )
        (ours,) = parquet.read_table(answers("sort") / step).to_pylist()
        assert (ours["rows"], int(ours["checksum"])) == (ROWS, checksum)
