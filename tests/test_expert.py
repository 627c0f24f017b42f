"""The expert's rules: sensible on any machine, each with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.domain import DatasetProfile, Machine
from autotune.expert import expert_config, expert_rules
from autotune.space import BoundSpace, bind
from autotune.spacefile import load_space, shipped_spaces
from autotune.spark.properties import property_facts

FACTS = property_facts("4.3")
SPACES = {name: load_space(name) for name in shipped_spaces()}
LAPTOP = Machine(master="local[2]", slots=2, cores_per_executor=2, memory_bytes=16 << 30)
CLUSTER = Machine(
    master="spark://h:7077", slots=64, executors=4, cores_per_executor=16, memory_bytes=100 << 30
)


def bound(machine: Machine, baseline: dict[str, str] | None = None) -> BoundSpace:
    return bind(SPACES["default"], machine=machine, baseline=baseline or {}, facts=FACTS)


def table(size: int) -> DatasetProfile:
    return DatasetProfile(path="t", format="parquet", rows=1000, bytes=size, files=1)


def test_on_a_laptop() -> None:
    config = expert_config(bound(LAPTOP), table(120 << 20)).properties
    assert config["spark.sql.shuffle.partitions"] == "6"
    assert config["spark.driver.memory"] == "8g"
    assert config["spark.sql.files.maxPartitionBytes"] == "20m"
    assert config["spark.driver.extraJavaOptions"] == "-XX:+UseParallelGC"
    assert config["spark.executor.memory"] is None


def test_on_a_cluster() -> None:
    config = expert_config(bound(CLUSTER), None).properties
    assert config["spark.sql.shuffle.partitions"] == "192"
    assert config["spark.executor.cores"] == "5"
    assert config["spark.executor.memory"] == "20g"
    assert config["spark.driver.memory"] is None
    assert config["spark.executor.extraJavaOptions"] is None


def test_large_data_get_more_partitions() -> None:
    config = expert_config(bound(LAPTOP), table(10 << 30)).properties
    assert config["spark.sql.shuffle.partitions"] == "80"
    assert config["spark.sql.files.maxPartitionBytes"] is None


def test_what_the_person_has_is_respected() -> None:
    own = {
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.extraJavaOptions": "-Da=b",
        "spark.memory.fraction": "0.7",
    }
    config = expert_config(bound(LAPTOP, own), None).properties
    assert config["spark.sql.adaptive.enabled"] == "true"
    assert config["spark.driver.extraJavaOptions"] == "-Da=b -XX:+UseParallelGC"
    assert config["spark.memory.fraction"] == "0.7"


@pytest.mark.parametrize("machine", [LAPTOP, CLUSTER], ids=lambda machine: machine.master)
def test_every_rule_has_a_reason_and_an_effect_here(machine: Machine) -> None:
    space = bound(machine)
    rules = expert_rules(space, table(1 << 30))
    assert len(rules) >= 6
    assert len({rule.property for rule in rules}) == len(rules)
    dimensions = {dimension.name for dimension in space.dimensions}
    assert all(rule.reason and rule.property in dimensions for rule in rules)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(SPACES)),
    st.integers(1, 128),
    st.integers(1, 50),
    st.integers(1200 << 20, 1 << 40),
    st.booleans(),
    st.none() | st.integers(0, 1 << 45),
)
def test_the_expert_is_feasible_everywhere(
    name: str, cores: int, executors: int, memory: int, local: bool, size: int | None
) -> None:
    machine = Machine(
        master=f"local[{cores}]" if local else "spark://h:7077",
        slots=cores if local else cores * executors,
        executors=1 if local else executors,
        cores_per_executor=cores,
        memory_bytes=memory,
    )
    space = bind(SPACES[name], machine=machine, baseline={}, facts=FACTS)
    config = expert_config(space, None if size is None else table(size))
    assert space.keeps_rules(config)
    assert space.decode(space.encode(config)) == config
