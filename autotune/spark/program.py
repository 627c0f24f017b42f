"""Runs one of our own short Spark programs to its end, by itself and with nothing tuned."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autotune.errors import EnvironmentFault
from autotune.spark.causes import classify
from autotune.spark.installation import Installation

_LAST_WORDS = 8000
_SHOWN = 300


def run_program(
    installation: Installation, program: Path, arguments: Sequence[str], *, doing: str, hint: str
) -> None:
    """Run a program with all cores of this machine; all of it ends with this function.

    Args:
        installation: the Spark that runs it.
        program: a PySpark file.
        arguments: of the program; paths in them are absolute.
        doing: what it does, for the message.
        hint: what to do when it fails.

    Raises:
        EnvironmentFault: it failed; quotes what it said.
    """
    environment = {**os.environ, "PYSPARK_PYTHON": installation.python}
    environment["SPARK_HOME"] = installation.home
    environment.pop("PYSPARK_DRIVER_PYTHON", None)
    with tempfile.TemporaryDirectory(prefix="autotune-program-") as scratch:
        # A file of our own keeps spark-defaults.conf, and so a cluster, out of it.
        conf = Path(scratch, "spark.conf")
        conf.write_text(
            f"spark.master local[*]\nspark.ui.enabled false\nspark.local.dir {scratch}\n"
        )
        command = [installation.submit_script, "--properties-file", str(conf), str(program)]
        code, log = _run([*command, *arguments], environment, Path(scratch))
    if code != 0:
        said = classify(code, log, None)[1].split()
        raise EnvironmentFault(f"{doing} failed ({' '.join(said)[:_SHOWN]}); {hint}")


def _run(command: list[str], environment: dict[str, str], scratch: Path) -> tuple[int, str]:
    """Run a command in a session of its own, all of which ends with this function."""
    log = scratch / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=scratch,  # what Spark makes where it stands, goes with it
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return code, log.read_text(errors="replace")[-_LAST_WORDS:]
