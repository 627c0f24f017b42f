from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autotune.record import Cause, Status
from autotune.study import open_study
from surfaces import bound_space, experiment, measured

pytestmark = pytest.mark.server

BOUND = bound_space()


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[str]:
    """The address of a real optuna-dashboard on a study of three trials."""
    pytest.importorskip("optuna_dashboard")
    url = f"sqlite:///{tmp_path}/optuna.db"
    failure = {"status": Status.FAILED, "duration_s": None, "cause": Cause.OUT_OF_MEMORY}
    with open_study(experiment("taxi"), storage_url=url) as study:
        for changes in ({}, {}, failure):
            trial = measured(BOUND, study.claim(), BOUND.baseline, **changes)
            study.add(trial, BOUND.encode(trial.config), BOUND.dimensions)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        program = "import sys; from optuna_dashboard._cli import main; sys.exit(main())"
        options = [url, "--host", "127.0.0.1", "--port", str(port), "--server", "wsgiref"]
        # The study stays open: people look at it while it is tuned.
        with subprocess.Popen(
            [sys.executable, "-c", program, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                server.kill()


def ask(address: str, deadline_s: float = 60) -> Any:
    began = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() - began > deadline_s:
                raise
            time.sleep(0.2)


def test_optuna_dashboard_shows_the_study_with_its_trials(dashboard: str) -> None:
    (summary,) = ask(f"{dashboard}/api/studies")["study_summaries"]
    assert summary["study_name"] == "taxi"
    detail = ask(f"{dashboard}/api/studies/{summary['study_id']}?after=0")
    assert [trial["state"] for trial in detail["trials"]] == ["Complete", "Complete", "Fail"]
    names = {parameter["name"] for parameter in detail["trials"][0]["params"]}
    assert names == set(BOUND.encode(BOUND.baseline))
    notes = {note["key"]: note["value"] for note in detail["trials"][2]["user_attrs"]}
    assert notes["cause"] == "out_of_memory"
    assert detail["directions"] == ["minimize"]
