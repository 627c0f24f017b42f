"""Learn from studies, and choose the model by what it would have cost to follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autotune.domain import Config
from autotune.predict.card import Margins, ModelCard, Regret, RuleScore, Score
from autotune.predict.failing import fit_failure
from autotune.predict.features import (
    FactsOf,
    Setting,
    config_features,
    context_features,
    matrix,
    settings_of,
)
from autotune.predict.jobs import Knowledge, known_as, told_by_plans
from autotune.predict.known import remembered
from autotune.predict.leaving_out import ask_left_out, folds, taught, versions_of
from autotune.predict.models import REGRESSORS, fitted_on
from autotune.predict.predictor import Predictor
from autotune.predict.reach import Reach, reach_of
from autotune.predict.rows import (
    Lessons,
    Table,
    digest_histories,
    hash_of,
    kind_of,
    tabulate,
    usable,
)
from autotune.predict.scoring import (
    FAILED_RATIO,
    FAILED_SHARE,
    LeftOut,
    margins_of,
    regrets,
    score_of,
)
from autotune.record import Origin, StudyHistory
from autotune.spark.properties import property_facts

_MOST_REFITS = 5
_SAME_REGRET = 0.005
_LEAST_NEAR = 50
_MOST_CUBIC = 4000
_MOST_SLOW = 3000


def fit(
    histories: Sequence[StudyHistory],
    *,
    facts_of: FactsOf = property_facts,
    models: Sequence[str] = tuple(REGRESSORS),
) -> Predictor:
    """Learn log(time ÷ baseline time) from *histories*.

    Several models compete. Whole workloads are left out in turn (whole studies where there is
    one workload only), and the model that costs least to follow, against the best measured
    configuration, wins: first by what it would tell, the default being kept where it is not sure,
    then by all its picks. The error of its predictions only breaks ties.

    Args:
        histories: Studies of any jobs; those that teach nothing are passed over.
        facts_of: What Spark says of its properties, for the defaults of what is unset.
        models: Names of :data:`~autotune.predict.models.REGRESSORS`, from the plainest on.

    Raises:
        NoUsableResult: There is too little history.
    """
    lessons = digest_histories(histories)
    newest = facts_of(max((v for h in histories if (v := h.machine.spark_version)), default=None))
    settings = settings_of((c for x in lessons for c in x.configs.values()), newest)
    table = tabulate(lessons, settings, facts_of)
    targets = _aligned(table, lessons, _common_baselines(lessons, settings, facts_of))
    versions = versions_of(table, lessons, settings, facts_of)
    models = _sensible(models, table, len(versions))
    reach = {told: _reach(lessons, told) for told in versions}
    outside = {told: apart > 1 for told, (_, apart) in reach.items()}
    if Knowledge.PLANS in outside:  # what plans don't tell nobody asks about with plans
        unplanned = [not told_by_plans(lesson.history.job) for lesson in lessons]
        outside[Knowledge.PLANS] |= np.array(unplanned)
    left_out = ask_left_out(models, table, versions, outside, targets)
    contests = {
        told: _contest(table, lessons, {name: left_out[name][told] for name in models})
        for told in versions
    }
    known = ~np.isnan(targets)
    ways = [features.to_numpy() for features in versions.values()]
    shown = taught(ways, known, targets)
    winners = sorted({contest.model for contest in contests.values()})
    fitted = {name: fitted_on(name, *shown) for name in winners}
    prepare = fitted[winners[0]]["prepare"]  # the same for all
    prepared = [prepare.transform(features) for features in ways]
    failure, prior = fit_failure(table, prepared, folds(table))
    card = ModelCard(
        settings=settings,
        columns=tuple(table.features.columns),
        models={told: contest.model for told, contest in contests.items()},
        scores={told: contest.scores for told, contest in contests.items()},
        grouped_by=table.grouped_by,
        margins={told: contest.margins for told, contest in contests.items()},
        failure_prior=prior,
        ranges=_ranges(lessons) | _tried(table, settings),
        reach={told: found for told, (found, _) in reach.items()},
        rules=_rules(lessons),
        workloads=tuple(sorted({x.history.workload for x in lessons})),
        studies=len(lessons),
        configs=int(known.sum()),
        study_regrets=contests[next(iter(versions))].regrets,
        training_hash=hash_of(lessons),
    )
    known = tuple(remembered(lesson.history, lesson.log_times) for lesson in lessons)
    return Predictor(fitted, failure, card, known, facts_of)


@dataclass(frozen=True)
class _Contest:
    """Which model answers one way to ask, and how all of them did."""

    model: str
    scores: dict[str, Score]
    regrets: dict[str, Regret]
    """Of the winner, by the key of a study."""
    margins: Margins


def _contest(
    table: Table, lessons: Sequence[Lessons], left_out: Mapping[str, LeftOut]
) -> _Contest:
    scored = {name: score_of(table, lessons, said) for name, said in left_out.items()}
    scores = {name: score for name, (score, _) in scored.items()}

    def rank(name: str) -> tuple[int, int, float]:
        score = scores[name]
        told, all_picks = (round(x / _SAME_REGRET) for x in (score.told_regret, score.regret))
        return told, all_picks, score.mae_log_time

    model = min(scores, key=rank)
    regrets = dict(zip([lesson.key for lesson in lessons], scored[model][1], strict=True))
    return _Contest(model, scores, regrets, margins_of(table, left_out[model]))


def left_out_regrets(
    keys: Sequence[str], histories: Sequence[StudyHistory], models: Sequence[str]
) -> dict[str, Regret]:
    """Return what a model's picks lose in studies that it did not learn from, by their keys.

    The studies asked about are left out a few at a time; other studies of their workloads are not.

    Args:
        keys: Of the studies to be judged on.
        histories: All studies, these among them.
        models: The kinds of models that compete.
    """
    known = {lesson.key: lesson.history for lesson in usable(histories)}
    found: dict[str, Regret] = {}
    for start in range(min(_MOST_REFITS, len(keys))):
        part = keys[start::_MOST_REFITS]
        rest = [history for key, history in known.items() if key not in part]
        found |= regrets(fit(rest, models=models), [known[key] for key in part])
    return found


def _common_baselines(
    lessons: Sequence[Lessons], settings: Sequence[Setting], facts_of: FactsOf
) -> list[dict[str, float]]:
    """Return, for each study, the features of the most common baseline in that study's place."""
    digests = [x.baseline.digest for x in lessons]
    common = lessons[digests.index(max(sorted(set(digests)), key=digests.count))].baseline
    return [_placed(x, common, settings, facts_of) for x in lessons]


