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
import sysconfig
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
from autotune.recommendation.table import row_of
from autotune.registry import CHAMPION, MODEL_NAME
from autotune.training import train
from past_studies import GB, PARTITIONS, machine, profile, study
from tests.test_training import publish

pytestmark = pytest.mark.server

ROOT = Path(__file__).parent.parent
ADDRESS = f"models:/{MODEL_NAME}@{CHAMPION}"
NOTEBOOK = f"""
import json, sys, mlflow, pandas
mlflow.set_tracking_uri("sqlite:///mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("{ADDRESS}")
print(model.predict(pandas.DataFrame([json.load(sys.stdin)])).to_json(orient="records"))
"""
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
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which autotune was installed, and not this checkout.

    What it depends on is borrowed from here; to fetch all of it would take minutes.
    """
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True
    )
    python = folder / "env" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    into = [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(into, check=True, capture_output=True)
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    place = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
    (place / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    server = python.parent / "uvicorn"  # as pip writes it
    server.write_text(f"#!{python}\nfrom uvicorn.main import main\n\nmain()\n")
    server.chmod(0o755)
    return python


def test_what_is_installed_trains_and_recommends(installed: Path, tmp_path: Path) -> None:
    def run(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(installed), "-m", "autotune", *words, "--format", "json"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    where = subprocess.run(
        [str(installed), "-c", "import autotune; print(autotune.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed.parents[1])
    pd.DataFrame({"k": range(1000)}).to_parquet(tmp_path / "t.parquet")
    question = ("recommend", "--data", "t.parquet", "--master", "local[2]")
    assert run(*question)["predictor_version"] == "shipped"
    assert run("train")["alias"] == "champion"
    asked = run(*question)
    assert asked["predictor_version"] == "shipped"

    # What was registered gives the same answer in a notebook, asked as docs/predictor.md says.
    row = {name: json.dumps(asked[name]) for name in ("profile", "machine", "job") if asked[name]}
    row["conf"] = json.dumps(asked["baseline"]["properties"])
    done = subprocess.run(
        [str(installed), "-c", NOTEBOOK],
        cwd=tmp_path, capture_output=True, text=True, check=False, input=json.dumps(row),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert told["error"] == ""
    assert told["keep_default"] == asked["keep_default"]
    assert told["predicted_speedup"] == pytest.approx(asked["predicted_speedup"])


@pytest.fixture(scope="module")
def server(store: str, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [str(installed), "-m", "mlflow", "models", "serve", "-m", ADDRESS]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    # As in an activated environment: MLflow looks for its server on the path.
    path = os.pathsep.join([str(installed.parent), os.environ["PATH"]])
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, "MLFLOW_TRACKING_URI": store, "PATH": path},
            cwd=log.parent,
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
