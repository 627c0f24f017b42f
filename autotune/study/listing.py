"""Look at studies without touching them: no lock, nothing written."""

from __future__ import annotations

from datetime import datetime

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from autotune import noise
from autotune.domain import Objective, Value
from autotune.errors import InputError, StudyConflict
from autotune.experiment import Experiment
from autotune.record import Trial
from autotune.study.reading import EXPERIMENT, read_experiment, read_trials
from autotune.study.storage import close_storage, faults, open_storage, parse_url, shown


class StudyInfo(Value):
    """One line about a study."""

    name: str
    workload: str = ""
    data: str | None = None
    objective: Objective = Objective.DURATION_S
    trials: int = 0
    failed: int = 0
    baseline: float | None = None
    """Median objective of the baseline, in the objective's unit."""
    best: float | None = None
    """Lowest median objective of any config: what was seen, not what is claimed."""
    started_at: datetime | None = None
    problem: str | None = None
    """Why it can't be read."""


class StudyRecord(Value):
    """One study as it is stored."""

    name: str
    experiment: Experiment
    trials: tuple[Trial, ...]


def list_studies(storage_url: str) -> tuple[StudyInfo, ...]:
    """Return one line about every study, by name; none where there is no storage yet.

    Raises:
        InputError: *storage_url* is not a storage.
        EnvironmentFault: the storage refuses.
    """
    url = parse_url(storage_url)
    storage = open_storage(url, create=False)
    if storage is None:
        return ()
    try:
        with faults(url):
            found = sorted(storage.get_all_studies(), key=lambda study: study.study_name)
            return tuple(
                _info(storage, study._study_id, study.study_name)
                for study in found
                if EXPERIMENT in study.user_attrs
            )
    finally:
        close_storage(storage)


def load_study(storage_url: str, name: str) -> StudyRecord:
    """Return the experiment and all trials of the study *name*.

    Raises:
        InputError: there is no such study.
        StudyConflict: it was recorded by a newer autotune, or by something else.
        EnvironmentFault: the storage refuses.
    """
    url = parse_url(storage_url)
    storage = open_storage(url, create=False)
    if storage is None:
        raise InputError(_unknown(shown(url), name, []))
    try:
        with faults(url):
            known = {study.study_name: study._study_id for study in storage.get_all_studies()}
            if name not in known:
                raise InputError(_unknown(shown(url), name, sorted(known)))
            experiment = read_experiment(storage, known[name], name)
            if experiment is None:
                raise InputError(f"study '{name}' is empty: nothing was measured in it")
            trials = read_trials(_all_trials(storage, known[name]), name)
            return StudyRecord(name=name, experiment=experiment, trials=trials)
    finally:
        close_storage(storage)


def _all_trials(storage: RDBStorage, study_id: int) -> list[FrozenTrial]:
    return storage.get_all_trials(study_id, deepcopy=False)


def _info(storage: RDBStorage, study_id: int, name: str) -> StudyInfo:
    found = _all_trials(storage, study_id)
    started_at = min((t.datetime_start for t in found if t.datetime_start), default=None)
    try:
        experiment = read_experiment(storage, study_id, name)
        trials = read_trials(found, name)
    except StudyConflict as conflict:
        return StudyInfo(name=name, started_at=started_at, problem=str(conflict))
    if experiment is None:
        return StudyInfo(name=name)
    best = noise.best(noise.candidates(trials, experiment.objective))
    return StudyInfo(
        name=name,
        workload=experiment.workload.name,
        data=experiment.workload.data,
        objective=experiment.objective,
        trials=len(trials),
        failed=sum(not trial.succeeded for trial in trials),
        baseline=noise.baseline_value(trials, experiment.objective),
        best=best.value if best else None,
        started_at=started_at,
    )


def _unknown(where: str, name: str, known: list[str]) -> str:
    rest = f"there are {', '.join(known[:8])}" if known else "there is none yet"
    return f"no study '{name}' in {where}: {rest}; see 'autotune list'"
