"""The workloads that join or call Python: their answers against a plain recomputation."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as parquet
import pytest

from one_jvm import OneJvm

pytestmark = pytest.mark.spark

Row = dict[str, Any]

DATA = {
    "skew": ("skew", 4_000, {"keys": 300, "hot_share": 0.6}),
    "joins": ("orders", 2_000, {"promotions": 20}),
    "risk": ("positions", 2_000, {"instruments": 150}),
    "records": ("records", 3_000, {"keys": 50}),
}
ODD = {
    "spark.sql.shuffle.partitions": "7",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.default.parallelism": "5",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100",
    "spark.sql.files.maxPartitionBytes": "20000",
}
WAYS = {
    *("expressions", "pickled", "arrow_batched", "pandas", "arrow"),
    *("map_in_pandas", "map_in_arrow"),
}


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(one_jvm, tmp_path_factory.mktemp("data"), seed=7)


@pytest.fixture(scope="module")
def answers(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Every program's answers with the usual configuration."""
    place = tmp_path_factory.mktemp("answers")
    for name in ("skew", "joins", "risk", "udf", "rdd"):
        run(one_jvm, name, data, place / name)
    return place


def made(one_jvm: OneJvm, to: Path, seed: int, names: Iterable[str] = DATA) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for name in names:
        dataset, count, options = DATA[name]
        places[name] = one_jvm.make(dataset, to / name, rows=count, seed=seed, **options)
    return places


def run(
    one_jvm: OneJvm,
    name: str,
    data: dict[str, Path],
    output: Path,
    *arguments: str,
    conf: dict[str, str] | None = None,
) -> None:
    source = data.get(name, data["records"])
    one_jvm.run(f"{name}.py", "--data", source, "--output", output, *arguments, conf=conf)


def rows(folder: Path) -> list[Row]:
    """The rows of a table, in an order that doesn't depend on its files."""
    found = parquet.read_table(folder).to_pylist()
    return sorted(found, key=lambda row: str(list(row.values())))


def contents(folder: Path) -> dict[str, list[Row]]:
    return {table.name: rows(table) for table in sorted(folder.iterdir())}


def frame(folder: Path) -> pd.DataFrame:
    return parquet.read_table(folder).to_pandas()


def by(table: list[Row], *keys: str) -> dict[Any, Row]:
    """The rows by one column, or by a tuple of several."""
    found = {tuple(row[key] for key in keys): row for row in table}
    assert len(found) == len(table)
    return {key[0] if len(keys) == 1 else key: row for key, row in found.items()}


