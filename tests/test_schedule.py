from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from autotune.domain import Config
from autotune.experiment import Budget, Experiment
from autotune.record import Cause, Execution, Origin, Purpose, Status, Trial
from autotune.schedule import Next, blocks, next_trial, planned, winner
from tests.surfaces import experiment as simulated

KEY = "spark.sql.shuffle.partitions"
BASELINE = Config(properties={KEY: None})
EXPERT = Config(properties={KEY: "8"})
OTHER = Config(properties={KEY: "16"})
P = Purpose


def experiment(**budget: object) -> Experiment:
    fields = {"trials": 3, "baseline_repeats": 2, "confirm_blocks": 2, **budget}
    return simulated(budget=Budget.model_validate(fields))


def trial(
    number: int, purpose: Purpose, config: Config, seconds: float | None, **changes: object
) -> Trial:
    failed = seconds is None
    return Trial(
        number=number,
        purpose=purpose,
        origin=Origin.BASELINE if config == BASELINE else Origin.SAMPLER,
        config=config,
        execution=Execution(
            status=Status.FAILED if failed else Status.SUCCEEDED,
            cause=Cause.APP_ERROR if failed else None,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            wall_s=seconds or 1.0,
            duration_s=seconds,
        ),
    ).model_copy(update=changes)


def ask(
    trials: Sequence[Trial], asked: Experiment | None = None, *, time_left: bool = True
) -> Next | None:
    known = [OTHER, Config(properties={KEY: "32"}), Config(properties={KEY: "64"})]
    tried = {t.config.digest for t in trials}
    return next_trial(
        asked or experiment(),
        trials,
        baseline=BASELINE,
        expert=EXPERT,
        propose=lambda: next((c for c in known if c.digest not in tried), None),
        search_time_left=time_left,
    )


def play(seconds: dict[str, float], asked: Experiment) -> list[Trial]:
    """Make all trials of a study whose configs take the given times."""
    trials: list[Trial] = []
    while (upcoming := ask(trials, asked)) is not None:
        value = seconds[upcoming.config.properties[KEY] or "unset"]
        trials.append(trial(len(trials), upcoming.purpose, upcoming.config, value))
        assert len(trials) < 50
    return trials


TIMES = {"unset": 100.0, "8": 90.0, "16": 50.0, "32": 70.0, "64": 95.0}


def test_a_study_goes_baseline_expert_search_confirmation() -> None:
    trials = play(TIMES, experiment())
    assert [t.purpose for t in trials] == [P.BASELINE] * 2 + [P.SEARCH] * 3 + [P.CONFIRM] * 4
    assert trials[2].config == EXPERT
    confirmed = [t.config for t in trials[5:]]
    assert sorted(c.digest for c in confirmed) == sorted([OTHER.digest, BASELINE.digest] * 2)
    for block in (confirmed[:2], confirmed[2:]):
        assert {c.digest for c in block} == {OTHER.digest, BASELINE.digest}
    assert len(trials) == planned(experiment()).total


def test_the_order_inside_blocks_is_drawn() -> None:
    asked = experiment(confirm_blocks=12)
    confirmed = [t for t in play(TIMES, asked) if t.purpose is P.CONFIRM]
    firsts = {t.config.digest for t in confirmed[::2]}
    assert firsts == {OTHER.digest, BASELINE.digest}


def test_going_on_from_any_point_gives_the_same_study() -> None:
    whole = play(TIMES, experiment())
    for cut in range(len(whole)):
        upcoming = ask(whole[:cut])
        assert upcoming is not None
        assert (upcoming.purpose, upcoming.config) == (whole[cut].purpose, whole[cut].config)
    assert ask(whole) is None


def test_nothing_follows_a_baseline_that_fails() -> None:
    assert ask([trial(0, P.BASELINE, BASELINE, None)]) is None


def test_a_baseline_that_fails_once_in_two_is_still_a_baseline() -> None:
    trials = [trial(0, P.BASELINE, BASELINE, 9.0), trial(1, P.BASELINE, BASELINE, None)]
    upcoming = ask(trials)
    assert upcoming is not None
    assert upcoming.purpose is P.SEARCH


def test_nothing_is_confirmed_when_nothing_beats_the_baseline() -> None:
    trials = play({**TIMES, "unset": 10.0}, experiment())
    assert [t.purpose for t in trials] == [P.BASELINE] * 2 + [P.SEARCH] * 3
    assert winner(experiment(), trials, BASELINE) is None


def test_no_blocks_no_confirmation() -> None:
    trials = play(TIMES, experiment(confirm_blocks=0))
    assert all(t.purpose is not P.CONFIRM for t in trials)


def test_when_time_is_up_the_confirmation_still_takes_place() -> None:
    trials = [
        trial(0, P.BASELINE, BASELINE, 100.0),
        trial(1, P.BASELINE, BASELINE, 100.0),
        trial(2, P.SEARCH, EXPERT, 50.0),
    ]
    upcoming = ask(trials, time_left=False)
    assert upcoming is not None
    assert upcoming.purpose is P.CONFIRM


def test_promising_configs_are_measured_again_within_the_budget() -> None:
    trials = play(TIMES, experiment(trials=6))
    searching = [t for t in trials if t.purpose in (P.SEARCH, P.REPEAT)]
    again = [t.config.properties[KEY] for t in searching if t.purpose is P.REPEAT]
    assert again == ["16", "32"]
    assert len(searching) == 6


def test_the_winner_stays_the_same_while_it_is_confirmed() -> None:
    trials = play(TIMES, experiment())[:5]
    unlucky = trial(5, P.CONFIRM, OTHER, 500.0)
    assert winner(experiment(), [*trials, unlucky], BASELINE) == OTHER


def test_a_larger_budget_searches_on_and_confirms_afresh() -> None:
    trials = play(TIMES, experiment())
    more = experiment(trials=4)
    following = trial(len(trials), P.SEARCH, Config(properties={KEY: "64"}), 20.0)
    upcoming = ask(trials, more)
    assert upcoming is not None
    assert upcoming.purpose is P.SEARCH
    assert winner(more, [*trials, following], BASELINE) == following.config
    assert blocks(more, [*trials, following], BASELINE) == ()


def test_blocks_pair_what_was_measured_side_by_side() -> None:
    trials = play(TIMES, experiment())
    assert blocks(experiment(), trials, BASELINE) == ((100.0, 50.0), (100.0, 50.0))


def test_a_block_with_a_failure_does_not_count() -> None:
    trials = play(TIMES, experiment())
    last = trial(trials[-1].number, P.CONFIRM, trials[-1].config, None)
    assert len(blocks(experiment(), [*trials[:-1], last], BASELINE)) == 1
