"""Makes the data of the built-in workloads: ``autotune data taxi``, ``autotune data tpch``.

A folder appears whole or not at all: data is made beside its place and renamed. A marker in it
says what it holds, so that asking again for the same is done at once. What stands in a folder
is never replaced.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from autotune.builtin import BUILTINS, Dataset, Size
from autotune.errors import EnvironmentFault, InputError
from autotune.pathtext import at_home, path_of
from autotune.spark.installation import Installation
from autotune.spark.program import run_program
from autotune.tpch import VERSION as TPCH_VERSION
from autotune.tpch import make_tpch

MARKER = "_autotune.json"
_SCALES = {Size.S: 0.05, Size.M: 0.1, Size.L: 0.3}
"""Of TPC-H, whose size is not given in rows."""

_RANDOM_PART = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-c000)?")
"""Of a file that Spark wrote; the number of a task's second file stays, so that names differ."""

Made = dict[str, str | int | float]


def make_data(
    name: str,
    *,
    to: str | Path,
    size: Size | None = None,
    rows: int | None = None,
    scale: float | None = None,
    seed: int = 7,
    options: Mapping[str, str] | None = None,
    installation: Installation | None = None,
) -> Path:
    """Make the data of that name in a folder, unless just that stands there already.

    Args:
        name: ``tpch``, or a built-in workload.
        to: the folder to make; missing, empty, or made before with the same numbers.
        size: S, M (what is made when nothing is said) or L.
        rows: of the main table, instead of a size (not for tpch).
        scale: scale factor, instead of a size (tpch only).
        seed: of the generator (not for tpch, which has one set of data a scale).
        options: of the generator, as ``{"hot-share": "0.8"}``.
        installation: the Spark that makes the data (not for tpch).

    Raises:
        InputError: no such data, a number that does not fit, or a folder that holds other things.
        EnvironmentFault: a generator is missing or fails, or the place can't be written to.
    """
    if size is not None and (rows is not None or scale is not None):
        other = "rows" if rows is not None else "scale"
        message = f"data: {name}: size and {other} both say how much; leave one out"
        raise InputError(message)
    if name == "tpch":
        if rows is not None or options:
            wrong = "rows" if rows is not None else "options"
            message = f"data: tpch: its size is given by scale; leave {wrong} out"
            raise InputError(message)
        marker = _tpch_marker(_SCALES[size or Size.M] if scale is None else scale)

        def fill(making: Path) -> None:
            make_tpch(float(marker["scale"]), making)
    else:
        dataset, usual = _dataset(name)
        if scale is not None:
            message = f"data: {name}: its size is given by rows; leave scale out"
            raise InputError(message)
        count = usual[size or Size.M] if rows is None else rows
        marker = _marker(name, dataset, rows=count, seed=seed, options=options or {})

        def fill(making: Path) -> None:
            _generate(name, dataset, making, marker, installation)

    place = at_home(path_of(str(to), where="data")).absolute()
    if not _stands(place, marker):
        _make_room(place)
        _in_one_piece(place, marker, fill)
    return place


def _dataset(name: str) -> tuple[Dataset, dict[Size, int]]:
    for builtin in BUILTINS:
        if builtin.name == name and builtin.dataset is not None:
            return builtin.dataset, builtin.rows
    known = ", ".join(sorted(["tpch", *(builtin.name for builtin in BUILTINS)]))
    message = f"data: '{name}' is not known; choose one of: {known}"
    raise InputError(message)


def _tpch_marker(scale: float) -> Made:
    if not 0 < scale < 1e6:
        raise InputError("data: tpch: scale must be more than 0, and finite")
    return {"made_by": "autotune", "name": "tpch", "scale": scale, "version": TPCH_VERSION}


def _marker(
    name: str, dataset: Dataset, *, rows: int, seed: int, options: Mapping[str, str]
) -> Made:
    if rows < 1:
        message = f"data: {name}: rows must be more than 0"
        raise InputError(message)
    for key in options:
        if key not in dataset.settable:
            known = ", ".join(dataset.settable) or "none"
            message = f"data: {name}: has no option '{key}'; it has: {known}"
            raise InputError(message)
    return {
        "made_by": "autotune",
        "name": dataset.name,
        "rows": rows,
        "version": dataset.version,
        "seed": seed,
        **dataset.options,
        **options,
    }


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


def _generate(
    name: str, dataset: Dataset, making: Path, marker: Made, installation: Installation | None
) -> None:
    """Run a generator, which fills a folder that is there."""
    if installation is None:
        message = f"data: {name}: needs a Spark; name one with --spark-home"
        raise EnvironmentFault(message)
    named = ("rows", "seed", *dict.fromkeys((*dataset.options, *dataset.settable)))
    wanted = {key: marker[key] for key in named if key in marker}
    options = [f"--{key}={value}" for key, value in wanted.items()]
    run_program(
        installation,
        dataset.program,
        [*options, "--to", str(making)],
        doing=f"data: {name}: the generator",
        hint="try fewer rows" + (" or other options" if dataset.settable else ""),
    )
    _name_parts(making)


def _name_parts(making: Path) -> None:
    """Take the random part out of the files' names, so that equal data has equal names."""
    for path in sorted(making.rglob("*")):
        if path.name.startswith("part-"):
            path.rename(path.with_name(_RANDOM_PART.sub("", path.name)))
        elif path.name == "_SUCCESS" or path.suffix == ".crc":
            path.unlink()  # the marker stands for both
