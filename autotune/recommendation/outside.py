"""The answer to what is too far from all that was learned from: rules, or nothing."""

from __future__ import annotations

from autotune.domain import Config
from autotune.expert import expert_config, expert_rules
from autotune.predict import Prediction, Predictor, RuleScore
from autotune.predict.telling import SMALLEST_GAIN
from autotune.recommendation.answer import Change, Recommendation
from autotune.recommendation.question import (
    SIMILAR,
    Question,
    cautions,
    kept_default,
    nearest,
)
from autotune.space import same_value


def by_rules(predictor: Predictor, question: Question) -> Recommendation:
    """Recommend what the expert's rules say, if these did no harm where they were tried."""
    bound, rules = question.bound, predictor.card.rules
    near = nearest(predictor, question)[:SIMILAR]
    config = expert_config(bound, question.profile)
    unknown = "this is unlike all that was learned from"
    prior = predictor.card.failure_prior
    unmoved = Prediction(relative_time=1.0, low=1.0, high=1.0, failure_probability=prior)
    answer = kept_default(question, 2, unmoved).model_copy(
        update={
            "outside": True,
            "cautions": cautions(predictor, question),
            "similar_studies": tuple(history.study for history in near),
        }
    )
    if rules is None or not did_well(rules):
        return answer.model_copy(update={"reason": f"{unknown}: measure with `autotune tune`"})
    if config.digest == bound.baseline.digest:
        reason = f"{unknown}, and it is what the rules of Spark's own guides say"
        return answer.model_copy(update={"reason": reason})
    brought = f"what they brought in {rules.studies} studies of other jobs"
    facts = predictor.facts_of(bound.machine.spark_version)
    named = [rule.property for rule in expert_rules(bound, question.profile)]
    own = any(
        (text := question.today.get(name)) is not None
        and text == config.value(name)
        and not (name in facts and same_value(text, facts[name].default or ""))
        for name in named
    )
    gain = "is not known, since you keep some of them already" if own else f"is {brought}"
    return answer.model_copy(
        update={
            "keep_default": False,
            "reason": f"{unknown}, so these are the rules of Spark's own guides; the gain {gain}",
            "config": config,
            "predicted_speedup": 1.0 if own else 1 / rules.median,
            "low": min(1.0, 1 / rules.high) if own else 1 / rules.high,
            "high": 1 / rules.low,
            "changes": _changes(question, config),
            "origin": "expert rules",
        }
    )


def _changes(question: Question, config: Config) -> tuple[Change, ...]:
    """Name all that is different, also what had to give way to a rule."""
    bound = question.bound
    reasons = {rule.property: rule.reason for rule in expert_rules(bound, question.profile)}
    return tuple(
        Change(
            name=name,
            was=bound.baseline.value(name),
            now=config.value(name),
            effect=1.0,
            why=reasons.get(name, bound.space.parameter(name).why.strip()),
        )
        for name in config.differing(bound.baseline)
    )


def did_well(rules: RuleScore) -> bool:
    """Whether the expert's rules gained where they were tried, and hardly ever lost."""
    return rules.median <= 1 - SMALLEST_GAIN and rules.high <= 1 + SMALLEST_GAIN
