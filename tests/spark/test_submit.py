"""Real executions: what they tell, how they end, and that nothing is left of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from autotune.domain import Config, Limits
from autotune.errors import EnvironmentFault
from autotune.machine import detect_machine
from autotune.pending import Pending
from autotune.record import Status
from autotune.spark.installation import find_installation
from autotune.spark.process import SupervisedProcess
from autotune.spark.submit import SparkSubmit
from executions import NO_LIMIT, PROGRAMS, gone, job, leftovers, never

pytestmark = pytest.mark.spark


@pytest.fixture
def submit(tmp_path):
    return SparkSubmit(find_installation(), tmp_path / "scratch", share_classes=False)


def test_a_job_that_ends_well(submit, tmp_path):
    checkpoints = []
    execution = submit(
        job("fine", "{output}"),
        Config(properties={"spark.driver.memory": "700m", "spark.sql.shuffle.partitions": None}),
        NO_LIMIT,
        lambda checkpoint: bool(checkpoints.append(checkpoint)),
    )
    assert execution.status is Status.SUCCEEDED, execution.error
    assert execution.cause is None
    assert 0.5 < execution.duration_s < execution.wall_s
    assert execution.metrics.tasks > 0
    assert len(execution.steps) >= 2
    assert execution.effective["spark.driver.memory"] == "700m"
    assert execution.effective["spark.master"] == "local[2]"
    assert "spark.sql.shuffle.partitions" not in execution.effective
    assert execution.writes_outside == ()
    assert execution.shared_archive_mapped is None
    assert execution.spark_version == submit.installation.spark_version
    assert [checkpoint.elapsed_s for checkpoint in checkpoints] == sorted(
        checkpoint.elapsed_s for checkpoint in checkpoints
    )
    assert leftovers() == []
    assert gone(tmp_path / "scratch")


def test_relative_paths_stay_the_persons_and_writes_outside_are_seen(
    submit, tmp_path, monkeypatch
):
    folder = tmp_path / "a folder of théirs"
    folder.mkdir()
    shutil.copy(PROGRAMS / "fine.py", folder / "their job.py")
    monkeypatch.chdir(folder)
    logs = tmp_path / "kept"
    keeping = SparkSubmit(submit.installation, folder / "scratch", False, logs)
    execution = keeping(job("x", "result", application="their job.py"), Config(), NO_LIMIT, never)
    assert execution.status is Status.SUCCEEDED, execution.error
    assert len(execution.writes_outside) == 1
    assert execution.writes_outside[0].rstrip("/").endswith("result")
    assert {entry.name for entry in folder.iterdir()} == {"result", "their job.py"}
    assert len(list(logs.iterdir())) == 1


def test_what_the_job_overrides_is_seen(submit):
    asked = Config(properties={"spark.sql.shuffle.partitions": "5", "spark.driver.memory": "650m"})
    execution = submit(job("overriding"), asked, NO_LIMIT, never)
    assert execution.status is Status.SUCCEEDED, execution.error
    assert execution.effective["spark.sql.shuffle.partitions"] == "3"
    # The program asked for 4g when the JVM was long running; what the JVM got is what counts.
    assert execution.effective["spark.driver.memory"] == "650m"


@pytest.mark.alone  # keeps a deadline
def test_a_limit_ends_busy_python_workers(submit, tmp_path):
    workers = []

    def look(checkpoint):
        workers.append(sum("pyspark.daemon" in words for words in leftovers()))
        return False

    limit_s = 20
    while max(workers, default=0) < 3:  # a daemon and two workers; a busy machine takes its time
        assert limit_s < 200
        limit_s *= 1.7
        start = time.monotonic()
        execution = submit(job("busy"), Config(), Limits(time_s=limit_s), look)
    assert time.monotonic() - start < limit_s + 10
    assert execution.status is Status.TIMED_OUT
    assert execution.duration_s is None
    assert [step.name for step in execution.steps if step.succeeded] == ["count"]
    assert leftovers() == []
    assert gone(tmp_path / "scratch")


def test_it_is_stopped_early_when_told_to(submit, tmp_path):
    execution = submit(job("steps"), Config(), NO_LIMIT, lambda seen: len(seen.steps) >= 2)
    assert execution.status is Status.STOPPED_EARLY
    assert 2 <= len(execution.steps) <= 5
    assert execution.duration_s is None
    assert leftovers() == []
    assert gone(tmp_path / "scratch")


def test_a_daemon_that_the_job_leaves_is_ended(submit, tmp_path):
    pid_file = tmp_path / "pid"
    execution = submit(job("detaching", str(pid_file)), Config(), NO_LIMIT, never)
    assert execution.status is Status.SUCCEEDED, execution.error
    assert not psutil.pid_exists(int(pid_file.read_text()))


TUNER = """
import sys
from pathlib import Path
from autotune.domain import Config, Limits, Workload
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit
job = Workload(name="busy", application=sys.argv[1], master="local[2]")
submit = SparkSubmit(find_installation(), Path(sys.argv[2]), share_classes=False)
submit(job, Config(), Limits(), lambda seen: print("step" * len(seen.steps), flush=True))
"""


@pytest.mark.alone  # keeps a deadline
def test_nothing_is_left_five_seconds_after_the_tuner_was_killed(tmp_path):
    scratch = tmp_path / "scratch"
    words = [sys.executable, "-c", TUNER, str(PROGRAMS / "busy.py"), str(scratch)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as tuner:
        assert any("step" in line for line in tuner.stdout)
        end = time.monotonic() + 60
        while sum("pyspark.daemon" in words for words in leftovers()) < 3:
            assert time.monotonic() < end
            time.sleep(0.1)
        tuner.kill()
    end = time.monotonic() + 5
    while leftovers() or not gone(scratch):
        assert time.monotonic() < end, leftovers()
        time.sleep(0.1)


READER = """
import sys, time
from pathlib import Path
from autotune.domain import Config, Limits, Workload
from autotune.pending import Pending
from autotune.spark import submit
from autotune.spark.installation import find_installation
job = Workload.model_validate_json(sys.argv[1])
def slowly(ended):
    print("reading", flush=True)
    time.sleep(600)
