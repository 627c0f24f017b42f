from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune import noise
from autotune.domain import Config, Limits, Objective
from autotune.errors import EnvironmentFault
from autotune.experiment import Sampler
from autotune.record import Candidate, Cause, Origin, Purpose, Trial
from autotune.search import propose
from autotune.space import BoundSpace, Space
from surfaces import SPACE, WORKLOAD, Surface, bound_space

BOUND = bound_space()
SAMPLERS = [Sampler.TPE, Sampler.RANDOM, Sampler.QMC]


def candidate(config: Config, value: float | None = 60.0, number: int = 0) -> Candidate:
    return Candidate(
        config=config,
        trial_numbers=(number,),
        value=value,
        measured=int(value is not None),
        failed=value is None,
        cause=None if value is not None else Cause.OUT_OF_MEMORY,
    )


def search(
    sampler: Sampler,
    count: int,
    *,
    seed: int = 0,
    trials: Sequence[Trial] = (),
    bound: BoundSpace = BOUND,
    noise_level: float = 0.06,
) -> list[Trial]:
    """Run the loop up to *count* trials, going on from *trials*."""
    found = list(trials)
    surface = Surface(bound, seed=3, noise=noise_level, executed=len(found))
    while len(found) < count:
        number = len(found)
        config = bound.baseline if not number else None
        config = config or propose(
            noise.candidates(found, Objective.DURATION_S),
            bound,
            sampler=sampler,
            seed=seed,
            number=number,
        )
        assert config is not None
        execution = surface(WORKLOAD, config, Limits(time_s=135), lambda checkpoint: False)
        found.append(
            Trial(
                number=number,
                purpose=Purpose.SEARCH,
                origin=Origin.SAMPLER,
                config=config,
                limits=Limits(time_s=135),
                execution=execution,
            )
        )
    return found


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_was_interrupted_makes_the_same_proposals(sampler: Sampler) -> None:
    whole = search(sampler, 14)
    for cut in (1, 5, 9):
        resumed = search(sampler, 14, trials=whole[:cut])
        assert [t.config for t in resumed] == [t.config for t in whole]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_nothing_is_measured_twice_and_seeds_differ(sampler: Sampler) -> None:
    first = [t.config.digest for t in search(sampler, 12)]
    other = [t.config.digest for t in search(sampler, 12, seed=1)]
    assert len(set(first)) == 12
    assert not set(first[1:]) & set(other[1:])


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(SAMPLERS),
    st.integers(0, 2**31),
    st.integers(0, 600),
    st.lists(
        st.tuples(st.integers(0, 2**16), st.one_of(st.none(), st.floats(0.1, 1e5))), max_size=12
    ),
)
def test_proposals_lie_inside_the_space_whatever_was_told(
    sampler: Sampler, seed: int, number: int, told: list[tuple[int, float | None]]
) -> None:
    known: dict[str, Candidate] = {}
    for index, (at, value) in enumerate(told):
        config = propose([], BOUND, sampler=Sampler.RANDOM, seed=at, number=index)
        assert config is not None
        known[config.digest] = candidate(config, value, index)
    config = propose(tuple(known.values()), BOUND, sampler=sampler, seed=seed, number=number)
    assert config is not None
    assert config.digest not in known
    assert config.properties.keys() == {p.name for p in SPACE.parameters}
    assert BOUND.keeps_rules(config)
    choices = BOUND.encode(config)
    assert BOUND.decode(choices) == config
    active = config.properties["spark.io.compression.codec"] == "zstd"
    assert ("spark.io.compression.zstd.level" in choices) == active


def small(choices: int) -> BoundSpace:
    names = [f"c{index}" for index in range(choices)]
    data = {"name": "codec", "type": "categorical", "choices": names}
    return bound_space(Space.model_validate({"name": "small", "parameters": [data]}))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_small_space_is_used_up_and_then_nothing_is_proposed(sampler: Sampler) -> None:
    bound = small(9)
    found: list[Candidate] = [candidate(bound.baseline)]
    while (
        config := propose(found, bound, sampler=sampler, seed=0, number=len(found))
    ) is not None:
        found.append(candidate(config, 60.0 + len(found), len(found)))
    assert len({c.config.digest for c in found}) == len(found) == 9


def test_a_space_without_a_choice_has_nothing_to_propose() -> None:
    bound = bound_space(fixed=[parameter.name for parameter in SPACE.parameters])
    assert propose([], bound, sampler=Sampler.TPE, seed=0, number=1) is None


def test_what_is_pending_is_not_proposed_again() -> None:
    known = noise.candidates(search(Sampler.TPE, 10), Objective.DURATION_S)
    first = propose(known, BOUND, sampler=Sampler.TPE, seed=0, number=10)
    assert first is not None
    second = propose(known, BOUND, sampler=Sampler.TPE, seed=0, number=10, pending=[first])
    assert second not in (None, first)


def test_belief_chooses_among_several_proposals() -> None:
    known = noise.candidates(search(Sampler.TPE, 8), Objective.DURATION_S)
    name = "spark.sql.shuffle.partitions"
    asked: list[float] = []

    def fewer_is_better(configs: Sequence[Config]) -> list[float]:
        asked.extend(float(config.properties[name] or 0) for config in configs)
        return asked

    config = propose(known, BOUND, sampler=Sampler.TPE, seed=0, number=8, belief=fewer_is_better)
    assert config is not None
    assert len(asked) > 4
    assert float(config.properties[name] or 0) == min(asked)


def test_failures_repel_the_search() -> None:
    """With the lower half of one parameter failing, far fewer proposals fall there."""
    name = "spark.driver.memory"
    told = []
    for index in range(24):
        config = propose([], BOUND, sampler=Sampler.QMC, seed=5, number=index)
        assert config is not None
        low = float(BOUND.encode(config)[name] or 0) < 0.19
        told.append(candidate(config, None if low else 60.0, index))
    asked = [propose(told, BOUND, sampler=Sampler.TPE, seed=s, number=24) for s in range(20)]
    share = sum(float(BOUND.encode(c)[name] or 0) < 0.19 for c in asked if c) / 20
    assert share < 0.3


def test_the_default_search_beats_chance() -> None:
    def best(sampler: Sampler, seed: int) -> float:
        surface = Surface(BOUND, seed=3)
        trials = search(sampler, 24, seed=seed)
        return min(surface.true_s(t.config) for t in trials if t.succeeded)

    tpe = sorted(best(Sampler.TPE, seed) for seed in range(3))
    chance = sorted(best(Sampler.RANDOM, seed) for seed in range(3))
    assert tpe[1] < chance[1]


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="the extra gp is installed"
)
def test_gp_names_its_extra_when_it_is_missing() -> None:
    known = noise.candidates(search(Sampler.TPE, 8), Objective.DURATION_S)
    with pytest.raises(EnvironmentFault, match=r"spark-autotune\[gp\]"):
        propose(known, BOUND, sampler=Sampler.GP, seed=0, number=8)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra gp")
def test_gp_proposes_when_its_extra_is_there() -> None:
    known = noise.candidates(search(Sampler.TPE, 8), Objective.DURATION_S)
    assert propose(known, BOUND, sampler=Sampler.GP, seed=0, number=8) is not None
