"""Whole studies through the `execute` seam, on a simulated Spark, with real stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.domain import Config, Limits, Workload
from autotune.errors import NoUsableResult, StudyConflict, UnsafeWorkload
from autotune.events import Event, EventKind
from autotune.experiment import Budget
from autotune.ledger import Ledger
from autotune.record import Cause, Checkpoint, Execute, Execution, Origin, Purpose, Status
from autotune.study import load_study
from autotune.tuning import Places, tune
from autotune.verdict import VerdictKind
from commands import Command
from surfaces import Surface, bound_space, experiment

BOUND = bound_space()
STORAGE = "sqlite:///mlruns/optuna.db"
QUIET = Budget(trials=8, confirm_blocks=3)
SMALL = Budget(trials=2, confirm_blocks=1)


@pytest.fixture
def quick(places: Places) -> Places:
    """Nothing is published: other tests see to that."""
    return places.model_copy(update={"tracking_uri": None})


def surface(**fields: object) -> Surface:
    return Surface(BOUND, **{"gain": 3.0, "noise": 0.01, "crash": False, **fields})


class Counting:
    """Passes executions on, and ends the tuner like Ctrl-C after a number of them."""

    def __init__(self, execute: Execute, most: int = 10_000) -> None:
        self.execute = execute
        self.most = most
        self.configs: list[Config] = []

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        if len(self.configs) >= self.most:
            raise KeyboardInterrupt
        self.configs.append(config)
        return self.execute(workload, config, limits, on_checkpoint)


def altered(change: Callable[[Workload, Execution], dict[str, object]]) -> Execute:
    """Execute on the surface, and change what *change* returns of the execution."""

    def execute(
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        ended = surface()(workload, config, limits, on_checkpoint)
        return ended.model_copy(update=change(workload, ended))

    return execute


def trials_of(name: str = "simulated"):
    return load_study(STORAGE, name).trials


def test_a_study_finds_and_confirms_a_gain(quick: Places) -> None:
    execute = surface()
    results = tune(experiment(budget=QUIET), execute=execute, places=quick)
    assert results.verdict.kind is VerdictKind.GAIN
    true = execute.base_s / execute.true_s(results.best_config)
    assert results.speedup == pytest.approx(true, rel=0.05)
    assert true > 1.2
    trials = trials_of()
    assert [t.purpose for t in trials[:3]] == [Purpose.BASELINE] * 3
    assert trials[0].config == BOUND.baseline
    assert trials[3].origin is Origin.EXPERT
    assert [t.number for t in trials] == list(range(3 + 8 + 9))


def test_where_nothing_matters_the_answer_is_to_keep_what_is_there(quick: Places) -> None:
    results = tune(experiment(budget=QUIET), execute=surface(gain=1.0, noise=0.05), places=quick)
    assert results.verdict.kind is not VerdictKind.GAIN
    assert results.best_config == BOUND.baseline
    assert results.speedup == 1.0


def test_what_is_left_behind(quick: Places) -> None:
    results = tune(experiment(budget=QUIET), execute=surface(), places=quick)
    own = Path("mlruns/studies/simulated")
    names = {path.name for path in own.iterdir()}
    assert names == {"best.conf", "rollback.conf", "best.json", "report.txt", "trials.csv"}
    changed = [row.name for row in results.report.changed]
    assert changed
    conf = (own / "best.conf").read_text()
    assert all(any(line.startswith(name) for line in conf.splitlines()) for name in changed)
    assert len((own / "trials.csv").read_text().splitlines()) == 1 + len(trials_of())
    assert {"study", "status", "baseline_s", "best_s", "speedup", "trials", "failed", "config",
            "overridden", "artifacts"} <= results.report.to_dict().keys()  # fmt: skip


def test_an_interrupted_study_goes_on_as_if_it_had_not_been(quick: Places) -> None:
    asked = experiment(budget=QUIET)
    whole = Counting(surface())
    tune(asked.model_copy(update={"name": "whole"}), execute=whole, places=quick)
    configs: list[Config] = []
    for most in (1, 4, 7, 100):
        part = Counting(surface(executed=len(configs)), most)
        try:
            tune(asked, execute=part, places=quick)
        except KeyboardInterrupt:
            configs += part.configs
            continue
        configs += part.configs
        break
    assert configs == whole.configs
    values = [t.execution.duration_s for t in trials_of()]
    assert values == [t.execution.duration_s for t in trials_of("whole")]


def test_a_study_that_is_complete_executes_nothing_more(quick: Places) -> None:
    first = tune(experiment(budget=QUIET), execute=surface(), places=quick)
    again = Counting(surface())
    second = tune(experiment(budget=QUIET), execute=again, places=quick)
    assert again.configs == []
    assert second.verdict == first.verdict


def test_a_larger_budget_goes_on(quick: Places) -> None:
    tune(experiment(budget=QUIET), execute=surface(), places=quick)
    more = QUIET.model_copy(update={"trials": 10})
    execute = Counting(surface(executed=50))
    tune(experiment(budget=more), execute=execute, places=quick)
    assert len(execute.configs) == 2 + 9


def test_another_space_is_another_study(quick: Places) -> None:
    asked = experiment(budget=SMALL)
    tune(asked, execute=surface(), places=quick)
    other = asked.model_copy(update={"identity": {**asked.identity, "data": "other"}})
    execute = Counting(surface())
    with pytest.raises(StudyConflict, match=r"data.*--new"):
        tune(other, execute=execute, places=quick)
    assert execute.configs == []
    tune(other, execute=execute, places=quick, new=True)
    assert len(trials_of()) == len(execute.configs)


def test_a_server_that_is_away_costs_no_trial_and_is_caught_up_with(places: Places) -> None:
    away = places.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    notes: list[str] = []

    def watch(event: Event) -> None:
        if event.kind is EventKind.NOTE:
            notes.append(event.text)

    asked = experiment(budget=SMALL)
    tune(asked, execute=surface(), places=away, on_event=watch)
    assert sum("not published yet" in note for note in notes) == 1
    assert len(trials_of()) == 3 + 2 + 3
    tune(asked, execute=Counting(surface(), 0), places=places)
    (history,) = Ledger(places.tracking_uri).history()
    assert len(history.trials) == 3 + 2 + 3


def failing(
    workload: Workload,
    config: Config,
    limits: Limits,
    on_checkpoint: Callable[[Checkpoint], bool],
) -> Execution:
    ended = surface()(workload, config, limits, on_checkpoint)
    return ended.model_copy(
        update={
            "status": Status.FAILED,
            "duration_s": None,
            "cause": Cause.APP_ERROR,
            "error": "NameError: name 'x' is not defined",
        }
    )


def test_a_job_that_fails_today_is_told_and_not_tuned(quick: Places) -> None:
    with pytest.raises(NoUsableResult, match=r"own configuration \(app error\)") as told:
        tune(experiment(budget=QUIET), execute=failing, places=quick)
    assert "NameError" in str(told.value)
    assert told.value.exit_code == 1
    assert len(trials_of()) == 1


def test_a_job_that_writes_elsewhere_is_executed_once_and_no_more(quick: Places) -> None:
    asked = experiment(budget=SMALL)
    execute = Counting(altered(lambda *_: {"writes_outside": ("/warehouse/sales",)}))
    for _ in range(2):
        with pytest.raises(UnsafeWorkload, match=r"/warehouse/sales.*--rerunnable"):
            tune(asked, execute=execute, places=quick)
        assert len(execute.configs) == 1
    allowed = asked.model_copy(update={"rerunnable": True})
    tune(allowed, execute=execute, places=quick)
    assert len(execute.configs) >= 3 + 2


def test_a_parameter_that_the_job_sets_is_fixed_and_named(quick: Places) -> None:
    name = "spark.sql.shuffle.partitions"

    execute = altered(lambda _, ended: {"effective": {**ended.effective, name: "10"}})
    results = tune(experiment(budget=QUIET), execute=execute, places=quick)
    assert [row.name for row in results.report.overridden] == [name]
    assert name not in {row.name for row in results.report.changed}
    searched = [t.config.properties[name] for t in trials_of() if t.purpose is Purpose.SEARCH]
    assert set(searched) == {None}


def test_a_study_without_time_says_so(quick: Places) -> None:
    hasty = QUIET.model_copy(update={"timeout_s": 100.0})
    results = tune(experiment(budget=hasty), execute=surface(), places=quick)
    assert results.verdict.kind is VerdictKind.UNDECIDED
    assert "time was up" in results.verdict.reason
    assert "--timeout" in results.report.to_text()


def test_failures_are_data(quick: Places) -> None:
    results = tune(
        experiment(budget=Budget(trials=12, confirm_blocks=1)),
        execute=Surface(BOUND, gain=3.0, noise=0.01, seed=5),
        places=quick,
    )
    assert results.report.trials == len(trials_of())
    assert results.report.failed == sum(not t.succeeded for t in trials_of())


def test_show_list_and_export_say_the_same(quick: Places, autotune: Command) -> None:
    results = tune(experiment(budget=QUIET), execute=surface(), places=quick)
    shown = autotune("show", "simulated")
    assert shown.code == 0
    assert f"{results.speedup:.2f}×" in shown.out
    assert "simulated" in autotune("list").out
    conf = autotune("export", "simulated").out
    assert conf == Path("mlruns/studies/simulated/best.conf").read_text()
    assert "--conf" in autotune("export", "simulated", "--to", "submit").out


def test_secrets_are_written_nowhere(quick: Places, folder: Path) -> None:
    secret = "hunter2-and-more"

    def told(workload: Workload, ended: Execution) -> dict[str, object]:
        assert workload.properties["spark.db.password"] == secret
        return {"error": f"could not log in with {secret}"}

    asked = experiment(budget=Budget(trials=1, confirm_blocks=0))
    properties = {"spark.db.password": secret}
    job = asked.workload.model_copy(
        update={"properties": properties, "arguments": ("--token", secret)}
    )
    places = quick.model_copy(update={"tracking_uri": "sqlite:///mlruns/mlflow.db"})
    results = tune(
        asked.model_copy(update={"workload": job}), execute=altered(told), places=places
    )
    assert secret not in results.report.to_text(trials=True)
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [path for path in written if secret.encode() in path.read_bytes()] == []


def test_the_best_so_far_is_never_worse_than_the_baseline(quick: Places) -> None:
    told: list[Event] = []
    few = Budget(trials=1, confirm_blocks=0)
    for seed in range(6):
        noisy = Surface(BOUND, gain=1.0, noise=0.2, seed=seed, crash=False)
        asked = experiment(f"noisy {seed}", budget=few)
        tune(asked, execute=noisy, places=quick, on_event=told.append)
    known = [(e.best, e.baseline) for e in told if e.best is not None and e.baseline is not None]
    assert len(known) > 10
    assert all(best <= baseline for best, baseline in known)


def test_without_the_race_every_execution_runs_to_its_end(quick: Places) -> None:
    stopped = []
    for race in (True, False):
        budget = QUIET.model_copy(update={"trials": 12, "race": race, "execution_ratio": 20.0})
        asked = experiment(f"race {race}", budget=budget)
        tune(asked, execute=surface(seed=1), places=quick)
        statuses = [t.execution.status for t in trials_of(f"race {race}")]
        stopped.append(statuses.count(Status.STOPPED_EARLY))
    assert stopped[0] > 0
    assert stopped[1] == 0
