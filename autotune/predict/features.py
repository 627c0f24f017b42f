"""Configurations, data and machines as numbers that compare between machines and tables."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

import numpy as np

from autotune.domain import (
    Config,
    DatasetProfile,
    Machine,
    PropertyFact,
    Value,
    WorkloadProfile,
)
from autotune.predict.jobs import Shuffle, interplay, job_features
from autotune.space import default_of
from autotune.space.units import ParameterType, read_number
from autotune.units import format_bytes

FactsOf = Callable[[str | None], Mapping[str, PropertyFact]]
"""Spark version → what Spark says of its properties."""

SHARES = ("data null share", "data key skew")
"""Of the context, what is no logarithm."""
_MEBIBYTES = ("data size", "data size per slot", "machine memory per core")
_SMALL_COUNTS = ("machine slots", "machine executors")
_WORKLOAD = "workload "
_MB = float(1 << 20)
_COUNT_NAMES = re.compile(r"partitions$|parallelism$|PartitionNum$")
_MEMORY_NAMES = re.compile(r"\.memory$|memoryOverhead$|offHeap\.size$")
_TIME_NAMES = re.compile(r"[iI]nterval|[tT]imeout|[wW]ait|[dD]elay")
_PARALLELISM = "spark.default.parallelism"
_SHUFFLE_PARTITIONS = "spark.sql.shuffle.partitions"
_ADAPTIVE = "spark.sql.adaptive.enabled"
_COALESCE = "spark.sql.adaptive.coalescePartitions.enabled"
_PARALLELISM_FIRST = "spark.sql.adaptive.coalescePartitions.parallelismFirst"
_ADVISORY = "spark.sql.adaptive.advisoryPartitionSizeInBytes"
_ADVISORY_BYTES = 64 * _MB
"""What Spark takes, where it does not tell."""
_IN_LOCAL_MODE = {
    f"spark.executor.{name}": f"spark.driver.{name}"
    for name in ("memory", "memoryOverhead", "extraJavaOptions")
}
"""There the driver's JVM runs the tasks: so what is learned of executors holds for it too."""
_BY_MACHINE: Mapping[str, Callable[[Machine], int]] = {
    _PARALLELISM: lambda machine: machine.slots,
    "spark.executor.cores": lambda machine: machine.cores_per_executor,
}
"""What Spark takes by itself there, whatever its list of defaults says."""
_INITIAL = "spark.sql.adaptive.coalescePartitions.initialPartitionNum"
_STANDS_FOR = {_INITIAL: _SHUFFLE_PARTITIONS}


class Kind(StrEnum):
    """How the strings of one setting are read."""

    NUMBER = "number"
    COUNT = "count"
    """Of partitions: seen per task slot and per byte of the data."""
    SIZE = "size"
    MEMORY = "memory"
    """A size that is seen as a share of the machine's memory."""
    DURATION = "duration"
    FLAG = "flag"
    OPTIONS = "options"
    """Of a JVM: whether each of them is there."""
    CATEGORY = "category"


class Setting(Value):
    """One property or argument that configurations differ in."""

    name: str
    kind: Kind
    words: tuple[str, ...] = ()
    """All that were seen, of a setting that holds no number: each is a feature of its own."""

    @property
    def is_property(self) -> bool:
        """Whether it is a Spark property; otherwise it is an argument of the job."""
        return self.name.startswith("spark.")

    @property
    def amount(self) -> str | None:
        """The feature that says how much, as it compares between machines; of numbers only."""
        if self.kind in (Kind.FLAG, Kind.OPTIONS, Kind.CATEGORY):
            return None
        return self.name + {Kind.COUNT: " per slot", Kind.MEMORY: " share"}.get(self.kind, "")


