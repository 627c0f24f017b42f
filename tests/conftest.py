"""Fixtures that many tests share."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from commands import Answer, Command

# MLflow and Optuna take seconds to import: here that is left to the workers that need them.
if TYPE_CHECKING:
    from autotune.tuning import Places

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Inherited from a shell that put pytest into the background; what we start is to be stoppable.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@event.listens_for(Pool, "checkout")
def without_waiting_for_the_disk(connection: object, record: object, proxy: object) -> None:
    """Let SQLite leave it to the system when to write: no test here cuts the power."""
    if isinstance(connection, sqlite3.Connection) and not connection.in_transaction:
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def durable() -> Iterator[None]:
    """Let SQLite wait for the disk as it does outside of tests."""
    event.remove(Pool, "checkout", without_waiting_for_the_disk)
    yield
    event.listen(Pool, "checkout", without_waiting_for_the_disk)


@pytest.fixture(autouse=True)
def _no_store_left_behind() -> Iterator[None]:
    """Let no test leave MLflow pointed at its own store: the next one would publish there."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    assert os.environ.get("MLFLOW_TRACKING_URI") == before


@pytest.fixture
def autotune(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the real command line in this process, in the current folder."""
    from autotune.cli import main

    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["autotune", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        code = ending.value.code
        assert isinstance(code, int)
        return Answer(code, out, err)

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def empty_storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage without studies: making the tables is the slow part."""
    import optuna

    file = tmp_path_factory.mktemp("storage") / "optuna.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    storage.engine.dispose()
    return file


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: making them takes seconds, copying them none."""
    from autotune.ledger import Ledger

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    assert Ledger(f"sqlite:///{path}", path.parent / "artifacts").history() == ()
    return path


@pytest.fixture
def places(empty_storage: Path, empty_store: Path, folder: Path) -> Places:
    """Empty stores in the current folder, where the command line looks for them."""
    from autotune.tuning import Places

    (folder / "mlruns").mkdir()
    shutil.copy(empty_storage, folder / "mlruns" / "optuna.db")
    shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
    return Places()
