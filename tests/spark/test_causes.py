"""Why real executions fail: each cause is provoked, told apart, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from autotune.domain import Config, Limits
from autotune.record import Cause, Status
from autotune.spark import watch
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit
from executions import NO_LIMIT, gone, job, leftovers, never

pytestmark = pytest.mark.spark

MIB = 1 << 20


@pytest.fixture
def submit(tmp_path):
    """Executes; afterwards nothing may be left of it."""
    yield SparkSubmit(find_installation(), tmp_path / "scratch", share_classes=False)
    assert leftovers() == []
    assert gone(tmp_path / "scratch")


def is_ours(process: psutil.Process) -> bool:
    try:
        test = process.environ().get("PYTEST_CURRENT_TEST")
    except psutil.Error:
        return False
    return test == os.environ["PYTEST_CURRENT_TEST"]


def failed(execution, cause: Cause, words: str) -> bool:
    assert (execution.status, execution.cause) == (Status.FAILED, cause), execution.error
    assert words in execution.error
    assert execution.duration_s is None
    return True


def test_a_job_that_fails_is_data(submit):
    execution = submit(job("failing"), Config(), NO_LIMIT, never)
    assert failed(execution, Cause.APP_ERROR, "the column 'fare' has no numbers")
    assert execution.metrics.peak_tree_memory_bytes > 100 * MIB
    assert execution.metrics.peak_scratch_bytes > 0


@pytest.mark.parametrize(
    "properties",
    [
        {"spark.driver.memory": "a lot"},
        {"spark.driver.extraJavaOptions": "-XX:+UseG1GC -XX:+UseSerialGC"},
        {"spark.memory.fraction": "1.7"},
    ],
)
def test_what_spark_refuses_is_a_bad_config(submit, properties):
    execution = submit(job("fine"), Config(properties=properties), NO_LIMIT, never)
    assert failed(execution, Cause.BAD_CONFIG, "")
    assert execution.error


@pytest.mark.parametrize(
    ("most", "words"), [("0", "Java heap space"), ("1m", "spark.driver.maxResultSize")]
)
def test_a_driver_that_collects_too_much_is_out_of_memory(submit, most, words):
    execution = submit(job("allocating", most), Config(), NO_LIMIT, never)
    assert failed(execution, Cause.OUT_OF_MEMORY, words)


@pytest.mark.alone  # fills the memory, and its peak is looked at
@pytest.mark.parametrize("who", ["worker", "driver"])
def test_python_that_takes_memory_without_end_is_out_of_memory(submit, who):
    limits = NO_LIMIT.model_copy(update={"memory_bytes": 1000 * MIB})
    execution = submit(job("hoarding", who), Config(), limits, never)
    assert failed(execution, Cause.OUT_OF_MEMORY, "its ceiling is 1000.0 MiB")
    assert 1000 * MIB < execution.metrics.peak_tree_memory_bytes < 2500 * MIB


@pytest.mark.alone  # fills the disk
def test_scratch_folders_that_fill_are_out_of_disk(submit):
    limits = NO_LIMIT.model_copy(update={"disk_bytes": 200 * MIB})
    execution = submit(job("filling"), Config(), limits, never)
    assert failed(execution, Cause.OUT_OF_DISK, "their ceiling is 200.0 MiB")
    assert execution.metrics.peak_scratch_bytes > 200 * MIB


def test_a_job_that_sleeps_for_ever_is_timed_out(submit):
    execution = submit(job("sleeping"), Config(), Limits(time_s=7), never)
    assert (execution.status, execution.cause) == (Status.TIMED_OUT, None)
    assert "its limit" in execution.error


def test_a_jvm_that_somebody_kills_is_lost(submit):
    def kill(checkpoint):
        for process in psutil.process_iter() if checkpoint.steps else ():
            if is_ours(process) and "-Xmx600m" in process.cmdline():
                process.send_signal(signal.SIGKILL)
        return False

    execution = submit(job("sleeping"), Config(), NO_LIMIT, kill)
    assert failed(execution, Cause.LOST, "memory was plentiful")


@pytest.mark.parametrize("end", ["well", "failing"])
def test_a_jvm_that_hangs_on_its_way_out_is_ended(submit, monkeypatch, end):
    monkeypatch.setattr(watch, "EXIT_GRACE_S", 2.0)
    limits = Limits(time_s=60)
    execution = submit(job("hanging", end), Config(), limits, never)
    assert execution.wall_s < limits.time_s
    if end == "failing":
        assert failed(execution, Cause.APP_ERROR, "the column 'fare' has no numbers")
        return
    assert execution.status is Status.SUCCEEDED, execution.error
    assert 0 < execution.duration_s < execution.wall_s - 2


@pytest.mark.alone  # another one's executors would be taken for ours, in the folder they share
def test_executors_that_are_ended_leave_nothing_in_shared_folders(submit):
    seen, work = set(), Path(submit.installation.home, "work")
    before = set(work.glob("*"))

    def look(checkpoint):
        for process in psutil.process_iter():
            if is_ours(process) and any("ExecutorBackend" in word for word in process.cmdline()):
                seen.update(path for path in opened_by(process) if path.startswith("/tmp/hsperf"))
                seen.add(process.cwd())
        return bool(checkpoint.steps)

    properties = Config(properties={"spark.executor.memory": "500m"})
    cluster = job("sleeping", master="local-cluster[1,1,600]")
    execution = submit(cluster, properties, NO_LIMIT, look)
    assert execution.status is Status.STOPPED_EARLY
    assert [Path(path).parent.parent for path in seen] == [work], "and no counters"
    assert set(work.glob("*")) <= before


def opened_by(process: psutil.Process) -> list[str]:
    try:
        return [area.path for area in process.memory_maps()]
    except psutil.Error:
        return []
