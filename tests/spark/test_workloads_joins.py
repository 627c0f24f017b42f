"""The workloads that join, skew and joins: their answers against a plain recomputation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from one_jvm import OneJvm
from workload_answers import ODD, Datasets, Row, by, column, contents, frame, logged, made, rows

pytestmark = pytest.mark.spark

DATA: Datasets = {
    "skew": ("skew", 4_000, {"keys": 300, "hot_share": 0.6}),
    "joins": ("orders", 2_000, {"promotions": 20}),
}


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(one_jvm, DATA, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def answers(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Both programs' answers with the usual configuration."""
    place = tmp_path_factory.mktemp("answers")
    for name in DATA:
        run(one_jvm, name, data, place / name)
    return place


def run(
    one_jvm: OneJvm,
    name: str,
    data: dict[str, Path],
    output: Path,
    *arguments: str,
    conf: dict[str, str] | None = None,
) -> None:
    one_jvm.run(f"{name}.py", "--data", data[name], "--output", output, *arguments, conf=conf)


def test_the_same_seed_makes_the_same_data_and_another_one_other_data(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    again = made(one_jvm, DATA, tmp_path / "again")
    other = made(one_jvm, DATA, tmp_path / "other", seed=8)
    for name, place in data.items():
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


def test_skew_finds_the_dearest_sale_of_keys_of_each_size(
    data: dict[str, Path], answers: Path
) -> None:
    keys = frame(data["skew"] / "facts").groupby("key")["amount_cents"].agg(["size", "max"])
    dearest = keys["max"].groupby(keys["size"].astype(str).str.len()).max()
    found = by(rows(answers / "skew" / "aggregation"), "digits")
    assert column(found, "dearest") == dearest.to_dict()


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


@pytest.mark.parametrize("broadcast", ["no", "yes"])
def test_salt_repeats_the_dimension_unless_it_is_broadcast(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path, broadcast: str
) -> None:
    events = tmp_path / "events"
    log = logged(events)
    given = ("--salt", "3", "--broadcast", broadcast)
    run(one_jvm, "skew", data, tmp_path / "out", *given, conf=log)
    told = next(events.iterdir()).read_text()
    assert ("explode(" in told) is (broadcast == "no")


def test_neither_hints_nor_configuration_change_the_answers_of_joins(
    one_jvm: OneJvm, data: dict[str, Path], answers: Path, tmp_path: Path
) -> None:
    run(one_jvm, "joins", data, tmp_path, "--hints", "no", conf=ODD)
    found = contents(tmp_path)
    assert found == contents(answers / "joins")
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


def items_sold(tables: dict[str, list[Row]]) -> list[tuple[Row, Row, Row]]:
    """Every item with its order and its product."""
    orders, products = by(tables["orders"], "id"), by(tables["products"], "id")
    return [
        (item, orders[item["order_id"]], products[item["product_id"]]) for item in tables["items"]
    ]


def test_joins_adds_up_the_revenue_of_every_brand(data: dict[str, Path], answers: Path) -> None:
    cents: Counter[Any] = Counter()
    for item, _, product in items_sold(contents(data["joins"])):
        key = product["category"], product["brand"]
        cents[key] += item["quantity"] * item["price_cents"]
    found = by(rows(answers / "joins" / "broadcast"), "category", "brand")
    assert column(found, "cents") == cents


def test_joins_adds_up_the_items_of_every_month(data: dict[str, Path], answers: Path) -> None:
    quantity: Counter[Any] = Counter()
    for item, order, _ in items_sold(contents(data["joins"])):
        quantity[order["placed"].month, order["state"]] += item["quantity"]
    found = by(rows(answers / "joins" / "sort_merge"), "month", "state")
    assert column(found, "quantity") == quantity


def test_joins_counts_the_orders_of_every_month(data: dict[str, Path], answers: Path) -> None:
    orders = rows(data["joins"] / "orders")
    expected = Counter((order["placed"].month, order["state"]) for order in orders)
    found = by(rows(answers / "joins" / "sort_merge"), "month", "state")
    assert column(found, "orders") == expected


def test_joins_adds_up_what_shipping_cost(data: dict[str, Path], answers: Path) -> None:
    orders, customers = (rows(data["joins"] / name) for name in ("orders", "customers"))
    known = by(customers, "id")
    segments: Counter[Any] = Counter()
    countries: Counter[Any] = Counter()
    for order in orders:
        customer = known.get(order["customer_id"])
        countries[customer and customer["country"]] += order["shipping_cents"]
        if customer:
            segments[customer["segment"], customer["country"]] += order["shipping_cents"]
    found = by(rows(answers / "joins" / "shuffled_hash"), "segment", "country")
    assert column(found, "shipping_cents") == segments
    outer = by(rows(answers / "joins" / "outer"), "country")
    shipped = {key: cents or 0 for key, cents in column(outer, "shipping_cents").items()}
    assert shipped == {key: countries[key] for key in shipped}
    assert countries.keys() <= shipped.keys()


def test_joins_describes_every_promotion(data: dict[str, Path], answers: Path) -> None:
    orders = rows(data["joins"] / "orders")
    promotions = by(rows(data["joins"] / "promotions"), "id")
    found = by(rows(answers / "joins" / "range"), "promotion_id")
    assert found
    for key, row in found.items():
        own = promotions[key]
        assert (row["category"], row["percent"]) == (own["category"], own["percent"])
        during = [order for order in orders if own["starts"] <= order["placed"] < own["ends"]]
        assert row["shipping_cents"] == sum(order["shipping_cents"] for order in during)
