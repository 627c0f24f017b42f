"""Makes the data of the built-in workloads: ``autotune data taxi``, ``autotune data tpch``.

A folder appears whole or not at all: data is made beside its place and renamed. A marker in it
says what it holds, so that asking again for the same is done at once. What stands in a folder
is never replaced.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from autotune.errors import EnvironmentFault, InputError
from autotune.pathtext import path_of
from autotune.spark.installation import Installation
from autotune.tpch import VERSION as TPCH_VERSION
from autotune.tpch import make_tpch

MARKER = "_autotune.json"
TAXI_VERSION = 1
"""As in ``workloads/taxi_data.py``, which is not imported: it needs pyspark."""
TAXI_ROWS = 1_000_000
TPCH_SCALE = 0.1
_TAXI = Path(__file__).parent / "workloads" / "taxi_data.py"

Made = dict[str, str | int | float]


def make_data(
    name: str,
    *,
    to: str | Path,
    rows: int | None = None,
    scale: float | None = None,
    seed: int = 7,
    installation: Installation | None = None,
) -> Path:
    """Make the data of that name in a folder, unless just that stands there already.

    Args:
        name: ``taxi`` or ``tpch``.
        to: the folder to make; missing, empty, or made before with the same numbers.
        rows: trips to make (taxi only).
        scale: scale factor (tpch only).
        seed: of the generator (taxi only; TPC-H has one set of data a scale).
        installation: the Spark that makes taxi trips.

    Raises:
        InputError: no such data, a number that does not fit, or a folder that holds other things.
        EnvironmentFault: a generator is missing or fails, or the place can't be written to.
    """
    marker = _marker(name, rows=rows, scale=scale, seed=seed)
    place = path_of(str(to), where="data").expanduser().absolute()
    if _stands(place, marker):
        return place
    _make_room(place)
    if name == "taxi":
        if installation is None:
            raise EnvironmentFault("data: taxi: needs a Spark; name one with --spark-home")
        _make_taxi(place, marker, installation)
    else:
        _in_one_piece(place, marker, lambda making: make_tpch(float(marker["scale"]), making))
    return place


def _marker(name: str, *, rows: int | None, scale: float | None, seed: int) -> Made:
    if name not in ("taxi", "tpch"):
        message = f"data: '{name}' is not known; choose taxi or tpch"
        raise InputError(message)
    given, wrong = ("rows", scale) if name == "taxi" else ("scale", rows)
    if wrong is not None:
        message = f"data: {name}: its size is given by {given}; leave the other one out"
        raise InputError(message)
    size = (rows or TAXI_ROWS) if name == "taxi" else (scale or TPCH_SCALE)
    if (rows is not None and rows < 1) or (scale is not None and not 0 < scale < 1e6):
        message = f"data: {name}: {given} must be more than 0, and finite"
        raise InputError(message)
    marker: Made = {"made_by": "autotune", "name": name, given: size}
    if name == "taxi":
        return {**marker, "version": TAXI_VERSION, "seed": seed, "format": "parquet"}
    return {**marker, "version": TPCH_VERSION}


def _stands(place: Path, marker: Made) -> bool:
    """Tell whether the wanted data is there; refuse whatever else is."""
    try:
        if not place.exists() or (place.is_dir() and not any(place.iterdir())):
            return False
        found = json.loads((place / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"data: {place}: holds something that autotune did not make; name another folder"
        raise InputError(message) from error
    if found != marker:
        has = ", ".join(f"{key} {value}" for key, value in found.items() if key != "made_by")
        message = f"data: {place}: holds other data ({has}); remove it or name another folder"
        raise InputError(message)
    return True


def _make_room(place: Path) -> None:
    """Make the parent folder, and take away what a killed generator left there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f".{glob.escape(place.name)}.making-*"):
            pid = left.name.rpartition("-")[2]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.try-"):
            pass
    except OSError as error:
        message = f"data: {place}: can't be made ({error.strerror}); name a folder to write in"
        raise EnvironmentFault(message) from error


def _in_one_piece(place: Path, marker: Made, fill: Callable[[Path], None]) -> None:
    making = place.parent / f".{place.name}.making-{os.getpid()}"
    try:
        making.mkdir()
        fill(making)
        (making / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
        if place.is_dir():
            place.rmdir()
        making.rename(place)
    except OSError as error:
        message = f"data: {place}: can't be written ({error.strerror}); check space and rights"
        raise EnvironmentFault(message) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _make_taxi(place: Path, marker: Made, installation: Installation) -> None:
    """Run the generator, which makes its folder in one piece by itself."""
    sizes = ("--rows", str(marker["rows"]), "--seed", str(marker["seed"]))
    environment = {**os.environ, "PYSPARK_PYTHON": installation.python}
    environment["SPARK_HOME"] = installation.home
    environment.pop("PYSPARK_DRIVER_PYTHON", None)
    with tempfile.TemporaryDirectory(prefix="autotune-data-") as scratch:
        # A file of our own keeps spark-defaults.conf, and so a cluster, out of it.
        conf = Path(scratch, "spark.conf")
        conf.write_text(
            f"spark.master local[*]\nspark.ui.enabled false\nspark.local.dir {scratch}\n"
        )
        command = [installation.submit_script, "--properties-file", str(conf), str(_TAXI)]
        code, log = _run([*command, *sizes, "--to", str(place)], environment, Path(scratch))
    if code != 0:
        said = [line.strip() for line in log.splitlines() if line.strip()]
        message = (
            f"data: taxi: the generator failed ({said[-1] if said else code}); try fewer rows"
        )
        raise EnvironmentFault(message)


def _run(command: list[str], environment: dict[str, str], scratch: Path) -> tuple[int, str]:
    """Run a command in a session of its own, all of which ends with this function."""
    log = scratch / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
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
    return code, log.read_text(errors="replace")[-4000:]
