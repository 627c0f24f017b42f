from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from autotune.domain import Config
from autotune.experiment import Budget, ConfRules, Experiment
from autotune.record import Cause, Execution, Origin, Purpose, Status, Trial
from autotune.schedule import Next, Rescue, next_trial, planned
from autotune.standing import blocks, failed_winner, reference, winner
from autotune.verdict import Block
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
    trials: Sequence[Trial],
    asked: Experiment | None = None,
    *,
    time_left: bool = True,
    given: Sequence[Config] = (),
    rescue: Rescue = lambda config, execution: None,
) -> Next | None:
    known = [OTHER, Config(properties={KEY: "32"}), Config(properties={KEY: "64"})]
    tried = {t.config.digest for t in trials}
    return next_trial(
        asked or experiment(),
        trials,
        baseline=BASELINE,
        expert=EXPERT,
        given=given,
        propose=lambda: next((c for c in known if c.digest not in tried), None),
        search_time_left=time_left,
        rescue=rescue,
    )


def play(
    seconds: dict[str, float], asked: Experiment, given: Sequence[Config] = ()
) -> list[Trial]:
    """Make all trials of a study whose configs take the given times."""
    trials: list[Trial] = []
    while (upcoming := ask(trials, asked, given=given)) is not None:
        value = seconds[upcoming.config.properties[KEY] or "unset"]
        trials.append(trial(len(trials), upcoming.purpose, upcoming.config, value))
        assert len(trials) < 50
    return trials


TIMES = {"unset": 100.0, "8": 90.0, "16": 50.0, "32": 70.0, "64": 95.0}


def test_a_study_goes_baseline_expert_search_confirmation() -> None:
    trials = play(TIMES, experiment())
    assert [t.purpose for t in trials] == [P.BASELINE] * 2 + [P.SEARCH] * 3 + [P.CONFIRM] * 6
    assert trials[2].config == EXPERT
    confirmed = [t.config for t in trials[5:]]
    for block in (confirmed[:3], confirmed[3:]):
        assert sorted(c.digest for c in block) == sorted(
            [OTHER.digest, BASELINE.digest, BASELINE.digest]
        )
    assert len(trials) == planned(experiment()).total


def test_the_order_inside_blocks_is_drawn() -> None:
    firsts = set()
    for seed in range(10):
        asked = experiment().model_copy(update={"seed": seed})
        confirmed = [t for t in play(TIMES, asked) if t.purpose is P.CONFIRM]
        firsts |= {t.config.digest for t in confirmed[::3]}
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


def again(seconds: dict[str, float], asked: Experiment) -> list[str | None]:
    trials = play(seconds, asked)
    searching = [t for t in trials if t.purpose in (P.SEARCH, P.REPEAT)]
    assert len(searching) <= asked.budget.trials
    return [t.config.properties[KEY] for t in searching if t.purpose is P.REPEAT]


def test_what_may_be_the_best_is_measured_again_within_the_budget() -> None:
    assert again({**TIMES, "32": 52.0}, experiment(trials=6)) == ["16", "32"]


def test_what_is_hopeless_is_not() -> None:
    assert again(TIMES, experiment(trials=6)) == ["16"]
    assert again({**TIMES, "16": 120.0, "32": 130.0}, experiment(trials=6)) == ["8"]


def test_what_leads_is_measured_again_after_six_new_configs() -> None:
    numbers = [str(n) for n in range(100, 130)]
    configs = [Config(properties={KEY: n}) for n in numbers]
    trials = [trial(i, P.BASELINE, BASELINE, 100.0) for i in range(2)]
    asked = experiment(trials=30)
    for number in range(2, 20):
        tried = {t.config.digest for t in trials}
        upcoming = next_trial(
            asked,
            trials,
            baseline=BASELINE,
            expert=None,
            propose=lambda tried=tried: next(c for c in configs if c.digest not in tried),
        )
        assert upcoming is not None
        trials.append(trial(number, upcoming.purpose, upcoming.config, 100.0 - number))
    repeats = [t.number for t in trials if t.purpose is P.REPEAT]
    assert repeats == [8, 15]
    assert trials[8].config == trials[7].config


def test_what_the_person_names_is_tried_with_the_baseline_in_between() -> None:
    named = [Config(properties={KEY: str(100 + number)}) for number in range(8)]
    times = {**TIMES, **{str(100 + number): 80.0 for number in range(8)}}
    trials = play(times, experiment(trials=11, confirm_blocks=0), given=named)
    shown = [t.config.properties[KEY] for t in trials]
    six = [str(100 + number) for number in range(8)]
    assert shown[:2] == [None, None]
    assert shown[2:12] == ["8", *six[:5], None, *six[5:]]
    assert trials[8].purpose is P.REPEAT
    assert shown[12] == "100"  # what is most promising, at the end


def test_what_is_named_stays_within_the_budget_and_is_not_tried_twice() -> None:
    trials = play(TIMES, experiment(trials=3, confirm_blocks=0), given=[EXPERT, OTHER, OTHER])
    assert [t.config.properties[KEY] for t in trials] == [None, None, "8", "16", "32"]


def test_a_cold_start_is_followed_by_one_more_baseline() -> None:
    asked = experiment(baseline_repeats=3)
    trials = [trial(i, P.BASELINE, BASELINE, s) for i, s in enumerate((140.0, 100.0, 101.0))]
    upcoming = ask(trials, asked)
    assert upcoming is not None
    assert upcoming.purpose is P.BASELINE
    trials.append(trial(3, P.BASELINE, BASELINE, 100.0))
    upcoming = ask(trials, asked)
    assert upcoming is not None
    assert upcoming.purpose is P.SEARCH


