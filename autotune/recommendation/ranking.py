"""Rank candidates by what the predictor says, and answer only where it is sure enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotune.domain import Config, DatasetProfile, WorkloadProfile
from autotune.predict import Prediction, Predictor
from autotune.predict.features import context_features
from autotune.recommendation.answer import Change, Recommendation
from autotune.recommendation.candidates import Candidate, candidates
from autotune.record import StudyHistory
from autotune.space import BoundSpace

MOST_FAILURE = 0.1
"""Accepted probability of failure; somewhat more where the baseline itself is that risky."""
_FAILURE_MARGIN = 0.03
_SPREAD_WEIGHT = 1.0
_UNTRIED = 0.03
"""In log(time): what a model finds by looking at many is partly luck."""
_SMALLEST_GAIN = 0.03
"""Less than this can't be told from noise on any machine."""
_NO_EFFECT = 0.005
_SIMILAR = 3
_SOURCES = 5


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


class _Oracle:
    """The predictor, asked about configurations of one question."""

    def __init__(self, predictor: Predictor, question: Question) -> None:
        self._predictor = predictor
        self._question = question
        self._baseline = self._complete(question.bound.baseline)

    def ask(self, configs: Sequence[Config]) -> tuple[Prediction, ...]:
        question = self._question
        return self._predictor.predict(
            question.profile,
            question.bound.machine,
            [self._complete(config) for config in configs],
            baseline=self._baseline,
            workload=question.workload or "",
            job=question.job,
        )

    def _complete(self, config: Config) -> Config:
        properties = {**self._question.today, **config.properties}
        return Config(properties=properties, arguments=config.arguments)


def rank(
    predictor: Predictor, question: Question, histories: Sequence[StudyHistory], *, seed: int = 0
) -> Recommendation:
    """Recommend a configuration for *question*.

    The best candidate is the one with the least predicted time plus its uncertainty, among those
    that are unlikely to fail. Changes without a predicted effect are taken back. The answer is
    "keep your default" unless the whole interval of the gain lies above no gain.
    """
    oracle = _Oracle(predictor, question)
    bound = question.bound
    near = nearest(histories, question)
    pool = candidates(
        bound, near[:_SOURCES], question.profile, facts_of=predictor.facts_of, seed=seed
    )
    predictions = oracle.ask([candidate.config for candidate in pool])
    best = preferred(predictions, [candidate.tried for candidate in pool])[0]
    config, prediction = _pruned(oracle, bound, pool[best].config, predictions[best])
    answer = _kept(question, pool, prediction)
    keep, reason = verdict(prediction, changed=config.digest != bound.baseline.digest)
    cautions = _cautions(predictor, question, histories)
    similar = tuple(history.study for history in near[:_SIMILAR])
    update = {"cautions": cautions, "similar_studies": similar, "reason": reason}
    if keep:
        return answer.model_copy(update=update)
    gained = {
        "keep_default": False,
        "config": config,
        "predicted_speedup": 1 / prediction.relative_time,
        "low": 1 / prediction.high,
        "high": 1 / prediction.low,
        "failure_probability": prediction.failure_probability,
        "changes": _changes(oracle, bound, config, prediction),
        "origin": pool[best].origin,
    }
    return answer.model_copy(update=update | gained)


def nearest(histories: Sequence[StudyHistory], question: Question) -> list[StudyHistory]:
    """Return the studies by likeness: same workload first, then data and machine in octaves."""
    here = context_features(question.profile, question.bound.machine, "", question.job)

    def distance(history: StudyHistory) -> tuple[bool, float, str]:
        there = context_features(history.profile, history.machine, "", history.job)
        total = 0.0
        for name, value in here.items():
            other = there[name]
            if isinstance(value, float) and isinstance(other, float):
                total += 2.0 if math.isnan(value) or math.isnan(other) else abs(value - other)
        return history.workload != question.workload, total, history.study

    return sorted(histories, key=distance)


def preferred(predictions: Sequence[Prediction], tried: Sequence[bool]) -> list[int]:
    """Return the places of candidates, the best first; the baseline's prediction is the first.

    What was tried nowhere has to be better by more than a little, what is likely to fail comes
    after all else.

    Args:
        predictions: Of each candidate.
        tried: Whether it did well somewhere, or is what people who know Spark would set.
    """
    allowed = max(MOST_FAILURE, predictions[0].failure_probability + _FAILURE_MARGIN)

    def cost(place: int) -> float:
        prediction = predictions[place]
        if place and prediction.failure_probability > allowed:
            return math.inf
        doubt = _SPREAD_WEIGHT * prediction.spread + (0 if tried[place] else _UNTRIED)
        return round(math.log(prediction.relative_time) + doubt, 3)

    return sorted(range(len(predictions)), key=cost)