def settings_of(
    configs: Iterable[Config], facts: Mapping[str, PropertyFact]
) -> tuple[Setting, ...]:
    """Return what *configs* set, and how its values are to be read: as all of them can be."""
    values: dict[str, set[str]] = {}
    for config in configs:
        for name, value in [*config.properties.items(), *config.arguments.items()]:
            values.setdefault(name, set()).update(() if value is None else (value,))
    for name, found in values.items():
        default = default_of(name, {}, facts)
        found.update(() if default is None else (default,))
    return tuple(_setting(name, values[name]) for name in sorted(values))


def _setting(name: str, values: set[str]) -> Setting:
    if name.endswith("JavaOptions"):
        words = {word for value in values for word in value.split()}
        return Setting(name=name, kind=Kind.OPTIONS, words=tuple(sorted(words)))
    kind = _kind(name, values)
    return Setting(
        name=name, kind=kind, words=tuple(sorted(values)) if kind is Kind.CATEGORY else ()
    )


def _kind(name: str, values: set[str]) -> Kind:
    if values and all(value.lower() in {"true", "false"} for value in values):
        return Kind.FLAG
    sizes = Kind.MEMORY if _MEMORY_NAMES.search(name) else Kind.SIZE
    numbers = Kind.COUNT if _COUNT_NAMES.search(name) else Kind.NUMBER
    order = [Kind.DURATION, sizes] if _TIME_NAMES.search(name) else [sizes, Kind.DURATION]
    for kind in [numbers, *order] if sizes is Kind.SIZE else order:
        if values and all(_number(value, kind) is not None for value in values):
            return kind
    return Kind.CATEGORY


@lru_cache(maxsize=8192)
def _number(text: str, kind: Kind) -> float | None:
    if kind in (Kind.SIZE, Kind.MEMORY):
        unit = "m" if kind is Kind.MEMORY else ""
        return read_number(text, ParameterType.BYTES, unit)
    if kind is Kind.DURATION:
        return read_number(text, ParameterType.DURATION)
    return read_number(text, ParameterType.FLOAT)


def context_features(
    profile: DatasetProfile | None,
    machine: Machine,
    workload: str,
    job: WorkloadProfile | None = None,
) -> dict[str, float]:
    """Return what does not depend on the configuration; logarithms to base 2, sizes in MiB."""
    nan = math.nan
    named = {f"{_WORKLOAD}{workload}": 1.0} if workload else {}
    return (
        job_features(job, machine)
        | named
        | {
            "data rows": math.log2(1 + profile.rows) if profile else nan,
            "data size": math.log2(1 + profile.bytes / _MB) if profile else nan,
            "data row width": math.log2(1 + profile.row_width_bytes) if profile else nan,
            "data files": math.log2(1 + profile.files) if profile else nan,
            "data columns": math.log2(1 + len(profile.columns)) if profile else nan,
            "data null share": profile.null_share if profile else nan,
            "data key skew": profile.key_skew if profile else nan,
            "data size per slot": math.log2(1 + profile.bytes / _MB / machine.slots)
            if profile
            else nan,
            "machine slots": math.log2(machine.slots),
            "machine executors": math.log2(machine.executors),
            "machine memory per core": math.log2(
                1 + machine.memory_bytes / machine.cores_per_executor / _MB
            ),
        }
    )


def context_text(name: str, value: float) -> str:
    """Return a number of :func:`context_features` as people write it."""
    if name in SHARES:
        return f"{value:.2f}"
    if name in _MEBIBYTES:
        return format_bytes((2**value - 1) * _MB)
    return f"{2**value - (0 if name in _SMALL_COUNTS else 1):,.0f}"


