"""Whole studies on a simulated Spark: wrong answers never win, and failing jobs get a start."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.digests import TableDigest
from autotune.domain import Config, Limits, Workload
from autotune.events import Event, EventKind
from autotune.experiment import Budget, Experiment
from autotune.outputs import digest_outputs
from autotune.plan import identity_of
from autotune.record import Cause, Checkpoint, Execute, Execution, Origin, Purpose, Status
from autotune.study import load_study
from autotune.tuning import Places, tune
from autotune.verdict import VerdictKind
from surfaces import Surface, bound_space, experiment

BOUND = bound_space()
QUIET = Budget(trials=8, confirm_blocks=3)


@pytest.fixture
def quick(places: Places) -> Places:
    """Nothing is published: other tests see to that."""
    return places.model_copy(update={"tracking_uri": None})


def surface() -> Surface:
    return Surface(BOUND, gain=3.0, noise=0.01, crash=False)


def trials_of():
    return load_study("sqlite:///mlruns/optuna.db", "simulated").trials


def table(total: float, rows: int = 3) -> tuple[TableDigest, ...]:
    """Return the digest of a table of one number a row."""
    path = Path("answer.json")
    lines = [json.dumps({"n": str(i), "x": total / rows}) for i in range(rows)]
    path.write_text("\n".join(lines))
    return digest_outputs(path)


def answering(answer: Callable[[Config, int], tuple[TableDigest, ...]]) -> Execute:
    calls: list[Config] = []

    def execute(
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        ended = surface()(workload, config, limits, on_checkpoint)
        calls.append(config)
        good = ended.status is Status.SUCCEEDED
        return ended.model_copy(update={"outputs": answer(config, len(calls)) if good else None})

    return execute


def with_outputs() -> Experiment:
    asked = experiment(budget=QUIET)
    job = asked.workload.model_copy(update={"outputs": ("{output}",)})
    return asked.model_copy(update={"workload": job})


def test_a_config_that_changes_the_answer_never_wins(quick: Places) -> None:
    own = BOUND.baseline.digest
    wrong = answering(lambda config, _: table(7.0 if config.digest == own else 7.1))
    results = tune(with_outputs(), execute=wrong, places=quick)
    assert not results.verdict.claimed
    assert results.best_config == BOUND.baseline
    searched = [t for t in trials_of() if t.purpose is Purpose.SEARCH and t.output_match is False]
    assert len(searched) >= 3
    assert {t.execution.cause for t in searched} == {Cause.OUTPUT_MISMATCH}
    assert "column x" in str(searched[0].execution.error)
    assert "other output" in results.report.to_text()


def test_the_same_answer_is_said_and_its_digests_are_kept_once(quick: Places) -> None:
    results = tune(with_outputs(), execute=answering(lambda *_: table(7.0)), places=quick)
    assert results.verdict.claimed
    assert "same output" in results.report.to_text()
    for trial in trials_of():
        own = trial.config.digest == BOUND.baseline.digest
        assert (trial.execution.outputs is not None) == own
        assert trial.output_match is (None if own or not trial.succeeded else True)


def test_a_job_that_is_not_deterministic_is_told_and_nobody_blamed(quick: Places) -> None:
    notes: list[str] = []

    def watch(event: Event) -> None:
        if event.kind is EventKind.NOTE:
            notes.append(event.text)

    random = answering(lambda _, call: table(7.0 + call))
    results = tune(with_outputs(), execute=random, places=quick, on_event=watch)
    assert results.verdict.claimed
    assert any("not deterministic" in note for note in notes)
    assert all(t.execution.cause is not Cause.OUTPUT_MISMATCH for t in trials_of())


def test_a_job_that_names_no_output_is_told_once(quick: Places) -> None:
    notes: list[str] = []

    def watch(event: Event) -> None:
        if event.kind is EventKind.NOTE:
            notes.append(event.text)

    for _ in range(2):
        results = tune(experiment(budget=QUIET), execute=surface(), places=quick, on_event=watch)
    assert sum("names no output" in note for note in notes) == 1
    assert "output not compared" in results.report.to_text()


def test_a_baseline_that_runs_out_of_memory_gets_a_start_that_works(quick: Places) -> None:
    heap = "spark.driver.memory"
    own = BOUND.number(heap, BOUND.baseline)
    assert own is not None

    starved = {
        "status": Status.FAILED,
        "cause": Cause.OUT_OF_MEMORY,
        "error": "java.lang.OutOfMemoryError: Java heap space",
        "duration_s": None,
    }
    fine = surface()

    def execute(
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        ended = fine(workload, config, limits, on_checkpoint)
        enough = (BOUND.number(heap, config) or 0) > 1.4 * own
        return ended if enough else ended.model_copy(update=starved)

    results = tune(experiment(budget=QUIET), execute=execute, places=quick)
    assert results.verdict.kind is VerdictKind.WORKS
    assert results.speedup is None
    assert (BOUND.number(heap, results.best_config) or 0) > 1.4 * own
    text = results.report.to_text()
    assert "Your configuration fails" in text
    assert "out of memory" in text
    assert heap in Path("mlruns/studies/simulated/best.conf").read_text()
    origins = {t.origin for t in trials_of()}
    assert Origin.RESCUE in origins


def test_a_study_is_not_continued_with_other_outputs() -> None:
    one = experiment()
    workload = one.workload.model_copy(update={"outputs": ("{output}/other",)})
    before, after = identity_of(one), identity_of(one.model_copy(update={"workload": workload}))
    assert [key for key in before if before[key] != after[key]] == ["answers"]
