"""What Spark itself says of its properties, per version: data taken from Spark, shipped with us.

``scripts/extract_spark_properties.py`` makes the files. A version without a file of its own is
answered from the nearest lower one, else from the newest.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from autotune.domain import PropertyFact

_FOLDER = Path(__file__).parent
_OPEN_FAMILIES = ("spark.hadoop.", "spark.kubernetes.", "spark.yarn.", "spark.hive.")
"""Families that pass on keys of other systems, or whose keys Spark doesn't register."""


def property_facts(spark_version: str | None) -> Mapping[str, PropertyFact]:
    """Return the properties of a Spark version by name.

    Args:
        spark_version: ``4.3.0`` or ``3.5``; ``None`` gives the newest that is known.
    """
    return _load(_nearest(_minor(spark_version), shipped_versions()))


def shipped_versions() -> tuple[str, ...]:
    """Return the minor versions whose properties are shipped, oldest first."""
    found = [path.name.removeprefix("properties_").removesuffix(".json.gz") for path in _files()]
    return tuple(sorted(found, key=_ordinal))


def is_known(name: str, facts: Mapping[str, PropertyFact]) -> bool:
    """Whether a property may be set: one of Spark's own, or of a family that is open."""
    return name in facts or name.startswith(_OPEN_FAMILIES)


def _files() -> Iterable[Path]:
    return _FOLDER.glob("properties_*.json.gz")


def _minor(version: str | None) -> str | None:
    match = re.match(r"\d+\.\d+", version or "")
    return match[0] if match else None


def _nearest(minor: str | None, shipped: tuple[str, ...]) -> str:
    lower = [one for one in shipped if minor is not None and _ordinal(one) <= _ordinal(minor)]
    return lower[-1] if lower else shipped[-1]


def _ordinal(minor: str) -> tuple[int, ...]:
    return tuple(map(int, minor.split(".")))


@cache
def _load(minor: str) -> Mapping[str, PropertyFact]:
    with gzip.open(_FOLDER / f"properties_{minor}.json.gz", "rt", encoding="utf-8") as stream:
        rows = json.load(stream)["properties"]
    return MappingProxyType({row["name"]: PropertyFact(**row) for row in rows})
