"""Streaming jobs: what their event log tells of micro-batches, and the objectives made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune import noise
from autotune.cli_tune import _OBJECTIVES
from autotune.domain import Objective
from autotune.errors import NoUsableResult
from autotune.events import Event, EventKind
from autotune.experiment import Budget
from autotune.progress import standing
from autotune.record import Execution, Metrics, Status
from autotune.spark.eventlog import summarise
from autotune.spark.logstreams import SAMPLE, StreamMeter
from autotune.study import load_study
from autotune.tuning import Places, tune
from recorded_logs import LOGS, VERSIONS, plain, recorded
from surfaces import Surface, bound_space, experiment, measured
from test_noise import only, trial

PROGRESS = "org.apache.spark.sql.streaming.StreamingQueryListener$QueryProgressEvent"
BOUND = bound_space()
OF_STREAM = [objective for objective in Objective if objective.of_stream]


def progress(milliseconds: float, *rows: int, **changes: object) -> dict[str, Any]:
    body = {
        "durationMs": {"triggerExecution": milliseconds, "addBatch": milliseconds},
        "sources": [{"description": "FileStreamSource[/in]", "numInputRows": n} for n in rows],
        "sink": {"description": "MemorySink"},
        **changes,
    }
    return {"Event": PROGRESS, "progress": body}


def told(tmp_path: Path, *events: object) -> Metrics:
    lines = [json.dumps(event).encode() for event in events]
    return summarise(plain(tmp_path, b"\n".join(lines))).metrics


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_streams_are_summed_up_as_spark_reported_them(version: str) -> None:
    events = [json.loads(line) for line in recorded(f"sql-{version}").splitlines()]
    batches = [event["progress"] for event in events if event["Event"] == PROGRESS]
    assert [batch["sources"][0]["numInputRows"] for batch in batches] == [2000, 2000]
    seconds = [batch["durationMs"]["triggerExecution"] / 1000 for batch in batches]
    metrics = summarise(LOGS / f"sql-{version}.zstd").metrics
    assert metrics.microbatches == 2
    assert metrics.streamed_rows == 4000
    assert metrics.microbatch_time_s == pytest.approx(sum(seconds))
    assert metrics.microbatch_p95_s == pytest.approx(np.quantile(seconds, 0.95))
    assert metrics.seconds_per_million_rows == pytest.approx(sum(seconds) / 4000 * 1e6)


@pytest.mark.parametrize("version", VERSIONS)
def test_other_jobs_have_no_micro_batches(version: str) -> None:
    known = summarise(LOGS / f"rdd-{version}.zstd").metrics.model_dump(exclude_none=True)
    assert not [name for name in known if "batch" in name or "stream" in name or "million" in name]


def test_rows_of_all_sources_count_and_triggers_with_nothing_to_do_do_not(tmp_path: Path) -> None:
    idle = progress(9, 0, durationMs={"triggerExecution": 9, "latestOffset": 9})
    metrics = told(tmp_path, progress(500, 10, 20), idle, progress(1500, 70), progress(250, 0))
    assert (metrics.microbatches, metrics.streamed_rows) == (3, 100)
    assert metrics.seconds_per_million_rows == pytest.approx(22_500)
    assert metrics.microbatch_p95_s == pytest.approx(1.45)


def test_a_stream_that_read_nothing_has_neither_rate_nor_percentile(tmp_path: Path) -> None:
    metrics = told(tmp_path, progress(100, 0))
    assert (metrics.microbatches, metrics.streamed_rows) == (1, 0)
    assert metrics.microbatch_p95_s is metrics.seconds_per_million_rows is None


@pytest.mark.parametrize(
    "broken",
    [
        progress(float("nan"), 1),
        progress(1, 10**400),
        progress(1, 1, sources=None),
        progress(1, 1, durationMs={"addBatch": 1}),
        {"Event": PROGRESS},
    ],
)
def test_a_damaged_report_counts_for_nothing(tmp_path: Path, broken: dict[str, Any]) -> None:
    metrics = told(tmp_path, progress(500, 10), broken, progress(500, 10))
    assert (metrics.microbatches, metrics.streamed_rows) == (2, 20)


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=40))
def test_the_percentile_is_that_of_all_batches_with_rows(milliseconds: list[int]) -> None:
    meter = StreamMeter()
    for each in milliseconds:
        meter.progress(progress(each, 1))
        meter.progress(progress(10**6, 0))
    found = meter.metrics()["microbatch_p95_s"]
    assert found == pytest.approx(np.quantile(milliseconds, 0.95) / 1000)


def test_an_endless_stream_takes_no_more_memory() -> None:
    meter = StreamMeter()
    for number in range(3 * SAMPLE):
        meter.progress(progress(number % 1000, 1))
    assert len(meter._sample_s) == SAMPLE
    assert meter.metrics()["microbatch_p95_s"] == pytest.approx(0.95, abs=0.02)


def streamed(p95_s: float, **changes: object) -> Execution:
    metrics = Metrics(microbatch_p95_s=p95_s, seconds_per_million_rows=10 * p95_s)
    ended = measured(BOUND, 0, BOUND.baseline).execution
    return ended.model_copy(update={"metrics": metrics, **changes})


def test_the_value_is_the_metric_of_that_name() -> None:
    assert streamed(0.5).value(Objective.MICROBATCH_P95_S) == 0.5
    assert streamed(0.5).value(Objective.SECONDS_PER_MILLION_ROWS) == 5
    assert measured(BOUND, 0, BOUND.baseline).execution.value(Objective.MICROBATCH_P95_S) is None


@pytest.mark.parametrize("objective", OF_STREAM)
def test_a_rate_of_an_execution_that_was_cut_off_is_not_stretched(objective: Objective) -> None:
    cut = trial(0, status=Status.TIMED_OUT, wall_s=20, limit_s=60)
    execution = streamed(0.5, status=Status.TIMED_OUT, duration_s=None, wall_s=20)
    value = only(cut.model_copy(update={"execution": execution}), objective=objective).value
    assert value == execution.metrics.model_dump()[objective.value]
    assert only(cut, objective=objective).value is None


def test_the_command_line_knows_every_objective() -> None:
    assert tuple(Objective) == _OBJECTIVES


def test_times_of_micro_batches_are_shown_with_their_decimals() -> None:
    event = Event(kind=EventKind.NOTE, done=3, total=9, best=0.4321, baseline=12.34)
    assert "best 0.432 (-96 % vs baseline 12.3)" in standing(event)


class Streaming:
    """The surface as a stream: its micro-batches take a tenth of what it takes."""

    def __init__(self, **fields: object) -> None:
        self.surface = Surface(BOUND, **{"gain": 3.0, "noise": 0.01, "crash": False, **fields})

    def __call__(self, *arguments: Any) -> Execution:
        ended = self.surface(*arguments)
        p95_s = (ended.duration_s or 0.0) / 10
        metrics = ended.metrics.model_copy(update={"microbatch_p95_s": p95_s})
        return ended.model_copy(update={"metrics": metrics})


def test_a_study_of_a_stream_minimises_its_percentile(places: Places) -> None:
    heard: list[Event] = []
    results = tune(
        experiment(
            objective=Objective.MICROBATCH_P95_S, budget=Budget(trials=8, confirm_blocks=3)
        ),
        execute=Streaming(),
        places=places,
        on_event=heard.append,
    )
    assert "shorter micro-batches (95th percentile)" in results.report.to_text()
    (first, *_) = [event for event in heard if event.kind is EventKind.FINISHED]
    assert first.trial is not None
    p95_s = first.trial.execution.metrics.microbatch_p95_s
    assert first.baseline == pytest.approx(p95_s)
    trials = load_study(places.storage_url, "simulated").trials
    known = noise.baseline_value(trials, Objective.MICROBATCH_P95_S)
    assert known == pytest.approx(p95_s, rel=0.1)


@pytest.mark.parametrize("objective", OF_STREAM)
def test_a_job_that_is_no_stream_is_told_after_its_first_execution(
    places: Places, objective: Objective
) -> None:
    heard: list[Event] = []
    surface = Surface(BOUND, crash=False)
    study = experiment(objective=objective)
    with pytest.raises(NoUsableResult) as said:
        tune(study, execute=surface, places=places, on_event=heard.append)
    assert str(said.value) == (
        f"objective: {objective.value}: 'simulated' ran to its end without a micro-batch that"
        " read rows, so it has no such value; choose duration_s, core_seconds or gb_seconds, and"
        " give the command with --new"
    )
    assert len([event for event in heard if event.kind is EventKind.FINISHED]) == 1
    with pytest.raises(NoUsableResult, match="without a micro-batch"):
        tune(study, execute=surface, places=places)
