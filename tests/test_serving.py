"""The registered predictor, served by MLflow's own command and loaded in Python."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from autotune.ledger import Ledger
from autotune.ledger.models import CHAMPION, MODEL_NAME
from autotune.recommendation.table import row_of
from autotune.training import train
from past_studies import GB, PARTITIONS, machine, profile, study
from tests.test_training import publish

pytestmark = pytest.mark.server

ADDRESS = f"models:/{MODEL_NAME}@{CHAMPION}"
QUESTIONS = pd.DataFrame(
    [
        row_of(profile(GB // 40), machine(), conf={PARTITIONS: "2000"}),
        {**row_of(None, machine()), "conf": "nonsense"},
    ]
)


@pytest.fixture(scope="module")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a trained predictor."""
    folder = tmp_path_factory.mktemp("served")
    uri = f"sqlite:///{shutil.copy(empty_store, folder)}"
    ledger = Ledger(uri, folder / "artifacts")
    for name, workload in (("s1", "a"), ("s2", "b"), ("s3", "c")):
        publish(ledger, study(name, GB // 50, workload=workload, trials=12))
    train(ledger=ledger, corpus=())
    return uri


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", ADDRESS]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    # As in an activated environment: MLflow looks for its server on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, "MLFLOW_TRACKING_URI": store, "PATH": path},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        else:
            pytest.fail(log.read_text()[-3000:])
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def ask(server: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{server}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        rows: list[dict[str, Any]] = json.load(answer)["predictions"]
    return rows


def test_the_predictor_answers_over_http(server: str) -> None:
    rows = ask(server, {"dataframe_split": QUESTIONS.to_dict("split", index=False)})
    assert int(json.loads(rows[0]["config"])[PARTITIONS]) < 2000
    assert rows[0]["predicted_speedup"] > 1.2
    assert rows[0]["error"] == ""
    assert rows[1]["error"].startswith("conf: it is not JSON")
    (least,) = ask(server, {"dataframe_records": [{"machine": machine().model_dump_json()}]})
    assert least["error"] == ""


def test_the_predictor_is_loaded_in_a_notebook(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", store
    )  # as a notebook does; setting it in MLflow stays
    model = mlflow.pyfunc.load_model(ADDRESS)
    found = model.predict(QUESTIONS)
    assert list(found["keep_default"]) == [False, True]
    assert "config" in model.metadata.get_output_schema().input_names()
