"""Ways to pick a configuration for a job that was never tuned, the predictor among others.

Each takes the groups to learn from and the group that was left out, and returns what was measured
in it, best first. A pick of ``baseline`` is "keep your default", a gain of zero.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from autotune.domain import Config
from autotune.predict import Prediction, Predictor, fit
from autotune.predict.features import context_features
from autotune.recommendation.outside import did_well
from autotune.recommendation.ranking import preferred, verdict
from autotune.record import StudyHistory

BASELINE, EXPERT = "baseline", "expert"


@dataclass(frozen=True)
class Group:
    """One group of the corpus: what was measured in it, by a name that all groups share."""

    history: StudyHistory
    configs: dict[str, Config]
    """``baseline``, ``expert`` or the number of a point → configuration; measured ones only."""
    logs: dict[str, float]
    """The same → log(time ÷ baseline); those that failed are missing."""
    noise: float
    """Standard deviation of one measurement, in log(time)."""

    @property
    def best(self) -> float:
        """What the fastest took, as log(time ÷ baseline)."""
        return min(self.logs.values())


Pick = Callable[[Sequence[Group], Group], list[str]]


def default(train: Sequence[Group], group: Group) -> list[str]:
    """Keep what there is."""
    return [BASELINE]


def expert(train: Sequence[Group], group: Group) -> list[str]:
    """Do what the rules say."""
    return [EXPERT, BASELINE]


def best_single(train: Sequence[Group], group: Group) -> list[str]:
    """Take what was best on average elsewhere; a failure counts as twice the time."""
    return _by_mean(train, group, [1.0] * len(train))


def nearest(train: Sequence[Group], group: Group) -> list[str]:
    """Take what was best in the most similar group."""
    near = min(train, key=lambda other: _distance(other, group))
    return _by_mean([near], group, [1.0])


def random_five(train: Sequence[Group], group: Group) -> list[str]:
    """Try five at random."""
    names = sorted(set(group.configs) - {BASELINE})
    random.Random(group.history.study).shuffle(names)
    return names


def forest_on_knobs(train: Sequence[Group], group: Group) -> list[str]:
    """Regress the configuration itself: points of the cube as labels of what was best there."""
    names = sorted({name for each in train for name in each.configs} & set(group.configs))
    contexts = np.array([_context(each) for each in train])
    found = np.array([[float(_best_name(each) == name) for name in names] for each in train])
    model = RandomForestRegressor(n_estimators=100, random_state=0).fit(contexts, found)
    scores = np.atleast_1d(model.predict([_context(group)])[0])
    return [names[place] for place in np.argsort(-scores, kind="stable")]


def predictor_pick(*, with_job: bool = True) -> Pick:
    """Return the predictor as a way to pick, asked with or without the job's profile."""

    def pick(train: Sequence[Group], group: Group) -> list[str]:
        names, told = _told(train, group, with_job=with_job)
        order = preferred(told, [True] * len(names))
        ranked = [names[place] for place in order]
        if _unknown(_fitted(tuple(train)), group, with_job=with_job):
            rules = _fitted(tuple(train)).card.rules
            first = EXPERT if rules is not None and did_well(rules) else BASELINE
        elif verdict(told[order[0]], changed=order[0] != 0)[0]:
            first = BASELINE
        else:
            first = ranked[0]
        return [first, *(name for name in ranked if name != first)]

    return pick


def _unknown(predictor: Predictor, group: Group, *, with_job: bool) -> bool:
    """Whether a group is too far from all that was learned from for the model to be asked."""
    history = group.history
    job = history.job if with_job else None
    return predictor.distance(history.profile, history.machine, job) > 1


def covered(train: Sequence[Group], group: Group) -> list[bool]:
    """Return for each configuration but the baseline whether its interval holds what it took."""
    names, told = _told(train, group, with_job=True)
    return [
        prediction.low <= math.exp(group.logs[name]) <= prediction.high
        for name, prediction in zip(names, told, strict=True)
        if name != BASELINE and name in group.logs
    ]


def _told(
    train: Sequence[Group], group: Group, *, with_job: bool
) -> tuple[list[str], tuple[Prediction, ...]]:
    """Return the names of all configurations, the baseline first, and what is predicted."""
    names = [BASELINE, *sorted(set(group.configs) - {BASELINE})]
    history = group.history
    return names, _fitted(tuple(train)).predict(
        history.profile,
        history.machine,
        [group.configs[name] for name in names],
        baseline=group.configs[BASELINE],
        job=history.job if with_job else None,
    )


_FITTED: dict[tuple[str, ...], Predictor] = {}


def _fitted(train: tuple[Group, ...]) -> Predictor:
    """Learn from groups, once for all ways that ask."""
    key = tuple(each.history.study for each in train)
    if key not in _FITTED:
        _FITTED[key] = fit([each.history for each in train])
    return _FITTED[key]


def measured_once(train: Sequence[Group], group: Group) -> list[str]:
    """Execute everything once more and take the fastest: what noise allows, at best."""
    draw = random.Random(group.history.study)
    told = {
        name: value + (draw.gauss(0, group.noise) if name != BASELINE else 0.0)
        for name, value in sorted(group.logs.items())
    }
    return sorted(told, key=lambda name: told[name])


def _by_mean(train: Sequence[Group], group: Group, weights: Sequence[float]) -> list[str]:
    means = {}
    for name in sorted(group.configs):
        told = [
            (weight, each.logs.get(name, math.log(2)))
            for each, weight in zip(train, weights, strict=True)
            if name in each.configs
        ]
        if told:
            means[name] = sum(w * value for w, value in told) / sum(w for w, _ in told)
    return sorted(means, key=lambda name: means[name])


def _best_name(group: Group) -> str:
    return min(group.logs, key=lambda name: group.logs[name])


def _context(group: Group) -> list[float]:
    history = group.history
    found = context_features(history.profile, history.machine, "", history.job)
    return [0.0 if math.isnan(value) else value for value in found.values()]


def _distance(one: Group, other: Group) -> float:
    return sum(abs(a - b) for a, b in zip(_context(one), _context(other), strict=True))
