from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from autotune.domain import SCHEMA_VERSION, Config
from autotune.errors import AutotuneError, EnvironmentFault, InputError, StudyConflict
from autotune.experiment import Budget
from autotune.record import Cause, Execution, Status, Trial
from autotune.study import Study, list_studies, load_study, open_study
from surfaces import bound_space, experiment, measured

BOUND = bound_space()
TESTS = Path(__file__).parent


@pytest.fixture
def url(tmp_path: Path, empty_storage: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_storage, tmp_path)}"


def executed(study: Study, config: Config = BOUND.baseline, **changes: object) -> Trial:
    return measured(BOUND, study.claim(), config, **changes)


def add(study: Study, trial: Trial) -> None:
    study.add(trial, BOUND.encode(trial.config), BOUND.dimensions)


def test_what_is_added_is_read_back_the_same(url: str) -> None:
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
        add(study, executed(study, BOUND.decode({"spark.shuffle.compress": "false"})))
        written = study.trials
    with open_study(experiment(), storage_url=url) as study:
        assert study.trials == written
        assert study.claim() == 2
    record = load_study(url, "simulated")
    assert record.trials == written
    assert record.experiment == experiment()


def test_optuna_sees_states_values_parameters_and_reasons(url: str) -> None:
    failure = {"status": Status.FAILED, "duration_s": None, "cause": Cause.OUT_OF_MEMORY}
    stop = {"status": Status.STOPPED_EARLY, "duration_s": None}
    with open_study(experiment(), storage_url=url) as study:
        good = executed(study)
        add(study, good)
        add(study, executed(study, **failure, error="Java heap space"))
        add(study, executed(study, **stop))
        add(study, executed(study, status=Status.TIMED_OUT, duration_s=None))
        study.claim()
    found = optuna.load_study(study_name="simulated", storage=url).trials
    states = [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED, TrialState.FAIL]
    assert [t.state for t in found] == [*states, TrialState.RUNNING]
    assert found[0].value == good.execution.duration_s
    assert found[0].params == pytest.approx(BOUND.encode(BOUND.baseline))
    assert "spark.io.compression.zstd.level" not in found[0].params
    assert [t.user_attrs.get("cause") for t in found[1:4]] == ["out_of_memory", None, "timed_out"]
    assert found[1].user_attrs["reason"] == "Java heap space"


