"""Open a study for tuning, and add to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy import URL, text

from autotune.distributions import Choice, distributions
from autotune.domain import SCHEMA_VERSION, Config
from autotune.errors import StudyConflict
from autotune.experiment import Experiment
from autotune.pending import public_execution
from autotune.record import Status, Trial
from autotune.redaction import HIDDEN, Secrets
from autotune.space import Dimension
from autotune.study.lock import study_lock
from autotune.study.reading import (
    CHOICES,
    EXPERIMENT,
    LOST,
    SCHEMA,
    TRIAL,
    read_experiment,
    read_trials,
)
from autotune.study.storage import close_storage, faults, open_storage, parse_url

SESSIONS = "sessions"
"""Study attribute: when it was worked on, by which process, with which budget and seed."""


class Study:
    """A study that this process alone adds to. Made by :func:`open_study`."""

    def __init__(
        self, experiment: Experiment, storage: RDBStorage, study_id: int, url: URL
    ) -> None:
        self.experiment = experiment
        self._secrets = experiment.secrets()
        self._storage = storage
        self._study_id = study_id
        self._url = url
        self._claimed: dict[int, int] = {}
        self._trials = self._recover()

    @property
    def name(self) -> str:
        """The study's name in its storage."""
        return self.experiment.name

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials that were executed to their end, in order of their numbers."""
        return self._trials

    def claim(self) -> int:
        """Return the number of a trial that is about to be executed; Optuna shows it running.

        Raises:
            EnvironmentFault: the storage refuses.
        """
        with faults(self._url):
            trial_id = self._storage.create_new_trial(self._study_id)
            number = self._storage.get_trial_number_from_id(trial_id)
        self._claimed[number] = trial_id
        return number

    def add(
        self, trial: Trial, choices: Mapping[str, Choice], dimensions: Sequence[Dimension]
    ) -> None:
        """Record a trial under the number that was claimed for it.

        The whole trial is written in one transaction before anything else: from then on it is
        not lost. Succeeded trials become COMPLETE with their raw value, those stopped early
        PRUNED, all others FAIL.

        Args:
            trial: What happened.
            choices: The config in the words of the search; inactive parameters are absent.
            dimensions: What the choices were made from.

        Raises:
            EnvironmentFault: the storage refuses; nothing of the trial was recorded.
        """
        trial_id = self._claimed[trial.number]
        stored = _public_trial(self._secrets, trial)
        trial = trial.model_copy(update={"execution": stored.execution})
        described = distributions([d for d in dimensions if d.name in choices])
        params = {
            name: [choices[name], distribution_to_json(distribution)]
            for name, distribution in described.items()
            if not self._quotes_secret(choices[name], distribution_to_json(distribution))
        }
        with faults(self._url):
            self._storage.set_trial_user_attr(trial_id, TRIAL, stored.model_dump(mode="json"))
            self._storage.set_trial_user_attr(trial_id, CHOICES, params)
        del self._claimed[trial.number]
        self._trials = (*self._trials, trial)
        with faults(self._url):
            self._tell(trial_id, trial, params)

    def _recover(self) -> tuple[Trial, ...]:
        """Tell what was recorded but not told, and let go of what was cut off."""
        found = self._storage.get_all_trials(self._study_id, deepcopy=False)
        own = self.experiment.workload.properties
        trials = tuple(
            _with_secrets(trial, own, self._secrets) for trial in read_trials(found, self.name)
        )
        recorded = {trial.number: trial for trial in trials}
        for frozen in found:
            if frozen.state.is_finished():
                continue
            if frozen.number in recorded:
                params = frozen.user_attrs.get(CHOICES, {})
                self._tell(frozen._trial_id, recorded[frozen.number], params)
            else:
                self._storage.set_trial_user_attr(frozen._trial_id, LOST, True)
                self._storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)
        return trials

    def _quotes_secret(self, *texts: object) -> bool:
        return any(HIDDEN in self._secrets.scrub(str(text)) for text in texts)

    def _tell(self, trial_id: int, trial: Trial, params: Mapping[str, Any]) -> None:
        for name, (choice, described) in params.items():
            distribution = json_to_distribution(described)
            try:
                self._storage.set_trial_param(
                    trial_id, name, distribution.to_internal_repr(choice), distribution
                )
            except ValueError:
                # A study keeps to one kind of distribution per name; the record has it all.
                continue
        for name, note in _notes(trial).items():
            self._storage.set_trial_user_attr(trial_id, name, note)
        value = trial.execution.value(self.experiment.objective) if trial.succeeded else None
        if value is not None:
            self._storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [value])
            return
        stopped = trial.execution.status is Status.STOPPED_EARLY
        state = TrialState.PRUNED if stopped else TrialState.FAIL
        self._storage.set_trial_state_values(trial_id, state)


@contextmanager
def open_study(experiment: Experiment, *, storage_url: str, new: bool = False) -> Iterator[Study]:
    """Create the experiment's study or continue it, for this process alone.

    Budget, seed and sampler may differ from last time; the new ones are recorded and used. What
    makes measurements comparable (``experiment.identity``) may not.

    Args:
        experiment: What is tuned; its name is the study's.
        storage_url: ``sqlite:///path`` or ``postgresql://…``.
        new: Set an existing study aside, as ``name.1`` and so on, and begin again.

    Raises:
        InputError: *storage_url* is not a storage.
        StudyConflict: the study means something else, is in use, or is from a newer autotune.
        EnvironmentFault: the storage refuses.
    """
    url = parse_url(storage_url)
    storage = open_storage(url, create=True)
    if storage is None:  # pragma: no cover - only without create
        raise AssertionError
    try:
        with study_lock(storage, url, experiment.name):
            with faults(url):
                if new:
                    _set_aside(storage, experiment.name)
                study_id = _continue_or_create(storage, experiment)
                study = Study(experiment, storage, study_id, url)
            yield study
    finally:
        close_storage(storage)


def _continue_or_create(storage: RDBStorage, experiment: Experiment) -> int:
    known = _studies(storage)
    study_id = known.get(experiment.name)
    if study_id is None:
        study_id = storage.create_new_study([StudyDirection.MINIMIZE], experiment.name)
    stored = read_experiment(storage, study_id, experiment.name)
    if stored is not None:
        _check_same(stored, experiment)
    sessions = storage.get_study_user_attrs(study_id).get(SESSIONS, [])
    session = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "pid": os.getpid(),
        "budget": experiment.budget.model_dump(mode="json"),
        "seed": experiment.seed,
        "sampler": experiment.sampler.value,
    }
    storage.set_study_user_attr(study_id, SESSIONS, [*sessions, session])
    storage.set_study_user_attr(study_id, SCHEMA, SCHEMA_VERSION)
    storage.set_study_user_attr(study_id, EXPERIMENT, _public_experiment(experiment))
    return study_id


def _public_experiment(experiment: Experiment) -> dict[str, Any]:
    """Return what is stored of an experiment: secrets stay with the command that needs them."""
    data = experiment.model_dump(mode="json")
    secrets = experiment.secrets()
    # A space is a file of its own; that of a comparison holds what the person runs today.
    apart = () if experiment.challenger is not None else ("space",)
    return {key: part if key in apart else secrets.scrubbed(part) for key, part in data.items()}


def _public_trial(secrets: Secrets, trial: Trial) -> Trial:
    """Return what is stored of a trial; a property that was blotted out did not apply as shown."""
    config = secrets.scrubbed(trial.config.model_dump(mode="json"))
    return trial.model_copy(
        update={
            "config": Config.model_validate(config),
            "execution": public_execution(secrets, trial.execution),
        }
    )


def _with_secrets(trial: Trial, own: Mapping[str, str], secrets: Secrets) -> Trial:
    """Return a stored trial with the config that was executed: the person's own secrets in it."""
    properties = dict(trial.config.properties)
    for name, value in properties.items():
        if value is not None and HIDDEN in value and name in own:
            shown = secrets.scrubbed({name: own[name]})[name]
            properties[name] = value.replace(shown, own[name])
    config = trial.config.model_copy(update={"properties": properties})
    return trial.model_copy(update={"config": config})


