"""Rank candidates by what the predictor says, and answer only where it is sure enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from autotune.domain import Config
from autotune.predict import Prediction, Predictor
from autotune.predict.telling import worth
from autotune.recommendation.answer import Change, Recommendation
from autotune.recommendation.candidates import Candidate, candidates, neighbours
from autotune.recommendation.outside import by_rules
from autotune.recommendation.question import (
    SIMILAR,
    Question,
    cautions,
    kept_default,
    nearest,
)
from autotune.space import BoundSpace

MOST_FAILURE = 0.1
"""Accepted probability of failure; somewhat more where the baseline itself is that risky."""
_FAILURE_MARGIN = 0.03
_SPREAD_WEIGHT = 1.0
_UNTRIED = 0.03
"""In log(time): what a model finds by looking at many is partly luck."""
_NO_EFFECT = 0.02
"""Of the time, all changes that are taken back together: far less than can be measured."""
_NO_RISK = 0.01
"""Of failure, likewise."""
_SOURCES = 5
_ROUNDS = 2
_LEADERS = 3
_PER_ROUND = 16


class Oracle(Protocol):
    """Who is asked what to expect of configurations."""

    def ask(self, configs: Sequence[Config]) -> tuple[Prediction, ...]:
        """Return what to expect of each."""


class _PredictorOracle:
    """The predictor, asked about configurations of one question."""

    def __init__(self, predictor: Predictor, question: Question) -> None:
        self._predictor = predictor
        self._question = question
        self._baseline = question.whole(question.bound.baseline)
        self._told: dict[str, Prediction] = {}

    def ask(self, configs: Sequence[Config]) -> tuple[Prediction, ...]:
        question = self._question
        digests = [config.digest for config in configs]
        pairs = zip(digests, configs, strict=True)
        fresh = {digest: config for digest, config in pairs if digest not in self._told}
        answers = self._predictor.predict(
            question.profile,
            question.bound.machine,
            [question.whole(config) for config in fresh.values()],
            baseline=self._baseline,
            workload=question.workload or "",
            job=question.job,
        )
        self._told |= zip(fresh, answers, strict=True)
        return tuple(self._told[digest] for digest in digests)


def rank(predictor: Predictor, question: Question, *, seed: int = 0) -> Recommendation:
    """Recommend a configuration for *question*.

    The best candidate is the one with the least predicted time plus its uncertainty, among those
    that are unlikely to fail. Changes without a predicted effect are taken back. The answer is
    "keep your default" unless so much is predicted that hardly any study lost by it. About what is
    too far from all that was learned from, the model is not asked (``outside.by_rules``).
    """
    if predictor.distance(question.profile, question.bound.machine, question.job) > 1:
        return by_rules(predictor, question)
    oracle = _PredictorOracle(predictor, question)
    bound = question.bound
    near = nearest(predictor, question)
    pool = candidates(
        bound, near[:_SOURCES], question.profile, facts_of=predictor.facts_of, seed=seed
    )
    told = oracle.ask([candidate.config for candidate in pool])
    pool, predictions = _refined(oracle, bound, pool, told, seed=seed)
    best = preferred(predictions, [candidate.tried for candidate in pool])[0]
    config, prediction = pruned(oracle, bound, pool[best].config, predictions[best])
    answer = kept_default(question, len(pool), predictions[0])
    changed = config.digest != bound.baseline.digest
    keep, reason = verdict(prediction, changed=changed, tried=pool[best].tried)
    warned = cautions(predictor, question)
    similar = tuple(history.study for history in near[:SIMILAR])
    update = {"cautions": warned, "similar_studies": similar, "reason": reason}
    if keep:
        telling = changed and worth(math.log(prediction.relative_time))
        promising = _changes(oracle, bound, config, prediction) if telling else ()
        return answer.model_copy(update=update | {"promising": promising})
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


def _refined(
    oracle: _PredictorOracle,
    bound: BoundSpace,
    pool: Sequence[Candidate],
    predictions: Sequence[Prediction],
    *,
    seed: int,
) -> tuple[list[Candidate], list[Prediction]]:
    """Search on the model around the best so far, a few rounds; what it finds joins the pool."""
    found, told = list(pool), list(predictions)
    known = {candidate.config.digest for candidate in found}
    for turn in range(_ROUNDS):
        order = preferred(told, [candidate.tried for candidate in found])[:_LEADERS]
        starts = [found[place].config for place in order]
        around = neighbours(bound, starts, _PER_ROUND, seed=seed + turn + 1)
        fresh = {digest: near for near in around if (digest := near.config.digest) not in known}
        if not fresh:
            break
        known |= set(fresh)
        found += fresh.values()
        told += oracle.ask([near.config for near in fresh.values()])
    return found, told


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


def _without(bound: BoundSpace, config: Config, parts: Sequence[Sequence[str]]) -> list[Config]:
    """Return *config* with some names as the person has them, once for each of *parts*."""
    choices, own = bound.encode(config), bound.encode(bound.baseline)
    found = []
    for names in parts:
        kept = {name: value for name, value in choices.items() if name not in names}
        found.append(bound.decode(kept | {name: own[name] for name in names if name in own}))
    return found


def pruned(
    oracle: Oracle, bound: BoundSpace, config: Config, prediction: Prediction
) -> tuple[Config, Prediction]:
    """Take back the changes that do nothing, least effect first, while the time stays the same.

    What keeps the job from failing stays, and stands in the way of no other.

    Args:
        oracle: who tells what to expect.
        bound: the space of the question.
        config: what is to become shorter.
        prediction: of *config*.

    Returns:
        What is left of it, and what to expect of that.
    """
    names = config.differing(bound.baseline)
    limit = prediction.relative_time * (1 + _NO_EFFECT)
    risk = prediction.failure_probability + _NO_RISK

    def idle(told: Prediction) -> bool:
        return told.relative_time <= limit and told.failure_probability <= risk

    alone = zip(
        names, oracle.ask(_without(bound, config, [[name] for name in names])), strict=True
    )
    spare = sorted((told.relative_time, name) for name, told in alone if idle(told))
    rest = [name for _, name in spare]
    taken: list[str] = []
    found = config, prediction
    while rest:
        parts = [[*taken, *rest[: count + 1]] for count in range(len(rest))]
        shorter = _without(bound, config, parts)
        answers = oracle.ask(shorter)
        good = max((place for place, told in enumerate(answers) if idle(told)), default=-1)
        if good >= 0:
            taken, found = parts[good], (shorter[good], answers[good])
        rest = rest[good + 2 :]  # the first that can't go too stays
    return found


def _changes(
    oracle: _PredictorOracle, bound: BoundSpace, config: Config, prediction: Prediction
) -> tuple[Change, ...]:
    """Name what is different, with its own share of the gain; the largest first."""
    names = config.differing(bound.baseline)
    answers = oracle.ask(_without(bound, config, [[name] for name in names]))
    found = [
        Change(
            name=name,
            was=bound.baseline.value(name),
            now=config.value(name),
            effect=prediction.relative_time / without.relative_time,
            failure_avoided=without.failure_probability - prediction.failure_probability,
            why=bound.space.parameter(name).why.strip(),
        )
        for name, without in zip(names, answers, strict=True)
    ]
    return tuple(sorted(found, key=lambda change: (round(change.effect, 3), change.name)))


def verdict(prediction: Prediction, *, changed: bool, tried: bool = True) -> tuple[bool, str]:
    """Return whether to keep the default, and why.

    What is sure was learned from configurations that had been executed; what was tried nowhere
    has to be better by more.

    Args:
        prediction: Of the best candidate.
        changed: Whether it is another configuration than the default.
        tried: As :func:`preferred` takes it.
    """
    gain = 1 - prediction.relative_time
    if not changed or gain <= 0:
        return True, "nothing is predicted to be faster"
    said = f"{1 / prediction.relative_time:.2f}×"
    if not worth(math.log(prediction.relative_time)):
        return True, f"the best that is predicted, {said}, is within the noise of one execution"
    if prediction.lead <= (0 if tried else _UNTRIED):
        low, high = 1 / prediction.high, 1 / prediction.low
        return True, f"{said} is predicted, but {low:.2f}–{high:.2f}× is what that may mean"
    return False, f"{said} is predicted, and what was as sure elsewhere was hardly ever slower"