def _placed(
    lesson: Lessons, config: Config, settings: Sequence[Setting], facts_of: FactsOf
) -> dict[str, float]:
    history = lesson.history
    facts = facts_of(history.machine.spark_version)
    profile, machine, job = history.profile, history.machine, history.job
    context = context_features(profile, machine, history.workload, job)
    return context | config_features(settings, config, profile, machine, facts, job)


def _aligned(
    table: Table, lessons: Sequence[Lessons], common: Sequence[dict[str, float]]
) -> np.ndarray:
    """Return log times as seen from one and the same baseline.

    Studies start from different configurations, and times are relative to those. Where a
    study's baseline is not the common one, what lies between the two is predicted by a model
    of the other groups, and added.
    """
    if len({x.baseline.digest for x in lessons}) == 1:
        return table.log_times
    features = table.features.to_numpy()
    own = features[np.unique(table.baseline_row)]
    shared = matrix(common, [str(name) for name in table.features])
    known = ~np.isnan(table.log_times)
    shift = np.zeros(len(lessons))
    for train, test in folds(table):
        rows = train & known
        model = fitted_on("extra_trees", features[rows], table.log_times[rows])
        studies = np.unique(table.study[test])
        shift[studies] = model.predict(own[studies]) - model.predict(shared[studies])
    aligned: np.ndarray = table.log_times + shift[table.study]
    return aligned


def _sensible(models: Sequence[str], table: Table, copies: int) -> list[str]:
    """Leave out neighbours among a few rows, and among many what takes minutes to learn them."""
    known = ~np.isnan(table.log_times)
    rows = int(known.sum())
    least = min(int((train & known).sum()) for train, _ in folds(table))
    fine = {
        "nearest": least >= _LEAST_NEAR,
        "kernel_ridge": rows * copies <= _MOST_CUBIC,
        "forest": rows <= _MOST_SLOW,
        "gradient_boosting": rows <= _MOST_SLOW,
        "blend": rows <= _MOST_SLOW,
    }
    return [name for name in models if fine.get(name, True)] or ["constant"]


def _reach(lessons: Sequence[Lessons], knowledge: Knowledge) -> tuple[Reach, np.ndarray]:
    histories = [lesson.history for lesson in lessons]
    contexts = [
        context_features(h.profile, h.machine, "", known_as(h.job, knowledge)) for h in histories
    ]
    return reach_of(contexts, [kind_of(history) for history in histories])


def _rules(lessons: Sequence[Lessons]) -> RuleScore | None:
    """Return how the expert's rules did; where they failed, they count as twice the time."""
    ratios = []
    for lesson in lessons:
        tried = {t.config.digest for t in lesson.history.trials if t.origin is Origin.EXPERT}
        for digest in sorted(tried & set(lesson.failures)):  # not what was only ended from outside
            if lesson.failures[digest] >= FAILED_SHARE:
                ratios.append(FAILED_RATIO)
            elif digest in lesson.log_times:
                ratios.append(float(np.exp(lesson.log_times[digest])))
    if not ratios:
        return None
    low, median, high = (float(np.quantile(ratios, share)) for share in (0.1, 0.5, 0.9))
    return RuleScore(studies=len(ratios), median=median, low=low, high=high)


def _ranges(lessons: Sequence[Lessons]) -> dict[str, tuple[float, float]]:
    seen: dict[str, list[float]] = {}
    for lesson in lessons:
        history = lesson.history
        for name, value in context_features(history.profile, history.machine, "").items():
            if not np.isnan(value):
                seen.setdefault(name, []).append(value)
    return {name: (min(values), max(values)) for name, values in seen.items()}


def _tried(table: Table, settings: Sequence[Setting]) -> dict[str, tuple[float, float]]:
    """Return between which amounts each setting that holds a number was tried."""
    amounts = [setting.amount for setting in settings if setting.amount is not None]
    columns = {name: table.features[name].dropna() for name in amounts if name in table.features}
    return {
        name: (float(values.min()), float(values.max()))
        for name, values in columns.items()
        if len(values)
    }
