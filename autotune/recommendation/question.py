"""What is asked, what is like it, and what is to be said with any answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from autotune.domain import Config, DatasetProfile, WorkloadProfile
from autotune.predict import Prediction, Predictor
from autotune.predict.features import context_features
from autotune.recommendation.answer import Recommendation
from autotune.record import StudyHistory
from autotune.space import BoundSpace, same_value

SIMILAR = 3
"""So many studies are named as those that an answer leans on."""
_MATTERS = re.compile(
    r"spark\.(sql\.(adaptive|files|shuffle|join|autoBroadcast|execution|inMemory|codegen)|shuffle"
    r"|memory|speculation|locality|dynamicAllocation|reducer|broadcast|rdd|io|serializer|storage)"
)
"""Properties that are there to make jobs faster; others say where and as whom a job runs."""


@dataclass(frozen=True)
class Question:
    """What is asked: which configuration, for these data, on this space and machine."""

    bound: BoundSpace
    profile: DatasetProfile | None
    today: Mapping[str, str]
    """All properties that the person sets, those outside of the space too."""
    baseline_from: str = "your configuration"
    workload: str | None = None
    job: WorkloadProfile | None = None
    cautions: tuple[str, ...] = ()
    """What makes what is known of the job less than sure."""

    def whole(self, config: Config) -> Config:
        """Return *config* with what the person sets outside of the space."""
        others = {k: text for k, text in self.today.items() if k not in config.arguments}
        properties = {**others, **config.properties}
        return Config(properties=properties, arguments=config.arguments)


def nearest(predictor: Predictor, question: Question) -> list[StudyHistory]:
    """Return the known studies by likeness: of the workload, then data and machine in octaves."""
    here = context_features(question.profile, question.bound.machine, "", question.job)

    def distance(known: tuple[StudyHistory, Mapping[str, float]]) -> tuple[bool, float, str]:
        history, there = known
        total = 0.0
        for name, value in here.items():
            gap = abs(value - there[name])
            total += 2.0 if math.isnan(gap) else gap
        return history.workload != question.workload, total, history.study

    known = zip(predictor.known, predictor.contexts, strict=True)
    return [history for history, _ in sorted(known, key=distance)]


def kept_default(question: Question, considered: int, prediction: Prediction) -> Recommendation:
    """Return the answer that changes nothing, for others to build on.

    Args:
        question: What was asked.
        considered: How many configurations were thought of.
        prediction: Of the baseline, or of the best of them: tells the risk of failure.
    """
    bound = question.bound
    return Recommendation(
        data=question.profile.path if question.profile else None,
        machine=bound.machine,
        profile=question.profile,
        job=question.job,
        workload=question.workload,
        keep_default=True,
        reason="",
        config=bound.baseline,
        baseline=bound.baseline,
        baseline_from=question.baseline_from,
        predicted_speedup=1.0,
        low=1.0,
        high=1.0,
        failure_probability=prediction.failure_probability,
        candidates_considered=considered,
    )


def _never_varied(predictor: Predictor, question: Question) -> list[str]:
    """Return what the person sets, to be faster, that no study learned from ever changed."""
    learned = {setting.name for setting in predictor.card.settings}
    facts = predictor.facts_of(question.bound.machine.spark_version)
    return [
        name
        for name, text in sorted(question.today.items())
        if name not in learned and _MATTERS.match(name)
        if name not in facts or not same_value(text, facts[name].default or "")
    ]


def cautions(predictor: Predictor, question: Question) -> tuple[str, ...]:
    """Say what about the question, data, machine or job makes the answer less sure."""
    machine, card = question.bound.machine, predictor.card
    found = list(predictor.unfamiliar(question.profile, machine))
    found += predictor.untried(question.whole(question.bound.baseline), machine)
    if unknown := _never_varied(predictor, question):
        found.append(f"no study tried {', '.join(unknown)}, which you set")
    if question.profile is None:
        found.append("the data is not known: name it with --data")
    else:
        found += [caution.rstrip(".") for caution in question.profile.cautions]
    found += question.cautions
    if question.job is None:
        found.append("what the job does is not known: give a log of it with --eventlog")
    if question.workload is not None and question.workload not in card.workloads:
        found.append(f"no study of workload '{question.workload}' was learned from")
    versions = {".".join((h.machine.spark_version or "").split(".")[:2]) for h in predictor.known}
    mine = ".".join((machine.spark_version or "").split(".")[:2])
    if mine and versions and mine not in versions:
        found.append(f"no study ran on Spark {mine}")
    return tuple(found)
