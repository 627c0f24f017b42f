"""What a configuration means to a job, as numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import Config, Operator, ProfileSource, WorkloadProfile
from autotune.predict import fit
from autotune.predict.features import Kind, Setting, config_features, settings_of
from autotune.predict.jobs import (
    JOB_KNOWN,
    Knowledge,
    Shuffle,
    job_features,
    known_as,
    told_by_plans,
)
from autotune.predict.leaving_out import taught, versions_of
from autotune.predict.rows import digest_histories, tabulate
from autotune.record import StudyHistory
from autotune.spark.properties import property_facts
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


def shuffle(partitions: float, *, adaptive: bool = True, least: float | None = 4) -> Shuffle:
    return Shuffle(partitions, adaptive, 64 * MB, least)


def test_adaptive_execution_joins_small_partitions() -> None:
    assert shuffle(200, adaptive=False).tasks(MB) == 200
    assert shuffle(200).tasks(MB) == 1, "no partition below 1 MiB"
    assert shuffle(200).tasks(100 * MB) == 4, "one a slot comes first"
    assert shuffle(200, least=None).tasks(640 * MB) == 10, "then the advised size"
    assert shuffle(2).tasks(640 * MB) == 2, "nothing is split"
    assert math.isnan(shuffle(200).tasks(None))
    assert shuffle(200, adaptive=False).tasks(None) == 200


@given(
    partitions=st.floats(1, 1e5),
    shuffled=st.floats(0, 1e13),
    least=st.none() | st.floats(0, 1e4),
    adaptive=st.booleans(),
)
def test_there_is_a_task_and_never_more_than_partitions(
    partitions: float, shuffled: float, least: float | None, adaptive: bool
) -> None:
    found = Shuffle(partitions, adaptive, 64.0 * MB, least).tasks(shuffled)
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


def test_outside_of_sql_the_default_parallelism_makes_the_tasks() -> None:
    name = "spark.default.parallelism"
    plain = JOB.model_copy(
        update={"operators": {}, "rdd_jobs": 5, "jobs": 5, "stages": 20, "tasks": 80}
    )
    learned = settings_of([Config(properties={name: "32"})], FACTS)

    def tasks(value: str | None, job: WorkloadProfile) -> float:
        asked = Config(properties={name: value, PARTITIONS: "1000", AQE: "false"})
        found = config_features(learned, asked, None, machine(), FACTS, job)
        return float(2 ** found["job shuffle tasks per slot"])

    assert tasks("32", plain) == pytest.approx(8)
    assert tasks(None, plain) == pytest.approx(1), "as many as there are slots"
    assert tasks("32", JOB) == pytest.approx(250), "that of SQL does not depend on it"
    python = plain.model_copy(update={"rdd_jobs": 0, "python_stages": 20})
    assert tasks("32", python) == pytest.approx(8)
    mixed = plain.model_copy(update={"operators": {Operator.EXCHANGE: 20}})
    assert tasks("32", mixed) == pytest.approx((250 + 8) / 2)


def test_the_processor_counts_what_each_slot_computes() -> None:
    busy = JOB.model_copy(update={"task_time_s": 56.0, "cpu_share": 0.5})
    name = "job processor seconds per slot"
    assert job_features(busy, machine())[name] == pytest.approx(3), "28 s on 4 slots"
    assert math.isnan(job_features(JOB, machine())[name])


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


def test_memory_of_executors_is_the_drivers_in_local_mode() -> None:
    name = "spark.executor.memory"
    asked = Config(properties={"spark.driver.memory": "4g"})
    learned = settings_of([Config(properties={name: "2g"})], property_facts("4.3"))
    found = config_features(learned, asked, None, machine(), property_facts("4.3"))
    assert found[f"{name} share"] == pytest.approx(0.5)


def test_a_default_that_names_another_property_is_followed() -> None:
    name = "spark.sql.adaptive.advisoryPartitionSizeInBytes"
    facts = property_facts("4.3")
    learned = settings_of(
        [Config(properties={name: "96m"}), Config(properties={name: None})], facts
    )
    assert [setting.kind for setting in learned] == [Kind.SIZE]
    found = config_features(learned, Config(), None, machine(), facts)
    assert found[name] == pytest.approx(math.log2(65))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_larger_numbers_are_larger_features(one: float, other: float) -> None:
    name = "spark.executor.cores"
    learned = (Setting(name=name, kind=Kind.NUMBER),)
    low, high = (
        config_features(learned, Config(properties={name: repr(x)}), None, machine(), FACTS)[name]
        for x in sorted((one, other))
    )
    assert low <= high


def with_jobs() -> list[StudyHistory]:
    return [
        study(name, size, workload=name).model_copy(update={"job": JOB})
        for name, size in (("a", GB // 100), ("b", GB // 20), ("c", GB // 50))
    ]


def test_rows_without_a_job_say_so() -> None:
    lessons = digest_histories(with_jobs())
    learned = settings_of((c for x in lessons for c in x.configs.values()), FACTS)
    table = tabulate(lessons, learned, facts_of)
    versions = versions_of(table, lessons, learned, facts_of)
    assert [set(rows[JOB_KNOWN]) for rows in versions.values()] == [{1.0}, {0.5}, {0.0}]
    assert list(versions) == [Knowledge.LOG, Knowledge.PLANS, Knowledge.NOTHING]
    # Plans tell the operators, and no amounts.
    columns = list(versions[Knowledge.LOG])
    assert all(list(rows) == columns for rows in versions.values())
    assert {c for c in columns if versions[Knowledge.PLANS][c].notna().any()} < set(columns)


def test_of_few_rows_each_is_learned_in_every_way_and_of_many_in_one() -> None:
    def shown(count: int) -> tuple[np.ndarray, np.ndarray]:
        ways = [np.column_stack([np.full(count, way), np.arange(count)]) for way in range(3)]
        return taught(ways, np.arange(count) % 2 == 0, np.arange(count) * 10.0)

    rows, targets = shown(10)
    assert sorted(map(tuple, rows)) == [(way, row) for way in range(3) for row in range(0, 10, 2)]
    assert list(targets) == list(rows[:, 1] * 10)
    rows, targets = shown(30_000)
    assert sorted(rows[:, 1]) == list(range(0, 30_000, 2))
    assert list(np.bincount(rows[:, 0].astype(int))) == [5000, 5000, 5000]
    assert list(targets) == list(rows[:, 1] * 10)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"rdd_jobs": 2, "jobs": 10, "python_stages": 2, "stages": 10}, True),
        ({"rdd_jobs": 6, "jobs": 10}, False),
        ({"python_stages": 6, "stages": 10}, False),
    ],
)
def test_what_plans_tell_nothing_of_is_nobodys_question_with_plans(
    changes: dict[str, int], told: bool
) -> None:
    plain = WorkloadProfile(source=ProfileSource.EVENT_LOG, operators={Operator.SORT: 2})
    assert told_by_plans(plain.model_copy(update=changes)) is told


def test_each_way_to_ask_has_a_model_and_margins_of_its_own() -> None:
    predictor = fit(with_jobs(), facts_of=facts_of, models=("constant", "extra_trees"))
    card = predictor.card
    assert list(card.models) == list(card.margins) == list(card.reach) == list(Knowledge)
    first = with_jobs()[0]
    wide = {
        known: found.model_copy(update={"high": 10.0 * place, "high_if_sure": 10.0 * place})
        for place, (known, found) in enumerate(card.margins.items(), start=1)
    }
    asked = replace(predictor, card=card.model_copy(update={"margins": wide}))
    highs = [
        asked.predict(first.profile, first.machine, [config(16)], job=known_as(first.job, known))[
            0
        ].high
        for known in Knowledge
    ]
    assert highs == sorted(highs)
    assert len(set(highs)) == 3


def test_a_question_without_a_job_is_not_far_from_what_was_learned_with_jobs() -> None:
    histories = with_jobs()
    predictor = fit(histories, facts_of=facts_of, models=("extra_trees",))
    first = histories[0]
    assert predictor.distance(first.profile, first.machine, None) == 0
    assert predictor.distance(first.profile, first.machine, JOB) == 0


def test_what_was_learned_with_profiles_of_jobs_answers_without() -> None:
    predictor = fit(with_jobs(), facts_of=facts_of, models=("extra_trees",))
    asked = {
        known: predictor.predict(
            profile(GB // 40), machine(), [config(16)], baseline=config(2000), job=job
        )[0].relative_time
        for known, job in (("job", JOB), ("none", None))
    }
    assert asked["none"] < 0.85
    assert asked["none"] == pytest.approx(asked["job"], rel=0.1)
    assert {PARTITIONS, AQE} <= {setting.name for setting in predictor.card.settings}
