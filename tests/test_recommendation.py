from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autotune.domain import Config, DatasetProfile, Machine, ProfileSource, WorkloadProfile
from autotune.expert import expert_config
from autotune.predict import Prediction, Predictor, fit
from autotune.recommendation import Recommendation, answer, starting_point
from autotune.recommendation.asking import known_job
from autotune.recommendation.candidates import candidates, neighbours, transferred
from autotune.recommendation.ranking import pruned, verdict
from autotune.record import Purpose, Status, StudyHistory
from autotune.space import Space, bind
from past_studies import (
    CODEC,
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

SPACE = Space.model_validate(
    {
        "name": "small",
        "parameters": [
            {
                "name": PARTITIONS, "type": "int", "low": 0.5, "high": 64, "log": True,
                "per": "slot", "at_least": 1, "unit": "partitions",
                "why": "Too many drown short tasks in scheduling.",
            },
            {
                "name": MEMORY, "type": "bytes", "low": "5%", "high": "70%", "log": True,
                "of": "memory", "at_least": "512m",
            },
            {"name": CODEC, "type": "categorical", "choices": ["lz4", "zstd"]},
        ],
    }
)  # fmt: skip
BAD = {PARTITIONS: "2000"}
JOB = WorkloadProfile(source=ProfileSource.EVENT_LOG, duration_s=20.0)


@pytest.fixture(scope="module")
def histories() -> tuple[StudyHistory, ...]:
    return tuple(
        study(f"{workload}{i}", size, workload=workload, trials=16)
        for workload in ("a", "b", "c")
        for i, size in enumerate((GB // 100, GB // 20))
    )


@pytest.fixture(scope="module")
def predictor(histories: tuple[StudyHistory, ...]) -> Predictor:
    return fit(histories, facts_of=facts_of, models=("constant", "extra_trees"))


def ask(
    predictor: Predictor,
    data: DatasetProfile | None = None,
    where: Machine | None = None,
    today: dict[str, str] | None = None,
    workload: str | None = "a",
    job: WorkloadProfile | None = None,
) -> Recommendation:
    return answer(
        predictor,
        data or profile(GB // 40, "/third"),
        where or machine(),
        SPACE,
        today=BAD if today is None else today,
        workload=workload,
        job=job,
    )


def test_a_planted_bad_default_is_beaten(predictor: Predictor) -> None:
    found = ask(predictor)
    assert not found.keep_default
    assert int(found.config.properties[PARTITIONS] or 200) <= 256
    data, where = profile(GB // 40), machine()
    truth = seconds(config(2000), data, where) / seconds(found.config, data, where)
    assert truth > 1.5
    assert 1 < found.low <= found.predicted_speedup <= found.high
    assert found.low * 0.9 <= truth <= found.high * 1.1
    assert found.failure_probability < 0.2
    assert found.baseline.properties[PARTITIONS] == "2000"


def test_each_change_has_its_reason_and_idle_ones_are_taken_back(predictor: Predictor) -> None:
    found = ask(predictor)
    first = found.changes[0]
    assert (first.name, first.was) == (PARTITIONS, "2000")
    assert first.effect < 0.8
    assert first.why == "Too many drown short tasks in scheduling."
    assert all(change.was != change.now for change in found.changes)
    assert all(change.effect < 1.0 for change in found.changes)
    changed = {change.name for change in found.changes}
    for name, value in found.config.properties.items():
        if name not in changed:
            assert value == found.baseline.properties[name]


def test_a_good_default_is_kept(predictor: Predictor) -> None:
    found = ask(predictor, today={PARTITIONS: "8", CODEC: "zstd"})
    assert found.keep_default
    assert found.config == found.baseline
    assert found.changes == ()
    assert found.predicted_speedup == found.low == found.high == 1.0
    assert found.promising == ()
    assert found.reason
    assert "Keep your configuration" in found.to_text()


def test_what_is_not_sure_enough_is_said_to_be_worth_measuring(
    predictor: Predictor, histories: tuple[StudyHistory, ...]
) -> None:
    margins = {
        known: found.model_copy(update={"sure": 1e3})
        for known, found in predictor.card.margins.items()
    }
    card = predictor.card.model_copy(update={"margins": margins})
    found = ask(replace(predictor, card=card))
    assert found.keep_default
    assert found.config == found.baseline
    assert PARTITIONS in {change.name for change in found.promising}
    assert "Most promising, if you can measure it" in found.to_text()


def test_what_was_tried_nowhere_must_be_better_by_more() -> None:
    told = Prediction(relative_time=0.9, low=0.8, high=1.0, failure_probability=0.0, lead=0.02)
    assert not verdict(told, changed=True)[0]
    assert verdict(told, changed=True, tried=False)[0]
    assert not verdict(told.model_copy(update={"lead": 0.04}), changed=True, tried=False)[0]


@pytest.mark.parametrize(
    ("fails_without", "slower_without", "kept"),
    [
        ([MEMORY], [PARTITIONS], [MEMORY, PARTITIONS]),
        ([MEMORY, CODEC], [], [CODEC]),  # without both of them
        ([], [], []),
    ],
)
def test_what_is_needed_keeps_nothing_else(
    fails_without: list[str], slower_without: list[str], kept: list[str]
) -> None:
    bound = bind(SPACE, machine=machine(), baseline={}, facts=facts_of(None))
    config = bound.adjusted({PARTITIONS: "16", MEMORY: "4g", CODEC: "zstd"})

    class Oracle:
        def ask(self, configs: Sequence[Config]) -> tuple[Prediction, ...]:
            missing = [set(config.differing(one)) for one in configs]
            fails = [bool(fails_without) and gone.issuperset(fails_without) for gone in missing]
            slow = [bool(gone.intersection(slower_without)) for gone in missing]
            return tuple(
                Prediction(
                    relative_time=1.0 if late else 0.5,
                    low=0.4,
                    high=1.2,
                    failure_probability=0.05 if bad else 0.0,
                )
                for bad, late in zip(fails, slow, strict=True)
            )

    (prediction,) = Oracle().ask([config])
    found, _ = pruned(Oracle(), bound, config, prediction)
    assert found.differing(bound.baseline) == kept


def test_where_nothing_was_learned_the_default_is_kept(
    histories: tuple[StudyHistory, ...],
) -> None:
    constant = fit(histories, facts_of=facts_of, models=("constant",))
    assert ask(constant).keep_default


def test_what_would_fail_is_not_recommended(predictor: Predictor) -> None:
    for size in (GB // 80, GB // 40, GB // 20):
        found = ask(predictor, profile(size))
        assert not found.keep_default
        assert found.config.properties[MEMORY] != "512m"


def test_cautions_name_what_is_unfamiliar(predictor: Predictor) -> None:
    (unknown,) = ask(predictor).cautions
    assert "--eventlog" in unknown
    assert ask(predictor, job=JOB).cautions == ()
    assert any("'new'" in said for said in ask(predictor, workload="new").cautions)
    far = ask(predictor, data=profile(900 * GB), where=machine(64, 512 * GB))
    assert any("data size" in said for said in far.cautions)
    assert any("slots" in said for said in far.cautions)
    absurd = ask(predictor, today={PARTITIONS: "9000000"})
    assert any(f"{PARTITIONS}=9000000" in said for said in absurd.cautions)
    theirs = {"spark.speculation": "true", "spark.app.name": "mine"}
    (said, _) = ask(predictor, today=theirs | BAD).cautions
    assert said == "no study tried spark.speculation, which you set"
    newer = machine().model_copy(update={"spark_version": "4.3.0"})
    assert any("Spark 4.3" in said for said in ask(predictor, where=newer).cautions)


def test_partitions_are_asked_about_in_whole_waves(histories: tuple[StudyHistory, ...]) -> None:
    bound = bind(SPACE, machine=machine(4), baseline=BAD, facts=facts_of(None))
    found = candidates(bound, histories, profile(GB // 40), facts_of=facts_of)
    found += neighbours(bound, [candidate.config for candidate in found], 100, seed=1)
    counts = {int(c.config.properties[PARTITIONS] or 200) for c in found}
    assert {count for count in counts if count < 16} == {4, 8, 12}
    assert any(count % 4 for count in counts), "of many waves the last costs little"


def test_what_was_good_elsewhere_is_carried_over_in_relative_units() -> None:
    there = study("there", GB // 20, baseline=config(2000), trials=6)
    best = there.trials[2].model_copy(
        update={
            "config": config(16, "2g", codec="zstd"),
            "duration_s": 0.1,
            "status": Status.SUCCEEDED,
            "cause": None,
        }
    )
    there = there.model_copy(update={"trials": (*there.trials[:2], best)})
    here = machine(16, 32 * GB)
    bound = bind(SPACE, machine=here, baseline=BAD, facts=facts_of(None))
    same, scaled = transferred(bound, there, profile(GB // 20 * 2), facts_of)
    assert same.config.properties[PARTITIONS] == "64", "4 per slot, on 16 slots"
    assert same.config.properties[MEMORY] == "8g", "a quarter of the machine's memory"
    assert same.config.properties[CODEC] == "zstd"
    assert scaled.config.properties[PARTITIONS] == "32", "as much in each partition as there"


def test_candidates_are_distinct_start_with_the_baseline_and_can_be_repeated(
    histories: tuple[StudyHistory, ...],
) -> None:
    bound = bind(SPACE, machine=machine(), baseline=BAD, facts=facts_of(None))
    pool = candidates(bound, histories, profile(GB // 40), facts_of=facts_of)
    assert pool[0].config == bound.baseline
    digests = [candidate.config.digest for candidate in pool]
    assert len(set(digests)) == len(digests) > 100
    assert "sample" in {candidate.origin for candidate in pool}
    assert expert_config(bound, profile(GB // 40)).digest in digests
    alone = candidates(bound, (), profile(GB // 40), facts_of=facts_of)
    assert "expert rules" in {candidate.origin for candidate in alone}
    assert any(candidate.origin.startswith("study a") for candidate in pool)
    assert all(bound.keeps_rules(candidate.config) for candidate in pool)
    again = candidates(bound, histories, profile(GB // 40), facts_of=facts_of)
    assert [candidate.config.digest for candidate in again] == digests


def test_the_answer_is_the_same_every_time_and_survives_json(predictor: Predictor) -> None:
    found = ask(predictor)
    assert found == ask(replace(predictor, known=predictor.known[::-1]))
    assert Recommendation.model_validate_json(found.model_dump_json()) == found


def test_the_text_says_it_all(predictor: Predictor) -> None:
    text = ask(predictor).to_text()
    for part in ("/third", "2000 ->", "not measured", "Leans on: a1, a0", "Considered"):
        assert part in text
    assert max(map(len, text.splitlines())) < 140


def test_similar_studies_are_those_of_the_same_job_and_near_data(predictor: Predictor) -> None:
    found = ask(predictor, data=profile(GB // 20), workload="b")
    assert found.similar_studies[:2] == ("b1", "b0")


def test_without_any_history_the_predictor_still_answers(predictor: Predictor) -> None:
    found = ask(replace(predictor, known=()))
    assert not found.keep_default
    assert found.similar_studies == ()


def test_the_starting_point_is_the_most_telling_one(histories: tuple[StudyHistory, ...]) -> None:
    assert starting_point(histories, "a", {"spark.x": "1"}) == (
        {"spark.x": "1"},
        "your configuration",
    )
    assert starting_point(histories, "a", None) == (BAD, "what study a1 started from")
    assert starting_point(histories, None, None) == (BAD, "what the earlier studies started from")
    other = study("z", GB, baseline=config(8), workload="z")
    assert starting_point([*histories, other], None, None) == ({}, "Spark's defaults")
    assert starting_point([*histories, other], "z", None)[0] == {PARTITIONS: "8"}
    assert starting_point([], None, None) == ({}, "Spark's defaults")


def test_what_the_execution_of_a_log_ran_with_is_the_starting_point(
    histories: tuple[StudyHistory, ...],
) -> None:
    logged = {PARTITIONS: "7", MEMORY: "3g"}
    said = "what the execution of the log ran with"
    assert starting_point(histories, "a", None, logged) == (logged, said)
    assert starting_point(histories, "a", {MEMORY: "4g"}, logged) == (
        {PARTITIONS: "7", MEMORY: "4g"},
        "your configuration",
    )
    assert starting_point(histories, "a", None, {}) == ({}, said)


def test_what_a_job_did_in_its_most_similar_study_is_known(
    histories: tuple[StudyHistory, ...],
) -> None:
    assert known_job(histories, "a", None) == (None, ())
    small = histories[0].model_copy(update={"workload": "mine", "job": JOB})
    heavy = JOB.model_copy(update={"duration_s": 900.0})
    large = small.model_copy(update={"study": "large", "profile": profile(90 * GB), "job": heavy})
    known = [*histories, small, large]
    assert known_job(known, None, None) == (None, ())
    assert known_job(known, "mine", profile(100 * GB)) == (heavy, ())
    found, (said,) = known_job(known, "mine", profile(GB // 10))
    assert found == JOB
    assert said == "what the job does is known from study a0, of another size of data"


def test_the_latest_study_tells_what_the_job_starts_from() -> None:
    def begun(name: str, month: int, partitions: int) -> StudyHistory:
        found = study(name, GB, baseline=config(partitions), workload="a")
        when = datetime(2026, month, 1, tzinfo=UTC)
        trials = tuple(trial.model_copy(update={"started_at": when}) for trial in found.trials)
        return found.model_copy(update={"trials": trials})

    studies = [begun("a-10", 6, 10), begun("a-9", 5, 9)]
    start = ({PARTITIONS: "10"}, "what study a-10 started from")
    assert starting_point(studies, "a", None) == start
    assert starting_point(studies[::-1], "a", None) == start


def test_an_argument_that_changes_is_seen_to_change() -> None:
    def with_level(history: StudyHistory) -> StudyHistory:
        trials = []
        for place, trial in enumerate(history.trials):
            level = "DISK" if trial.purpose is Purpose.BASELINE or place % 2 else "MEMORY"
            fast = {"DISK": 1.0, "MEMORY": 0.5}[level]
            changed = trial.config.model_copy(update={"arguments": {"level": level}})
            took = trial.duration_s and trial.duration_s * fast
            trials.append(trial.model_copy(update={"config": changed, "duration_s": took}))
        return history.model_copy(update={"trials": tuple(trials)})

    space = Space.model_validate(
        {
            "name": "levels",
            "parameters": [
                {"name": "level", "type": "categorical", "choices": ["DISK", "MEMORY"],
                 "unset_as": "DISK"},
            ],
        }
    )  # fmt: skip
    learned = [with_level(study(f"s{i}", GB // 20, workload=f"w{i}", trials=16)) for i in range(4)]
    predictor = fit(learned, facts_of=facts_of, models=("extra_trees",))
    found = answer(predictor, profile(GB // 20), machine(), space, today={**BAD, "level": "DISK"})
    assert found.config.arguments == {"level": "MEMORY"}
    assert found.predicted_speedup > 1.5


def test_a_property_outside_of_the_space_is_the_persons_in_every_prediction(
    histories: tuple[StudyHistory, ...],
) -> None:
    seen: list[Config] = []

    class Watched(Predictor):
        def predict(self, profile, machine, configs, **options):  # type: ignore[no-untyped-def]
            seen.extend([options["baseline"], *configs])
            return super().predict(profile, machine, configs, **options)

    fitted = fit(histories, facts_of=facts_of, models=("extra_trees",))
    watched = Watched(fitted.regressors, fitted.failure, fitted.card, fitted.known, facts_of)
    ask(watched, today={**BAD, "spark.sql.adaptive.enabled": "false"})
    assert {c.properties["spark.sql.adaptive.enabled"] for c in seen} == {"false"}