def _changed(config: Config, baseline: Config) -> list[str]:
    mine, theirs = ({**c.properties, **c.arguments} for c in (config, baseline))
    return sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))


def _without(bound: BoundSpace, config: Config, names: Sequence[str]) -> Config:
    """Return *config* with *names* as the person has them."""
    choices, own = bound.encode(config), bound.encode(bound.baseline)
    kept = {name: value for name, value in choices.items() if name not in names}
    return bound.decode(kept | {name: own[name] for name in names if name in own})


def _pruned(
    oracle: _Oracle, bound: BoundSpace, config: Config, prediction: Prediction
) -> tuple[Config, Prediction]:
    """Take back the changes that do nothing, least effect first, while the time stays the same."""
    names = _changed(config, bound.baseline)
    if not names:
        return config, prediction
    alone = oracle.ask([_without(bound, config, [name]) for name in names])
    effects = dict(zip(names, alone, strict=True))
    order = sorted(names, key=lambda name: (effects[name].relative_time, name))
    shorter = [_without(bound, config, order[: count + 1]) for count in range(len(order))]
    limit = prediction.relative_time * (1 + _NO_EFFECT)
    risk = prediction.failure_probability + 0.01
    for candidate, told in reversed(list(zip(shorter, oracle.ask(shorter), strict=True))):
        if told.relative_time <= limit and told.failure_probability <= risk:
            return candidate, told
    return config, prediction


def _changes(
    oracle: _Oracle, bound: BoundSpace, config: Config, prediction: Prediction
) -> tuple[Change, ...]:
    """Name what is different, with its own share of the gain; the largest first."""
    names = _changed(config, bound.baseline)
    answers = oracle.ask([_without(bound, config, [name]) for name in names])
    mine = {**config.properties, **config.arguments}
    theirs = {**bound.baseline.properties, **bound.baseline.arguments}
    found = [
        Change(
            name=name,
            was=theirs.get(name),
            now=mine.get(name),
            effect=prediction.relative_time / without.relative_time,
            failure_avoided=without.failure_probability - prediction.failure_probability,
            why=bound.space.parameter(name).why.strip(),
        )
        for name, without in zip(names, answers, strict=True)
    ]
    return tuple(sorted(found, key=lambda change: (round(change.effect, 3), change.name)))


def verdict(prediction: Prediction, *, changed: bool) -> tuple[bool, str]:
    """Return whether to keep the default, and why.

    Args:
        prediction: Of the best candidate.
        changed: Whether it is another configuration than the default.
    """
    gain = 1 - prediction.relative_time
    if not changed or gain <= 0:
        return True, "nothing is predicted to be faster"
    said = f"{1 / prediction.relative_time:.2f}×"
    if gain < _SMALLEST_GAIN:
        return True, f"the best that is predicted, {said}, is within the noise of one execution"
    if prediction.high >= 1:
        low, high = 1 / prediction.high, 1 / prediction.low
        return True, f"{said} is predicted, but {low:.2f}–{high:.2f}× is what that may mean"
    return False, f"{said} is predicted, and the whole interval lies above no gain"


def _kept(question: Question, pool: Sequence[Candidate], prediction: Prediction) -> Recommendation:
    """Return the answer that changes nothing, for others to build on."""
    bound = question.bound
    return Recommendation(
        data=question.profile.path if question.profile else None,
        machine=bound.machine,
        profile=question.profile,
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
        candidates_considered=len(pool),
    )


def _cautions(
    predictor: Predictor, question: Question, histories: Sequence[StudyHistory]
) -> tuple[str, ...]:
    machine, card = question.bound.machine, predictor.card
    found = list(predictor.unfamiliar(question.profile, machine))
    if question.profile is None:
        found.append("the data is not known: name it with --data")
    if question.workload is None:
        found.append("which job will run is not known: name it with --workload")
    elif question.workload not in card.workloads:
        found.append(f"no study of workload '{question.workload}' was learned from")
    versions = {".".join((h.machine.spark_version or "").split(".")[:2]) for h in histories}
    mine = ".".join((machine.spark_version or "").split(".")[:2])
    if mine and histories and mine not in versions:
        found.append(f"no study ran on Spark {mine}")
    return tuple(found)
