"""What a study lives among breaks: no trial is lost, one clear line, publishing catches up."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autotune.domain import Config, Limits, Workload
from autotune.errors import EnvironmentFault
from autotune.events import Event, EventKind
from autotune.experiment import Budget
from autotune.ledger import Ledger
from autotune.ledger.staging import PREFIX, staging_folder
from autotune.record import Checkpoint, Execute, Execution
from autotune.study import load_study, open_study
from autotune.tuning import Places, tune
from surfaces import Surface, bound_space, experiment, measured

TESTS = Path(__file__).parent
BOUND = bound_space()
STORAGE = "sqlite:///mlruns/optuna.db"
SMALL = Budget(trials=2, baseline_repeats=2, confirm_blocks=1)


def surface(**fields: object) -> Surface:
    return Surface(BOUND, **{"gain": 3.0, "noise": 0.01, "crash": False, **fields})


def tuned_with_notes(places: Places, execute: Execute | None = None) -> list[str]:
    """Tune, and return the lines that a person is told."""
    notes: list[str] = []

    def watch(event: Event) -> None:
        if event.kind is EventKind.NOTE:
            notes.append(event.text)

    tune(
        experiment(budget=SMALL),
        execute=execute or surface(),
        places=places,
        on_event=watch,
    )
    return [note for note in notes if "not published" in note]


def assert_caught_up(places: Places) -> None:
    """The next run of the same command executes nothing and publishes everything."""

    def never(*_: object) -> Execution:
        raise AssertionError("a complete study was executed again")

    recorded = load_study(STORAGE, "simulated").trials
    assert recorded
    assert tuned_with_notes(places, never) == []
    assert places.tracking_uri is not None
    (history,) = Ledger(places.tracking_uri).history()
    assert len(history.trials) == len(recorded)


@contextmanager
def held(file: str) -> Iterator[sqlite3.Connection]:
    """Lock a database like somebody in the middle of a write."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


def test_a_locked_study_is_waited_for(places: Places) -> None:
    with open_study(experiment(), storage_url=STORAGE) as study:
        trial = measured(BOUND, study.claim(), BOUND.baseline)
        with held("mlruns/optuna.db") as other:
            release = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
            release.start()
            study.add(trial, BOUND.encode(trial.config), BOUND.dimensions)
            release.join()
    assert [t.number for t in load_study(STORAGE, "simulated").trials] == [0]


def test_a_locked_ledger_costs_no_trial(places: Places) -> None:
    with held("mlruns/mlflow.db") as other:
        release = threading.Timer(1.0, lambda: other.execute("ROLLBACK"))
        release.start()
        notes = tuned_with_notes(places)
        release.join()
    assert notes == []
    assert_caught_up(places)


