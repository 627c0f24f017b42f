"""Learn from studies, and choose the model by what it would have cost to follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from autotune.domain import Config
from autotune.predict.failing import fit_failure
from autotune.predict.features import (
    FactsOf,
    Setting,
    config_features,
    context_features,
    matrix,
    settings_of,
)
from autotune.predict.known import remembered
from autotune.predict.models import (
    REGRESSORS,
    ask,
    fitted_on,
    preparation,
)
from autotune.predict.predictor import ModelCard, Predictor, RuleScore
from autotune.predict.reach import Reach, reach_of
from autotune.predict.rows import Lessons, Table, digest_histories, hash_of, tabulate
from autotune.predict.scoring import LeftOut, residual_interval, score_of
from autotune.record import Origin, StudyHistory
from autotune.spark.properties import property_facts

_MAX_FOLDS = 10
_SAME_REGRET = 0.005
_LEAST_NEAR = 50
_MOST_CUBIC = 1500
_MOST_SLOW = 3000


def fit(
    histories: Sequence[StudyHistory],
    *,
    facts_of: FactsOf = property_facts,
    models: Sequence[str] = tuple(REGRESSORS),
) -> Predictor:
    """Learn log(time ÷ baseline time) from *histories*.

    Several models compete. Whole workloads are left out in turn (whole studies where there is
    one workload only), and the model whose picks lose least against the best measured
    configuration wins; the error of its predictions only breaks ties.

    Args:
        histories: Studies of any jobs; those that teach nothing are passed over.
        facts_of: What Spark says of its properties, for the defaults of what is unset.
        models: Names of :data:`~autotune.predict.models.REGRESSORS`, from the plainest on.

    Raises:
        NoUsableResult: There is too little history.
    """
    lessons = digest_histories(histories)
    models = _sensible(models, sum(len(lesson.configs) for lesson in lessons))
    newest = facts_of(max((v for h in histories if (v := h.machine.spark_version)), default=None))
    settings = settings_of((c for x in lessons for c in x.configs.values()), newest)
    table = tabulate(lessons, settings, facts_of)
    targets = _aligned(table, lessons, _common_baselines(lessons, settings, facts_of))
    bare = _without_jobs(table, lessons, settings, facts_of)
    left_out = _left_out(models, table, bare, targets)
    scored = {name: score_of(table, left_out[name].logs) for name in models}
    scores = {name: score for name, (score, _) in scored.items()}
    chosen = min(
        models, key=lambda n: (round(scores[n].regret / _SAME_REGRET), scores[n].mae_log_time)
    )
    known = ~np.isnan(targets)
    fitted = fitted_on(chosen, *_taught(table.features, bare, known, targets))
    prepared = fitted["prepare"].transform(table.features.to_numpy())
    failure, prior = fit_failure(table, prepared, _folds(table))
    low, high = residual_interval(table, left_out[chosen])
    card = ModelCard(
        settings=settings,
        columns=tuple(table.features.columns),
        model=chosen,
        scores=scores,
        grouped_by=table.grouped_by,
        residual_low=low,
        residual_high=high,
        failure_prior=prior,
        ranges=_ranges(lessons),
        reach=_reach(lessons),
        rules=_rules(lessons),
        workloads=tuple(sorted({x.history.workload for x in lessons})),
        studies=len(lessons),
        configs=int(known.sum()),
        study_regrets=dict(zip([x.key for x in lessons], scored[chosen][1], strict=True)),
        training_hash=hash_of(lessons),
    )
    known = tuple(remembered(lesson.history) for lesson in lessons)
    return Predictor(fitted, failure, card, known, facts_of)


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
    own = table.features.to_numpy()[np.unique(table.baseline_row)]
    shared = matrix(common, list(table.features))
    known = ~np.isnan(table.log_times)
    shift = np.zeros(len(lessons))
    for train, test in _folds(table):
        rows = train & known
        model = fitted_on("extra_trees", table.features[rows], table.log_times[rows])
        studies = np.unique(table.study[test])
        shift[studies] = model.predict(own[studies]) - model.predict(shared[studies])
    aligned: np.ndarray = table.log_times + shift[table.study]
    return aligned


def _folds(table: Table) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of masks: rows to learn from, rows to check with; whole groups in either."""
    count = min(_MAX_FOLDS, len(np.unique(table.group)))
    splits = GroupKFold(n_splits=count).split(table.features, groups=table.group)
    folds = []
    for _, test in splits:
        mask = np.zeros(len(table.group), dtype=bool)
        mask[test] = True
        folds.append((~mask, mask))
    return folds


def _sensible(models: Sequence[str], rows: int) -> list[str]:
    """Leave out neighbours among a few rows, and among many what takes minutes to learn them."""
    fine = {
        "nearest": rows >= _LEAST_NEAR,
        "gaussian_process": rows <= _MOST_CUBIC,
        "forest": rows <= _MOST_SLOW,
        "gradient_boosting": rows <= _MOST_SLOW,
        "blend": rows <= _MOST_SLOW,
    }
    return [name for name in models if fine.get(name, True)]


def _without_jobs(
    table: Table, lessons: Sequence[Lessons], settings: Sequence[Setting], facts_of: FactsOf
) -> pd.DataFrame | None:
    """Return the features of the same rows as if no job's profile were known."""
    if all(lesson.history.job is None for lesson in lessons):
        return None
    unknown = [
        replace(lesson, history=lesson.history.model_copy(update={"job": None}))
        for lesson in lessons
    ]
    found = tabulate(unknown, settings, facts_of).features
    return found.reindex(columns=table.features.columns)


def _taught(
    features: pd.DataFrame, bare: pd.DataFrame | None, rows: np.ndarray, targets: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return what a model is shown: every row with its job, and once more without.

    Many who ask know nothing of the job but its data; a model that never saw such a question
    would answer for the median of all jobs.
    """
    if bare is None:
        return features[rows], targets[rows]
    return pd.concat([features[rows], bare[rows]]), np.tile(targets[rows], 2)


def _left_out(
    models: Sequence[str], table: Table, bare: pd.DataFrame | None, targets: np.ndarray
) -> dict[str, LeftOut]:
    """Ask models about the groups that each of them had not seen."""
    predicted = {name: np.zeros(len(targets)) for name in models}
    spreads = {name: np.zeros(len(targets)) for name in models}
    known = ~np.isnan(targets)
    for train, test in _folds(table):
        shown, answers = _taught(table.features, bare, train & known, targets)
        prepare = preparation().fit(shown.to_numpy())
        seen, unseen = (prepare.transform(f.to_numpy()) for f in (shown, table.features[test]))
        for name in models:
            model = REGRESSORS[name]().fit(seen, answers)
            # A study's rows are all left out, or none of them: its baseline is among them.
            reference = np.searchsorted(np.flatnonzero(test), table.baseline_row[test])
            predicted[name][test], spreads[name][test] = ask(model, unseen, reference)
    return {
        name: LeftOut(logs - logs[table.baseline_row], spreads[name])
        for name, logs in predicted.items()
    }


def _reach(lessons: Sequence[Lessons]) -> Reach:
    histories = [lesson.history for lesson in lessons]
    contexts = [context_features(h.profile, h.machine, "", h.job) for h in histories]
    return reach_of(contexts, [history.workload for history in histories])


def _rules(lessons: Sequence[Lessons]) -> RuleScore | None:
    ratios = []
    for lesson in lessons:
        tried = {t.config.digest for t in lesson.history.trials if t.origin is Origin.EXPERT}
        ratios += [np.exp(lesson.log_times[d]) for d in sorted(tried) if d in lesson.log_times]
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
