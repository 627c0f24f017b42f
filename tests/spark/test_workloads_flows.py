"""The workloads that move data along: ingest and etl, against a plain recomputation."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.orc as orc
import pyarrow.parquet as parquet
import pytest

from one_jvm import OneJvm
from workload_answers import Datasets, answers, made, texts

pytestmark = pytest.mark.spark

ODD = {"spark.sql.shuffle.partitions": "7", "spark.sql.adaptive.enabled": "false"}
ONE = {"spark.sql.shuffle.partitions": "1", "spark.sql.autoBroadcastJoinThreshold": "-1"}
DATA: Datasets = {
    "ingest": ("feed", 3_000, {"for": "ingest"}),
    "etl": ("feed", 6_000, {"for": "etl"}),
}
FIELDS = 9
STATES = ["driving", "idle", "parked", "fault", "service"]


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(one_jvm, DATA, tmp_path_factory.mktemp("data"))


def test_the_same_seed_makes_the_same_data_and_another_one_other_data(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    again = made(one_jvm, DATA, tmp_path / "again")
    other = made(one_jvm, DATA, tmp_path / "other", seed=8)
    for name, place in data.items():
        assert texts(place)
        assert texts(again[name]) == texts(place)
        assert texts(other[name]) != texts(place)
        assert texts(other[name]).keys() == texts(place).keys()


def csv_rows(folder: Path) -> pd.DataFrame:
    files = [pd.read_csv(path) for path in sorted(folder.glob("part-*.csv"))]
    return pd.concat(files).sort_values("sequence").reset_index(drop=True)


def test_ingest_is_given_the_same_rows_in_four_formats(data: dict[str, Path]) -> None:
    rows = csv_rows(data["ingest"] / "csv")
    assert len(rows) == DATA["ingest"][1]
    columnar = parquet.read_table(data["ingest"] / "parquet").to_pandas()
    stripes = [orc.read_table(path) for path in (data["ingest"] / "orc").glob("part-*.orc")]
    lines = [json.loads(line) for key, part in texts(data["ingest"]).items() for line in part
             if key.startswith("json/")]  # fmt: skip
    tables = [columnar, pd.concat([table.to_pandas() for table in stripes]), pd.DataFrame(lines)]
    for found in tables:
        ordered = found.sort_values("sequence").reset_index(drop=True)
        assert ordered["vehicle"].tolist() == rows["vehicle"].tolist()
        assert ordered["message"].fillna("").tolist() == rows["message"].fillna("").tolist()
        speeds = [float(speed) for speed in ordered["speed_kmh"]]
        assert speeds == rows["speed_kmh"].tolist()
        for column in ("latitude", "temperature_c"):
            assert ordered[column].astype(float).equals(rows[column])


@pytest.fixture(scope="module")
def ingested(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What ingest answered, and wrote, as usual (a) and in two other ways (b, c)."""
    place = tmp_path_factory.mktemp("ingest")
    asked = ("--codec=zstd", "--row-group-mb=1", "--text-codec=gzip")
    for name, arguments, conf in (("a", (), {}), ("b", asked, ODD), ("c", ("--codec=lz4",), ONE)):
        one_jvm.run(
            *("ingest.py", "--data", data["ingest"], "--output", place / name), *arguments,
            conf=conf,
        )  # fmt: skip
    return place


def test_ingest_loses_nothing_whatever_codec_and_row_group(
    data: dict[str, Path], ingested: Path
) -> None:
    rows = csv_rows(data["ingest"] / "csv")
    expected = rows.groupby("status").agg(
        rows=("status", "size"), placed=("latitude", "count"), odometer_m=("odometer_m", "sum")
    )
    for kind in ("csv", "json", "parquet", "orc"):
        by = ["side", "status"]
        first, *others = (answers(ingested / name, kind, by=by) for name in "abc")
        assert all(first.equals(other) for other in others)
        read = first[first["side"] == "read"].set_index("status")
        assert read[list(expected.columns)].astype("int64").equals(expected)
        back = first[first["side"] == "written"].set_index("status")
        assert back.index.tolist() == (["fault"] if kind in ("csv", "json") else sorted(STATES))
        assert back.drop(columns="side").equals(read.loc[back.index].drop(columns="side"))
    written = ingested / "b" / "_written"
    assert list((written / "csv").glob("*.csv.gz"))
    codec = parquet.ParquetFile(next((written / "parquet").glob("*.parquet"))).metadata
    assert codec.row_group(0).column(0).compression == "ZSTD"
    stripes = orc.ORCFile(next((written / "orc").glob("*.orc")))
    assert stripes.compression == "ZSTD"
    assert list((written / "json").glob("*.json.gz"))


def test_ingest_adds_up_speeds_and_finds_the_first_and_the_last_moment(
    data: dict[str, Path], ingested: Path
) -> None:
    rows = csv_rows(data["ingest"] / "csv")
    rows["tenths"] = (rows["speed_kmh"] * 10).round()
    rows["moment"] = pd.to_datetime(rows["measured_at"])
    groups = rows.groupby("status")
    for kind in ("csv", "json", "parquet", "orc"):
        found = answers(ingested / "a", kind, by=["side", "status"])
        read = found[found["side"] == "read"]
        assert read["status"].tolist() == sorted(STATES)
        speeds = [int(speed * 10) for speed in read["speed_kmh"]]
        assert speeds == groups["tenths"].sum().tolist()
        assert read["first"].tolist() == groups["moment"].min().tolist()
        assert read["last"].tolist() == groups["moment"].max().tolist()