def _check_same(stored: Experiment, experiment: Experiment) -> None:
    before = {**stored.identity, "objective": stored.objective.value}
    now = experiment.secrets().scrubbed(
        {**experiment.identity, "objective": experiment.objective.value}
    )
    changed = [
        f"{key} ({_short(before.get(key))} → {_short(now.get(key))})"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise StudyConflict(
            f"study '{experiment.name}' was made with another {', '.join(changed)}: begin again"
            " with --new (the old study is kept), or use another name"
        )


def _set_aside(storage: RDBStorage, name: str) -> None:
    known = _studies(storage)
    if name not in known:
        return
    count = next(n for n in range(1, len(known) + 2) if f"{name}.{n}" not in known)
    # Optuna has no renaming; one statement can't be left half done, copying could.
    with storage.engine.begin() as connection:
        connection.execute(
            text("UPDATE studies SET study_name = :aside WHERE study_id = :id"),
            {"aside": f"{name}.{count}", "id": known[name]},
        )


def _studies(storage: RDBStorage) -> dict[str, int]:
    return {study.study_name: study._study_id for study in storage.get_all_studies()}


def _notes(trial: Trial) -> dict[str, str | float | bool]:
    """Return what people look for in a list of trials."""
    execution = trial.execution
    known = {
        "purpose": trial.purpose.value,
        "origin": trial.origin.value,
        "status": execution.status.value,
        "cause": execution.shown_cause,
        "reason": (execution.error or "").strip()[-500:] or None,
    }
    return {name: note for name, note in known.items() if note is not None}


def _short(value: str | None) -> str:
    shown = json.dumps(value, ensure_ascii=False) if value is not None else "none"
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
