"""The workloads that add up risk or call Python: their answers against a plain recomputation."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from one_jvm import OneJvm
from workload_answers import ODD, Datasets, Row, by, column, contents, made, rows

pytestmark = pytest.mark.spark

OF_RISK: Datasets = {"risk": ("positions", 2_000, {"instruments": 150})}
DATA: Datasets = {**OF_RISK, "records": ("records", 3_000, {"keys": 50})}
WAYS = {
    *("expressions", "pickled", "arrow_batched", "pandas", "arrow"),
    *("map_in_pandas", "map_in_arrow"),
}


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(one_jvm, DATA, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def answers(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Every program's answers with the usual configuration."""
    place = tmp_path_factory.mktemp("answers")
    for name in ("risk", "udf", "rdd"):
        run(one_jvm, name, data, place / name)
    return place


def run(
    one_jvm: OneJvm,
    name: str,
    data: dict[str, Path],
    output: Path,
    *,
    conf: dict[str, str] | None = None,
) -> None:
    source = data.get(name, data["records"])
    one_jvm.run(f"{name}.py", "--data", source, "--output", output, conf=conf)


def test_the_same_seed_makes_the_same_data_and_another_one_other_data(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    tables = contents(data["risk"])
    assert contents(made(one_jvm, OF_RISK, tmp_path / "again")["risk"]) == tables
    others = contents(made(one_jvm, OF_RISK, tmp_path / "other", seed=8)["risk"])
    assert others.keys() == tables.keys()
    assert all(others[table] != tables[table] for table in tables)


@pytest.mark.parametrize("name", ["risk", "udf", "rdd"])
def test_no_configuration_changes_the_answers(
    one_jvm: OneJvm, data: dict[str, Path], answers: Path, tmp_path: Path, name: str
) -> None:
    run(one_jvm, name, data, tmp_path, conf=ODD)
    found = contents(tmp_path)
    assert found == contents(answers / name)
    assert all(found.values())


def half_up(value: Decimal, digits: int = 4) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def valued(tables: dict[str, list[Row]]) -> Iterator[tuple[Row, str, Decimal | None]]:
    """Every position, its currency, and its value in euros if it has a price."""
    prices = by(tables["prices"], "instrument_id", "day")
    rates = by(tables["rates"], "currency", "day")
    for row in tables["positions"]:
        price = prices[row["instrument_id"], row["day"]]
        rate = rates[price["currency"], row["day"]]["rate"]
        value: Decimal | None = None
        if price["price"] is not None:
            value = half_up(half_up(row["quantity"] * price["price"]) * rate)
        yield row, price["currency"], value


def test_risk_is_exact_to_the_last_digit(data: dict[str, Path], answers: Path) -> None:
    tables, found = contents(data["risk"]), contents(answers / "risk")
    factors: dict[int, list[Row]] = {}
    for row in tables["exposures"]:
        factors.setdefault(row["instrument_id"], []).append(row)
    held: Counter[Any] = Counter()
    exposures: dict[Any, Decimal] = {}
    missing = 0
    for row, _, value in valued(tables):
        instrument, day, portfolio = (
            row[name] for name in ("instrument_id", "day", "portfolio_id")
        )
        if value is None:
            missing += 1
            continue
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


def values_by_desk(tables: dict[str, list[Row]]) -> dict[Any, list[Decimal | None]]:
    """The values of all positions by desk, day and currency."""
    desks = column(by(tables["portfolios"], "portfolio_id"), "desk")
    found: dict[Any, list[Decimal | None]] = {}
    for row, currency, value in valued(tables):
        found.setdefault((desks[row["portfolio_id"]], row["day"], currency), []).append(value)
    return found


def test_risk_counts_the_positions_of_every_desk(data: dict[str, Path], answers: Path) -> None:
    expected = values_by_desk(contents(data["risk"]))
    found = by(rows(answers / "risk" / "values"), "desk", "day", "currency")
    assert column(found, "positions") == {key: len(values) for key, values in expected.items()}
    assert column(found, "without_price") == {
        key: values.count(None) for key, values in expected.items()
    }


@pytest.mark.parametrize(("side", "sign"), [("long", 1), ("short", -1)])
def test_risk_adds_up_both_sides_of_every_desk(
    data: dict[str, Path], answers: Path, side: str, sign: int
) -> None:
    found = by(rows(answers / "risk" / "values"), "desk", "day", "currency")
    expected = {
        key: sum(some) if (some := [one for one in values if one and one * sign > 0]) else None
        for key, values in values_by_desk(contents(data["risk"])).items()
    }
    assert column(found, side) == expected


def test_risk_counts_the_positions_behind_every_exposure(
    data: dict[str, Path], answers: Path
) -> None:
    tables = contents(data["risk"])
    factors: dict[int, list[str]] = {}
    for row in tables["exposures"]:
        factors.setdefault(row["instrument_id"], []).append(row["factor"])
    expected: Counter[Any] = Counter()
    for row, _, value in valued(tables):
        for factor in factors.get(row["instrument_id"], []):
            expected[row["day"], row["portfolio_id"], factor] += value is not None
    found = by(rows(answers / "risk" / "exposures"), "day", "portfolio_id", "factor")
    assert column(found, "positions") == dict(expected)


def test_risk_finds_the_three_largest_holdings_of_every_portfolio(
    data: dict[str, Path], answers: Path
) -> None:
    held: dict[Any, Decimal] = {}
    for row, _, value in valued(contents(data["risk"])):
        if value is not None:
            key = row["day"], row["portfolio_id"], row["instrument_id"]
            held[key] = held.get(key, Decimal(0)) + value
    ranked: dict[Any, list[tuple[Decimal, int, Decimal]]] = {}
    for (day, portfolio, instrument), value in held.items():
        ranked.setdefault((day, portfolio), []).append((-abs(value), instrument, value))
    expected = {
        (*key, place): (instrument, value)
        for key, holdings in ranked.items()
        for place, (_, instrument, value) in enumerate(sorted(holdings)[:3], 1)
    }
    found = by(rows(answers / "risk" / "concentration"), "day", "portfolio_id", "place")
    assert {key: (row["instrument_id"], row["value"]) for key, row in found.items()} == expected


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


def test_rdd_counts_the_purchases_of_every_category_and_country(
    data: dict[str, Path], answers: Path
) -> None:
    records = rows(data["records"] / "records")
    found = by(rows(answers / "rdd" / "reduce_by_key"), "category", "country")
    assert column(found, "purchases") == Counter(
        (row["category"], row["country"]) for row in records
    )


def test_rdd_adds_up_the_dear_purchases(data: dict[str, Path], answers: Path) -> None:
    records = rows(data["records"] / "records")
    spent: Counter[int] = Counter()
    for row in records:
        spent[row["user"]] += row["amount_cents"]
    cents: Counter[int] = Counter()
    for own, whole in ((row["amount_cents"], spent[row["user"]]) for row in records):
        if own >= 100_000:
            cents[min(11, 10 * own // whole) if whole > 0 else 11] += own
    assert column(by(rows(answers / "rdd" / "join"), "tenth"), "cents") == cents
