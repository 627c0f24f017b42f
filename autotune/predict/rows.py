"""Studies as a table to learn from: one row a configuration that a study measured."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from autotune.domain import Config, Objective, digest_of
from autotune.errors import NoUsableResult
from autotune.predict.features import FactsOf, Setting, config_features, context_features, matrix
from autotune.predict.jobs import JOB_KNOWN
from autotune.predict.levels import log_levels
from autotune.record import Cause, PastTrial, Purpose, Status, StudyHistory

OURS = "autotune/"
"""Before the names of the workloads in the corpus: a person may well call theirs `etl` too."""
MIN_STUDIES = 2
MIN_CONFIGS = 6
_MIN_CONFIGS_PER_STUDY = 2


@dataclass(frozen=True)
class Lessons:
    """What one study teaches, seen from its own baseline."""

    history: StudyHistory
    baseline: Config
    log_times: Mapping[str, float]
    """Digest of a configuration → log(time ÷ baseline time)."""
    failures: Mapping[str, float]
    """Digest of a configuration → share of its executions that failed."""
    configs: Mapping[str, Config]

    @property
    def key(self) -> str:
        """Name of the study, and when it began: another may have had its name before."""
        history = self.history
        began = next((t.started_at for t in history.trials if t.started_at is not None), None)
        return f"{history.workload}/{history.study}" + (f"/{began:%Y%m%dT%H%M%S}" if began else "")


@dataclass(frozen=True)
class Table:
    """Rows of all studies, for scikit-learn."""

    features: pd.DataFrame
    log_times: np.ndarray
    """NaN where a configuration only failed."""
    failed: np.ndarray
    """Share of executions that failed."""
    study: np.ndarray
    """Which of ``lessons`` a row belongs to."""
    group: np.ndarray
    """What is left out together in validation."""
    baseline_row: np.ndarray
    """For each row, the row of its study's baseline."""
    grouped_by: str
    """``workload``; ``study`` where all studies are of one workload."""


def digest_histories(histories: Sequence[StudyHistory]) -> tuple[Lessons, ...]:
    """Return what the studies teach, in an order that depends on their names alone.

    Raises:
        NoUsableResult: That is too little; says what is missing.
    """
    found = usable(histories)
    configs = sum(len(lessons.log_times) for lessons in found)
    if len(found) < MIN_STUDIES or configs < MIN_CONFIGS:
        raise NoUsableResult(
            f"too little history: training needs at least {MIN_STUDIES} studies with a measured "
            f"baseline and {MIN_CONFIGS} configurations that succeeded; found {len(histories)} "
            f"studies, {len(found)} of them usable, with {configs} configurations: tune more jobs "
            "or tables with `autotune tune`"
        )
    return tuple(found)


def usable(histories: Sequence[StudyHistory]) -> list[Lessons]:
    """Return what the studies teach, without asking whether it is enough.

    A stream that reads at its own pace takes as long with one configuration as with another:
    studies of how long its micro-batches take teach nothing about times.
    """
    histories = [h for h in histories if h.objective is not Objective.MICROBATCH_P95_S]
    found = [lessons for history in histories if (lessons := _lessons(history)) is not None]
    return sorted(found, key=lambda lessons: lessons.key)


def _lessons(history: StudyHistory) -> Lessons | None:
    baselines = [t for t in history.trials if t.purpose is Purpose.BASELINE]
    if not baselines:
        return None
    baseline = baselines[0].config
    trials: dict[str, list[PastTrial]] = defaultdict(list)
    for trial in history.trials:
        if trial.cause is not Cause.LOST:
            trials[trial.config.digest].append(trial)
    if not any(trial.status is Status.SUCCEEDED for trial in trials[baseline.digest]):
        return None
    logs = log_levels(history.trials)
    if baseline.digest not in logs:
        return None
    own = logs[baseline.digest]
    ended = {d for d, group in trials.items() if any(t.status is Status.SUCCEEDED for t in group)}
    # What was stopped before the baseline's time was up is not known to be slow.
    log_times = {d: log - own for d, log in logs.items() if d in ended or log > own}
    failures = {d: sum(_failed(t) for t in group) / len(group) for d, group in trials.items()}
    if len(log_times) < _MIN_CONFIGS_PER_STUDY:
        return None
    configs = {digest: group[0].config for digest, group in trials.items() if group}
    return Lessons(history, baseline, log_times, failures, configs)


def _failed(trial: PastTrial) -> bool:
    return trial.status in (Status.FAILED, Status.TIMED_OUT)


def digests_of(lesson: Lessons) -> list[str]:
    """Return the configurations of a study in the order of its rows: its baseline first."""
    return [lesson.baseline.digest, *sorted(set(lesson.configs) - {lesson.baseline.digest})]


def tabulate(lessons: Sequence[Lessons], settings: Sequence[Setting], facts_of: FactsOf) -> Table:
    """Make the rows; those of one study follow each other, its baseline first."""
    rows = [row for lesson in lessons for row in feature_rows(lesson, settings, facts_of)]
    times: list[float] = []
    failed, study, baseline_row = [], [], []
    for number, lesson in enumerate(lessons):
        first = len(times)
        for digest in digests_of(lesson):
            times.append(lesson.log_times.get(digest, math.nan))
            failed.append(lesson.failures[digest])
            study.append(number)
            baseline_row.append(first)
    workloads = [kind_of(lessons[i].history) for i in study]
    by_workload = len(set(workloads)) > 1
    names = workloads if by_workload else [str(i) for i in study]
    return Table(
        features=_telling(rows, lessons),
        log_times=np.array(times),
        failed=np.array(failed),
        study=np.array(study),
        group=np.unique(names, return_inverse=True)[1],
        baseline_row=np.array(baseline_row),
        grouped_by="workload" if by_workload else "study",
    )


def feature_rows(
    lesson: Lessons, settings: Sequence[Setting], facts_of: FactsOf
) -> list[dict[str, float]]:
    """Return the features of a study's configurations, in the order of :func:`digests_of`."""
    history = lesson.history
    profile, machine, job = history.profile, history.machine, history.job
    facts = facts_of(machine.spark_version)
    context = context_features(profile, machine, history.workload, job)
    configs = [lesson.configs[digest] for digest in digests_of(lesson)]
    return [
        context | config_features(settings, config, profile, machine, facts, job)
        for config in configs
    ]


def kind_of(history: StudyHistory) -> str:
    """Return what a study is left out with: who tuned one of our jobs has a study of its kind."""
    return history.workload.removeprefix(OURS)


def _telling(rows: Sequence[Mapping[str, float]], lessons: Sequence[Lessons]) -> pd.DataFrame:
    """Leave out what is the same for all: it teaches nothing, and would be drawn among what does.

    Whether the job is known may differ when somebody asks.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    features = pd.DataFrame(matrix(rows, names), columns=names)
    jobs = any(lesson.history.job is not None for lesson in lessons)
    differ = features.nunique(dropna=False) > 1
    return features[[name for name in names if differ[name] or (jobs and name == JOB_KNOWN)]]


def hash_of(lessons: Sequence[Lessons]) -> str:
    """Identify the training set, whatever the order of the studies.

    By what was measured, and by nothing reckoned from it: processors differ in the last digits.
    """
    told = {"machine", "profile", "job", "trials"}
    measured = {x.key: x.history.model_dump(mode="json", include=told) for x in lessons}
    return digest_of(measured)
