"""A simulated Spark: an `Execute` whose time is a known function of the config.

A smooth bowl in the coordinates of the search, two parameters that interact, categorical effects,
a corner where memory runs out, log-normal noise and drift. Nothing sleeps: seconds are made up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np

from autotune.distributions import from_unit
from autotune.domain import Config, Limits, Machine, PropertyFact, Workload
from autotune.experiment import Budget, Experiment, Sampler
from autotune.record import (
    Cause,
    Checkpoint,
    Execution,
    Metrics,
    Origin,
    Purpose,
    Status,
    Step,
    StepKind,
    Trial,
)
from autotune.space import BoundSpace, Dimension, DimensionKind, Space, bind

MACHINE = Machine(
    master="local[4]", slots=4, cores_per_executor=4, memory_bytes=16 << 30, spark_version="4.1.0"
)
SPACE = Space.model_validate(
    {
        "name": "simulated",
        "description": "Numbers, sizes, choices and a condition.",
        "parameters": [
            {"name": "spark.sql.shuffle.partitions", "type": "float", "low": 0.5, "high": 64,
             "log": True, "per": "slot", "unset_as": "50"},
            {"name": "spark.driver.memory", "type": "bytes", "low": "5%", "high": "70%",
             "of": "memory", "log": True, "unset_as": "1g"},
            {"name": "spark.memory.fraction", "type": "float", "low": 0.3, "high": 0.9,
             "unset_as": "0.6"},
            {"name": "spark.sql.files.maxPartitionBytes", "type": "bytes", "low": "8m",
             "high": "512m", "log": True, "unset_as": "128m"},
            {"name": "spark.sql.autoBroadcastJoinThreshold", "type": "bytes", "low": "1m",
             "high": "256m", "log": True, "unset_as": "10m"},
            {"name": "spark.reducer.maxSizeInFlight", "type": "bytes", "low": "12m",
             "high": "384m", "log": True, "unset_as": "48m"},
            {"name": "spark.shuffle.file.buffer", "type": "bytes", "low": "16k", "high": "1m",
             "log": True, "unset_as": "32k"},
            {"name": "spark.sql.inMemoryColumnarStorage.batchSize", "type": "int", "low": 1000,
             "high": 100000, "log": True, "unset_as": "10000"},
            {"name": "spark.io.compression.codec", "type": "categorical",
             "choices": ["lz4", "zstd", "snappy"], "unset_as": "lz4"},
            {"name": "spark.io.compression.zstd.level", "type": "int", "low": 1, "high": 9,
             "unset_as": "1", "when": {"spark.io.compression.codec": ["zstd"]}},
            {"name": "spark.serializer", "type": "categorical",
             "choices": [None, "org.apache.spark.serializer.KryoSerializer"]},
            {"name": "spark.shuffle.compress", "type": "bool", "unset_as": "true"},
        ],
    }
)  # fmt: skip
WORKLOAD = Workload(name="simulated", application="simulated.py", master=MACHINE.master)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = 5


def bound_space(
    space: Space = SPACE,
    *,
    machine: Machine = MACHINE,
    baseline: Mapping[str, str] | None = None,
    facts: Mapping[str, PropertyFact] | None = None,
    fixed: Collection[str] = (),
) -> BoundSpace:
    return bind(space, machine=machine, baseline=baseline or {}, facts=facts or {}, fixed=fixed)


def experiment(name: str = "simulated", **changes: object) -> Experiment:
    """An experiment on the simulated Spark; small unless told otherwise."""
    fields: dict[str, object] = {
        "name": name,
        "workload": WORKLOAD,
        "space": SPACE,
        "machine": MACHINE,
        "budget": Budget(trials=8, confirm_blocks=2),
        "sampler": Sampler.TPE,
        "identity": {"space": "a1", "data": "b2", "command": "simulated.py", "spark": "4.1.0"},
    }
    return Experiment.model_validate({**fields, **changes})


def measured(bound: BoundSpace, number: int, config: Config, **changes: object) -> Trial:
    """One trial on the surface, with its execution changed where that is asked for."""
    surface = Surface(bound, executed=number)
    execution = surface(WORKLOAD, config, Limits(), lambda checkpoint: False)
    return Trial(
        number=number,
        purpose=Purpose.SEARCH if number else Purpose.BASELINE,
        origin=Origin.SAMPLER if number else Origin.BASELINE,
        config=config,
        execution=execution.model_copy(update=changes),
    )


class Surface:
    """Runs nothing and answers like Spark. Same arguments and calls, same answers.

    Args:
        bound: the space; any will do.
        seed: of the surface and of its noise.
        gain: the baseline's time over the best time; 1: no parameter matters.
        noise: standard deviation of the logarithm of a time.
        drift: share by which times grow in an hour of simulated time.
        crash: whether one corner of the space runs out of memory.
        base_s: time of the baseline without noise.
        executed: how many executions came before, when a study is continued.
    """

    def __init__(
        self,
        bound: BoundSpace,
        *,
        seed: int = 0,
        gain: float = 1.8,
        noise: float = 0.06,
        drift: float = 0.0,
        crash: bool = True,
        base_s: float = 60.0,
        executed: int = 0,
    ) -> None:
        self.bound = bound
        self.seed = seed
        self.gain = gain
        self.noise = noise
        self.drift = drift
        self.base_s = base_s
        self.executed = executed
        self.elapsed_s = 0.0
        self._numeric = [d for d in bound.dimensions if d.kind is not DimensionKind.CATEGORICAL]
        self._crash = crash and gain > 1 and len(self._numeric) >= 2
        for attempt in range(1000):
            self._draw(np.random.default_rng([seed, attempt]))
            if self._sensible():
                break

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        random = np.random.default_rng([self.seed, 7, self.executed])
        factor = math.exp(self.noise * random.standard_normal())
        factor *= 1 + self.drift * self.elapsed_s / 3600
        duration_s = self.true_s(config) * factor
        ends_s = duration_s * 0.4 if self.crashes(config) else duration_s
        status, wall_s, steps = self._run(duration_s, ends_s, limits, on_checkpoint)
        failed = status is Status.SUCCEEDED and self.crashes(config)
        execution = Execution(
            status=Status.FAILED if failed else status,
            started_at=EPOCH + timedelta(seconds=self.elapsed_s),
            wall_s=wall_s,
            duration_s=duration_s if status is Status.SUCCEEDED and not failed else None,
            cause=Cause.OUT_OF_MEMORY if failed else None,
            error="java.lang.OutOfMemoryError: Java heap space" if failed else None,
            metrics=Metrics(
                jobs=len(steps),
                core_seconds=wall_s * self.bound.machine.slots,
                gb_seconds=wall_s * self.bound.machine.memory_bytes / (1 << 30),
            ),
            steps=steps,
            effective={
                **workload.properties,
                **{name: text for name, text in config.properties.items() if text is not None},
            },
            spark_version=self.bound.machine.spark_version,
            application_id=f"local-{self.executed}",
        )
        self.executed += 1
        self.elapsed_s += wall_s
        return execution

    def true_s(self, config: Config) -> float:
        """Time without noise."""
        return self.base_s * math.exp(self._cost(self._position(config)) - self._at_baseline)

    def crashes(self, config: Config) -> bool:
        if not self._crash:
            return False
        where = self._position(config)
        return all(
            name in where and abs(where[name] - corner) < 0.35
            for name, corner in self._corner.items()
        )

    @cached_property
    def best_s(self) -> float:
        """Best time without noise that coordinate search finds from the bowl's bottom."""
        choices = {
            d.name: from_unit(d, self._optimum.get(d.name, 0.0)) for d in self.bound.dimensions
        }
        best = self.true_s(self.bound.decode(choices))
        for _ in range(2):
            for dimension in self.bound.dimensions:
                for unit in np.linspace(0.001, 0.999, 12):
                    changed = {**choices, dimension.name: from_unit(dimension, float(unit))}
                    config = self.bound.decode(changed)
                    if self.true_s(config) < best and not self.crashes(config):
                        best, choices = self.true_s(config), changed
        return best

    def _run(
        self,
        duration_s: float,
        ends_s: float,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> tuple[Status, float, tuple[Step, ...]]:
        steps: list[Step] = []
        each_s = duration_s / STEPS
        for index in range(STEPS):
            end_s = (index + 1) * each_s
            if limits.time_s is not None and min(end_s, ends_s) > limits.time_s:
                return Status.TIMED_OUT, limits.time_s, tuple(steps)
            if end_s > ends_s:
                break
            steps.append(
                Step(
                    name=f"query {index + 1}",
                    kind=StepKind.SQL,
                    start_s=index * each_s,
                    duration_s=each_s,
                )
            )
            stop = on_checkpoint(Checkpoint(elapsed_s=end_s, steps=tuple(steps)))
            if stop and index + 1 < STEPS:
                return Status.STOPPED_EARLY, end_s, tuple(steps)
        return Status.SUCCEEDED, ends_s, tuple(steps)

    def _draw(self, random: np.random.Generator) -> None:
        count = len(self._numeric)
        self._optimum = {d.name: random.uniform(0.1, 0.9) for d in self._numeric}
        importance = random.permutation(0.65 ** np.arange(count))
        self._weights = dict(zip((d.name for d in self._numeric), importance, strict=True))
        self._effects = {
            d.name: dict(zip(d.choices, random.permutation(len(d.choices)) * 0.06, strict=True))
            for d in self.bound.dimensions
            if d.kind is DimensionKind.CATEGORICAL
        }
        ranked = sorted(self._weights, key=lambda name: -self._weights[name])[:2]
        self._pair = ranked if count >= 2 else []
        self._corner = {name: 0.0 if self._optimum[name] > 0.5 else 1.0 for name in self._pair}
        self._scale = 1.0
        self._at_baseline = 0.0

    def _sensible(self) -> bool:
        """The baseline works, is no better than chance, and is `gain` times the best."""
        baseline = self.bound.baseline
        raw = self._cost(self._position(baseline))
        typical = 0.2 * sum(self._weights.values())
        if self.gain > 1 and (raw < typical or self.crashes(baseline)):
            return False
        self._scale = math.log(self.gain) / raw if raw else 0.0
        self._at_baseline = self._cost(self._position(baseline))
        return True

    def _position(self, config: Config) -> dict[str, float | str | None]:
        choices = self.bound.encode(config)
        return {
            d.name: _unit(d, choices[d.name]) for d in self.bound.dimensions if d.name in choices
        }

    def _cost(self, where: Mapping[str, float | str | None]) -> float:
        off = {
            name: float(where[name] or 0.0) - best
            for name, best in self._optimum.items()
            if name in where
        }
        cost = sum(self._weights[name] * distance**2 for name, distance in off.items())
        if len(self._pair) == 2 and all(name in off for name in self._pair):
            first, second = self._pair
            both = math.sqrt(self._weights[first] * self._weights[second])
            cost += both * off[first] * off[second]
        cost += sum(effect[where[name]] for name, effect in self._effects.items() if name in where)  # type: ignore[index]
        return self._scale * cost


def _unit(dimension: Dimension, choice: float | int | str | None) -> float | str | None:
    if dimension.kind is DimensionKind.CATEGORICAL:
        return choice  # type: ignore[return-value]
    low, high, value = dimension.low or 0.0, dimension.high or 1.0, float(choice or 0.0)
    if dimension.log:
        low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-12))
    return (value - low) / (high - low)