def test_the_same_seed_makes_the_same_data_and_another_one_other_data(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    own = [name for name in DATA if name != "records"]  # which has a test beside its own programs
    again = made(one_jvm, tmp_path / "again", 7, own)
    other = made(one_jvm, tmp_path / "other", 8, own)
    for name in own:
        place = data[name]
        tables = contents(place)
        assert contents(again[name]) == tables
        others = contents(other[name])
        assert others.keys() == tables.keys()
        assert all(others[table] != tables[table] for table in tables)


def test_as_many_facts_are_on_the_hot_keys_as_was_asked_for(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    facts = frame(data["skew"] / "facts")
    shares = facts["key"].value_counts(normalize=True)
    hot = shares[[0, 75, 150, 225]]
    assert hot.sum() == pytest.approx(0.6 + 0.4 * 4 / 300, abs=0.03)
    assert hot[0] == pytest.approx(0.6 * 3 / 4, abs=0.03)
    assert set(shares.index) <= set(range(300))
    even = one_jvm.make("skew", tmp_path / "even", rows=4_000, keys=300, hot_share=0)
    assert frame(even / "facts")["key"].value_counts(normalize=True).max() < 0.02


def test_skew_adds_up_the_fees_and_counts_the_users_of_every_key(
    data: dict[str, Path], answers: Path
) -> None:
    facts, dimension = frame(data["skew"] / "facts"), frame(data["skew"] / "dimension")
    sales = facts.merge(dimension, on="key")
    assert sales["fee_bp"].isna().any()
    found = by(rows(answers / "skew" / "join"), "region", "tier", "channel")
    groups = sales.groupby(["region", "tier", "channel"])
    assert len(found) == groups.ngroups
    for key, group in groups:
        fees = (group["amount_cents"] * group["fee_bp"]).dropna()
        expected = (len(group), group["amount_cents"].sum(), fees.sum() if len(fees) else None)
        assert tuple(found[key][name] for name in ("sales", "cents", "cents_bp")) == expected
    keys = facts.groupby("key").agg(
        sales=("id", "size"), cents=("amount_cents", "sum"), users=("user", "nunique")
    )
    for digits, row in by(rows(answers / "skew" / "aggregation"), "digits").items():
        group = keys[keys["sales"].astype(str).str.len() == digits]
        expected = (len(group), group["sales"].sum(), group["cents"].sum(), group["users"].sum())
        assert tuple(row[name] for name in ("keys", "sales", "cents", "users")) == expected


@pytest.mark.parametrize(
    ("salt", "broadcast", "conf"),
    [("7", "no", {}), ("3", "yes", ODD), ("1", "no", ODD)],
)
def test_salt_and_broadcast_change_nothing_about_the_answers(
    one_jvm: OneJvm,
    data: dict[str, Path],
    answers: Path,
    tmp_path: Path,
    salt: str,
    broadcast: str,
    conf: dict[str, str],
) -> None:
    given = ("--salt", salt, "--broadcast", broadcast)
    run(one_jvm, "skew", data, tmp_path, *given, conf=conf)
    assert contents(tmp_path) == contents(answers / "skew")


@pytest.mark.parametrize("name", ["joins", "risk", "udf", "rdd"])
def test_no_configuration_changes_the_answers(
    one_jvm: OneJvm, data: dict[str, Path], answers: Path, tmp_path: Path, name: str
) -> None:
    given = ("--hints", "no") if name == "joins" else ()
    run(one_jvm, name, data, tmp_path, *given, conf=ODD)
    found = contents(tmp_path)
    assert found == contents(answers / name)
    assert all(found.values())


def test_joins_answers_all_of_its_questions(data: dict[str, Path], answers: Path) -> None:
    tables = contents(data["joins"])
    orders, customers = by(tables["orders"], "id"), by(tables["customers"], "id")
    products, found = by(tables["products"], "id"), contents(answers / "joins")

    quantity: Counter[Any] = Counter()
    margin: Counter[Any] = Counter()
    month: Counter[Any] = Counter()
    for item in tables["items"]:
        product, order = products[item["product_id"]], orders[item["order_id"]]
        group = (product["category"], product["brand"])
        quantity[group] += item["quantity"]
        margin[group] += item["quantity"] * (item["price_cents"] - product["cost_cents"])
        month[order["placed"].month, order["state"]] += item["quantity"] * item["price_cents"]
    sold = by(found["broadcast"], "category", "brand")
    assert {key: row["quantity"] for key, row in sold.items()} == quantity
    assert {key: row["margin_cents"] for key, row in sold.items()} == margin
    months = by(found["sort_merge"], "month", "state")
    assert {key: row["cents"] for key, row in months.items()} == month
    assert sum(row["orders"] for row in months.values()) == len(orders)

    segments: dict[Any, list[int]] = {}
    for order in orders.values():
        if customer := customers.get(order["customer_id"]):
            key = (customer["segment"], customer["country"])
            segments.setdefault(key, []).append(customer["id"])
    assert {
        key: (row["orders"], row["customers"])
        for key, row in by(found["shuffled_hash"], "segment", "country").items()
    } == {key: (len(ids), len(set(ids))) for key, ids in segments.items()}

    ordered = {order["customer_id"] for order in orders.values()}
    matched = Counter(
        customers[order["customer_id"]]["country"]
        for order in orders.values()
        if order["customer_id"] in customers
    )
    idle = Counter(row["country"] for key, row in customers.items() if key not in ordered)
    outer = by(found["outer"], "country")
    for country, row in outer.items():
        assert row["orders"] == matched[country]
        assert row["customers_without_order"] == idle[country]
    nobody = len(orders) - matched.total()
    assert outer[None]["orders_of_nobody"] == nobody > 0
    assert sum(row["orders_of_nobody"] for row in outer.values()) == nobody

    large = {item["order_id"] for item in tables["items"] if item["quantity"] >= 6}
    buyers = {
        order["customer_id"]
        for key, order in orders.items()
        if key in large and order["placed"].month >= 10
    }
    bought = Counter((row["country"], key in buyers) for key, row in customers.items())
    assert {
        key: row["customers"] for key, row in by(found["semi"], "country", "bought").items()
    } == bought

    placed = [order["placed"] for order in orders.values()]
    during = {
        row["id"]: sum(row["starts"] <= moment < row["ends"] for moment in placed)
        for row in tables["promotions"]
    }
    promoted = {key: row["orders"] for key, row in by(found["range"], "promotion_id").items()}
    assert promoted == {key: count for key, count in during.items() if count}


def half_up(value: Decimal, digits: int = 4) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def test_risk_is_exact_to_the_last_digit(data: dict[str, Path], answers: Path) -> None:
    tables, found = contents(data["risk"]), contents(answers / "risk")
    prices = by(tables["prices"], "instrument_id", "day")
    rates = by(tables["rates"], "currency", "day")
    factors: dict[int, list[Row]] = {}
    for row in tables["exposures"]:
        factors.setdefault(row["instrument_id"], []).append(row)
    held: Counter[Any] = Counter()
    exposures: dict[Any, Decimal] = {}
    missing = 0
    for row in tables["positions"]:
        instrument, day, portfolio = (
            row[name] for name in ("instrument_id", "day", "portfolio_id")
        )
        price = prices[instrument, day]
        if price["price"] is None:
            missing += 1
            continue
        rate = rates[price["currency"], day]["rate"]
        value = half_up(half_up(row["quantity"] * price["price"]) * rate)
        held[day, portfolio, instrument] += value
        for factor in factors.get(instrument, []):
            key = (day, portfolio, factor["factor"])
            exposures[key] = exposures.get(key, Decimal(0)) + value * factor["exposure"]
    assert sum(row["without_price"] for row in found["values"]) == missing > 0
    sides = [row[name] or 0 for row in found["values"] for name in ("long", "short")]
    assert sum(sides) == sum(held.values())

    summed = by(found["exposures"], "day", "portfolio_id", "factor")
    assert {k: row["exposure"] for k, row in summed.items() if row["positions"]} == exposures

    limits = by(tables["limits"], "portfolio_id", "factor")
    breached = by(found["breaches"], "day", "portfolio_id", "factor")
    beyond = {
        key: abs(value) - limit
        for key, value in exposures.items()
        if (limit := limits[key[1], key[2]]["limit"]) is not None and abs(value) > limit
    }
    assert beyond
    assert {key: row["beyond"] for key, row in breached.items()} == beyond
    for row in breached.values():
        assert row["used"] == half_up(half_up(abs(row["exposure"]), 2) / row["limit"])

    largest: dict[Any, list[Any]] = {}
    for (day, portfolio, instrument), value in held.items():
        largest.setdefault((day, portfolio), []).append((-abs(value), instrument))
    for row in found["concentration"]:
        ranked = sorted(largest[row["day"], row["portfolio_id"]])
        assert ranked[row["place"] - 1] == (-abs(row["value"]), row["instrument_id"])


def test_every_kind_of_function_gives_the_same_score(data: dict[str, Path], answers: Path) -> None:
    found = contents(answers / "udf")
    assert found.keys() <= WAYS
    assert len(found) >= 6
    scores: dict[str, list[int]] = {}
    for row in rows(data["records"] / "records"):
        price = row["amount_cents"] * row["quantity"] * (100 - 5 * min(row["quantity"], 6))
        points = 7 * (row["note"] or "").count(" ") + row["payload"].count("7")
        scores.setdefault(row["category"], []).append(price + points)
    expected = {
        category: (len(some), sum(some), min(some), max(some)) for category, some in scores.items()
    }
    for scored in found.values():
        assert {
            row["category"]: (row["records"], row["score"], row["lowest"], row["highest"])
            for row in scored
        } == expected


def test_rdd_answers_all_of_its_questions(data: dict[str, Path], answers: Path) -> None:
    records, found = rows(data["records"] / "records"), contents(answers / "rdd")
    cents: Counter[Any] = Counter()
    spent: Counter[int] = Counter()
    keys: dict[int, list[tuple[int, int]]] = {}
    for row in records:
        cents[row["category"], row["country"]] += row["amount_cents"]
        spent[row["user"]] += row["amount_cents"]
        keys.setdefault(row["key"], []).append((row["amount_cents"], row["id"]))
    totals = by(found["reduce_by_key"], "category", "country")
    assert {key: row["cents"] for key, row in totals.items()} == cents
    assert sum(row["purchases"] for row in totals.values()) == len(records)

    dearest = by(found["group_by_key"], "key", "place")
    assert {key: (row["cents"], row["id"]) for key, row in dearest.items()} == {
        (key, place): pair
        for key, pairs in keys.items()
        for place, pair in enumerate(heapq.nlargest(3, pairs), 1)
    }

    tenths: Counter[int] = Counter()
    for row in records:
        own, whole = row["amount_cents"], spent[row["user"]]
        if own >= 100_000:
            tenths[min(11, 10 * own // whole) if whole > 0 else 11] += 1
    assert {key: row["purchases"] for key, row in by(found["join"], "tenth").items()} == tenths

    ranked = sorted((row["amount_cents"], row["id"]) for row in records)
    for place, row in by(found["sort"], "place").items():
        assert (row["cents"], row["id"]) == ranked[place]
    assert len(found["sort"]) == len(ranked[:: len(ranked) // 1000])

    pairs = {(row["user"], row["category"], row["country"]) for row in records}
    assert {row["category"]: row["pairs"] for row in found["distinct"]} == Counter(
        category for _, category, _ in pairs
    )
