"""What a configuration means to a job, as numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import Config, Operator, ProfileSource, WorkloadProfile
from autotune.predict import fit
from autotune.predict.features import config_features, settings_of
from autotune.predict.jobs import Shuffle
from past_studies import AQE, FACTS, GB, PARTITIONS, config, facts_of, machine, profile, study

MB = 1 << 20
DRIVER = "spark.driver.extraJavaOptions"
EXECUTOR = "spark.executor.extraJavaOptions"
JOB = WorkloadProfile(
    source=ProfileSource.EVENT_LOG,
    operators={Operator.EXCHANGE: 2},
    duration_s=10.0,
    shuffle_bytes=200 * MB,
)


def shuffle(partitions: float, *, adaptive: bool = True, first: bool = True) -> Shuffle:
    return Shuffle(partitions, adaptive, 64 * MB, first)


def test_adaptive_execution_joins_small_partitions() -> None:
    assert shuffle(200, adaptive=False).tasks(MB, slots=4) == 200
    assert shuffle(200).tasks(MB, slots=4) == 1, "no partition below 1 MiB"
    assert shuffle(200).tasks(100 * MB, slots=4) == 4, "one a slot comes first"
    assert shuffle(200, first=False).tasks(640 * MB, slots=4) == 10, "then the advised size"
    assert shuffle(2).tasks(640 * MB, slots=4) == 2, "nothing is split"
    assert math.isnan(shuffle(200).tasks(None, slots=4))
    assert shuffle(200, adaptive=False).tasks(None, slots=4) == 200


@given(
    partitions=st.floats(1, 1e5),
    shuffled=st.floats(0, 1e13),
    slots=st.integers(1, 1000),
    adaptive=st.booleans(),
    first=st.booleans(),
)
def test_there_is_a_task_and_never_more_than_partitions(
    partitions: float, shuffled: float, slots: int, adaptive: bool, first: bool
) -> None:
    found = Shuffle(partitions, adaptive, 64.0 * MB, first).tasks(shuffled, slots)
    assert 1 <= found <= partitions


def test_partitions_cost_more_where_nothing_joins_them() -> None:
    learned = settings_of([config(1000, aqe="false")], FACTS)

    def share(aqe: str) -> float:
        found = config_features(
            learned, config(1000, aqe=aqe), profile(GB), machine(), FACTS, JOB
        )["job scheduling share"]
        assert isinstance(found, float)
        return float(2**found)

    assert share("false") == pytest.approx(2 * 1000 * 0.005 / 4 / 10, abs=0.01)
    assert share("true") < 0.01


def test_options_of_a_jvm_are_told_one_by_one() -> None:
    configs = [
        Config(properties={DRIVER: "-XX:+UseSerialGC"}),
        Config(properties={DRIVER: "-XX:TieredStopAtLevel=1  -XX:+UseSerialGC"}),
        Config(properties={DRIVER: None}),
    ]
    learned = settings_of(configs, FACTS)
    found = [config_features(learned, each, None, machine(), FACTS) for each in configs]
    serial, tiered = f"{DRIVER} -XX:+UseSerialGC", f"{DRIVER} -XX:TieredStopAtLevel=1"
    assert [(each[serial], each[tiered]) for each in found] == [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0)]


def test_in_local_mode_the_driver_stands_for_the_executors() -> None:
    cluster = machine().model_copy(update={"master": "local-cluster[2,1,1024]"})
    config = Config(properties={DRIVER: "-a", EXECUTOR: "-b"})
    learned = settings_of([config, Config(properties={DRIVER: None, EXECUTOR: "-a"})], FACTS)
    here = config_features(learned, Config(properties={DRIVER: "-a"}), None, machine(), FACTS)
    there = config_features(learned, config, None, cluster, FACTS)
    assert (here[f"{EXECUTOR} -a"], here[f"{EXECUTOR} -b"]) == (1.0, 0.0)
    assert (there[f"{EXECUTOR} -a"], there[f"{EXECUTOR} -b"]) == (0.0, 1.0)


def test_what_was_learned_with_profiles_of_jobs_answers_without() -> None:
    histories = [
        study(name, size, workload=name).model_copy(update={"job": JOB})
        for name, size in (("a", GB // 100), ("b", GB // 20), ("c", GB // 50))
    ]
    predictor = fit(histories, facts_of=facts_of, models=("extra_trees",))
    asked = {
        known: predictor.predict(
            profile(GB // 40), machine(), [config(16)], baseline=config(2000), job=job
        )[0].relative_time
        for known, job in (("job", JOB), ("none", None))
    }
    assert asked["none"] < 0.85
    assert asked["none"] == pytest.approx(asked["job"], rel=0.1)
    assert {PARTITIONS, AQE} <= {setting.name for setting in predictor.card.settings}
