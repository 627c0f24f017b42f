"""Ask a predictor for a configuration, with everything at hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autotune.domain import DatasetProfile, Machine, WorkloadProfile
from autotune.predict import Predictor
from autotune.recommendation.answer import Recommendation
from autotune.recommendation.candidates import past_baseline
from autotune.recommendation.question import Question
from autotune.recommendation.ranking import rank
from autotune.record import StudyHistory
from autotune.space import Space, bind


def answer(
    predictor: Predictor,
    profile: DatasetProfile | None,
    machine: Machine,
    space: Space,
    *,
    today: Mapping[str, str] | None = None,
    baseline_from: str = "your configuration",
    workload: str | None = None,
    job: WorkloadProfile | None = None,
    cautions: Sequence[str] = (),
) -> Recommendation:
    """Recommend with everything at hand: no file, no server and no process is touched.

    Args:
        predictor: A fitted one.
        profile: Of the data, where it is known.
        machine: Where the job will run.
        space: What may be changed.
        today: What the job runs with now.
        baseline_from: Where *today* is known from, in words.
        workload: What the job is called in earlier studies.
        job: What it does, where that is known.
        cautions: What makes that less than sure.
    """
    today = today or {}
    facts = predictor.facts_of(machine.spark_version)
    bound = bind(space, machine=machine, baseline=today, facts=facts)
    question = Question(bound, profile, today, baseline_from, workload, job, tuple(cautions))
    return rank(predictor, question)


def starting_point(
    histories: Sequence[StudyHistory],
    workload: str | None,
    conf: Mapping[str, str] | None,
    logged: Mapping[str, str] | None = None,
) -> tuple[Mapping[str, str], str]:
    """Return the configuration to compare with, and in words where it is known from.

    Args:
        histories: Earlier studies.
        workload: What the job is called in them.
        conf: What the person says it runs with.
        logged: What an execution of it ran with.
    """
    if conf is not None:
        return {**(logged or {}), **conf}, "your configuration"
    if logged is not None:
        return logged, "what the execution of the log ran with"
    known = [(h, base) for h in histories if (base := past_baseline(h)) is not None]
    own = [(h, base) for h, base in known if h.workload == workload]
    if own:
        history, base = max(reversed(own), key=lambda pair: _began_s(pair[0]))
        return base, f"what study {history.study} started from"
    if known and all(base == known[0][1] for _, base in known):
        start = known[0][1]
        return start, "what the earlier studies started from" if start else "Spark's defaults"
    return {}, "Spark's defaults"


def known_job(
    histories: Sequence[StudyHistory], workload: str | None, profile: DatasetProfile | None
) -> tuple[WorkloadProfile | None, tuple[str, ...]]:
    """Return what the job of that name did in a study: the one with data of most nearly that size.

    Returns:
        What it did, ``None`` where nothing is known; and what is to be said of that.
    """

    def unlike(history: StudyHistory) -> tuple[float, float]:
        sizes = [each.bytes for each in (profile, history.profile) if each is not None]
        apart = abs(math.log((1 + sizes[0]) / (1 + sizes[1]))) if len(sizes) == 2 else math.inf
        return apart, -_began_s(history)

    own = [history for history in histories if history.workload == workload and history.job]
    if not own:
        return None, ()
    nearest = min(own, key=unlike)
    alike = unlike(nearest)[0] <= math.log(2)
    said = f"what the job does is known from study {nearest.study}, of another size of data"
    return nearest.job, () if alike else (said,)


def _began_s(history: StudyHistory) -> float:
    began = [t.started_at.timestamp() for t in history.trials if t.started_at is not None]
    return min(began, default=0.0)
