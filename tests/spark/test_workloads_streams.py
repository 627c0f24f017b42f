"""The workload that is a stream, clicks: its answers against a plain recomputation."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from one_jvm import OneJvm
from workload_answers import Datasets, answers, made, texts

pytestmark = pytest.mark.spark

ODD = {"spark.sql.shuffle.partitions": "7", "spark.sql.adaptive.enabled": "false"}
ONE = {"spark.sql.shuffle.partitions": "1", "spark.sql.autoBroadcastJoinThreshold": "-1"}
DATA: Datasets = {"clicks": ("clicks", 6_000, {"files": 6})}
WAYS = "abc"


@pytest.fixture(scope="module")
def data(one_jvm: OneJvm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(one_jvm, DATA, tmp_path_factory.mktemp("data"))["clicks"]


@pytest.fixture(scope="module")
def counted(one_jvm: OneJvm, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What clicks answered, cut into micro-batches in three ways."""
    place = tmp_path_factory.mktemp("clicks")
    slow = ("--mode=paced", "--pace=100 milliseconds", "--files-per-trigger=2")
    ways = {"a": ((), ODD), "b": (("--files-per-trigger=1",), ONE), "c": (slow, {})}
    for name, (arguments, conf) in ways.items():
        given = ("--data", data, "--output", place / name, *arguments)
        one_jvm.run("clicks.py", *given, conf=conf)
    return place


@pytest.fixture(scope="module")
def closed(data: Path) -> pd.DataFrame:
    """All clicks in windows that the watermark has passed at the end."""
    lines = [json.loads(line) for part in texts(data).values() for line in part]
    clicks = pd.DataFrame(lines)
    at = pd.to_datetime(clicks["clicked_at"], utc=True)
    clicks["at"], clicks["start"] = at, at.dt.floor("10min")
    assert (at.diff() < pd.Timedelta(0)).mean() > 0.04, "some are late"
    return clicks[clicks["start"] + pd.Timedelta("10min") <= at.max() - pd.Timedelta("30min")]


def moments(column: pd.Series) -> list[pd.Timestamp]:
    found: list[pd.Timestamp] = pd.to_datetime(column, utc=True).tolist()
    return found


def test_the_same_seed_makes_the_same_clicks_and_another_one_other_clicks(
    one_jvm: OneJvm, data: Path, tmp_path: Path
) -> None:
    again = made(one_jvm, DATA, tmp_path / "again")["clicks"]
    other = made(one_jvm, DATA, tmp_path / "other", seed=8)["clicks"]
    assert texts(data)
    assert texts(again) == texts(data)
    assert texts(other) != texts(data)
    assert texts(other).keys() == texts(data).keys()


def test_clicks_counts_the_same_however_it_is_cut(counted: Path, closed: pd.DataFrame) -> None:
    windows = closed.groupby("start").agg(
        users=("user", "nunique"), clicks=("user", "size"), stay_ms=("stay_ms", "sum")
    )
    by_window = [answers(counted / name, "by_window", by=["start"]) for name in WAYS]
    by_user = [answers(counted / name, "by_user", by=["place"]) for name in WAYS]
    for found in (by_window, by_user):
        assert all(found[0].equals(other) for other in found[1:])
    assert moments(by_window[0]["start"]) == windows.index.tolist()
    for column in windows.columns:
        assert by_window[0][column].tolist() == windows[column].tolist()
    each = closed.groupby("user").size().reset_index(name="clicks")
    most = each.sort_values(["clicks", "user"], ascending=[False, True]).head(100)
    assert by_user[0]["user"].tolist() == most["user"].tolist()
    assert by_user[0]["clicks"].tolist() == most["clicks"].tolist()


def test_clicks_counts_those_that_a_search_led_to(counted: Path, closed: pd.DataFrame) -> None:
    searched = (closed["origin"] == "search").groupby(closed["start"]).sum()
    by_window = answers(counted / "a", "by_window", by=["start"])
    assert by_window["searched"].tolist() == searched.tolist()


def test_clicks_finds_the_last_of_every_window(counted: Path, closed: pd.DataFrame) -> None:
    by_window = answers(counted / "a", "by_window", by=["start"])
    assert moments(by_window["last"]) == closed.groupby("start")["at"].max().tolist()


def test_clicks_counts_the_windows_of_the_busiest_users(
    counted: Path, closed: pd.DataFrame
) -> None:
    windows = closed.groupby("user")["start"].nunique()
    by_user = answers(counted / "a", "by_user", by=["place"])
    assert by_user["windows"].tolist() == windows[by_user["user"]].tolist()


def test_clicks_finds_the_busiest_window_of_every_user(
    counted: Path, closed: pd.DataFrame
) -> None:
    each = closed.groupby(["user", "start"]).size().reset_index(name="clicks")
    ordered = each.sort_values(["clicks", "start"], ascending=[False, True])
    busiest = ordered.drop_duplicates("user").set_index("user")["start"]
    by_user = answers(counted / "a", "by_user", by=["place"])
    assert moments(by_user["busiest"]) == busiest[by_user["user"]].tolist()


def test_clicks_answers_the_same_from_parquet(
    one_jvm: OneJvm, counted: Path, tmp_path: Path
) -> None:
    datasets: Datasets = {"clicks": ("clicks", 6_000, {"files": 6, "format": "parquet"})}
    place = made(one_jvm, datasets, tmp_path)["clicks"]
    assert len(list((place / "clicks").glob("part-*.parquet"))) == 6
    one_jvm.run(
        *("clicks.py", "--data", place, "--output", tmp_path / "out", "--format=parquet"), conf=ODD
    )
    for name, by in (("by_window", "start"), ("by_user", "place")):
        usual = answers(counted / "a", name, by=[by])
        assert answers(tmp_path / "out", name, by=[by]).equals(usual)


def test_clicks_refuses_files_that_are_not_in_the_order_of_their_contents(
    one_jvm: OneJvm, data: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "clicks"
    copied.mkdir()
    for place, path in enumerate(sorted((data / "clicks").glob("part-*"))):
        (copied / path.name).write_bytes(path.read_bytes())
        os.utime(copied / path.name, (1_000 - place, 1_000 - place))
    with pytest.raises(AssertionError, match="not written in order; copy them with cp -p"):
        one_jvm.run("clicks.py", "--data", tmp_path, "--output", tmp_path / "out")
