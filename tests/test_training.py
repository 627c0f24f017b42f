from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from autotune.domain import Workload
from autotune.errors import NoUsableResult
from autotune.experiment import Experiment
from autotune.ledger import Ledger, Lesson
from autotune.ledger.models import SHIPPED_TAG
from autotune.predict import fit
from autotune.record import (
    Execution,
    Metrics,
    Origin,
    Purpose,
    StudyHistory,
    Trial,
)
from autotune.space import Space
from autotune.training import as_good, load_predictor, train
from past_studies import GB, config, machine, profile, study

SPACE = Space.model_validate(
    {
        "name": "small",
        "parameters": [
            {"name": "spark.sql.shuffle.partitions", "type": "float", "low": 0.5, "high": 64,
             "per": "slot"},
        ],
    }
)  # fmt: skip


def publish(ledger: Ledger, history: StudyHistory) -> None:
    """Publish a study that was made up, as `tune` publishes a real one."""
    data = history.profile
    experiment = Experiment(
        name=history.study,
        workload=Workload(name=history.workload, application="job.py", data=data and data.path),
        space=SPACE,
        machine=history.machine,
        profile=data,
    )
    trials = [
        Trial(
            number=number,
            purpose=past.purpose,
            origin=Origin.BASELINE if past.purpose is Purpose.BASELINE else Origin.SAMPLER,
            config=past.config,
            execution=Execution(
                status=past.status,
                cause=past.cause,
                started_at=datetime(2026, 1, 1, tzinfo=UTC),
                wall_s=(past.duration_s or 1.0) + 1,
                duration_s=past.duration_s,
                metrics=Metrics(),
            ),
        )
        for number, past in enumerate(history.trials)
    ]
    ledger.finish(experiment, trials)


@pytest.fixture
def ledger(empty_store: Path, tmp_path: Path) -> Ledger:
    store = shutil.copy(empty_store, tmp_path)
    return Ledger(f"sqlite:///{store}", tmp_path / "artifacts")


def test_from_studies_to_a_champion_and_back(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NoUsableResult, match="found 0 studies"):
        train(ledger=ledger, corpus=())
    for name, workload in (("s1", "a"), ("s2", "b")):
        publish(ledger, study(name, GB // 50, workload=workload, trials=6))
    first = train(ledger=ledger, corpus=())
    assert (first.version, first.alias, first.reason) == ("1", "champion", "the first one")
    assert (first.studies, first.workloads, first.grouped_by) == (2, ("a", "b"), "workload")
    assert "Registered as version 1, champion" in first.to_text()

    champion = ledger.champion()
    assert champion is not None
    assert champion.metrics["cv_regret"] == pytest.approx(first.scores[first.model].regret)
    assert champion.tags["autotune.training_hash"] == first.training_hash
    predictor = load_predictor(champion)
    good, bad = predictor.predict(
        profile(GB // 40), machine(), [config(16), config(2000)], baseline=config(2000)
    )
    assert bad.relative_time == 1.0
    assert good.relative_time < 1

    again = train(ledger=ledger, corpus=())
    assert again.training_hash == first.training_hash
    assert again.version == "2"
    assert "that version 1 knows too" in again.reason

    serving = tmp_path / "serving.py"
    serving.write_text(
        "from mlflow.models import set_model\n"
        "from mlflow.pyfunc.model import PythonModel\n\n"
        "class Other(PythonModel):\n"
        "    def predict(self, context, model_input: list[str], params=None) -> list[str]:\n"
        "        return model_input\n\n"
        "set_model(Other())\n"
    )
    table = pd.DataFrame({"x": [1.0]})
    stranger = Lesson(serving=serving, files={}, input_example=table, output_example=table)
    ledger.register(stranger, promote=True)
    third = train(ledger=ledger, corpus=())
    assert third.alias == "champion"
    assert "can't be used (model: card.json is missing" in third.reason


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[StudyHistory]:
    """A small corpus, and the predictor trained on it as the one that comes with autotune."""
    studies = [study(name, GB // 50, workload=name, trials=6) for name in "ab"]
    files = fit(studies).files()
    monkeypatch.setattr("autotune.training.shipped_files", lambda: files)
    return studies


def test_own_studies_join_the_corpus(
    ledger: Ledger, lent: list[StudyHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("autotune.training.shipped_files", dict)
        with pytest.raises(NoUsableResult, match="nothing new to learn from: no study with"):
            train(ledger=ledger, corpus=lent)
    first = train(ledger=ledger, corpus=lent)
    assert (first.alias, first.workloads) == ("champion", ("a", "b"))
    assert first.reason.startswith("it came with autotune")
    with pytest.raises(NoUsableResult, match="nothing new to learn from"):
        train(ledger=ledger, corpus=lent)

    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    second = train(ledger=ledger, corpus=lent)
    assert second.workloads == ("a", "b", "c")
    assert second.reason.endswith("on 1 studies new to the one that comes with autotune")


def test_own_studies_are_held_against_the_shipped_predictor(
    ledger: Ledger, lent: list[StudyHistory]
) -> None:
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    found = train(ledger=ledger, corpus=lent)
    assert found.reason.endswith("on 1 studies new to the one that comes with autotune")


def test_what_is_worse_than_the_shipped_predictor_leaves_that_in_charge(
    ledger: Ledger, lent: list[StudyHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autotune.training.as_good", lambda *figures: (False, "worse"))
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    found = train(ledger=ledger, corpus=lent)
    assert (found.alias, found.reason) == ("challenger", "worse")
    champion = ledger.champion()
    assert champion is not None
    assert load_predictor(champion).card.workloads == ("a", "b")
    assert SHIPPED_TAG in champion.tags


def test_a_worse_model_becomes_challenger_only() -> None:
    assert as_good({"a": 0.2}, {"a": 0.1}, ["a"], "new") == (
        False,
        "regret 20.0% against 10.0% on 1 studies new",
    )
    assert as_good({"a": 0.1, "b": 9}, {"a": 0.2, "b": 0}, ["a"], "new")[0]
    assert as_good({}, {}, [], "new")[0]
