"""What ``chaos.py`` counts: in the stores, among the processes and in the folders."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from chaos_tuner import MARKER_OF_CHAOS, NAME, UNRECORDED, places_in, temporary

from autotune.errors import EnvironmentFault
from autotune.ledger import Ledger
from autotune.ledger.staging import PREFIX
from autotune.record import Trial
from autotune.study import list_studies, load_study

GRACE_S = 5.0


@dataclass
class Count:
    """What came of all kills."""

    kills: int = 0
    studies: int = 0
    trials: int = 0
    lost: int = 0
    unrecorded: int = 0
    duplicated: int = 0
    again: int = 0
    processes: int = 0
    folders: int = 0
    stuck: list[str] = field(default_factory=list)
    phases: Counter[str] = field(default_factory=Counter)


def recorded(folder: Path) -> dict[int, Trial]:
    """Return the trials that the study holds now, by number."""
    url = places_in(folder).storage_url
    if not any(info.name == NAME and info.trials for info in list_studies(url)):
        return {}
    return {trial.number: trial for trial in load_study(url, NAME).trials}


def still_there(folder: Path) -> tuple[int, int]:
    """Wait for what a dead tuner left to go; count processes and temporary folders that do not."""
    end_s = time.monotonic() + GRACE_S
    while True:
        processes = sum(1 for _ in marked(folder))
        folders = sum(not path.name.startswith(PREFIX) for path in temporary(folder).iterdir())
        if not processes + folders or time.monotonic() > end_s:
            return processes, folders
        time.sleep(0.05)


def marked(folder: Path) -> Iterator[psutil.Process]:
    """Find every living process that a tuner of this folder started, however far below it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(MARKER_OF_CHAOS) == str(folder):
                yield process


def group_members(group: int) -> int:
    """Count the living processes of a process group."""
    found = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            alive = process.status() != psutil.STATUS_ZOMBIE
            found += alive and os.getpgid(process.pid) == group
    return found


def published(folder: Path, numbers: set[int]) -> tuple[int, int]:
    """Return how many trials MLflow has twice, and how many not at all."""
    uri = places_in(folder).tracking_uri
    assert uri is not None
    try:
        (history,) = Ledger(uri, folder / "mlruns" / "artifacts").history()
    except EnvironmentFault as fault:
        print(f"{folder.name}: {fault}", file=sys.stderr)
        return 0, len(numbers)
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        rows = store.execute("SELECT value FROM tags WHERE key = 'autotune.trial_number'")
        runs = Counter(int(value) for (value,) in rows)
    twice = sum(times - 1 for times in runs.values())
    return twice, max(len(numbers - set(runs)), len(numbers) - len(history.trials))


def left_at_the_end(folder: Path) -> int:
    """Count what a complete study has no use for any more."""
    return sum(1 for _ in temporary(folder).iterdir()) + (folder / UNRECORDED).exists()


def cut_off(folder: Path) -> int:
    """Return how many executions a study let go of because their tuner died."""
    with closing(sqlite3.connect(folder / "optuna.db")) as store:
        found = store.execute("SELECT count(*) FROM trial_user_attributes WHERE key = 'lost'")
        (count,) = found.fetchone()
    return int(count)


def row(name: str, count: Count) -> str:
    """Return one line of the table."""
    numbers = (
        count.kills, count.studies, count.trials, count.lost, count.unrecorded, count.duplicated,
        count.again, count.processes, count.folders,
    )  # fmt: skip
    return f"{name:<10}" + "".join(f"{number:>11}" for number in numbers)
