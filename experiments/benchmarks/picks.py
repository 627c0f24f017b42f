"""Ways to pick a configuration for a job that was never tuned, the predictor among others.

Each takes the groups to learn from and the group that was left out, and returns what was measured
in it, best first. A first pick of ``baseline`` is "keep your default", a gain of zero.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import qmc
from sklearn.ensemble import RandomForestRegressor

from autotune.domain import Config
from autotune.predict import Prediction, Predictor, fit
from autotune.predict.features import context_features
from autotune.predict.jobs import Knowledge, known_as, told_by_plans
from autotune.recommendation.outside import did_well
from autotune.recommendation.ranking import preferred, verdict
from autotune.record import StudyHistory
from autotune.spacefile import load_space

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))

from groups import POINTS, SEED

BASELINE, EXPERT = "baseline", "expert"
NEAREST = 3
BEST = 3
FAILED_COST = math.log(2)


@dataclass(frozen=True)
class Group:
    """One group of the corpus: what was measured in it, by a name that all groups share."""

    history: StudyHistory
    configs: Mapping[str, Config]
    """``baseline``, ``expert`` or the number of a point → configuration, all that were tried."""
    logs: Mapping[str, float]
    """The same → log(time ÷ baseline); what failed costs as much as the slowest, or twice."""
    failed: frozenset[str]
    runs: Mapping[str, int]
    """How often each was measured."""
    noise: float
    """Standard deviation of one measurement, in log(time)."""

    @property
    def best(self) -> float:
        """What the fastest took, as log(time ÷ baseline)."""
        return min(self.logs.values())


@dataclass(frozen=True)
class Choice:
    """What one way would try, in that order, and what it expects of each."""

    order: list[str]
    expected: Mapping[str, float] | None = None


Pick = Callable[[Sequence[Group], Group], Choice]


def default(train: Sequence[Group], group: Group) -> Choice:
    """Keep what there is."""
    return Choice([BASELINE])


def expert(train: Sequence[Group], group: Group) -> Choice:
    """Do what the rules say."""
    return Choice([EXPERT])


def best_single(train: Sequence[Group], group: Group) -> Choice:
    """Take what was best on average elsewhere."""
    return _by_mean(train, group)


def nearest(train: Sequence[Group], group: Group) -> Choice:
    """Take what was best on average in the most similar groups."""
    contexts = np.array([_context(each) for each in [*train, group]])
    scale = np.maximum(np.nanstd(contexts[:-1], axis=0), 0.25)
    gaps = np.sqrt(np.nanmean(((contexts[:-1] - contexts[-1]) / scale) ** 2, axis=1))
    return _by_mean([train[place] for place in np.argsort(gaps)[:NEAREST]], group)


def shuffled(group: Group, seed: int) -> Choice:
    """Try them in any order."""
    names = sorted(set(group.configs) - {BASELINE})
    random.Random(f"{group.history.study}/{seed}").shuffle(names)
    return Choice(names)


def forest_on_knobs(train: Sequence[Group], group: Group) -> Choice:
    """Predict the best value of every parameter; take what was measured nearest to that."""
    cube = unit_points()
    contexts = np.nan_to_num(np.array([_context(each) for each in train]))
    wanted = np.array([_best_place(each, cube) for each in train])
    model = RandomForestRegressor(n_estimators=100, random_state=0).fit(contexts, wanted)
    found = model.predict(np.nan_to_num(np.array([_context(group)])))[0]
    names = [name for name in cube if name in group.configs]
    return Choice(sorted(names, key=lambda name: float(np.sum((cube[name] - found) ** 2))))


def ours(
    knowledge: Knowledge = Knowledge.LOG,
    models: Sequence[str] | None = None,
    *,
    tried: bool = True,
) -> Pick:
    """Return the predictor as a way to pick, asked with more or less known of the job.

    Args:
        knowledge: Of the job.
        models: Those that compete; ``None``: all.
        tried: Whether what is picked from was executed for other jobs.
    """

    def pick(train: Sequence[Group], group: Group) -> Choice:
        predictor = fitted(train, models)
        names, told = told_of(predictor, group, knowledge)
        order = preferred(told, [tried] * len(names))
        ranked = [names[place] for place in order]
        history = group.history
        job = known_as(history.job, knowledge)
        if knowledge is Knowledge.PLANS and not told_by_plans(history.job):
            first = BASELINE  # nobody can ask
        elif predictor.distance(history.profile, history.machine, job) > 1:
            rules = predictor.card.rules
            follow = rules is not None and did_well(rules) and EXPERT in names
            first = EXPERT if follow else BASELINE
        elif verdict(told[order[0]], changed=order[0] != 0, tried=tried)[0]:
            first = BASELINE
        else:
            first = ranked[0]
        expected = {name: p.relative_time for name, p in zip(names, told, strict=True)}
        return Choice([first, *(name for name in ranked if name != first)], expected)

    return pick


def covered(predictor: Predictor, group: Group, knowledge: Knowledge) -> list[bool]:
    """Return for each configuration but the baseline whether its interval holds what it took."""
    names, told = told_of(predictor, group, knowledge)
    return [
        prediction.low <= math.exp(group.logs[name]) <= prediction.high
        for name, prediction in zip(names, told, strict=True)
        if name != BASELINE and name not in group.failed
    ]


def told_of(
    predictor: Predictor, group: Group, knowledge: Knowledge
) -> tuple[list[str], tuple[Prediction, ...]]:
    """Return the names of all configurations, the baseline first, and what is predicted."""
    names = [BASELINE, *sorted(set(group.configs) - {BASELINE})]
    history = group.history
    return names, predictor.predict(
        history.profile,
        history.machine,
        [group.configs[name] for name in names],
        baseline=group.configs[BASELINE],
        job=known_as(history.job, knowledge),
    )


_FITTED: dict[tuple[object, ...], Predictor] = {}


def fitted(train: Sequence[Group], models: Sequence[str] | None = None) -> Predictor:
    """Learn from groups, once for all ways that ask."""
    trials = tuple((each.history.study, len(each.history.trials)) for each in train)
    key = (trials, None if models is None else tuple(models))
    if key not in _FITTED:
        histories = [each.history for each in train]
        _FITTED[key] = fit(histories) if models is None else fit(histories, models=models)
    return _FITTED[key]


def unit_points() -> dict[str, np.ndarray]:
    """Return the points of the plan by name, as coordinates that all groups share."""
    size = len(load_space("default").parameters)
    points = qmc.Sobol(size, scramble=True, rng=SEED).random(POINTS)
    return {f"{number:02d}": point for number, point in enumerate(points)}


def _best_place(group: Group, cube: Mapping[str, np.ndarray]) -> np.ndarray:
    names = sorted((n for n in cube if n in group.logs), key=lambda name: group.logs[name])
    found: np.ndarray = np.mean([cube[name] for name in names[:BEST]], axis=0)
    return found


def _by_mean(train: Sequence[Group], group: Group) -> Choice:
    means = {}
    for name in sorted(group.configs):
        told = [each.logs[name] for each in train if name in each.logs]
        if told:
            means[name] = sum(told) / len(told)
    return Choice(sorted(means, key=lambda name: means[name]), means)


def _context(group: Group) -> list[float]:
    history = group.history
    return list(context_features(history.profile, history.machine, "", history.job).values())