def test_a_trial_that_was_recorded_but_not_told_is_told_at_the_next_start(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_study(experiment(), storage_url=url) as study:
        monkeypatch.setattr(Study, "_tell", lambda *arguments: None)
        add(study, executed(study))
    monkeypatch.undo()
    assert len(load_study(url, "simulated").trials) == 1
    with open_study(experiment(), storage_url=url) as study:
        assert len(study.trials) == 1
    (told,) = optuna.load_study(study_name="simulated", storage=url).trials
    assert told.state is TrialState.COMPLETE
    assert told.params


def test_a_cut_off_execution_is_let_go_and_does_not_count(url: str) -> None:
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
        study.claim()
    with open_study(experiment(), storage_url=url) as study:
        assert [t.number for t in study.trials] == [0]
        assert study.claim() == 2
    lost = optuna.load_study(study_name="simulated", storage=url).trials[1]
    assert lost.state is TrialState.FAIL
    assert lost.user_attrs == {"lost": True}


@pytest.mark.parametrize("part", ["space", "data", "command", "spark"])
def test_a_study_that_means_something_else_is_not_continued(url: str, part: str) -> None:
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
    changed = {**experiment().identity, part: "changed"}
    with (
        pytest.raises(StudyConflict, match=rf"{part} \(.*→ \"changed\"\).*--new") as error,
        open_study(experiment(identity=changed), storage_url=url),
    ):
        pass
    others = {"space", "data", "command", "spark"} - {part}
    assert not any(f"{other} (" in str(error.value) for other in others)
    assert "\n" not in str(error.value)


def test_another_objective_is_another_meaning(url: str) -> None:
    with open_study(experiment(), storage_url=url):
        pass
    with (
        pytest.raises(StudyConflict, match="objective"),
        open_study(experiment(objective="core_seconds"), storage_url=url),
    ):
        pass


def test_new_sets_the_old_study_aside(url: str) -> None:
    for _ in range(3):
        with open_study(experiment(), storage_url=url, new=True) as study:
            assert study.trials == ()
            add(study, executed(study))
    names = [info.name for info in list_studies(url)]
    assert names == ["simulated", "simulated.1", "simulated.2"]
    assert all(len(load_study(url, name).trials) == 1 for name in names)


def test_another_budget_and_seed_continue_and_are_recorded(url: str) -> None:
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
    larger = experiment(budget=Budget(trials=99), seed=7)
    with open_study(larger, storage_url=url) as study:
        assert len(study.trials) == 1
    assert load_study(url, "simulated").experiment == larger
    attributes = optuna.load_study(study_name="simulated", storage=url).user_attrs
    assert [session["budget"]["trials"] for session in attributes["sessions"]] == [8, 99]
    assert attributes["schema_version"] == SCHEMA_VERSION


def test_a_second_tuner_is_refused_with_the_first_ones_process_id(url: str) -> None:
    with (
        open_study(experiment(), storage_url=url),
        pytest.raises(StudyConflict, match=rf"process {os.getpid()}\b"),
        open_study(experiment(), storage_url=url),
    ):
        pass
    with open_study(experiment(), storage_url=url), open_study(experiment("b"), storage_url=url):
        pass


HOLDER = """
import sys, time
sys.path.insert(0, {tests!r})
from surfaces import bound_space, experiment, measured
from autotune.study import open_study
bound = bound_space()
with open_study(experiment(), storage_url={url!r}) as study:
    trial = measured(bound, study.claim(), bound.baseline)
    study.add(trial, bound.encode(trial.config), bound.dimensions)
    study.claim()
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_kill_between_two_writes_of_a_trial_does_not_lose_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = RDBStorage.set_trial_user_attr

    def once(storage: RDBStorage, trial_id: int, key: str, value: object) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(key)
        write(storage, trial_id, key, value)

    with open_study(experiment(), storage_url=url) as study:
        trial = executed(study)
        monkeypatch.setattr(RDBStorage, "set_trial_user_attr", once)
        with pytest.raises(KeyboardInterrupt):
            add(study, trial)
        monkeypatch.undo()
    with open_study(experiment(), storage_url=url) as study:
        assert study.trials == (trial,)


def test_a_killed_tuner_leaves_its_trials_and_no_lock(url: str) -> None:
    script = HOLDER.format(tests=str(TESTS), url=url)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(StudyConflict, match=rf"process {holder.pid}\b"),
            open_study(experiment(), storage_url=url),
        ):
            pass
        assert len(load_study(url, "simulated").trials) == 1
        holder.send_signal(signal.SIGKILL)
    with open_study(experiment(), storage_url=url) as study:
        assert len(study.trials) == 1


@pytest.mark.parametrize(
    ("storage", "fault", "told"),
    [
        ("mlruns/optuna.db", InputError, "sqlite:///"),
        ("", InputError, "is not a URL"),
        ("sqlite://", InputError, "names no file"),
        ("sqlite:///:memory:", InputError, "names no file"),
        ("sqlite:////tmp/{x}.db", InputError, "braces"),
        ("mysql://u:secret@h/db", InputError, "mysql is not supported"),
        ("redis://h", InputError, "redis"),
        ("http://h:5000", InputError, "http"),
        ("sqlite:////proc/autotune/optuna.db", EnvironmentFault, "/proc/autotune"),
        ("sqlite:////dev/null/optuna.db", EnvironmentFault, "/dev/null"),
        ("postgresql://u:secret@127.0.0.1:9/db", EnvironmentFault, "refuse"),
    ],
)
def test_a_wrong_storage_is_one_clear_line(
    storage: str, fault: type[AutotuneError], told: str
) -> None:
    with (
        pytest.raises(fault, match=told) as error,
        open_study(experiment(), storage_url=storage),
    ):
        pass
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_missing_driver_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)  # as if it were not installed
    with (
        pytest.raises(EnvironmentFault, match=r"spark-autotune\[postgres\]"),
        open_study(experiment(), storage_url="postgresql://u@127.0.0.1:9/db"),
    ):
        pass


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("not a database, but long enough to look like the head of one" * 20)
    other = tmp_path / "mlflow.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE experiments (name TEXT)")
    connection.close()
    for file in (text, other, tmp_path):
        before = file.read_bytes() if file.is_file() else sorted(tmp_path.iterdir())
        with (
            pytest.raises((InputError, EnvironmentFault), match=file.name),
            open_study(experiment(), storage_url=f"sqlite:///{file}"),
        ):
            pass
        assert before == (file.read_bytes() if file.is_file() else sorted(tmp_path.iterdir()))


def test_a_full_disk_is_named_and_the_record_survives(url: str, tmp_path: Path) -> None:
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
        with study._storage.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
        trial = executed(study, error="x" * 1_000_000, status=Status.FAILED)
        with pytest.raises(EnvironmentFault, match="full"):
            add(study, trial)
        assert len(study.trials) == 1
    assert len(load_study(url, "simulated").trials) == 1


def test_a_record_of_a_newer_version_is_refused(url: str) -> None:
    with open_study(experiment(), storage_url=url) as study:
        trial = executed(study)
        add(study, trial.model_copy(update={"schema_version": SCHEMA_VERSION + 1}))
    with (
        pytest.raises(StudyConflict, match="newer autotune"),
        open_study(experiment(), storage_url=url),
    ):
        pass
    (info,) = list_studies(url)
    assert info.problem is not None
    assert "newer autotune" in info.problem


def test_a_study_of_somebody_else_is_not_taken_over(url: str) -> None:
    with open_study(experiment("other"), storage_url=url):
        pass
    foreign = optuna.create_study(study_name="simulated", storage=url)
    foreign.tell(foreign.ask(), 1.0)
    with (
        pytest.raises(StudyConflict, match="not made by autotune"),
        open_study(experiment(), storage_url=url),
    ):
        pass
    assert [info.name for info in list_studies(url)] == ["other"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs/here/optuna.db"
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
    assert len(list_studies(url)) == 1


def test_looking_makes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs/optuna.db"
    assert list_studies(url) == ()
    with pytest.raises(InputError, match="there is none yet"):
        load_study(url, "simulated")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_study_is_answered_with_the_known_ones(url: str) -> None:
    with open_study(experiment(), storage_url=url) as study:
        add(study, executed(study))
    with pytest.raises(InputError, match="there are simulated"):
        load_study(url, "simulatd")
    (info,) = list_studies(url)
    assert info.trials == 1
    assert info.baseline == pytest.approx(info.best)


def test_an_objective_that_was_not_measured_is_no_value(url: str) -> None:
    with open_study(experiment(objective="gb_seconds"), storage_url=url) as study:
        trial = executed(study)
        bare = Execution.model_validate(
            {**trial.execution.model_dump(), "metrics": {"gb_seconds": 0.0}}
        )
        add(study, trial.model_copy(update={"execution": bare}))
    (told,) = optuna.load_study(study_name="simulated", storage=url).trials
    assert told.state is TrialState.FAIL