def test_the_longer_an_execution_the_fewer_baselines() -> None:
    budget = Budget()
    assert [budget.baselines(s) for s in (None, 30.0, 700.0, 4000.0)] == [3, 3, 2, 1]
    assert Budget(baseline_repeats=5).baselines(4000.0) == 5


def grown(config: Config, execution: Execution) -> Config | None:
    """Double the number, up to 32."""
    assert not execution.duration_s
    number = int(config.properties[KEY] or 4) * 2
    return Config(properties={KEY: str(number)}) if number <= 32 else None


def test_what_ran_out_of_memory_is_tried_once_more_with_the_next_step() -> None:
    trials = [trial(i, P.BASELINE, BASELINE, 100.0) for i in range(2)]
    trials.append(trial(2, P.SEARCH, EXPERT, None))
    upcoming = ask(trials, rescue=grown)
    assert upcoming == Next(purpose=P.SEARCH, origin=Origin.RESCUE, config=OTHER)
    trials.append(trial(3, P.SEARCH, OTHER, None, origin=Origin.RESCUE))
    upcoming = ask(trials, rescue=grown)
    assert upcoming is not None
    assert upcoming.origin is Origin.SAMPLER


def test_a_baseline_that_fails_is_followed_by_a_start_that_works() -> None:
    trials = [trial(0, P.BASELINE, BASELINE, None)]
    upcoming = ask(trials, rescue=grown)
    assert upcoming == Next(purpose=P.SEARCH, origin=Origin.RESCUE, config=EXPERT)
    trials.append(trial(1, P.SEARCH, EXPERT, None, origin=Origin.RESCUE))
    trials.append(trial(2, P.SEARCH, OTHER, 70.0, origin=Origin.RESCUE))
    assert reference(trials, BASELINE) == OTHER
    upcoming = ask(trials, rescue=grown)
    assert upcoming is not None
    assert upcoming.purpose is P.SEARCH


def test_when_no_step_of_memory_helps_the_study_ends() -> None:
    trials = [trial(0, P.BASELINE, BASELINE, None)]
    while (upcoming := ask(trials, rescue=grown)) is not None:
        trials.append(trial(len(trials), P.SEARCH, upcoming.config, None))
    assert len(trials) == 4
    assert reference(trials, BASELINE) is None


def beside(config: Config, execution: Execution) -> Config | None:
    """Set what the space knows nothing of."""
    return config.model_copy(update={"properties": {**config.properties, "spark.x": "2g"}})


def test_what_a_start_needs_beside_the_space_is_in_all_that_follows() -> None:
    trials = [trial(0, P.BASELINE, BASELINE, None)]
    for seconds in (70.0, 60.0, 50.0):
        upcoming = ask(trials, rescue=beside)
        assert upcoming is not None
        assert upcoming.config.properties["spark.x"] == "2g"
        trials.append(trial(len(trials), P.SEARCH, upcoming.config, seconds))
    values = [t.config.properties[KEY] for t in trials]
    assert values == [None, None, *(c.properties[KEY] for c in (EXPERT, OTHER))]


def test_what_the_person_keeps_is_not_set_beside_the_space() -> None:
    rules = ConfRules(preserve=("spark.x",))
    asked = experiment().model_copy(update={"conf": rules})
    assert ask([trial(0, P.BASELINE, BASELINE, None)], asked, rescue=beside) is None


def test_nothing_is_set_beside_the_space_while_the_persons_own_works() -> None:
    trials = [trial(i, P.BASELINE, BASELINE, 100.0) for i in range(2)]
    trials.append(trial(2, P.SEARCH, EXPERT, None))
    upcoming = ask(trials, rescue=beside)
    assert upcoming == Next(purpose=P.SEARCH, origin=Origin.SAMPLER, config=OTHER)


def test_a_winner_that_fails_in_the_confirmation_is_measured_no_more() -> None:
    trials = play(TIMES, experiment())[:5]
    trials.append(trial(5, P.CONFIRM, OTHER, None))
    assert ask(trials) is None
    assert failed_winner(experiment(), trials, BASELINE) == trials[5]


def test_a_winner_that_was_lost_to_something_else_is_not_blamed() -> None:
    trials = play(TIMES, experiment())[:5]
    lost = trial(5, P.CONFIRM, OTHER, None)
    gone = lost.execution.model_copy(update={"cause": Cause.LOST})
    trials.append(lost.model_copy(update={"execution": gone}))
    assert failed_winner(experiment(), trials, BASELINE) is None
    upcoming = ask(trials)
    assert upcoming is not None
    assert upcoming.purpose is P.CONFIRM


def test_blocks_of_another_make_are_left_out() -> None:
    trials = play(TIMES, experiment())[:5]
    pairs = [trial(5 + i, P.CONFIRM, (OTHER, BASELINE)[i % 2], 50.0) for i in range(6)]
    assert len(blocks(experiment(), [*trials, *pairs], BASELINE)) <= 1


def test_a_comparison_goes_straight_to_the_blocks() -> None:
    asked = experiment(baseline_repeats=1).model_copy(update={"challenger": OTHER})
    trials = play({**TIMES, "16": 130.0}, asked)
    assert [t.purpose for t in trials] == [P.BASELINE] + [P.CONFIRM] * 6
    assert winner(asked, trials, BASELINE) == OTHER


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


def test_blocks_join_what_was_measured_side_by_side() -> None:
    trials = play(TIMES, experiment())
    assert (
        blocks(experiment(), trials, BASELINE)
        == (Block(baseline=(100.0, 100.0), winner=50.0),) * 2
    )


def test_a_block_with_a_failure_does_not_count() -> None:
    trials = play(TIMES, experiment())
    last = trial(trials[-1].number, P.CONFIRM, trials[-1].config, None)
    assert len(blocks(experiment(), [*trials[:-1], last], BASELINE)) == 1
