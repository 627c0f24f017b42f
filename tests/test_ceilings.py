"""What an execution may take: how it is measured, and when it is ended for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import Limits
from autotune.experiment import Budget
from autotune.record import Cause
from autotune.spark import footprint
from autotune.spark.ceilings import Ceilings, asked_memory
from autotune.spark.footprint import Pace, TreeMemory, allocated_bytes, proportional_bytes
from autotune.spark.headroom import available_memory_bytes, oom_kills
from autotune.spark.process import SupervisedProcess

MIB = 1 << 20
FORKING = """
import os, sys, time
held = bytearray(b"x" * (96 << 20))
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    os.wait()
print("ready", flush=True)
time.sleep(600)
"""
"""Holds 96 MiB together with three daemons that left its session."""


def supervised(tmp_path: Path, script: str) -> SupervisedProcess:
    command = [sys.executable, "-c", script]
    return SupervisedProcess(command, environment=os.environ, log=tmp_path / "log")


def await_words(process: SupervisedProcess, words: str, times: int = 1) -> None:
    end = time.monotonic() + 20
    while process.last_words().count(words) < times:
        assert not process.wait(0.05)
        assert time.monotonic() < end


def test_memory_is_counted_once_over_the_whole_tree(tmp_path):
    with supervised(tmp_path, FORKING) as process:
        await_words(process, "ready")
        seen = TreeMemory(process.supervisor_pid).look()
        pids = footprint.tree(process.supervisor_pid)
    assert len(pids) == 4
    assert 96 * MIB < seen < 180 * MIB, "not four times what is shared"


def test_growth_is_seen_between_the_dear_looks(tmp_path):
    script = "import time; print('ready', flush=True); time.sleep(0.5); x = b'x' * (64 << 20);"
    with supervised(tmp_path, script + "print('grown', flush=True); time.sleep(600)") as process:
        await_words(process, "ready")
        memory = TreeMemory(process.supervisor_pid)
        memory._pace = Pace(600)
        before = memory.look()
        await_words(process, "grown")
        assert memory.look() > before + 60 * MIB


def test_no_execution_is_ended_for_an_estimate(tmp_path):
    with supervised(tmp_path, FORKING) as process:
        await_words(process, "ready")
        memory = TreeMemory(process.supervisor_pid)
        memory._pace = Pace(600)
        memory._pace.look(lambda: 0)
        assert memory.look() > 300 * MIB, "only resident sizes are known"
        assert memory.look(200 * MIB) < 180 * MIB


def test_memory_of_a_process_that_is_gone_is_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert proportional_bytes(child.pid) == 0
    assert TreeMemory(child.pid).look() == 0


def test_what_looks_cost_sets_the_pace(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(footprint.time, "monotonic", lambda: now[0])

    def take(seconds: float) -> None:
        now[0] += seconds

    pace, bounded = Pace(0.5), Pace(0.5, most_s=1.0)
    assert pace.due
    pace.look(lambda: take(0.001))
    assert not pace.due
    take(0.5)
    assert pace.due
    pace.look(lambda: take(0.1))
    bounded.look(lambda: take(0.1))
    take(1.0)
    assert bounded.due
    assert not pace.due
    take(9.0)
    assert pace.due


def test_disk_is_what_is_allocated(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * MIB)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "link").symlink_to("/")
    seen = allocated_bytes([tmp_path, tmp_path / "missing"])
    assert MIB <= seen < 2 * MIB


def test_a_walk_has_an_end(tmp_path):
    for name in range(50):
        (tmp_path / str(name)).mkdir()
    assert allocated_bytes([tmp_path], most_s=0) == 0


def breach_of(ceilings: Ceilings, process: SupervisedProcess):
    end = time.monotonic() + 20
    while (breach := ceilings.check()) is None:
        assert not process.wait(0.05)
        assert time.monotonic() < end
    return breach


def test_beyond_its_memory_an_execution_must_end(tmp_path):
    with supervised(tmp_path, FORKING) as process:
        limits = Limits(memory_bytes=80 * MIB)
        ceilings = Ceilings(limits, process.supervisor_pid, [tmp_path])
        breach = breach_of(ceilings, process)
        process.kill()
    assert breach.cause is Cause.OUT_OF_MEMORY
    assert "its ceiling is 80.0 MiB" in breach.text
    assert "--execution-memory" in breach.text
    assert "\n" not in breach.text
    assert ceilings.peaks["peak_tree_memory_bytes"] > 80 * MIB
    assert process.exit_status == -9


def test_beyond_its_disk_an_execution_must_end(tmp_path):
    script = f"open({str(tmp_path / 'big')!r}, 'wb').write(b'x' * (8 << 20)); input()"
    with supervised(tmp_path, "import time\n" + script.replace("input()", "time.sleep(600)")) as p:
        ceilings = Ceilings(Limits(disk_bytes=4 * MIB), p.supervisor_pid, [tmp_path])
        breach = breach_of(ceilings, p)
    assert breach.cause is Cause.OUT_OF_DISK
    assert "--execution-disk" in breach.text
    assert ceilings.peaks["peak_scratch_bytes"] >= 8 * MIB


@pytest.mark.parametrize(
    ("own", "others", "cause"),
    [(900, 50, Cause.OUT_OF_MEMORY), (300, 650, Cause.LOST), (1, 950, Cause.LOST)],
)
def test_who_took_the_memory_is_blamed(tmp_path, monkeypatch, own, others, cause):
    left = [1000 * MIB]
    monkeypatch.setattr("autotune.spark.ceilings.available_memory_bytes", lambda: left[0])
    monkeypatch.setattr("autotune.spark.ceilings.usable_memory_bytes", lambda: 2000 * MIB)
    monkeypatch.setattr(TreeMemory, "look", lambda self, ceiling=0: own * MIB)
    ceilings = Ceilings(Limits(), 0, [tmp_path])
    assert ceilings.check() is None
    left[0] -= (own + others) * MIB
    breach = ceilings.check()
    assert breach is not None
    assert breach.cause is cause
    assert "reserve" in breach.text
    assert ceilings.memory_was_short() is True


@pytest.mark.parametrize(("own", "cause"), [(900, Cause.OUT_OF_DISK), (3, Cause.LOST)])
def test_who_took_the_disk_is_blamed(tmp_path, monkeypatch, own, cause):
    left = [1000 * MIB]
    free = "autotune.spark.ceilings.free_disk_bytes"
    monkeypatch.setattr(free, lambda folder: (left[0], 5000 * MIB))
    monkeypatch.setattr("autotune.spark.ceilings.allocated_bytes", lambda folders: own * MIB)
    ceilings = Ceilings(Limits(disk_bytes=2000 * MIB), os.getpid(), [tmp_path])
    assert ceilings.check() is None
    left[0] = 90 * MIB
    breach = ceilings.check()
    assert breach is not None
    assert (breach.cause, "reserve" in breach.text) == (cause, True)


def test_a_machine_that_is_nearly_full_may_still_be_used(tmp_path, monkeypatch):
    monkeypatch.setattr("autotune.spark.ceilings.available_memory_bytes", lambda: 100 * MIB)
    monkeypatch.setattr(
        "autotune.spark.ceilings.free_disk_bytes", lambda folder: (50 * MIB, 1 << 40)
    )
    assert Ceilings(Limits(), os.getpid(), [tmp_path]).check() is None


def test_a_job_may_remove_its_own_folders(tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    ceilings = Ceilings(Limits(), os.getpid(), [folder])
    folder.rmdir()
    assert ceilings.check() is None


def test_a_kill_while_memory_was_plentiful_is_told_from_the_kernels(tmp_path, monkeypatch):
    ceilings = Ceilings(Limits(), os.getpid(), [tmp_path])
    if oom_kills() is not None:
        assert ceilings.memory_was_short() is False
    monkeypatch.setattr("autotune.spark.ceilings.oom_kills", lambda: 10**9)
    assert ceilings.memory_was_short() is (True if oom_kills() is not None else None)
    monkeypatch.setattr("autotune.spark.ceilings.oom_kills", lambda: None)
    assert ceilings.memory_was_short() is None


def test_the_kernel_takes_the_command_first(tmp_path):
    script = "print(open('/proc/self/oom_score_adj').read())"
    with supervised(tmp_path, script) as process:
        assert process.wait(10)
    assert process.last_words().split() == ["1000"]


def test_memory_that_is_asked_for():
    assert asked_memory({}, "local[4]") == (1024 + 384) * MIB
    properties = {
        "spark.driver.memory": "20g",
        "spark.memory.offHeap.enabled": "true",
        "spark.memory.offHeap.size": str(512 * MIB),
        "spark.executor.memory": "2g",
        "spark.executor.memoryOverhead": "100",
    }
    driver = (20 + 2) * 1024 + 512
    assert asked_memory(properties, "local[*]") == driver * MIB
    executors = 3 * (2048 + 100 + 512)
    assert asked_memory(properties, "local-cluster[3,1,4096]") == (driver + executors) * MIB


def test_the_budgets_ceilings_hold_for_every_execution():
    budget = Budget(execution_memory_bytes=5, execution_disk_bytes=7)
    for baseline_s in (None, 10.0):
        limits = budget.limits(baseline_s)
        assert (limits.memory_bytes, limits.disk_bytes) == (5, 7)
    assert Budget().limits(10.0) == Limits(time_s=35.0)


def test_a_heap_larger_than_the_machine_has_is_no_ceiling_below_it(tmp_path):
    huge = 1 << 50
    assert Ceilings(Limits(), os.getpid(), [tmp_path], huge)._memory_bytes == huge
    total = psutil.virtual_memory().total
    assert 0 < Ceilings(Limits(), os.getpid(), [tmp_path])._memory_bytes < total


def test_a_containers_memory_counts(tmp_path):
    assert available_memory_bytes(tmp_path) > 0
    (tmp_path / "memory.max").write_text(f"{64 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{50 * MIB}\n")
    assert available_memory_bytes(tmp_path) == 14 * MIB
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {20 * MIB}\nslab 7\n")
    assert available_memory_bytes(tmp_path) == 34 * MIB
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert oom_kills(tmp_path) == 2


def test_an_older_containers_memory_counts(tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{64 * MIB}\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text(f"{60 * MIB}\n")
    (tmp_path / "memory" / "memory.stat").write_text(
        f"inactive_file 1\ntotal_inactive_file {8 * MIB}\n"
    )
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\noom_kill 5\n")
    assert available_memory_bytes(tmp_path) == 12 * MIB
    assert oom_kills(tmp_path) == 5


def test_shared_memory_counts_once_where_it_is_mapped(tmp_path):
    script = (
        "import mmap, os, time; held = mmap.mmap(-1, 64 << 20); held.write(b'x' * (64 << 20));"
        "os.fork(); print('ready', flush=True); held[0]; time.sleep(600)"
    )
    with supervised(tmp_path, script) as process:
        await_words(process, "ready", times=2)
        assert 64 * MIB < TreeMemory(process.supervisor_pid).look() < 120 * MIB


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=30))
def test_whatever_is_asked_for_is_counted(memory, overhead, master):
    properties = {"spark.driver.memory": memory, "spark.driver.memoryOverhead": overhead}
    assert asked_memory(properties, master) >= 0
