"""Configurations that are worth asking the predictor about."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autotune.domain import Config, DatasetProfile, PropertyFact
from autotune.errors import InputError
from autotune.expert import expert_config
from autotune.predict.features import FactsOf
from autotune.predict.known import carried
from autotune.record import PastTrial, Purpose, StudyHistory
from autotune.space import BoundSpace, Dimension, DimensionKind, Per, bind

Choice = float | int | str | None

_NEIGHBOURS = 24
_SAMPLES = 20
_MOST_STARTS = 12
_TASKS = "partitions"
_MANY_WAVES = 4
"""With more tasks a slot than this, a last wave that is not full costs little."""


@dataclass(frozen=True)
class Candidate:
    """A configuration that can start here, and where it comes from."""

    config: Config
    origin: str
    tried: bool = True
    """It did well somewhere, in relative units, or is what people who know Spark would set."""


def candidates(
    bound: BoundSpace,
    histories: Sequence[StudyHistory],
    profile: DatasetProfile | None,
    *,
    facts_of: FactsOf,
    seed: int = 0,
) -> list[Candidate]:
    """Return distinct feasible candidates: the baseline first, then what has most behind it.

    These are the configurations of *histories* (as they are remembered, nearest first) carried
    over to this machine and these data, the expert rules, neighbours of those, and a sample of
    the whole space.
    """
    found = [Candidate(bound.baseline, "baseline")]
    for history in histories:
        found += transferred(bound, history, profile, facts_of)
    found.append(Candidate(expert_config(bound, profile), "expert rules"))
    starts = [candidate.config for candidate in _distinct(found)][:_MOST_STARTS]
    found += neighbours(bound, starts, _NEIGHBOURS, seed=seed)
    rng = random.Random(seed)
    for _ in range(_SAMPLES):
        choices = {dimension.name: _any(dimension, rng) for dimension in bound.dimensions}
        found.append(Candidate(_decoded(bound, choices), "sample", tried=False))
    return list(_distinct(found))


def neighbours(
    bound: BoundSpace, starts: Sequence[Config], count: int, *, seed: int
) -> list[Candidate]:
    """Return configurations that differ from one of *starts* in one to three parameters.

    Half of the numbers move by a little, the others anywhere, so that both a slope and another
    valley are found.

    Args:
        bound: The space on this machine.
        starts: In turn.
        count: How many.
        seed: Of what is drawn.
    """
    rng = random.Random(f"{seed}/{len(starts)}")
    encoded = [bound.encode(start) for start in starts]
    found = []
    for number in range(count):
        start = encoded[number % len(encoded)]
        known = [dimension for dimension in bound.dimensions if dimension.name in start]
        changed = rng.sample(known, min(rng.randint(1, 3), len(known)))
        moved = {d.name: _moved(d, start[d.name], rng) for d in changed}
        config = _decoded(bound, {**start, **moved})
        found.append(Candidate(config, "neighbour of a good one", tried=False))
    return found


def _moved(dimension: Dimension, value: Choice, rng: random.Random) -> Choice:
    drawn = _any(dimension, rng)
    numbers = isinstance(value, int | float) and isinstance(drawn, int | float)
    if dimension.kind is DimensionKind.CATEGORICAL or not numbers or rng.random() < 0.5:
        return drawn
    assert isinstance(value, int | float)
    assert isinstance(drawn, int | float)
    share = 0.2
    if dimension.log and value > 0:
        near = math.exp((1 - share) * math.log(value) + share * math.log(drawn))
    else:
        near = (1 - share) * value + share * drawn
    return round(near) if dimension.kind is DimensionKind.INT else near


def transferred(
    bound: BoundSpace,
    history: StudyHistory,
    profile: DatasetProfile | None,
    facts_of: FactsOf,
) -> Iterator[Candidate]:
    """Carry what a study is remembered for over, in relative units.

    Each comes twice where it can: with its counts of partitions per slot, and with as much data in
    each partition as there.
    """
    ratio = _data_per_slot(bound, history, profile)
    facts = facts_of(history.machine.spark_version)
    plain = bind(bound.space, machine=history.machine, baseline={}, facts=facts)
    for config in carried(history):
        try:
            choices = _choices(bound, plain, config, facts)
        except InputError:
            continue  # that machine or space has nothing in common with ours
        yield Candidate(_decoded(bound, choices), f"study {history.study}")
        if ratio is not None:
            scaled = {name: _scaled(bound, name, value, ratio) for name, value in choices.items()}
            yield Candidate(_decoded(bound, scaled), f"study {history.study}, scaled to the data")


def _choices(
    bound: BoundSpace, plain: BoundSpace, config: Config, facts: Mapping[str, PropertyFact]
) -> dict[str, Choice]:
    """Return a config of another machine as choices of our space: what both know of.

    Args:
        bound: Our space on our machine.
        plain: Our space on theirs, as if nobody had set anything there.
        config: One of theirs.
        facts: Of their Spark.
    """
    own = {**config.properties, **config.arguments}
    try:
        encoded: Mapping[str, Choice] = plain.encode(config)
    except InputError:  # it holds what is none of the space's choices: then as the person's own
        known = {name: value for name, value in own.items() if value is not None}
        there = bind(bound.space, machine=plain.machine, baseline=known, facts=facts)
        encoded = there.encode(there.baseline)
    ours = {dimension.name: dimension for dimension in bound.dimensions}
    return {
        name: value
        for name, value in encoded.items()
        if name in own and name in ours and _fits(ours[name], value)
    }


def _fits(dimension: Dimension, value: Choice) -> bool:
    if dimension.kind is DimensionKind.CATEGORICAL:
        return value in dimension.choices
    return isinstance(value, int | float)


def _data_per_slot(
    bound: BoundSpace, history: StudyHistory, profile: DatasetProfile | None
) -> float | None:
    if profile is None or not profile.bytes or history.profile is None:
        return None
    if not history.profile.bytes:
        return None
    here, there = (
        profile.bytes / bound.machine.slots,
        history.profile.bytes / history.machine.slots,
    )
    return here / there if abs(math.log(here / there)) > 0.2 else None


def _decoded(bound: BoundSpace, choices: Mapping[str, Choice]) -> Config:
    """Return the configuration of *choices*, with partitions in whole waves, one at least.

    Three equal tasks on two slots take as long as four: one slot waits while the last one runs.
    Short tasks hide that, and a task more costs them some milliseconds; long ones pay in full.
    """
    waves = {
        name: math.ceil(value)
        for name, value in choices.items()
        if isinstance(value, int | float) and value < _MANY_WAVES and _are_tasks(bound, name)
    }
    return bound.decode({**choices, **waves})


def _are_tasks(bound: BoundSpace, name: str) -> bool:
    parameter = bound.space.parameter(name)
    return parameter.per is Per.SLOT and parameter.unit == _TASKS


def _scaled(bound: BoundSpace, name: str, value: Choice, ratio: float) -> Choice:
    counted = bound.space.parameter(name).per is Per.SLOT
    return value * ratio if counted and isinstance(value, int | float) else value


def _any(dimension: Dimension, rng: random.Random) -> Choice:
    if dimension.kind is DimensionKind.CATEGORICAL:
        return rng.choice(dimension.choices)
    assert dimension.low is not None
    assert dimension.high is not None
    if dimension.log:
        drawn = math.exp(rng.uniform(math.log(dimension.low), math.log(dimension.high)))
    else:
        drawn = rng.uniform(dimension.low, dimension.high)
    drawn = min(max(drawn, dimension.low), dimension.high)
    return round(drawn) if dimension.kind is DimensionKind.INT else drawn


def _distinct(found: Sequence[Candidate]) -> Iterator[Candidate]:
    seen: set[str] = set()
    for candidate in found:
        digest = candidate.config.digest
        if digest not in seen:
            seen.add(digest)
            yield candidate


def past_baseline(history: StudyHistory) -> Mapping[str, str] | None:
    """Return what a study's job ran with before it was tuned; ``None``: it was never measured."""
    trial: PastTrial | None = next(
        (t for t in history.trials if t.purpose is Purpose.BASELINE), None
    )
    if trial is None:
        return None
    own = {**trial.config.properties, **trial.config.arguments}
    return {name: value for name, value in own.items() if value is not None}