def config_features(
    settings: Sequence[Setting],
    config: Config,
    profile: DatasetProfile | None,
    machine: Machine,
    facts: Mapping[str, PropertyFact],
    job: WorkloadProfile | None = None,
) -> dict[str, float]:
    """Return the features of one configuration; what is unset has Spark's own default.

    Counts of partitions are given as such, per slot and as data per partition; sizes as MiB and as
    the number of such pieces per slot that the data make; memory as MiB and as a share.
    """
    found: dict[str, float] = {}
    for setting in settings:
        text = _effective(setting.name, config, machine, facts)
        if setting.kind is Kind.FLAG:
            found[setting.name] = math.nan if text is None else float(text.lower() == "true")
        elif setting.kind in (Kind.OPTIONS, Kind.CATEGORY):
            present = (text or "").split() if setting.kind is Kind.OPTIONS else [text]
            found |= {f"{setting.name} {word}": float(word in present) for word in setting.words}
        else:
            number = None if text is None else _number(text, setting.kind)
            found |= _numeric(setting, number, profile, machine)
    return found | interplay(job, machine, _shuffle(config, machine, facts))


def matrix(rows: Sequence[Mapping[str, float]], columns: Sequence[str]) -> np.ndarray:
    """Return rows of features as rows × columns: NaN where a number is unknown.

    A row has its own workload only: it is none of the others.
    """
    blanks = [(name, 0.0 if name.startswith(_WORKLOAD) else math.nan) for name in columns]
    return np.array([[row.get(name, blank) for name, blank in blanks] for row in rows])


def _shuffle(config: Config, machine: Machine, facts: Mapping[str, PropertyFact]) -> Shuffle:
    def number(name: str, kind: Kind) -> float | None:
        text = _effective(name, config, machine, facts)
        return None if text is None else _number(text, kind)

    def on(name: str) -> bool:
        return (_effective(name, config, machine, facts) or "true").lower() == "true"

    adaptive = on(_ADAPTIVE) and on(_COALESCE)
    return Shuffle(
        partitions=number(_INITIAL if adaptive else _SHUFFLE_PARTITIONS, Kind.COUNT),
        adaptive=adaptive,
        advisory_bytes=number(_ADVISORY, Kind.SIZE) or _ADVISORY_BYTES,
        least=number(_PARALLELISM, Kind.COUNT) if on(_PARALLELISM_FIRST) else None,
        parallelism=number(_PARALLELISM, Kind.COUNT) or machine.slots,
    )


def _effective(
    name: str, config: Config, machine: Machine, facts: Mapping[str, PropertyFact]
) -> str | None:
    text = config.properties.get(name, config.arguments.get(name))
    if text is not None:
        return text
    if name in _IN_LOCAL_MODE and machine.master.partition("[")[0] == "local":
        return _effective(_IN_LOCAL_MODE[name], config, machine, facts)
    if name in _STANDS_FOR:
        return _effective(_STANDS_FOR[name], config, machine, facts)
    if name in _BY_MACHINE:
        return str(_BY_MACHINE[name](machine))
    known = {key: value for key, value in config.properties.items() if value is not None}
    return default_of(name, known, facts)


def _numeric(
    setting: Setting, number: float | None, profile: DatasetProfile | None, machine: Machine
) -> dict[str, float]:
    name, kind = setting.name, setting.kind
    nan = math.nan
    value = nan if number is None else max(number, 0.0)
    data = profile.bytes if profile else nan
    if kind is Kind.COUNT:
        count = max(value, 1.0) if number is not None else nan
        return {
            name: math.log2(count),
            f"{name} per slot": math.log2(count / machine.slots),
            f"{name} size of each": math.log2(1 + data / count / 1024),
        }
    if kind is Kind.MEMORY:
        return {name: math.log2(1 + value / _MB), f"{name} share": value / machine.memory_bytes}
    if kind is Kind.SIZE:
        pieces = data / max(value, 1024.0) / machine.slots
        return {
            name: math.log2(1 + value / _MB),
            f"{name} pieces per slot": math.log2(1e-6 + pieces),
        }
    if kind is Kind.DURATION:
        return {name: math.log2(1 + value)}
    # A count of things grows by factors, a share between 0 and 1 does not.
    return {name: math.log2(1 + value) if value > 1 else value}
