"""The predictor that comes with autotune."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autotune.corpus import read_corpus
from autotune.predict import Predictor, shipped_files
from autotune.predict.rows import digest_histories, hash_of

ASKING = """
import json, sys
import autotune

found = autotune.recommend(sys.argv[1], master="local[2]")
loaded = sorted({"mlflow", "optuna", "pyspark"} & set(sys.modules))
print(json.dumps({"loaded": loaded, "version": found.predictor_version, "text": found.to_text()}))
"""
TYPED = """
import sys
from autotune.cli import main

try:
    main()
except SystemExit as ended:
    print(ended.code, *sorted({"mlflow", "scipy", "sklearn", "skops"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_files(shipped_files())


def test_it_was_trained_on_the_corpus_as_it_is(predictor: Predictor) -> None:
    lessons = digest_histories(read_corpus())
    assert predictor.card.training_hash == hash_of(lessons), "run experiments/corpus/build.py"
    assert predictor.card.studies == len(lessons)


def test_it_is_small_and_knows_no_place_of_the_machine_that_made_it() -> None:
    files = shipped_files()
    assert files
    assert sum(map(len, files.values())) < 10_000_000
    for name, content in files.items():
        if name.endswith(".json"):
            assert not [w for w in ("/home/", "/root/", "/tmp/") if w.encode() in content]


def test_right_after_installation_it_answers_with_spark_and_mlflow_at_rest(tmp_path: Path) -> None:
    table = pa.table({"k": [i % 7 for i in range(5000)], "x": [float(i) for i in range(5000)]})
    pq.write_table(table, tmp_path / "t.parquet")
    done = subprocess.run(
        [sys.executable, "-c", ASKING, str(tmp_path / "t.parquet")],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["loaded"], told["version"]) == ([], "shipped")
    assert "5,000 rows" in told["text"]
    assert list(tmp_path.iterdir()) == [tmp_path / "t.parquet"], "nothing is written"


@pytest.mark.parametrize(
    "words", [("--data", "nowhere"), ("--eventlog", "nowhere"), ("--data", ".", "--conf", "x")]
)
def test_wrong_input_is_told_before_anything_heavy_is_loaded(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TYPED, "recommend", *words],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "2", done.stderr
    assert len(done.stderr.splitlines()) == 1
