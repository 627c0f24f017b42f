"""Ask a predictor for a configuration, with everything at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotune.domain import DatasetProfile, Machine, WorkloadProfile
from autotune.predict import Predictor
from autotune.predict.known import remembered
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
    histories: Sequence[StudyHistory] | None = None,
    today: Mapping[str, str] | None = None,
    baseline_from: str = "your configuration",
    workload: str | None = None,
    job: WorkloadProfile | None = None,
) -> Recommendation:
    """Recommend with everything at hand: no file, no server and no process is touched.

    Args:
        predictor: A fitted one.
        profile: Of the data, where it is known.
        machine: Where the job will run.
        space: What may be changed.
        histories: Studies whose best configurations are candidates; ``None``: those that the
            predictor learned from.
        today: What the job runs with now.
        baseline_from: Where *today* is known from, in words.
        workload: What the job is called in earlier studies.
        job: What it does, where that is known.
    """
    today = today or {}
    facts = predictor.facts_of(machine.spark_version)
    bound = bind(space, machine=machine, baseline=today, facts=facts)
    question = Question(bound, profile, today, baseline_from, workload, job)
    known = predictor.known if histories is None else [remembered(each) for each in histories]
    return rank(predictor, question, known)


def starting_point(
    histories: Sequence[StudyHistory], workload: str | None, conf: Mapping[str, str] | None
) -> tuple[Mapping[str, str], str]:
    """Return the configuration to compare with, and in words where it is known from."""
    if conf is not None:
        return conf, "your configuration"
    known = [(h, base) for h in histories if (base := past_baseline(h)) is not None]
    own = [(h, base) for h, base in known if h.workload == workload]
    if own:
        history, base = max(reversed(own), key=lambda pair: _began_s(pair[0]))
        return base, f"what study {history.study} started from"
    if known and all(base == known[0][1] for _, base in known):
        start = known[0][1]
        return start, "what the earlier studies started from" if start else "Spark's defaults"
    return {}, "Spark's defaults"


def _began_s(history: StudyHistory) -> float:
    began = [t.started_at.timestamp() for t in history.trials if t.started_at is not None]
    return min(began, default=0.0)
