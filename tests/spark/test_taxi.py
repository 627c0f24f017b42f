from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow.parquet as parquet
import pytest

from autotune.datagen import make_data
from autotune.errors import InputError
from autotune.spark.installation import find_installation
from plainly import submit
from workload_answers import logged

pytestmark = pytest.mark.spark

ROWS = 20_000
COLUMNS = """VendorID tpep_pickup_datetime tpep_dropoff_datetime passenger_count trip_distance
    pickup_longitude pickup_latitude RatecodeID store_and_fwd_flag dropoff_longitude
    dropoff_latitude payment_type fare_amount extra mta_tax tip_amount tolls_amount
    improvement_surcharge total_amount""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def taxi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data") / "taxi"
    return make_data("taxi", rows=ROWS, seed=7, to=place, installation=find_installation())


@pytest.fixture(scope="module")
def tables(taxi: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in ("trips", "weather"):
        connection.execute(f"CREATE VIEW {name} AS FROM '{taxi}/{name}/*.parquet'")
    return connection


def one(tables: duckdb.DuckDBPyConnection, query: str) -> float:
    row = tables.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def test_the_record_has_the_published_columns(taxi: Path) -> None:
    trips = parquet.read_table(taxi / "trips")
    assert trips.num_rows == ROWS
    assert trips.column_names == COLUMNS
    assert parquet.read_table(taxi / "weather").num_rows == 26 * 168
    assert [path.name for path in taxi.parent.iterdir()] == ["taxi"]


def test_trips_look_like_trips(tables: duckdb.DuckDBPyConnection) -> None:
    evening = "count(*) FILTER (hour(tpep_pickup_datetime) = 19)"
    dawn = "count(*) FILTER (hour(tpep_pickup_datetime) = 5)"
    assert 5 < one(tables, f"SELECT {evening} / {dawn} FROM trips") < 14
    night = "count(*) FILTER (hour(tpep_pickup_datetime) < 4"
    sunday = f"{night} AND dayofweek(tpep_pickup_datetime) = 0)"
    assert one(tables, f"SELECT {sunday} / {night}) FROM trips") > 0.2
    cells = """SELECT count(*) AS n FROM trips WHERE pickup_latitude > 0
        GROUP BY round(pickup_latitude, 2), round(pickup_longitude, 2)"""
    assert one(tables, f"SELECT count(*) FROM ({cells})") > 300
    assert one(tables, f"SELECT max(n) / sum(n) FROM ({cells})") > 0.05
    airport = "pickup_latitude BETWEEN 40.62 AND 40.66 AND pickup_longitude > -73.81"
    assert 0.015 < one(tables, f"SELECT avg(({airport})::INT) FROM trips") < 0.05
    assert 0.4 < one(tables, "SELECT avg((total_amount < 12)::INT) FROM trips") < 0.7
    assert one(tables, "SELECT max(tip_amount) FROM trips WHERE payment_type = 2") == 0
    assert one(tables, "SELECT count(*) FROM trips WHERE payment_type = 1 AND tip_amount = 0") > 0
    lasting = "avg((tpep_dropoff_datetime <= tpep_pickup_datetime)::INT)"
    assert one(tables, f"SELECT {lasting} FROM trips") == 0
    parts = "fare_amount + extra + mta_tax + tip_amount + tolls_amount + improvement_surcharge"
    assert one(tables, f"SELECT max(abs(total_amount - ({parts}))) FROM trips") < 1e-6


def test_the_same_seed_makes_the_same_trips_on_any_number_of_cores(
    taxi: Path, tmp_path: Path
) -> None:
    for name, master, seed in (("same", "local[1]", 7), ("other", "local[1]", 8)):
        made = submit(
            "taxi_data.py",
            *("--rows", str(ROWS), "--seed", str(seed), "--to", tmp_path / name),
            master=master,
        )
        assert made.returncode == 0, made.stderr
    for table in ("trips", "weather"):
        ours = parquet.read_table(taxi / table)
        assert parquet.read_table(tmp_path / "same" / table).equals(ours)
        assert not parquet.read_table(tmp_path / "other" / table).equals(ours)


def test_asking_again_is_done_at_once_and_nothing_is_replaced(taxi: Path) -> None:
    # No installation is handed over, so a second generation would raise.
    assert make_data("taxi", rows=ROWS, seed=7, to=taxi) == taxi
    with pytest.raises(InputError, match="holds other data"):
        make_data("taxi", rows=ROWS + 1, seed=7, to=taxi)
    again = submit("taxi_data.py", "--rows", "5", "--to", taxi)
    assert again.returncode != 0
    assert json.loads((taxi / "_autotune.json").read_text())["rows"] == ROWS


def test_the_answers_are_right_named_and_independent_of_the_configuration(
    taxi: Path, tables: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    events = tmp_path / "events"
    log = logged(events)
    odd = {"spark.sql.shuffle.partitions": "7", "spark.sql.adaptive.enabled": "false"}
    for name, master, conf in (("a", "local[2]", log), ("b", "local[1]", odd)):
        done = submit(
            "taxi.py", "--data", taxi, "--output", tmp_path / name, master=master, **conf
        )
        assert done.returncode == 0, done.stderr
    names = ["distance_and_tip", "peak_hours", "revenue_by_grid", "weather"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        first, second = (
            sorted(map(str, parquet.read_table(tmp_path / side / name).to_pylist()))
            for side in ("a", "b")
        )
        assert first == second
        assert first
    steps = [json.loads(line) for line in next(events.iterdir()).read_text().splitlines()]
    described = [e["description"] for e in steps if e["Event"].endswith("SQLExecutionStart")]
    assert sorted(described) == names

    def answer(query: str) -> float:
        return one(tables, query.replace("@", f"{tmp_path}/a/"))

    corr = "SELECT corr(trip_distance, tip_amount) FROM trips WHERE payment_type = 1"
    ours = "SELECT correlation FROM '@distance_and_tip/*.parquet' WHERE payment_type = 1"
    assert answer(ours) == pytest.approx(one(tables, corr), abs=1e-9)
    known = "FROM trips WHERE pickup_latitude BETWEEN 40.4 AND 41.1"
    assert answer("SELECT sum(revenue) FROM '@revenue_by_grid/*.parquet'") == pytest.approx(
        one(tables, f"SELECT sum(total_amount) {known} AND pickup_longitude < -73.5"), rel=1e-9
    )
    hours = "SELECT sum(hours * trips_per_hour) FROM '@weather/*.parquet'"
    assert answer(hours) == pytest.approx(ROWS)
    busiest = f"""SELECT max(n) FROM (SELECT count(*) AS n {known}
        GROUP BY date_trunc('hour', tpep_pickup_datetime), round(pickup_latitude * 100),
        round(pickup_longitude * 100))"""
    assert answer("SELECT max(trips) FROM '@peak_hours/*.parquet'") == one(tables, busiest)
