"""What a master offers, and which masters are refused."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest

from autotune.errors import AutotuneError, EnvironmentFault, InputError
from autotune.machine import detect_machine, platform_text, usable_cpus
from autotune.spark.headroom import usable_memory_bytes
from autotune.spark.installation import Installation

MIB = 1 << 20


@contextmanager
def master_page(answer: bytes, status: int = 200):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/json/" else 404)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def worker(cores, memory, state="ALIVE"):
    return {"id": "w", "host": "h", "cores": cores, "memory": memory, "state": state}


@pytest.mark.parametrize(
    ("master", "slots", "executors", "cores"),
    [
        ("local", 1, 1, 1),
        ("local[4]", 4, 1, 4),
        ("local[ 4 , 2 ]", 4, 1, 4),
        ("local-cluster[2,3,1024]", 6, 2, 3),
    ],
)
def test_shapes(master, slots, executors, cores):
    found = detect_machine(master, None)
    assert (found.slots, found.executors, found.cores_per_executor) == (slots, executors, cores)
    assert found.master == master


@pytest.mark.parametrize("master", ["local[*]", "local[*,3]"])
def test_a_star_is_every_usable_cpu(master):
    assert detect_machine(master, None).slots == usable_cpus()


def test_memory_of_a_local_cluster_is_that_of_a_worker():
    assert detect_machine("local-cluster[2,1,512]", None).memory_bytes == 512 * MIB


def test_versions_come_from_the_installation():
    installation = Installation(
        home="/s", spark_version="4.0.1", java="java", java_version="17.0.1", python="p"
    )
    found = detect_machine("local[2]", installation)
    assert (found.spark_version, found.java_version) == ("4.0.1", "17.0.1")


@pytest.mark.parametrize(
    "master",
    [
        "yarn",
        "k8s://https://host:443",
        "mesos://host:5050",
        "",
        "local[0]",
        "local[",
        "local[two]",
        "local[-1]",
        "local-cluster[0,1,1024]",
        "local-cluster[1,1]",
        "spark://",
        "spark-connect",
        "sc://host",
    ],
)
def test_other_masters_are_refused_in_one_line(master):
    with pytest.raises(InputError, match="master") as caught:
        detect_machine(master, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        {"cpus": "4"},
        {"slots": "0"},
        {"slots": "many"},
        {"slots": "4g"},
        {"memory": "lots"},
        {"memory": "-1g"},
        {"slots": "1", "executors": "2"},
    ],
)
def test_wrong_overrides_are_refused(overrides):
    with pytest.raises(InputError):
        detect_machine("local[2]", None, overrides)


def test_overrides_count():
    found = detect_machine("local[2]", None, {"slots": "8", "executors": "2", "memory": "3g"})
    assert (found.slots, found.cores_per_executor, found.memory_bytes) == (8, 4, 3 << 30)


def test_a_standalone_master_is_asked_for_its_workers():
    workers = [worker(4, 2048), worker(2, 1024), worker(64, 1, "DEAD")]
    with master_page(json.dumps({"workers": workers}).encode()) as page:
        found = detect_machine("spark://127.0.0.1:7077", None, {"master_page": page})
    assert (found.executors, found.slots, found.cores_per_executor) == (2, 4, 2)
    assert found.memory_bytes == 1024 * MIB


def test_a_stated_cluster_is_not_asked():
    stated = {"slots": "16", "executors": "4", "memory": "8g"}
    found = detect_machine("spark://nowhere.invalid:7077", None, stated)
    assert (found.slots, found.executors, found.memory_bytes) == (16, 4, 8 << 30)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"not json", 200),
        (b"[]", 200),
        (b'{"workers": [{"state": "ALIVE"}]}', 200),
        (b'{"workers": []}', 200),
        (b"", 500),
    ],
)
def test_a_master_that_answers_nonsense_is_a_fault(answer, status):
    with master_page(answer, status) as page, pytest.raises(EnvironmentFault) as caught:
        detect_machine("spark://127.0.0.1:7077", None, {"master_page": page})
    assert "state machine: slots, executors and memory" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_master_that_is_not_there_is_a_fault():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(AutotuneError, match=r"refused|timed out"):
            detect_machine(
                "spark://127.0.0.1:7077", None, {"master_page": f"http://127.0.0.1:{port}"}
            )


def test_a_page_that_is_no_web_page_is_not_opened():
    with pytest.raises(EnvironmentFault, match="not an http address"):
        detect_machine("spark://h:7077", None, {"master_page": "file:///etc/passwd"})


def test_container_limits_count(tmp_path):
    assert usable_memory_bytes(tmp_path) == psutil.virtual_memory().total
    (tmp_path / "memory.max").write_text("max\n")
    assert usable_memory_bytes(tmp_path) == psutil.virtual_memory().total
    (tmp_path / "memory.max").write_text(f"{64 * MIB}\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_memory_bytes(tmp_path) == 64 * MIB
    assert usable_cpus(tmp_path) == 1


def test_older_container_limits_count(tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{32 * MIB}\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_memory_bytes(tmp_path) == 32 * MIB
    assert usable_cpus(tmp_path) == 1


def test_an_unlimited_container_does_not_limit(tmp_path):
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(tmp_path) == usable_cpus(tmp_path / "nothing")


def test_the_platform_does_not_name_the_host():
    assert socket.gethostname() not in platform_text().split()
    assert platform_text()


@pytest.mark.parametrize("master", ["local[{}]", "local[2,{}]", "local-cluster[1,1,{}]"])
def test_numbers_of_thousands_of_digits_are_refused(master: str) -> None:
    with pytest.raises(InputError, match="malformed"):
        detect_machine(master.format("9" * 5000), None)
    with pytest.raises(InputError, match="whole number"):
        detect_machine("local[2]", None, {"slots": "9" * 5000})
