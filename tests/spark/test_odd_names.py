"""A real job in a folder that nobody should have named so, called as nobody should call one."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from autotune.ledger import Ledger
from autotune.study import load_study
from commands import Command

pytestmark = pytest.mark.spark
FOLDER = 'it\'s "a" tést 数据'
PROGRAM = 'my "job" — né.py'
TEXT = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
data, output, word = sys.argv[1:]
assert word == "a 'word' \\"x\\" 数", word
spark.read.csv(data, header=True).groupBy("a").count().write.parquet(output)
spark.range(3).write.saveAsTable("beside")
spark.stop()
"""


def test_spaces_quotes_and_scripts_in_every_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autotune: Command
) -> None:
    folder = tmp_path / FOLDER
    scratch = folder / "temporary 'files'"
    scratch.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    Path(PROGRAM).write_text(TEXT)
    Path("ta ble é.csv").write_text("a,b\n1,2\n1,3\n")
    around = set(tmp_path.iterdir())
    answer = autotune(
        *("tune", "--trials", "1", "--baseline-repeats", "1", "--confirm-blocks", "0"),
        *("--format", "json", "--name", FOLDER, "--data", "ta ble é.csv", "--app", PROGRAM),
        *("--master", "local[1]", "--", "{data}", "{output}", "a 'word' \"x\" 数"),
    )
    assert answer.code == 0, answer.err
    printed = json.loads(answer.out)
    assert "not published" not in answer.err
    trials = load_study("sqlite:///mlruns/optuna.db", FOLDER).trials
    assert [(t.execution.cause, t.execution.error) for t in trials] == [(None, None)] * 2
    assert printed["failed"] == 0, answer.err
    assert [t.execution.writes_outside for t in trials] == [()] * 2
    assert len(Ledger().history()) == 1
    left = {name: Path(place) for name, place in printed["artifacts"].items() if "." in name}
    assert len(left) == 5
    assert all(path.is_file() for path in left.values())
    assert set(tmp_path.iterdir()) == around
    assert list(scratch.glob("autotune-*")) == []
    shutil.rmtree(folder)
