"""Kill the tuner again and again, and see what is lost, doubled or left over. Prints a table.

    python experiments/benchmarks/chaos.py [--simulated 200] [--spark 12] [--seed 0]

A tuner is started, ended by SIGKILL at a random instant, and started again with the same command
until its study is complete; then comes the next study. What it left over is counted before it is
started again. Every other kill on the simulated Spark comes from the tuner itself, before a random
SQL statement: so that claiming, recording and publishing, short as they are, are all cut through.

Compared with a study of the same seed that nobody disturbed:

- lost: trials that were recorded at a kill and are missing, or differ, later;
- unrecorded: executions that had ended, but whose record was not yet written (executed again);
- duplicated: trials recorded or published twice, or beyond those of the undisturbed study;
- again: executions that began more than once, at most one for a kill;
- left over: processes and scratch folders of the tuner, five seconds after its end; what it was
  about to publish lies in a folder that the next tuner removes, so it is counted at the very end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from chaos_count import (
    Count,
    cut_off,
    group_members,
    left_at_the_end,
    published,
    recorded,
    row,
    still_there,
)
from chaos_tuner import MARKER_OF_CHAOS, NAME, PHASES, places_in, run_simulated, temporary

from autotune.record import Trial

ROOT = Path(__file__).parents[2]
BUSY = ROOT / "tests" / "spark" / "programs" / "busy.py"
FRESH_EVERY = 8
"""One study in so many begins without any store: the making of the tables is cut as well."""
MOST_STARTS = 60
SPARK_KILL_S = (2.0, 24.0)


def run_in_child(
    folder: Path,
    *,
    seed: int,
    sampler: str,
    statement: int = 0,
    kill_after_s: float | None = None,
) -> tuple[int, str, int]:
    """Run one tuner; return its exit status, what it was at, and processes left of its group."""
    context = multiprocessing.get_context("forkserver")
    # The server finds what to import before it forks by this variable alone.
    own, others = str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = own if own in others else f"{own}{os.pathsep}{others}"
    context.set_forkserver_preload(["chaos_tuner"])
    phase = context.RawValue("i", 0)
    child = context.Process(
        target=run_simulated, args=(str(folder), seed, sampler, phase, statement)
    )
    child.start()
    child.join(kill_after_s)
    if child.is_alive():
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    assert child.pid is not None
    assert child.exitcode is not None
    return child.exitcode, PHASES[phase.value], group_members(child.pid)


def simulate(kills: int, seed: int, sampler: str, root: Path) -> Count:
    """Kill tuners of simulated studies until there were so many kills."""
    count, draw = Count(), random.Random(seed)
    while count.kills < kills and len(count.stuck) < 5:
        number = count.studies
        count.studies += 1
        whole, folder = root / f"whole-{number}", root / f"study-{number}"
        for place in (whole, folder):
            place.mkdir()
        began = time.monotonic()
        if number:
            empty_copy(root / "whole-0", whole)
        status, _, _ = run_in_child(whole, seed=number, sampler=sampler)
        whole_s = time.monotonic() - began
        assert status == 0, (whole / "errors.txt").read_text()[-2000:]
        if (number + 1) % FRESH_EVERY:
            empty_copy(whole, folder)
        torment(folder, count, draw, kills, number, sampler, whole_s)
        judge(whole, folder, count)
        print(f"{count.kills} kills, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return count


def empty_copy(whole: Path, folder: Path) -> None:
    """Copy the stores of a study, and take everything out that belongs to it."""
    for name in ("optuna.db", "mlflow.db"):
        with (
            closing(sqlite3.connect(whole / name)) as source,
            closing(sqlite3.connect(folder / name)) as copy,
        ):
            source.backup(copy)
            kept = {"alembic_version", "version_info", "workspaces"}
            tables = copy.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            ).fetchall()
            for (table,) in tables:
                if table not in kept:
                    rest = " WHERE experiment_id != 0" if table == "experiments" else ""
                    copy.execute(f"DELETE FROM {table}{rest}")
            copy.commit()


def torment(
    folder: Path,
    count: Count,
    draw: random.Random,
    kills: int,
    seed: int,
    sampler: str,
    whole_s: float,
) -> None:
    """Start and kill the tuner of one study until the study is complete."""
    before: dict[int, Trial] = {}
    for _ in range(MOST_STARTS):
        final = count.kills >= kills
        from_inside = count.kills % 2 == 1
        status, phase, left = run_in_child(
            folder,
            seed=seed,
            sampler=sampler,
            statement=draw.randint(1, 700) if from_inside and not final else 0,
            kill_after_s=None if from_inside or final else draw.uniform(0.05, 0.6 * whole_s),
        )
        processes, folders = still_there(folder)
        count.processes += processes + left
        count.folders += folders
        now = recorded(folder)
        count.lost += sum(now.get(number) != trial for number, trial in before.items())
        before = now
        if status == 0:
            count.folders += left_at_the_end(folder)
            return
        if status != -signal.SIGKILL:
            words = (folder / "errors.txt").read_text().splitlines()
            count.stuck.append(f"{folder.name}: status {status}: {' '.join(words[-1:])}")
            return
        count.kills += 1
        count.phases[phase] += 1
    count.stuck.append(f"{folder.name}: not complete after {MOST_STARTS} starts")


def judge(whole: Path, folder: Path, count: Count) -> None:
    """Compare a tormented study with one that nobody disturbed."""
    expected = [recorded(whole)[number] for number in sorted(recorded(whole))]
    found = [recorded(folder)[number] for number in sorted(recorded(folder))]
    count.trials += len(found)
    count.duplicated += max(0, len(found) - len(expected))
    names = Counter(trial.execution.application_id for trial in found)
    count.duplicated += sum(times - 1 for times in names.values())
    same = [one.config == two.config and one.execution == two.execution
            for one, two in zip(expected, found, strict=False)]  # fmt: skip
    if not all(same) or len(found) != len(expected):
        where = same.index(False) if False in same else min(len(found), len(expected))
        count.stuck.append(
            f"{folder.name}: differs from trial {where} on ({len(found)} of {len(expected)})"
        )
    notes = [json.loads(line) for line in (folder / "executions.jsonl").read_text().splitlines()]
    began = Counter(note["number"] for note in notes if note["what"] == "began")
    ended = Counter(note["number"] for note in notes if note["what"] == "ended")
    count.again += sum(times - 1 for times in began.values())
    count.unrecorded += sum(times - 1 for times in ended.values())
    twice, missing = published(folder, {trial.number for trial in found})
    count.duplicated += twice
    count.lost += missing


def spark_command(folder: Path, seed: int) -> list[str]:
    """Return the command of a tiny study whose Python workers are busy, and deaf to SIGTERM."""
    places = places_in(folder)
    return [
        *(sys.executable, "-m", "autotune", "tune", "--name", NAME, "--seed", str(seed)),
        *("--trials", "1", "--baseline-repeats", "1", "--confirm-blocks", "0"),
        *("--storage", places.storage_url, "--tracking-uri", str(places.tracking_uri)),
        *("-o", str(places.folder), "--", "spark-submit", "--master", "local[2]"),
        *("--conf", "spark.driver.memory=600m", str(BUSY), "2"),
    ]


def kill_spark(kills: int, seed: int, limit_s: float, root: Path) -> Count:
    """Kill tuners of real Spark jobs until there were so many kills, or the time is up."""
    count, draw, end_s = Count(), random.Random(seed), time.monotonic() + limit_s
    while count.kills < kills and time.monotonic() < end_s:
        folder = root / f"spark-{count.studies}"
        folder.mkdir()
        count.studies += 1
        before: dict[int, Trial] = {}
        for _ in range(MOST_STARTS):
            final = count.kills >= kills or time.monotonic() > end_s
            after_s = None if final else draw.uniform(*SPARK_KILL_S)
            status = run_command(spark_command(folder, count.studies), folder, after_s)
            processes, folders = still_there(folder)
            count.processes += processes
            count.folders += folders
            now = recorded(folder)
            count.lost += sum(now.get(number) != trial for number, trial in before.items())
            if status == 0:
                count.folders += left_at_the_end(folder)
                before = now
                break
            if status != -signal.SIGKILL:
                words = (folder / "errors.txt").read_text().splitlines()
                count.stuck.append(f"{folder.name}: status {status}: {' '.join(words[-1:])}")
                break
            count.kills += 1
            before = now
        count.trials += len(before)
        count.again += cut_off(folder)
        twice, missing = published(folder, set(before))
        count.duplicated += twice + max(0, len(before) - 2)
        count.lost += missing
    return count


def run_command(command: list[str], folder: Path, kill_after_s: float | None) -> int:
    """Run *command*, killed after some seconds; return its exit status."""
    environment = {
        **os.environ, MARKER_OF_CHAOS: str(folder), "TMPDIR": str(temporary(folder))
    }  # fmt: skip
    with (folder / "errors.txt").open("a") as errors:
        tuner = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=errors, stderr=errors
        )
    try:
        return tuner.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        tuner.kill()
        return tuner.wait()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulated", type=int, default=200)
    parser.add_argument("--spark", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--spark-limit-s", type=float, default=3600.0)
    asked = parser.parse_args()
    heads = ("kills", "studies", "trials", "lost", "unrecorded", "duplicated", "again",
             "processes", "folders")  # fmt: skip
    print(f"{'':<10}" + "".join(f"{head:>11}" for head in heads), flush=True)
    memory = Path("/dev/shm")  # dying there is the same, and syncing costs nothing
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="chaos-", dir=where) as name:
        root = Path(name)
        counts = []
        if asked.simulated:
            counts.append(simulate(asked.simulated, asked.seed, asked.sampler, root))
            print(row("simulated", counts[-1]), flush=True)
        if asked.spark:
            counts.append(kill_spark(asked.spark, asked.seed, asked.spark_limit_s, root))
            print(row("spark", counts[-1]), flush=True)
    for count in counts:
        for phase, kills in count.phases.most_common():
            print(f"  killed while {phase}: {kills}")
        for line in count.stuck:
            print(f"  NOT COMPLETE {line}")
    bad = [c for c in counts if c.stuck or c.lost or c.duplicated or c.processes or c.folders]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
