"""What models say of groups that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from autotune.predict.features import FactsOf, Setting, matrix
from autotune.predict.jobs import Knowledge, known_as
from autotune.predict.models import REGRESSORS, ask, preparation
from autotune.predict.rows import Lessons, Table, feature_rows
from autotune.predict.scoring import LeftOut

_MAX_FOLDS = 10
_MOST_SHOWN = 6000


def folds(table: Table) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of masks: rows to learn from, rows to check with; whole groups in either."""
    count = min(_MAX_FOLDS, len(np.unique(table.group)))
    splits = GroupKFold(n_splits=count).split(table.features, groups=table.group)
    found = []
    for _, test in splits:
        mask = np.zeros(len(table.group), dtype=bool)
        mask[test] = True
        found.append((~mask, mask))
    return found


def versions_of(
    table: Table, lessons: Sequence[Lessons], settings: Sequence[Setting], facts_of: FactsOf
) -> dict[Knowledge, pd.DataFrame]:
    """Return the features of the same rows as if less were known of the jobs, most first."""
    if all(lesson.history.job is None for lesson in lessons):
        return {Knowledge.NOTHING: table.features}
    columns = [str(name) for name in table.features]
    found = {Knowledge.LOG: table.features}
    for knowledge in (Knowledge.PLANS, Knowledge.NOTHING):
        rows = [
            row
            for lesson in lessons
            for row in feature_rows(_knowing(lesson, knowledge), settings, facts_of)
        ]
        found[knowledge] = pd.DataFrame(matrix(rows, columns), columns=columns)
    return found


def _knowing(lesson: Lessons, knowledge: Knowledge) -> Lessons:
    job = known_as(lesson.history.job, knowledge)
    return replace(lesson, history=lesson.history.model_copy(update={"job": job}))


def taught(
    versions: Sequence[np.ndarray], chosen: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model is shown: every row as often as there is more or less to know of a job.

    Many who ask know nothing of the job but its data, or its plans; a model that never saw such
    a question would answer for the median of all jobs. Where there are thousands of rows, each is
    shown in one way only, in turn: there are others like it for the other ways.

    Args:
        versions: Features of all rows, once for each way.
        chosen: Which of the rows, a mask.
        targets: Of all rows.
    """
    rows, ways = np.flatnonzero(chosen), len(versions)
    many = len(rows) * ways > _MOST_SHOWN
    parts = [rows[way::ways] if many else rows for way in range(ways)]
    shown = np.vstack([version[part] for version, part in zip(versions, parts, strict=True)])
    return shown, np.concatenate([targets[part] for part in parts])


def ask_left_out(
    models: Sequence[str],
    table: Table,
    versions: Mapping[Knowledge, pd.DataFrame],
    outside: Mapping[Knowledge, np.ndarray],
    targets: np.ndarray,
) -> dict[str, dict[Knowledge, LeftOut]]:
    """Ask models about the groups that each of them had not seen, knowing more or less of them.

    Args:
        models: Their names.
        table: What was measured.
        versions: What is shown, and asked about.
        outside: Of each study, whether it lies too far from all others to be asked about.
        targets: log(time), a row each.
    """
    found = {
        name: {known: LeftOut.blank(outside[known][table.study]) for known in versions}
        for name in models
    }
    measured = ~np.isnan(targets)
    asked = {known: features.to_numpy() for known, features in versions.items()}
    for train, test in folds(table):
        shown, answers = taught(list(asked.values()), train & measured, targets)
        prepare = preparation().fit(shown)
        seen = prepare.transform(shown)
        # A study's rows are all left out, or none of them: its baseline is among them.
        reference = np.searchsorted(np.flatnonzero(test), table.baseline_row[test])
        for name in models:
            model = REGRESSORS[name]().fit(seen, answers)
            for known, features in asked.items():
                unseen = prepare.transform(features[test])
                left_out = found[name][known]
                left_out.logs[test], left_out.spread[test] = ask(model, unseen, reference)
    return {
        name: {known: part.relative_to(table.baseline_row) for known, part in parts.items()}
        for name, parts in found.items()
    }
