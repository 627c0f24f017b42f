"""Questions and answers as tables, as MLflow serves them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.predict import Predictor, fit
from autotune.recommendation.table import COLUMNS, answers, row_of
from past_studies import GB, PARTITIONS, facts_of, machine, profile, study

JOB = WorkloadProfile(source=ProfileSource.PLANS, operators={Operator.SORT: 2}, queries=1)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    histories = [
        study(f"{workload}{i}", size, workload=workload)
        for workload in ("a", "b", "c")
        for i, size in enumerate((GB // 100, GB // 20))
    ]
    return fit(histories, facts_of=facts_of, models=("constant", "extra_trees"))


def test_a_row_is_a_question_and_has_an_answer(predictor: Predictor) -> None:
    rows = [
        row_of(profile(GB // 40), machine(), conf={PARTITIONS: "2000"}),
        row_of(None, machine(), JOB, workload="a", space="sql"),
    ]
    assert set(rows[0]) == set(COLUMNS)
    found = answers(predictor, pd.DataFrame(rows))
    assert list(found["error"]) == ["", ""]
    first = found.iloc[0]
    assert not first.keep_default
    assert first.predicted_speedup > 1.2
    assert int(json.loads(first.config)[PARTITIONS]) < 500
    assert first.low <= first.predicted_speedup <= first.high


def test_what_is_left_out_is_not_known(predictor: Predictor) -> None:
    question = {"machine": machine().model_dump_json()}
    found = answers(predictor, pd.DataFrame([question]))
    assert list(found["error"]) == [""]
    gaps = {**question, "profile": None, "job": float("nan")}
    assert answers(predictor, pd.DataFrame([gaps])).equals(found)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"machine": ""},
            "machine: it is empty; give at least master, slots, cores_per_executor, memory_bytes",
        ),
        ({"machine": "{"}, "Machine: it: Invalid JSON"),
        ({"machine": '{"master": "local[2]"}'}, "Machine: slots: Field required"),
        ({"profile": "[]"}, "DatasetProfile: it: Input should be"),
        ({"profile": '{"rows": "many"}'}, "DatasetProfile: path: Field required"),
        ({"job": '{"source": "rumour"}'}, "WorkloadProfile: source: Input should be"),
        ({"space": "nowhere"}, "nowhere"),
        ({"space": "/dev/zero"}, "space: '/dev/zero' is none of"),  # nobody reads our files
        ({"job": '{"source": "event_log", "duration_s": -2}'}, "no question of autotune's: "),
        ({"conf": "[" * 100_000}, "conf: it is "),
        (
            {
                "profile": '{"path": "t", "format": "csv", "rows": 1, "bytes": 1%s, "files": 1}'
                % ("0" * 400)
            },
            "no question of autotune's: ",
        ),
        ({"conf": "spark.x=1"}, "conf: it is not JSON"),
        ({"conf": "[1]"}, "conf: it is a list"),
        (
            {"profile": '{"path": "t", "format": "csv", "rows": -1, "bytes": 0, "files": 1}'},
            "DatasetProfile: rows: Input should be greater",
        ),
    ],
)
def test_a_question_that_can_not_be_understood_is_answered_so(
    predictor: Predictor, changed: dict[str, str], said: str
) -> None:
    fine = row_of(profile(GB // 40), machine())
    found = answers(predictor, pd.DataFrame([{**fine, **changed}, fine]))
    assert said in found["error"][0]
    assert "\n" not in found["error"][0]
    assert found["keep_default"][0]
    assert found["config"][0] == "{}"
    assert found["error"][1] == ""  # the others are answered


def test_nothing_is_set_to_nothing(predictor: Predictor) -> None:
    question = {**row_of(profile(GB // 40), machine()), "conf": json.dumps({PARTITIONS: None})}
    found = answers(predictor, pd.DataFrame([question, row_of(profile(GB // 40), machine())]))
    assert found.iloc[0].equals(found.iloc[1])


def test_a_table_of_no_bytes_is_a_question_too(predictor: Predictor) -> None:
    found = answers(predictor, pd.DataFrame([row_of(profile(0), machine())]))
    assert list(found["error"]) == [""]
