"""Fixtures that many tests share."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import optuna
import pytest

from autotune.cli import main
from autotune.ledger import Ledger
from autotune.tuning import Places
from commands import Answer, Command


@pytest.fixture
def autotune(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the real command line in this process, in the current folder."""

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
    file = tmp_path_factory.mktemp("storage") / "optuna.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    storage.engine.dispose()
    return file


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: making them takes seconds, copying them none."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    assert Ledger(f"sqlite:///{path}", path.parent / "artifacts").history() == ()
    return path


@pytest.fixture
def places(empty_storage: Path, empty_store: Path, folder: Path) -> Places:
    """Empty stores in the current folder, where the command line looks for them."""
    (folder / "mlruns").mkdir()
    shutil.copy(empty_storage, folder / "mlruns" / "optuna.db")
    shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
    return Places()
