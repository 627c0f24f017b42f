"""A bad default, studied on two tables: what is recommended for a third one beats it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autotune import recommend
from autotune.domain import Limits
from autotune.draft import Draft
from autotune.record import Status
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit
from autotune.training import train
from autotune.tuning import Places, prepare, tune

pytestmark = pytest.mark.spark

PROGRAM = Path(__file__).parent / "programs" / "grouping.py"
PARTITIONS = "spark.sql.shuffle.partitions"
BAD_DEFAULT = {
    PARTITIONS: "2000",
    "spark.sql.adaptive.coalescePartitions.enabled": "false",
    "spark.driver.memory": "800m",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.ui.enabled": "false",
}
SPACE = f"""
name: counts
parameters:
  {PARTITIONS}:
    type: int
    low: 0.5
    high: 32
    log: true
    per: slot
    why: Too many drown short tasks in scheduling.
"""


def make_table(path: Path, rows: int) -> Path:
    path.mkdir()
    keys = np.random.default_rng(rows).integers(0, 500, rows)
    pq.write_table(pa.table({"key": keys, "value": keys * 0.5}), path / "part-0.parquet")
    return path


def draft(name: str, data: Path) -> Draft:
    return Draft.model_validate(
        {
            "name": name,
            "workload": {
                "application": str(PROGRAM),
                "arguments": ["{data}"],
                "conf": BAD_DEFAULT,
            },
            "data": str(data),
            "master": "local[2]",
            "space": "counts.yaml",
            "budget": {"trials": 2, "baseline_repeats": 1, "confirm_blocks": 0},
            "rerunnable": True,
        }
    )


def test_the_recommendation_beats_a_planted_bad_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("counts.yaml").write_text(SPACE)
    submit = SparkSubmit(find_installation(), tmp_path / "scratch")
    places = Places(
        storage_url="sqlite:///optuna.db",
        tracking_uri="sqlite:///mlflow.db",
        folder=Path("studies"),
    )
    for name, rows in (("first", 20_000), ("second", 60_000)):
        experiment = prepare(draft(name, make_table(tmp_path / name, rows)))
        tune(experiment, execute=submit, places=places)
    trained = train(places.tracking_uri, corpus=())
    assert trained.studies == 2

    third = make_table(tmp_path / "third", 40_000)
    found = recommend(
        str(third),
        workload="grouping",
        space="counts.yaml",
        master="local[2]",
        tracking_uri=places.tracking_uri,
    )
    assert not found.keep_default, found.to_text()
    assert found.baseline.properties == {PARTITIONS: "2000"}
    assert found.low > 1

    workload = prepare(draft("third", third)).workload
    times = {}
    for name, config in (("default", found.baseline), ("recommended", found.config)):
        execution = submit(workload, config, Limits(time_s=600), lambda checkpoint: False)
        assert execution.status is Status.SUCCEEDED, execution.error
        assert execution.duration_s is not None
        times[name] = execution.duration_s
    assert times["default"] / times["recommended"] > 1.1, (times, found.to_text())
