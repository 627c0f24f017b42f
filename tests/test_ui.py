"""MLflow's own pages come up on the right store, and go with everything they started."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from autotune.domain import Config, Machine, Workload
from autotune.errors import EnvironmentFault, InputError
from autotune.experiment import Experiment
from autotune.ledger import Ledger
from autotune.record import Execution, Origin, Purpose, Status, Trial
from autotune.space import Parameter, ParameterType, Space
from autotune.ui import open_pages, serve_ui

pytestmark = pytest.mark.server

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def publish_one(ledger: Ledger) -> None:
    parameter = Parameter(name="spark.x", type=ParameterType.INT, low=1, high=4)
    ledger.finish(
        Experiment(
            name="shown",
            workload=Workload(name="taxi", application="taxi.py"),
            space=Space(name="s", parameters=(parameter,)),
            machine=Machine(master="local[2]", slots=2, cores_per_executor=2, memory_bytes=2**30),
        ),
        [
            Trial(
                number=0,
                purpose=Purpose.BASELINE,
                origin=Origin.BASELINE,
                config=Config(properties={"spark.x": "2"}),
                execution=Execution(
                    status=Status.SUCCEEDED,
                    started_at=datetime(2026, 1, 1, tzinfo=UTC),
                    wall_s=3.0,
                    duration_s=2.0,
                ),
            )
        ],
        artifacts={"report.txt": "read me"},
    )


def fetch(url: str, body: object = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with DIRECT.open(request, timeout=20) as answer:
        content: bytes = answer.read()
    return content


def test_pages_show_the_study_until_ctrl_c_and_leave_nothing_behind(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/runs/mlflow.db"
    publish_one(Ledger(uri, tmp_path / "artifacts"))
    program = "import sys; from autotune.ui import serve_ui; serve_ui(sys.argv[1], port=0)"
    process = subprocess.Popen(
        [sys.executable, "-c", program, uri], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        check_pages(address, uri)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()
    psutil.wait_procs(family, timeout=5)
    assert not [member for member in family if member.is_running()]


def check_pages(address: str, uri: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    assert b"<title>MLflow</title>" in fetch(f"{address}/")
    api = f"{address}/api/2.0/mlflow"
    name = "experiment_name=spark-tuning/taxi"
    found = json.loads(fetch(f"{api}/experiments/get-by-name?{name}"))
    query = {
        "experiment_ids": [found["experiment"]["experiment_id"]],
        "filter": "tags.`autotune.study` = 'shown' AND metrics.duration_s < 2.5",
    }
    [run] = json.loads(fetch(f"{api}/runs/search", query))["runs"]
    assert run["data"]["params"] == [{"key": "spark.x", "value": "2"}]
    files = json.loads(fetch(f"{api}/artifacts/list?run_id={run['info']['run_id']}"))["files"]
    assert {k: files[0][k] for k in ("path", "is_dir")} == {"path": "config.json", "is_dir": False}
    assert [study.study for study in Ledger(address).history()] == ["shown"]
    with pytest.raises(InputError, match=address.rsplit(":", 1)[1]):
        open_pages(uri, port=int(address.rsplit(":", 1)[1]))


def test_a_running_server_is_only_named() -> None:
    said: list[str] = []
    assert serve_ui("http://mlflow.example:5000", say=said.append) == "http://mlflow.example:5000"
    assert said == ["http://mlflow.example:5000"]


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("192.0.2.1", 5000)])
def test_addresses_that_cannot_be_listened_on(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(InputError, match="--port"):
        open_pages(f"sqlite:///{tmp_path}/m.db", host=host, port=port)


def test_a_server_that_does_not_start_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho first; echo the last words >&2; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(EnvironmentFault, match="the last words: see") as caught:
        open_pages(f"sqlite:///{tmp_path}/m.db", port=0)
    assert "\n" not in str(caught.value)