class Failing(BaseHTTPRequestHandler):
    """Answers everything with an error of the server."""

    def do_GET(self) -> None:
        self.send_error(500, "out of order")

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def failing_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_fails_costs_no_trial(places: Places, failing_server: str) -> None:
    (note,) = tuned_with_notes(places.model_copy(update={"tracking_uri": failing_server}))
    assert "\n" not in note
    assert failing_server in note
    assert "500" in note
    assert_caught_up(places)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_hangs_is_left_alone_after_a_while(
    places: Places, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    (note,) = tuned_with_notes(places.model_copy(update={"tracking_uri": silent_server}))
    assert "\n" not in note
    assert silent_server in note
    assert_caught_up(places)


def test_the_wait_for_a_server_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from autotune.ledger.connection import Connection

    asked: list[dict[str, str]] = []
    with Connection("http://127.0.0.1:9", Path()).asking():
        asked.append(dict(os.environ))
    (environment,) = asked
    tries = 1 + int(environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    assert tries * int(environment["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 30
    assert environment["MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER"] == "false"


class Interfering:
    """Executes on the surface; before the execution of a number does something."""

    def __init__(self, number: int, interfere: Callable[[], object]) -> None:
        self.execute = surface()
        self.number = number
        self.interfere = interfere

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        if self.execute.executed == self.number:
            self.interfere()
        return self.execute(workload, config, limits, on_checkpoint)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: to a program, the disk is full."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_while_publishing_costs_no_trial(
    places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    # Larger than the study will be, so that only what is published finds no room.
    with closing(sqlite3.connect("mlruns/mlflow.db")) as store:
        store.execute("CREATE TABLE ballast AS SELECT zeroblob(16000000) AS load")
        store.commit()
    with largest_file(Path("mlruns/mlflow.db").stat().st_size):
        (note,) = tuned_with_notes(places)
    assert "\n" not in note
    assert "mlflow.db" in note
    assert "Traceback" not in caplog.text
    assert_caught_up(places)


def test_a_full_disk_ends_the_session_and_keeps_what_was_recorded(
    places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = places.model_copy(update={"tracking_uri": None})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))

    with (
        largest_file(1 << 30),
        pytest.raises(EnvironmentFault, match=r"optuna\.db' refuses .*space left") as told,
    ):
        tune(experiment(budget=SMALL), execute=Interfering(2, fill), places=quiet)
    assert "\n" not in str(told.value)
    assert "Traceback" not in caplog.text
    before = load_study(STORAGE, "simulated").trials
    assert len(before) == 2
    kept = Path("mlruns/studies/simulated/unrecorded.json")
    assert kept.exists(), "measured, but there was no room for its record"
    onwards = surface(executed=3)
    tune(experiment(budget=SMALL), execute=onwards, places=quiet)
    after = load_study(STORAGE, "simulated").trials
    assert after[:2] == before
    assert onwards.executed == len(after), "none was executed again"
    assert not kept.exists()


def test_a_clock_that_goes_back_changes_nothing_but_times(places: Places) -> None:
    quiet = places.model_copy(update={"tracking_uri": None})
    right, wrong = surface(), surface()

    def execute(
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        back = timedelta(days=wrong.executed)
        ended = wrong(workload, config, limits, on_checkpoint)
        return ended.model_copy(update={"started_at": ended.started_at - back})

    whole = experiment("whole", budget=SMALL)
    expected = tune(whole, execute=right, places=quiet)
    found = tune(experiment(budget=SMALL), execute=execute, places=places)
    assert found.verdict.kind is expected.verdict.kind
    assert found.best_config == expected.best_config
    trials = load_study(STORAGE, "simulated").trials
    assert [t.config for t in trials] == [t.config for t in load_study(STORAGE, "whole").trials]
    assert [t.number for t in trials] == list(range(len(trials)))
    assert_caught_up(places)


TUNER = """
import sys, time
sys.path.insert(0, {tests!r})
sys.argv = ["autotune", "tune", "job.py"]
import autotune.plan, autotune.tuning
from autotune.cli import main
from surfaces import Surface, bound_space, experiment
surface = Surface(bound_space())
calls = []
def execute(*asked):
    calls.append(1)
    if len(calls) == 3:
        try:
            print("busy", flush=True)
            time.sleep(60)
        finally:
            print("cleaning", flush=True)
            time.sleep({cleaning})
    return surface(*asked)
real = autotune.tuning.tune
def tune(asked, **given):
    return real(asked, **dict(given, execute=execute))
autotune.tuning.tune = tune
autotune.tuning.prepare = lambda draft, on_event: experiment()
autotune.cli_tune._draft = lambda job, flags: None
main()
"""


def interrupted(times: int, cleaning: float) -> subprocess.CompletedProcess[str]:
    """Press Ctrl-C so many times while a tuner executes; return how it ended."""
    script = TUNER.format(tests=str(TESTS), cleaning=cleaning)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tuner:
        assert tuner.stdout is not None
        for word in ("busy\n", "cleaning\n")[:times]:
            assert tuner.stdout.readline() == word
            tuner.send_signal(signal.SIGINT)
        out, err = tuner.communicate(timeout=60)
    return subprocess.CompletedProcess(script, tuner.returncode, out, err)


def test_one_ctrl_c_ends_well_and_says_how_to_go_on(places: Places) -> None:
    ended = interrupted(1, cleaning=0)
    assert ended.returncode == 130, ended.stderr
    assert "autotune tune job.py" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(load_study(STORAGE, "simulated").trials) == 2
    tune(experiment(), execute=surface(executed=2), places=places)
    assert_history_is_whole(places)


def assert_history_is_whole(places: Places) -> None:
    assert places.tracking_uri is not None
    (history,) = Ledger(places.tracking_uri).history()
    assert len(history.trials) == len(load_study(STORAGE, "simulated").trials)


def test_two_ctrl_c_end_at_once(places: Places) -> None:
    ended = interrupted(2, cleaning=50)
    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(load_study(STORAGE, "simulated").trials) == 2


def test_power_loss_takes_no_trial_that_was_recorded(places: Places, durable: None) -> None:
    with (
        open_study(experiment(), storage_url=STORAGE) as study,
        study._storage.engine.connect() as connection,
    ):
        # 2 is FULL: the log is on the disk when a commit returns, whatever happens next.
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_what_a_killed_publisher_staged_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"{PREFIX}left").mkdir()
    (tmp_path / f"{PREFIX}left" / "config.json").write_text("{}")
    with staging_folder() as one:
        with staging_folder() as two:
            assert sorted(tmp_path.iterdir()) == sorted([one, two])
        assert list(tmp_path.iterdir()) == [one]
    assert list(tmp_path.iterdir()) == []