def number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def moment(text: str) -> datetime | None:
    try:
        if text.isdigit():
            return datetime(1970, 1, 1) + timedelta(seconds=int(text))  # noqa: DTZ001
        return datetime.fromisoformat(text.replace("T", " ").rstrip("Z"))
    except ValueError:
        return None


def cleaned(line: str) -> tuple[str | None, dict[str, Any]]:
    """What is wrong with a raw line, and what it says."""
    parts = [part.strip() for part in line.split(";")]
    if len(parts) != FIELDS:
        return "torn", {}
    vehicle, sequence, at, latitude, longitude, speed, warmth, status, received = parts
    place = number(latitude), number(longitude)
    said = {"vehicle": int(vehicle[2:]), "sequence": int(sequence), "moment": moment(at)}
    if said["moment"] is None:
        return "no moment", said
    if place[0] is None or place[1] is None:
        return "no place", said
    if abs(place[0]) > 90 or abs(place[1]) > 180:
        return "off the map", said
    said |= {"latitude": place[0], "longitude": place[1], "received": int(received)}
    said |= {"speed": number(speed), "temperature": number(warmth), "line": line}
    return None, said | {"status": STATES.index(status.lower()) + 1}


def tenths(value: float | None) -> int | None:
    return None if value is None else round(value * 10)


@pytest.fixture(scope="module")
def cleansed(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What etl made of its lines as usual (a) and under two other configurations (b, c)."""
    place = tmp_path_factory.mktemp("etl")
    for name, conf in (("a", {}), ("b", ODD), ("c", ONE)):
        one_jvm.run("etl.py", "--data", data["etl"], "--output", place / name, conf=conf)
    return place


Checked = list[tuple[str | None, dict[str, Any]]]


def lines_of(data: dict[str, Path]) -> Checked:
    """Every raw line: what is wrong with it, and what it says."""
    return [cleaned(line) for part in texts(data["etl"]).values() for line in part]


def last_of(checked: Checked) -> dict[tuple[int, int], dict[str, Any]]:
    """Of every report, the line that was received last."""
    kept: dict[tuple[int, int], dict[str, Any]] = {}
    for fault, said in checked:
        if fault is None:
            key, order = (said["vehicle"], said["sequence"]), (-said["received"], said["line"])
            before = kept.get(key)
            if before is None or order < (-before["received"], before["line"]):
                kept[key] = said
    return kept


def test_etl_cleans_and_keeps_the_last_of_what_came_twice(
    data: dict[str, Path], cleansed: Path
) -> None:
    checked = lines_of(data)
    assert len(checked) == DATA["etl"][1]
    kept = last_of(checked)
    faults = Counter(fault for fault, _ in checked)
    assert {"torn", "no moment", "no place", "off the map"} <= faults.keys()
    assert len(kept) < faults[None]
    rejected = answers(cleansed / "a", "rejected", by=["fault"])
    shown = {key if isinstance(key, str) else None: n for key, n in rejected.to_numpy().tolist()}
    assert shown == dict(faults)
    product = answers(cleansed / "a", "compact", by=["vehicle", "sequence"])
    assert len(product) == len(kept)
    for row, said in zip(product.to_dict("records"), sorted_by_key(kept), strict=True):
        assert row["moment"] == said["moment"]
        assert row["latitude"] == round(said["latitude"] * 1e6)
        assert row["longitude"] == round(said["longitude"] * 1e6)
        assert row["status"] == said["status"]
        for name in ("speed", "temperature"):
            assert (None if math.isnan(row[name]) else row[name]) == tenths(said[name])
        assert date.fromisoformat(str(row["day"])) == said["moment"].date()
        cell = (math.floor(said[name] * 4) for name in ("latitude", "longitude"))
        assert row["cell"] == "_".join(map(str, cell))
    for key, name in (("day", "by_day"), ("cell", "by_cell")):
        first, *others = (answers(cleansed / side, name, by=[key]) for side in "abc")
        assert all(first.equals(other) for other in others)
        assert first["reports"].sum() == len(kept)
    folders = list((cleansed / "b" / "compact").glob("day=*/cell=*"))
    assert len(folders) > 7
    assert all(len(list(folder.glob("*.parquet"))) == 1 for folder in folders)


@pytest.mark.parametrize("key", ["day", "cell"])
def test_etl_sums_up_what_it_kept(data: dict[str, Path], cleansed: Path, key: str) -> None:
    expected: dict[str, list[dict[str, Any]]] = {}
    for said in last_of(lines_of(data)).values():
        cell = (math.floor(said[name] * 4) for name in ("latitude", "longitude"))
        place = str(said["moment"].date()) if key == "day" else "_".join(map(str, cell))
        expected.setdefault(place, []).append(said)
    found = answers(cleansed / "a", f"by_{key}", by=[key])
    assert {str(place) for place in found[key]} == expected.keys()
    for row in found.to_dict("records"):
        group = expected[str(row[key])]
        assert row["reports"] == len(group)
        assert row["vehicles"] == len({said["vehicle"] for said in group})
        for name in ("speed", "temperature"):
            known = [tenths(said[name]) for said in group if said[name] is not None]
            assert (None if pd.isna(row[name]) else row[name]) == (sum(known) if known else None)


def test_etl_sums_up_the_same_rows_by_day_and_by_cell(cleansed: Path) -> None:
    sums = [answers(cleansed / "a", f"by_{key}", by=[key])["checksum"] for key in ("day", "cell")]
    assert sums[0].sum() == sums[1].sum() != 0


def sorted_by_key(kept: dict[tuple[int, int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (kept[key] for key in sorted(kept))
