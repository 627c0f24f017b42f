from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from autotune.domain import Objective, Workload
from autotune.errors import EnvironmentFault, NewerVersion, NoUsableResult
from autotune.experiment import Experiment
from autotune.ledger import Ledger, Lesson
from autotune.predict import Regret, fit
from autotune.recommendation import predictor_in_charge
from autotune.record import (
    Execution,
    Metrics,
    Origin,
    Purpose,
    StudyHistory,
    Trial,
)
from autotune.registry import SHIPPED, SHIPPED_TAG, InCharge, in_charge
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


def publish(
    ledger: Ledger, history: StudyHistory, objective: Objective = Objective.DURATION_S
) -> None:
    """Publish a study that was made up, as `tune` publishes a real one."""
    data = history.profile
    experiment = Experiment(
        name=history.study,
        workload=Workload(name=history.workload, application="job.py", data=data and data.path),
        space=SPACE,
        machine=history.machine,
        profile=data,
        objective=objective,
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
        with pytest.raises(
            NoUsableResult, match="nothing new to learn from: no study of your own is published"
        ):
            train(ledger=ledger, corpus=lent)
    first = train(ledger=ledger, corpus=lent)
    assert (first.alias, first.workloads) == ("champion", ("a", "b"))
    assert first.reason.startswith("it came with autotune, and no study of your own is published")
    with pytest.raises(NoUsableResult, match="nothing new to learn from"):
        train(ledger=ledger, corpus=lent)
    assert train(ledger=ledger, corpus=lent, replace=True).alias == "champion"

    publish(ledger, study("paced", GB, trials=6), objective=Objective.MICROBATCH_P95_S)
    again = train(ledger=ledger, corpus=lent, replace=True)
    assert "none of your 1 studies (streams at a pace of their own aside) has" in again.reason

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


def _turned_round(history: StudyHistory) -> StudyHistory:
    """Return a study in which what was fast is slow: no job is like that."""
    trials = tuple(
        t.model_copy(update={"duration_s": 100 / t.duration_s}) if t.duration_s else t
        for t in history.trials
    )
    return history.model_copy(update={"trials": trials})


@pytest.mark.parametrize("lent_is_true", [True, False])
def test_the_one_that_is_better_on_own_studies_is_in_charge(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, lent_is_true: bool
) -> None:
    true = [study(name, GB // 50, workload=name) for name in "abc"]
    false = [_turned_round(history) for history in true]
    lent, other = (true, false) if lent_is_true else (false, true)
    monkeypatch.setattr("autotune.training.shipped_files", fit(other).files)
    publish(ledger, study("mine", GB // 50, workload="mine"))
    found = train(ledger=ledger, corpus=lent)
    assert found.alias == ("champion" if lent_is_true else "challenger"), found.reason


def test_a_champion_that_cannot_be_compared_stays_unless_told_otherwise(
    ledger: Ledger, lent: list[StudyHistory], tmp_path: Path
) -> None:
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    train(ledger=ledger, corpus=lent)
    assert train(ledger=ledger, corpus=lent, replace=True).reason == "as was asked"
    champion = ledger.champion()
    assert champion is not None
    for place in tmp_path.rglob("card.json"):
        card = json.loads(place.read_text())
        place.write_text(json.dumps(card | {"schema_version": 99}))
    with pytest.raises(NewerVersion, match=r"a newer autotune; .*--replace"):
        train(ledger=ledger, corpus=lent)
    for place in list(tmp_path.rglob("card.json")):
        shutil.rmtree(place.parents[2])
    with pytest.raises(EnvironmentFault, match="--replace"):
        train(ledger=ledger, corpus=lent)
    tags = ledger.champion_tags()
    assert tags == champion.tags
    assert train(ledger=ledger, corpus=lent, replace=True).alias == "champion"
    assert ledger.champion() is not None


def test_who_is_in_charge_is_known_without_mlflow(
    ledger: Ledger, lent: list[StudyHistory], tmp_path: Path
) -> None:
    (store,) = tmp_path.glob("*.db")
    assert in_charge(tmp_path / "none.db") == SHIPPED
    assert in_charge(store) == SHIPPED
    train(ledger=ledger, corpus=lent)
    assert ledger.champion() is not None
    assert in_charge(store) == SHIPPED  # which is what it is
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    train(ledger=ledger, corpus=lent, replace=True)
    champion, found = ledger.champion(), in_charge(store)
    assert champion is not None
    assert found is not None
    assert found.folder is not None
    assert found == InCharge(champion.version, found.folder)
    assert {file.name: file.read_bytes() for file in found.folder.iterdir()} == champion.files
    shutil.rmtree(found.folder)
    assert in_charge(store) is None  # MLflow says what is wrong with it
    store.write_text("no database")
    assert in_charge(store) is None


def test_a_stream_at_its_own_pace_teaches_nothing(ledger: Ledger) -> None:
    paced = Objective.MICROBATCH_P95_S
    publish(ledger, study("paced", GB // 50, workload="a", trials=6), paced)
    publish(ledger, study("s", GB // 50, workload="b", trials=6))
    found = {history.study: history.objective for history in ledger.history()}
    assert found == {"paced": paced, "s": Objective.DURATION_S}
    with pytest.raises(NoUsableResult, match="found 2 studies, 1 of them usable"):
        train(ledger=ledger, corpus=())


def test_where_the_registered_copy_of_ours_is_does_not_matter(
    ledger: Ledger, lent: list[StudyHistory], tmp_path: Path
) -> None:
    train(ledger=ledger, corpus=lent)
    for place in list(tmp_path.rglob("card.json")):
        shutil.rmtree(place.parents[2])
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    assert "the one that comes with autotune" in train(ledger=ledger, corpus=lent).reason


def test_what_answers_is_read_without_mlflow_and_read_anew_when_it_changes(
    ledger: Ledger, lent: list[StudyHistory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store,) = tmp_path.glob("*.db")
    uri = f"sqlite:///{store}"
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    first = train(ledger=ledger, corpus=lent, replace=True)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "autotune.ledger", None)  # to import it would fail
        predictor, version = predictor_in_charge(uri)
        assert version == first.version
        assert predictor_in_charge(uri)[0] is predictor
    second = train(ledger=ledger, corpus=lent, replace=True)
    assert predictor_in_charge(uri)[1] == second.version != first.version
    for place in list(tmp_path.rglob("card.json")):
        shutil.rmtree(place.parents[2])
    with pytest.raises(EnvironmentFault, match="can't be loaded"):
        predictor_in_charge(uri)


def test_another_shipped_predictor_takes_the_place_of_the_one_before(
    ledger: Ledger, lent: list[StudyHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(ledger=ledger, corpus=lent)
    files = fit([study(name, GB // 50, workload=name, trials=6) for name in "xyz"]).files()
    monkeypatch.setattr("autotune.training.shipped_files", lambda: files)
    monkeypatch.setattr("autotune.training.as_good", lambda *figures: (False, "worse"))
    publish(ledger, study("mine", GB // 50, workload="c", trials=6))
    assert train(ledger=ledger, corpus=lent).alias == "challenger"
    champion = ledger.champion()
    assert champion is not None
    assert load_predictor(champion).card.workloads == ("x", "y", "z")


def test_a_worse_model_becomes_challenger_only() -> None:
    def lost(told: float, pick: float = 0.0) -> Regret:
        return Regret(told=told, pick=pick)

    assert as_good({"a": lost(0.2)}, {"a": lost(0.1, 9.0)}, ["a"], "new") == (
        False,
        "regret 20.0% against 10.0% on 1 studies new",
    )
    assert as_good({"a": lost(0.1), "b": lost(9)}, {"a": lost(0.2), "b": lost(0)}, ["a"], "")[0]
    assert as_good({}, {}, [], "new")[0]
    # Where both would tell the same, all their picks count.
    assert as_good({"a": lost(0.1, 0.3)}, {"a": lost(0.1, 0.2)}, ["a"], "new") == (
        False,
        "regret 10.0% against 10.0%, and of all picks 30.0% against 20.0%, on 1 studies new",
    )
    assert as_good({"a": lost(0.1, 0.2)}, {"a": lost(0.1, 0.2)}, ["a"], "new")[0]


def test_the_login_of_a_store_is_not_in_the_result(
    ledger: Ledger, lent: list[StudyHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = property(lambda _: "postgresql://me:s3cret@db/mlflow")
    monkeypatch.setattr(type(ledger), "tracking_uri", address)
    found = train(ledger=ledger, corpus=lent)
    assert found.tracking_uri == "postgresql://*****@db/mlflow"
    assert "s3cret" not in found.model_dump_json() + found.to_text()
