"""The same promises on PostgreSQL; skipped where no server is installed."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.errors import StudyConflict
from autotune.study import list_studies, load_study, open_study
from surfaces import bound_space, experiment, measured

BOUND = bound_space()
SERVER = shutil.which("postgres")
OWNER = "postgres" if os.geteuid() == 0 else getpass.getuser()

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        SERVER is None
        or shutil.which("initdb") is None
        or (os.geteuid() == 0 and not shutil.which("runuser")),
        reason="no PostgreSQL server",
    ),
]


def as_owner(*command: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", OWNER, "--", *command] if os.geteuid() == 0 else list(command)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("psycopg2")
    folder = Path("/tmp") / f"autotune-pg-{os.getpid()}"
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    data = str(folder / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    try:
        initdb = as_owner("initdb", "-D", data, "-U", "autotune", "--auth=trust", "-N")
        subprocess.run(initdb, check=True, capture_output=True, cwd="/")
        options = f"-p {port} -k {folder} -h 127.0.0.1 -F"
        start = as_owner(
            "pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start"
        )
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/")
        try:
            yield f"postgresql://autotune@127.0.0.1:{port}/postgres"
        finally:
            stop = as_owner("pg_ctl", "-D", data, "-m", "immediate", "stop")
            subprocess.run(stop, check=True, capture_output=True, cwd="/")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


HOLDER = """
import sys, time
sys.path.insert(0, {tests!r})
from surfaces import experiment
from autotune.study import open_study
with open_study(experiment(), storage_url={url!r}):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_study_lives_in_postgres(url: str) -> None:
    for number in range(2):
        with open_study(experiment("lives"), storage_url=url) as study:
            assert len(study.trials) == number
            trial = measured(BOUND, study.claim(), BOUND.baseline)
            study.add(trial, BOUND.encode(trial.config), BOUND.dimensions)
    assert len(load_study(url, "lives").trials) == 2
    with open_study(experiment("lives"), storage_url=url, new=True) as study:
        assert study.trials == ()
    assert [info.name for info in list_studies(url)] == ["lives", "lives.1"]


def test_a_second_tuner_is_refused_and_a_killed_one_forgotten(url: str) -> None:
    script = HOLDER.format(tests=str(Path(__file__).parent), url=url)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(StudyConflict, match=rf"process {holder.pid} on "),
            open_study(experiment(), storage_url=url),
        ):
            pass
        holder.kill()
    for _ in range(50):
        try:
            with open_study(experiment(), storage_url=url):
                return
        except StudyConflict:
            continue
    pytest.fail("the server kept the lock")
