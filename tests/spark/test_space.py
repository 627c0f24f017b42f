"""Spark itself accepts every value at the ends and in the middle of the shipped spaces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autotune.domain import Machine
from autotune.space import BoundSpace, Dimension, DimensionKind, bind
from autotune.spacefile import load_space, shipped_spaces
from autotune.spark.properties import property_facts

pytestmark = pytest.mark.spark
PROGRAM = Path(__file__).parent / "programs" / "read_properties.py"
WRONG = {
    "spark.sql.shuffle.partitions": "0",
    "spark.reducer.maxSizeInFlight": "soon",
    "spark.shuffle.file.buffer": "99g",
}


def shipped_values() -> dict[str, list[str]]:
    """Decode the ends and three points between of every property of every shipped space."""
    values: dict[str, set[str]] = {}
    facts = property_facts("4.3")
    for master in ("local[4]", "spark://host:7077"):
        machine = Machine(
            master=master, slots=4, cores_per_executor=4, memory_bytes=16 << 30,
            spark_version="4.3.0",
        )  # fmt: skip
        for name in shipped_spaces():
            bound = bind(load_space(name), machine=machine, baseline={}, facts=facts)
            for dimension in bound.dimensions:
                if not bound.space.parameter(dimension.name).is_property:
                    continue  # Spark never sees what is an argument of the job
                for text in decoded(bound, dimension):
                    values.setdefault(dimension.name, set()).add(text)
    return {name: sorted(texts) for name, texts in sorted(values.items())}


def decoded(bound: BoundSpace, dimension: Dimension) -> set[str]:
    points: list[float | str | None] = list(dimension.choices)
    if dimension.kind is not DimensionKind.CATEGORICAL:
        low, high = dimension.low or 0.0, dimension.high or 0.0
        points = [low + (high - low) * part for part in (0, 0.01, 0.3, 0.7, 1)]
    choices = {other.name: other.choices for other in bound.dimensions}
    switched = {
        parent: texts[0]
        for parent, texts in bound.space.parameter(dimension.name).when.items()
        if texts[0] in choices.get(parent, ())
    }
    configs = [bound.decode({**switched, dimension.name: point}) for point in points]
    return {text for config in configs if (text := config.properties[dimension.name]) is not None}


def test_spark_reads_every_shipped_value(tmp_path: Path) -> None:
    wanted = shipped_values()
    assert len(wanted) >= 60
    for name, text in WRONG.items():
        wanted[name].append(text)
    path = tmp_path / "values.json"
    path.write_text(json.dumps(wanted))
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(path)],
        capture_output=True, text=True, timeout=180, check=False, cwd=tmp_path,
    )  # fmt: skip
    line = next((text for text in done.stdout.splitlines() if text.startswith("REFUSED ")), None)
    assert line is not None, done.stderr[-2000:]
    refused = json.loads(line.removeprefix("REFUSED "))
    assert set(refused) == {f"{name}={text}" for name, text in WRONG.items()}, refused
