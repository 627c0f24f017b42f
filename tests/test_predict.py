from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.domain import Config
from autotune.errors import InputError, NoUsableResult
from autotune.predict import Predictor, regrets
from autotune.predict import fit as fit_all
from autotune.predict.features import Kind, config_features, settings_of
from autotune.predict.jobs import Knowledge
from autotune.predict.known import best_configs, carried
from autotune.predict.levels import log_levels
from autotune.predict.models import TRUSTED_TYPES
from autotune.predict.rows import Table, digest_histories, hash_of, tabulate
from autotune.predict.scoring import LeftOut, margins_of, score_of
from autotune.predict.telling import NOISE
from autotune.record import Cause, Origin, PastTrial, Purpose, Status, StudyHistory
from past_studies import (
    AQE,
    CODEC,
    FACTS,
    GB,
    MEMORY,
    PARTITIONS,
    config,
    facts_of,
    machine,
    profile,
    seconds,
    study,
)


def fit(histories: Sequence[StudyHistory]) -> Predictor:
    return fit_all(histories, facts_of=facts_of, models=("constant", "extra_trees"))


@pytest.fixture(scope="module")
def histories() -> tuple[StudyHistory, ...]:
    return tuple(
        study(f"{workload}{i}", size, workload=workload)
        for workload in ("a", "b", "c")
        for i, size in enumerate((GB // 100, GB // 20))
    )


@pytest.fixture(scope="module")
def predictor(histories: tuple[StudyHistory, ...]) -> Predictor:
    return fit_all(histories, facts_of=facts_of)


def test_a_bad_default_is_seen_as_bad(predictor: Predictor) -> None:
    data, where = profile(GB // 40), machine()
    worse, better, same = predictor.predict(
        data, where, [config(2000, codec="lz4"), config(16), config(2000)], baseline=config(2000)
    )
    assert same.relative_time == 1.0
    assert same.low < 1 < same.high
    assert better.relative_time < 0.8
    assert better.high < 1
    assert worse.relative_time == pytest.approx(1, abs=0.1)
    truth = seconds(config(16), data, where) / seconds(config(2000), data, where)
    assert better.low <= truth <= better.high


def test_the_answer_is_relative_to_the_baseline_that_is_asked_about(predictor: Predictor) -> None:
    data, where = profile(GB // 40), machine()
    (from_good,) = predictor.predict(data, where, [config(2000)], baseline=config(16))
    (from_bad,) = predictor.predict(data, where, [config(16)], baseline=config(2000))
    assert from_good.relative_time * from_bad.relative_time == pytest.approx(1)
    assert from_good.relative_time > 1.25
    (unset,) = predictor.predict(data, where, [config(200)])
    assert unset.relative_time == 1.0, "unset is Spark's own default"


def test_failures_are_foreseen(predictor: Predictor) -> None:
    small, large = predictor.predict(
        profile(GB // 40), machine(), [config(16, "512m"), config(16, "4g")], baseline=config(2000)
    )
    assert predictor.failure is not None
    assert small.failure_probability > 0.7
    assert large.failure_probability < 0.3


def test_the_choice_of_the_model_is_told(predictor: Predictor) -> None:
    card = predictor.card
    assert card.grouped_by == "workload"
    assert card.models == {Knowledge.NOTHING: card.model}
    scores = card.scores[Knowledge.NOTHING]
    assert set(scores) >= {"constant", "extra_trees", "gradient_boosting"}
    assert card.model != "constant"
    assert card.score.regret < scores["constant"].regret
    assert card.score.rank_correlation > 0.6
    assert scores["constant"].rank_correlation == 0
    assert card.studies == 6
    assert card.workloads == ("a", "b", "c")


def test_one_workload_leaves_studies_out() -> None:
    found = fit([study("x", GB // 100), study("y", GB // 20)])
    assert found.card.grouped_by == "study"


def test_where_nothing_matters_nothing_is_promised() -> None:
    rng = random.Random(1)

    def flat(name: str) -> StudyHistory:
        found = study(name, GB // 20, workload=name)
        ok = {"status": Status.SUCCEEDED, "cause": None}
        trials = [
            t.model_copy(update=ok | {"duration_s": 10 * math.exp(rng.gauss(0, 0.03))})
            for t in found.trials
        ]
        return found.model_copy(update={"trials": tuple(trials)})

    found = fit([flat(name) for name in "abcd"])
    answers = found.predict(
        profile(GB // 20), machine(), [config(n) for n in (2, 20, 200)], baseline=config(2000)
    )
    assert all(answer.low < 1 < answer.high for answer in answers)
    assert found.failure is None
    assert found.card.failure_prior < 0.05


def test_studies_with_other_baselines_are_put_on_one_footing() -> None:
    sizes = (GB // 100, GB // 50, GB // 25, GB // 12)
    mixed = [
        study(
            f"s{i}", size, workload=f"w{i % 4}", baseline=config(2000 if i % 2 else 8), trials=14
        )
        for i, size in enumerate(sizes * 2)
    ]
    found = fit(mixed)
    data, where = profile(GB // 30), machine()
    (answer,) = found.predict(data, where, [config(8)], baseline=config(2000))
    truth = seconds(config(8), data, where) / seconds(config(2000), data, where)
    assert answer.relative_time == pytest.approx(truth, rel=0.25)


def test_stopped_trials_count_as_slow_and_lost_ones_not_at_all() -> None:
    slow = [
        PastTrial(
            config=config(4000 + i), purpose=Purpose.SEARCH, status=status, duration_s=100.0,
            cause=cause,
        )
        for i, (status, cause) in enumerate(
            [(Status.STOPPED_EARLY, None), (Status.TIMED_OUT, None), (Status.FAILED, Cause.LOST)]
        )
    ]  # fmt: skip
    histories = [study(n, GB // 20, workload=n) for n in "ab"]
    longer = [h.model_copy(update={"trials": (*h.trials, *slow)}) for h in histories]
    assert fit(longer).card.configs == fit(histories).card.configs + 4


def test_what_was_only_ended_from_outside_teaches_nothing() -> None:
    def losing_the_rules(history: StudyHistory) -> StudyHistory:
        lost = history.trials[-1].model_copy(
            update={"origin": Origin.EXPERT, "status": Status.FAILED, "cause": Cause.LOST,
                    "duration_s": None, "config": config(3)}
        )  # fmt: skip
        return history.model_copy(update={"trials": (*history.trials, lost)})

    found = fit([losing_the_rules(study(name, GB // 50, workload=name)) for name in "ab"])
    assert found.card.rules is None


def test_too_little_history_says_what_is_missing() -> None:
    one = study("one", GB // 20)
    no_baseline = one.model_copy(
        update={"trials": tuple(t for t in one.trials if t.purpose is not Purpose.BASELINE)}
    )
    for histories in (
        [],
        [one],
        [one, no_baseline],
        [study("x", GB, trials=1), study("y", GB, trials=1)],
    ):
        with pytest.raises(
            NoUsableResult, match=f"at least 2 studies .* found {len(histories)}"
        ) as caught:
            fit(histories)
        assert "\n" not in str(caught.value)


def test_a_study_without_profile_or_with_another_machine_is_used(
    histories: tuple[StudyHistory, ...],
) -> None:
    bare = histories[0].model_copy(update={"profile": None, "workload": "bare"})
    large = study("large", GB, workload="large", where=machine(64, 256 * GB))
    found = fit([*histories, bare, large])
    (answer,) = found.predict(None, machine(), [config(16)], baseline=config(2000))
    assert 0 < answer.low < answer.relative_time < answer.high


def test_the_unfamiliar_is_named(predictor: Predictor) -> None:
    assert predictor.unfamiliar(profile(GB // 40), machine()) == ()
    (slots, *_) = [
        said for said in predictor.unfamiliar(profile(GB // 40), machine(64)) if "slots" in said
    ]
    assert "64 is above" in slots
    (size,) = [
        said
        for said in predictor.unfamiliar(profile(900 * GB), machine())
        if said.startswith("data size ") and "slot" not in said
    ]
    assert size.startswith("data size 900.0 GiB is above what was learned from (")
    assert size.endswith(" MiB)")


def test_values_far_outside_of_all_that_was_tried_are_named(predictor: Predictor) -> None:
    assert predictor.untried(Config(), machine()) == ()
    assert predictor.untried(config(64, "2g"), machine()) == ()
    (count,) = predictor.untried(config(1_000_000), machine())
    assert count == f"{PARTITIONS}=1000000 is far above all that was tried"
    assert predictor.untried(config(1_000_000), machine(4096, 10**15)) == (), "as many per slot"


def regressor(predictor: Predictor) -> str:
    """Return the file of the model that answers."""
    return f"regressor-{predictor.card.model}.skops"


def test_files_make_the_same_predictor_again(predictor: Predictor) -> None:
    import skops.io

    files = predictor.files()
    trusted = set(skops.io.get_untrusted_types(data=files[regressor(predictor)]))
    assert trusted <= set(TRUSTED_TYPES)
    again = Predictor.from_files(files, facts_of=facts_of)
    asked = (profile(GB // 40), machine(), [config(16), config(400, "512m")])
    assert again.predict(*asked) == predictor.predict(*asked)
    assert again.known == predictor.known
    assert sum(map(len, files.values())) < 10e6


def test_of_a_study_only_what_may_be_tried_elsewhere_is_remembered(
    predictor: Predictor, histories: tuple[StudyHistory, ...]
) -> None:
    first = next(h for h in histories if h.study == predictor.known[0].study)
    kept = predictor.known[0]
    assert kept.profile is not None
    assert first.profile is not None
    assert len(kept.profile.columns) == len(first.profile.columns)
    assert "k" not in {column.name for column in kept.profile.columns}
    assert {c.digest for c in carried(kept)} == {c.digest for c in best_configs(first)}
    assert len({t.config.digest for t in kept.trials}) <= 4 < len(first.trials)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"card.json": None}, "card.json is missing"),
        ({"regressor-{}.skops": None}, r"regressor-.*\.skops is missing"),
        ({"card.json": b"{}"}, "another version"),
        ({"card.json": b"\xff"}, "another version"),
        ({"card.json": b'{"schema_version": 99}'}, "newer autotune"),
        ({"known.json": b"[{}]"}, "another version"),
        ({"regressor-{}.skops": b"junk"}, r"regressor-.*\.skops can't be loaded"),
        ({"failure.skops": b"junk"}, r"failure\.skops can't be loaded"),
    ],
)
def test_a_model_that_is_none_of_ours(
    predictor: Predictor, changed: dict[str, bytes | None], said: str
) -> None:
    named = {name.format(predictor.card.model): content for name, content in changed.items()}
    files = {**predictor.files(), **named}
    with pytest.raises(InputError, match=said):
        Predictor.from_files({name: data for name, data in files.items() if data is not None})


def test_a_model_of_an_older_version_means_something_else(predictor: Predictor) -> None:
    files = predictor.files()
    old = json.loads(files["card.json"]) | {"schema_version": 1}
    with pytest.raises(InputError, match="another version; train a new one"):
        Predictor.from_files({**files, "card.json": json.dumps(old).encode()})


def test_the_same_history_gives_the_same_model(histories: tuple[StudyHistory, ...]) -> None:
    one, other = fit(histories), fit(histories[::-1])
    asked = (profile(GB // 40), machine(), [config(16), config(400)])
    assert one.card == other.card
    assert one.predict(*asked) == other.predict(*asked)


def test_kinds_are_read_off_names_and_values() -> None:
    configs = [
        Config(
            properties={
                PARTITIONS: "64", MEMORY: "1024", AQE: "TRUE", CODEC: None,
                "spark.locality.wait": "3s", "spark.memory.fraction": "0.6",
                "spark.sql.autoBroadcastJoinThreshold": "-1",
                "spark.sql.files.maxPartitionBytes": "128m", "spark.x": None,
            },
            arguments={"level": "DISK_ONLY", "rows": "12"},
        ),
        Config(properties={"spark.sql.autoBroadcastJoinThreshold": "10MB"}),
    ]  # fmt: skip
    kinds = {s.name: s.kind for s in settings_of(configs, FACTS)}
    assert kinds == {
        PARTITIONS: Kind.COUNT, MEMORY: Kind.MEMORY, AQE: Kind.FLAG, CODEC: Kind.CATEGORY,
        "spark.locality.wait": Kind.DURATION, "spark.memory.fraction": Kind.NUMBER,
        "spark.sql.autoBroadcastJoinThreshold": Kind.SIZE,
        "spark.sql.files.maxPartitionBytes": Kind.SIZE, "spark.x": Kind.CATEGORY,
        "level": Kind.CATEGORY, "rows": Kind.NUMBER,
    }  # fmt: skip


@settings(max_examples=50)
@given(count=st.integers(1, 10_000), slots=st.integers(1, 512), scale=st.integers(2, 16))
def test_features_are_the_same_on_a_machine_and_data_k_times_as_large(
    count: int, slots: int, scale: int
) -> None:
    learned = settings_of([config(count, "1g")], FACTS)
    small = config_features(
        learned, config(count, "1g"), profile(GB), machine(slots, GB * 8), FACTS
    )
    large = config_features(
        learned, config(count * scale, f"{scale}g"), profile(GB * scale),
        machine(slots * scale, GB * 8 * scale), FACTS,
    )  # fmt: skip
    for name in (f"{PARTITIONS} per slot", f"{PARTITIONS} size of each", f"{MEMORY} share"):
        assert small[name] == pytest.approx(large[name], abs=1e-9)


def test_values_never_seen_are_answered_quietly(predictor: Predictor) -> None:
    odd = Config(
        properties={PARTITIONS: "many", CODEC: "snappy", "spark.y": "1"}, arguments={"a": "b"}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (answer,) = predictor.predict(profile(1), machine(), [odd], workload="never seen")
    assert math.isfinite(answer.relative_time)
    assert predictor.predict(profile(1), machine(), []) == ()


def test_the_training_set_is_known_by_all_that_was_learned_from() -> None:
    histories = [study("s", GB // 50, workload="a"), study("s", GB // 50, workload="b")]
    other = histories[1].profile
    assert other is not None
    changed = histories[1].model_copy(update={"profile": other.model_copy(update={"rows": 7})})
    found = {hash_of(digest_histories([histories[0], last])) for last in (histories[1], changed)}
    assert len(found) == 2


def test_the_training_set_is_the_same_whatever_a_processor_makes_of_it() -> None:
    lessons = digest_histories([study("s", GB // 50, workload=w) for w in "ab"])
    last_digits = [
        replace(x, log_times={name: log + 1e-9 for name, log in x.log_times.items()})
        for x in lessons
    ]
    assert hash_of(last_digits) == hash_of(lessons)
    levels = [log for x in lessons for log in log_levels(x.history.trials).values()]
    assert levels == [round(log, 6) for log in levels]


def test_times_are_compared_with_what_was_measured_around_them() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)

    def trial(minute: int, partitions: int, seconds: float) -> PastTrial:
        return PastTrial(
            config=config(partitions),
            purpose=Purpose.BASELINE if minute == 0 else Purpose.SEARCH,
            status=Status.SUCCEEDED,
            duration_s=seconds,
            started_at=began + timedelta(minutes=minute),
        )

    # After half an hour the machine is half as fast: as the baseline shows, measured again.
    early = [trial(0, 2000, 10.0), trial(1, 2000, 10.1), trial(2, 16, 8.0), trial(3, 2000, 9.9)]
    late = [trial(40, 2000, 20.0), trial(41, 32, 16.0), trial(42, 2000, 20.2)]
    trials = (*early, *late)
    found = log_levels(trials)
    ratios = [math.exp(found[config(n).digest] - found[config(2000).digest]) for n in (16, 32)]
    assert ratios == pytest.approx([0.8, 0.8], rel=0.12)
    # Also what is carried over to other jobs: 16 s are fast when the baseline takes 20.
    history = study("s", GB // 50, workload="a").model_copy(update={"trials": trials})
    assert {c.digest for c in best_configs(history)} == {config(n).digest for n in (16, 32)}


def left_out_table(logs: np.ndarray, studies: int) -> Table:
    """Return studies of ten rows, each with its baseline first, that took what *logs* say."""
    study_of = np.repeat(np.arange(studies), 10)
    return Table(
        features=pd.DataFrame(index=range(len(logs))), log_times=logs, failed=np.zeros(len(logs)),
        study=study_of, group=study_of, baseline_row=study_of * 10, grouped_by="study",
    )  # fmt: skip


def promising(studies: int) -> np.ndarray:
    """Return predictions of which in every study the second row is the best."""
    logs = np.full(10 * studies, 0.1)
    logs[::10], logs[1::10] = 0.0, -0.3
    return logs


def test_the_upper_end_holds_for_what_would_be_picked() -> None:
    # Ten studies of ten rows; each time the row that looks best takes half as long again.
    logs, truth = promising(10), np.full(100, 0.1)
    truth[::10] = 0.0
    table = left_out_table(truth, 10)
    high = margins_of(table, LeftOut(logs, np.zeros(100))).high
    assert high == pytest.approx(0.4 / NOISE)
    assert margins_of(table, LeftOut(truth, np.zeros(100))).high == 1.0


@pytest.mark.parametrize(
    ("studies", "slower", "lead"),
    [
        (9, 0, 0.0),
        (18, 1, 0.4 / NOISE),  # of so few none may have been
        (30, 0, 0.0),
        (30, 1, 0.4 / NOISE),  # one of thirty, and one more to come, are more than one in twenty
        (40, 1, 0.0),
        (40, 2, 0.4 / NOISE),
    ],
)
def test_what_is_told_was_hardly_ever_slower(studies: int, slower: int, lead: float) -> None:
    logs = promising(studies)
    truth = logs.copy()
    logs[1 : 10 * slower : 10], truth[1 : 10 * slower : 10] = -0.4, 0.1
    found = margins_of(left_out_table(truth, studies), LeftOut(logs, np.zeros(len(logs))))
    assert found.sure == pytest.approx(lead)


def test_what_is_sure_has_an_interval_of_its_own() -> None:
    logs = promising(30)
    truth = logs.copy()
    logs[1:121:10], truth[1:121:10] = -0.06, 0.3  # twelve small leads that came to nothing
    found = margins_of(left_out_table(truth, 30), LeftOut(logs, np.zeros(300)))
    assert found.high == pytest.approx(0.36 / NOISE)
    assert found.sure == pytest.approx(0.06 / NOISE)
    assert found.high_if_sure == 1.0


def test_with_few_studies_the_whole_interval_must_lie_above_no_gain() -> None:
    logs = promising(8)
    found = margins_of(left_out_table(logs, 8), LeftOut(logs, np.zeros(80)))
    assert found.sure == found.high


def test_a_model_that_knows_where_it_is_unsure_costs_less_to_follow() -> None:
    histories = [
        study(f"s{i}", GB // 20, workload=str(i), noise=0, baseline=config(300)) for i in range(30)
    ]
    lessons = digest_histories(histories)
    settings = settings_of((c for x in lessons for c in x.configs.values()), FACTS)
    table = tabulate(lessons, settings, facts_of)
    logs, spread = np.nan_to_num(table.log_times, nan=1.0), np.zeros(len(table.log_times))
    best = np.array([logs[table.study == number].min() for number in range(30)])
    for number in range(3):  # in three studies the slowest of all looks best by far
        own = np.flatnonzero((table.study == number) & ~np.isnan(table.log_times))
        slowest = own[np.argmax(table.log_times[own])]
        assert table.log_times[slowest] > 0.05
        logs[slowest], spread[slowest] = -2.0, 1.2
    bold, lost = score_of(table, lessons, LeftOut(logs, np.zeros(len(logs))))
    wary, same = score_of(table, lessons, LeftOut(logs, spread))
    assert [each.pick for each in lost] == [each.pick for each in same]
    kept = np.exp(-best) - 1
    assert bold.told_regret == pytest.approx(np.mean(kept))  # none is as sure as those three were
    assert wary.told_regret == pytest.approx(sum(kept[:3]) / 30)


def test_what_lies_too_far_from_the_others_says_nothing_about_them() -> None:
    logs = promising(30)
    truth = logs.copy()
    logs[1], truth[1] = -0.4, 0.1
    table = left_out_table(truth, 30)
    far = LeftOut(logs, np.zeros(300), outside=table.study == 0)
    assert margins_of(table, LeftOut(logs, np.zeros(300))).sure == pytest.approx(0.4 / NOISE)
    assert margins_of(table, far).sure == 0.0


def test_ours_and_a_namesake_are_left_out_together() -> None:
    own = study("mine", GB // 20, workload="etl")
    found = fit([study("s", GB // 50, workload="autotune/etl"), own])
    assert found.card.grouped_by == "study"
    assert found.card.workloads == ("autotune/etl", "etl")


def test_what_is_far_is_not_followed(predictor: Predictor) -> None:
    history = study("far", GB // 50, workload="far")
    (asked,) = regrets(predictor, [history]).values()
    far = {
        known: reach.model_copy(update={"limit": 1e-9})
        for known, reach in predictor.card.reach.items()
    }
    away = replace(predictor, card=predictor.card.model_copy(update={"reach": far}))
    (kept,) = regrets(away, [history]).values()
    assert kept.pick == asked.pick
    assert kept.told > kept.pick  # the bad default


def test_a_first_pick_that_fails_counts_as_slower() -> None:
    logs = promising(30)
    truth, failed = logs.copy(), np.zeros(300)
    logs[1], truth[1], failed[1] = -0.4, np.nan, 1.0
    table = replace(left_out_table(truth, 30), failed=failed)
    assert margins_of(table, LeftOut(logs, np.zeros(300))).sure == pytest.approx(0.4 / NOISE)
