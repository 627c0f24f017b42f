"""What is said of a study while it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from autotune.domain import Config
from autotune.events import Event, EventKind
from autotune.news import News
from autotune.record import Candidate, Cause, Origin, Purpose, Trial, trial_names
from tests.surfaces import experiment
from tests.test_schedule import trial

HEAP = "spark.driver.memory"
SMALL, MIDDLE = (Config(properties={HEAP: size}) for size in (None, "1536m"))
LARGE = Config(properties={HEAP: "2304m"})


def nothing_yet(trials: Sequence[Trial]) -> Sequence[Candidate]:
    return ()


def notes(trials: Sequence[Trial]) -> list[str]:
    """Return what is noted while one trial after the other ends."""
    events: list[Event] = []
    known: list[Trial] = []
    news = News(experiment(), lambda: known, nothing_yet, events.append)
    for done in trials:
        known.append(done)
        name = trial_names(known)[done.number]
        news.tell(EventKind.FINISHED, trial=done, name=name)
    return [event.text for event in events if event.kind is EventKind.NOTE]


def out_of_memory(number: int, purpose: Purpose, config: Config, origin: Origin) -> Trial:
    failed = trial(number, purpose, config, None, origin=origin)
    execution = failed.execution.model_copy(update={"cause": Cause.OUT_OF_MEMORY})
    return failed.model_copy(update={"execution": execution})


def test_a_step_of_memory_is_told_with_what_it_is_a_step_from() -> None:
    trials = [
        out_of_memory(0, Purpose.BASELINE, SMALL, Origin.BASELINE),
        out_of_memory(1, Purpose.SEARCH, MIDDLE, Origin.RESCUE),
        trial(2, Purpose.SEARCH, LARGE, 9.0, origin=Origin.RESCUE),
        trial(3, Purpose.CONFIRM, LARGE, 9.0, origin=Origin.RESCUE),
    ]
    assert notes(trials) == [
        f"baseline-1 ran out of memory: trial-001 is the same with {HEAP} (unset) → 1536m",
        f"trial-001 ran out of memory: trial-002 is the same with {HEAP} 1536m → 2304m",
        "your own configuration fails, so the others are compared with trial-002",
    ]


def test_a_step_beside_a_baseline_that_works_changes_no_comparison() -> None:
    trials = [
        trial(0, Purpose.BASELINE, LARGE, 9.0, origin=Origin.BASELINE),
        out_of_memory(1, Purpose.SEARCH, SMALL, Origin.SAMPLER),
        trial(2, Purpose.SEARCH, MIDDLE, 9.0, origin=Origin.RESCUE),
    ]
    assert notes(trials) == [
        f"trial-001 ran out of memory: trial-002 is the same with {HEAP} (unset) → 1536m"
    ]
