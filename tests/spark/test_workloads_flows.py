"""The workloads that move data along: ingest, etl and clicks, against a plain recomputation."""

from __future__ import annotations

import json
import math
import os
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

pytestmark = pytest.mark.spark

ODD = {"spark.sql.shuffle.partitions": "7", "spark.sql.adaptive.enabled": "false"}
ONE = {"spark.sql.shuffle.partitions": "1", "spark.sql.autoBroadcastJoinThreshold": "-1"}
DATA = {
    "ingest": ("feed", 3_000, {"for": "ingest"}),
    "etl": ("feed", 6_000, {"for": "etl"}),
    "clicks": ("clicks", 6_000, {"files": 6}),
}
FIELDS = 9
STATES = ["driving", "idle", "parked", "fault", "service"]


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(one_jvm, tmp_path_factory.mktemp("data"))


def made(one_jvm: OneJvm, to: Path, seed: int = 7) -> dict[str, Path]:
    return {
        name: one_jvm.make(dataset, to / name, rows=rows, seed=seed, **options)
        for name, (dataset, rows, options) in DATA.items()
    }


def texts(folder: Path) -> dict[str, list[str]]:
    """All lines of a dataset, by table and number of the file."""
    return {
        f"{path.parent.name}/{path.name.split('-')[1]}": path.read_text().splitlines()
        for kind in ("csv", "json", "txt")
        for path in sorted(folder.rglob(f"part-*.{kind}"))
    }


def answers(folder: Path, name: str, *, by: list[str]) -> pd.DataFrame:
    table = pd.read_parquet(folder / name)
    return table.sort_values(by).reset_index(drop=True)


def test_the_same_seed_makes_the_same_data_and_another_one_other_data(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    again, other = made(one_jvm, tmp_path / "again"), made(one_jvm, tmp_path / "other", seed=8)
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


def test_ingest_loses_nothing_whatever_codec_and_row_group(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    asked = ("--codec=zstd", "--row-group-mb=1", "--text-codec=gzip")
    for name, arguments, conf in (("a", (), {}), ("b", asked, ODD), ("c", ("--codec=lz4",), ONE)):
        one_jvm.run(
            *("ingest.py", "--data", data["ingest"], "--output", tmp_path / name), *arguments,
            conf=conf,
        )  # fmt: skip
    rows = csv_rows(data["ingest"] / "csv")
    expected = rows.groupby("status").agg(
        rows=("status", "size"), placed=("latitude", "count"), odometer_m=("odometer_m", "sum")
    )
    for kind in ("csv", "json", "parquet", "orc"):
        by = ["side", "status"]
        first, *others = (answers(tmp_path / name, kind, by=by) for name in "abc")
        assert all(first.equals(other) for other in others)
        read = first[first["side"] == "read"].set_index("status")
        assert read[list(expected.columns)].astype("int64").equals(expected)
        back = first[first["side"] == "written"].set_index("status")
        assert back.index.tolist() == (["fault"] if kind in ("csv", "json") else sorted(STATES))
        assert back.drop(columns="side").equals(read.loc[back.index].drop(columns="side"))
    written = tmp_path / "b" / "_written"
    assert list((written / "csv").glob("*.csv.gz"))
    codec = parquet.ParquetFile(next((written / "parquet").glob("*.parquet"))).metadata
    assert codec.row_group(0).column(0).compression == "ZSTD"


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


def test_etl_cleans_and_keeps_the_last_of_what_came_twice(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    for name, conf in (("a", {}), ("b", ODD), ("c", ONE)):
        output = tmp_path / name
        one_jvm.run("etl.py", "--data", data["etl"], "--output", output, conf=conf)
    checked = [cleaned(line) for part in texts(data["etl"]).values() for line in part]
    assert len(checked) == DATA["etl"][1]
    kept: dict[tuple[int, int], dict[str, Any]] = {}
    for fault, said in checked:
        if fault is None:
            key, order = (said["vehicle"], said["sequence"]), (-said["received"], said["line"])
            before = kept.get(key)
            if before is None or order < (-before["received"], before["line"]):
                kept[key] = said
    faults = Counter(fault for fault, _ in checked)
    assert {"torn", "no moment", "no place", "off the map"} <= faults.keys()
    assert len(kept) < faults[None]
    rejected = answers(tmp_path / "a", "rejected", by=["fault"])
    shown = {key if isinstance(key, str) else None: n for key, n in rejected.to_numpy().tolist()}
    assert shown == dict(faults)
    product = answers(tmp_path / "a", "compact", by=["vehicle", "sequence"])
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
        first, *others = (answers(tmp_path / side, name, by=[key]) for side in "abc")
        assert all(first.equals(other) for other in others)
        assert first["reports"].sum() == len(kept)
    folders = list((tmp_path / "b" / "compact").glob("day=*/cell=*"))
    assert len(folders) > 7
    assert all(len(list(folder.glob("*.parquet"))) == 1 for folder in folders)


def sorted_by_key(kept: dict[tuple[int, int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (kept[key] for key in sorted(kept))


def test_clicks_counts_the_same_however_it_is_cut(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    slow = ("--mode=paced", "--pace=100 milliseconds", "--files-per-trigger=2")
    ways = {"a": ((), ODD), "b": (("--files-per-trigger=1",), ONE), "c": (slow, {})}
    for name, (arguments, conf) in ways.items():
        one_jvm.run(
            *("clicks.py", "--data", data["clicks"], "--output", tmp_path / name), *arguments,
            conf=conf,
        )  # fmt: skip
    lines = [json.loads(line) for part in texts(data["clicks"]).values() for line in part]
    clicks = pd.DataFrame(lines)
    at = pd.to_datetime(clicks["clicked_at"], utc=True)
    clicks["start"] = at.dt.floor("10min")
    assert (at.diff() < pd.Timedelta(0)).mean() > 0.04, "some are late"
    closed = clicks["start"] + pd.Timedelta("10min") <= at.max() - pd.Timedelta("30min")
    windows = (
        clicks[closed]
        .groupby("start")
        .agg(users=("user", "nunique"), clicks=("user", "size"), stay_ms=("stay_ms", "sum"))
    )
    by_window = [answers(tmp_path / name, "by_window", by=["start"]) for name in ways]
    by_user = [answers(tmp_path / name, "by_user", by=["place"]) for name in ways]
    for found in (by_window, by_user):
        assert all(found[0].equals(other) for other in found[1:])
    starts = pd.to_datetime(by_window[0]["start"], utc=True)
    assert starts.tolist() == windows.index.tolist()
    for column in windows.columns:
        assert by_window[0][column].tolist() == windows[column].tolist()
    each = clicks[closed].groupby("user").size().reset_index(name="clicks")
    most = each.sort_values(["clicks", "user"], ascending=[False, True]).head(100)
    assert by_user[0]["user"].tolist() == most["user"].tolist()
    assert by_user[0]["clicks"].tolist() == most["clicks"].tolist()


def test_clicks_refuses_files_that_are_not_in_the_order_of_their_contents(
    one_jvm: OneJvm, data: dict[str, Path], tmp_path: Path
) -> None:
    copied = tmp_path / "clicks"
    copied.mkdir()
    for place, path in enumerate(sorted((data["clicks"] / "clicks").glob("part-*"))):
        (copied / path.name).write_bytes(path.read_bytes())
        os.utime(copied / path.name, (1_000 - place, 1_000 - place))
    with pytest.raises(AssertionError, match="not written in order; copy them with cp -p"):
        one_jvm.run("clicks.py", "--data", tmp_path, "--output", tmp_path / "out")