submit.read_execution = slowly
pending = Pending(path=Path(sys.argv[3]), study="a")
execute = submit.SparkSubmit(find_installation(), Path(sys.argv[2]), share_classes=False,
                             pending=pending)
execute(job, Config(), Limits(), lambda seen: False)
"""


def test_what_a_killed_tuner_was_reading_is_kept(tmp_path):
    scratch, kept = tmp_path / "scratch", tmp_path / "unrecorded.json"
    asked = job("fine", "{output}", outputs=("{output}",))
    words = [sys.executable, "-c", READER, asked.model_dump_json(), str(scratch), str(kept)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as tuner:
        assert any("reading" in line for line in tuner.stdout)
        tuner.kill()
    end = time.monotonic() + 30
    while leftovers() or not gone(scratch):
        assert time.monotonic() < end, leftovers()
        time.sleep(0.1)
    measured = Pending(path=kept, study="a").take(Config())
    assert measured.execution.status is Status.SUCCEEDED
    assert measured.execution.duration_s > 0
    assert measured.execution.outputs


@pytest.mark.alone  # another one's executors would be taken for ours, in the folder they share
def test_a_local_cluster(submit, tmp_path):
    work = Path(submit.installation.home, "work")
    before = set(work.glob("*"))
    execution = submit(
        job("fine", "{output}", master="local-cluster[2,1,700]"),
        Config(properties={"spark.executor.memory": "600m"}),
        NO_LIMIT,
        never,
    )
    assert execution.status is Status.SUCCEEDED, execution.error
    assert execution.effective["spark.master"] == "local-cluster[2,1,700]"
    assert set(work.glob("*")) <= before, "executors work in the folder of Spark itself"
    assert leftovers() == []
    assert gone(tmp_path / "scratch")


@contextmanager
def standalone_cluster(folder: Path, memory: str):
    """A real master and worker on the loopback; yields the master's address and its page."""
    installation = find_installation()
    port, page = free_port(), free_port()
    environment = {**os.environ, "SPARK_HOME": installation.home, "SPARK_NO_DAEMONIZE": "1"}
    master = f"spark://127.0.0.1:{port}"
    commands = [
        ["master.Master", "--port", str(port), "--webui-port", str(page)],
        [
            *("worker.Worker", "--cores", "2", "--memory", memory, "--webui-port", "0"),
            *("--work-dir", str(folder / "work"), master),
        ],
    ]
    with ExitStack() as stack:
        for part, *options in commands:
            program = f"org.apache.spark.deploy.{part}"
            words = [installation.class_script, program, "--host", "127.0.0.1", *options]
            log = folder / part
            stack.enter_context(SupervisedProcess(words, environment=environment, log=log))
        yield master, f"http://127.0.0.1:{page}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_a_standalone_cluster(submit, tmp_path):
    with standalone_cluster(tmp_path, "900m") as (master, page):
        end = time.monotonic() + 90
        while True:
            try:
                machine = detect_machine(master, submit.installation, {"master_page": page})
                break
            except EnvironmentFault:
                assert time.monotonic() < end
                time.sleep(0.5)
        assert (machine.slots, machine.executors, machine.memory_bytes) == (2, 1, 900 << 20)
        properties = {"spark.executor.memory": "600m", "spark.driver.host": "127.0.0.1"}
        execution = submit(
            job("fine", "{output}", master=master), Config(properties=properties), NO_LIMIT, never
        )
        assert execution.status is Status.SUCCEEDED, execution.error
        assert execution.effective["spark.master"] == master
        assert execution.writes_outside == ()
        end = time.monotonic() + 10
        while any("CoarseGrainedExecutorBackend" in words for words in leftovers()):
            assert time.monotonic() < end
            time.sleep(0.2)
