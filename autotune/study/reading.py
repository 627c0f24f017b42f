"""Read experiments and trials back from Optuna's records; refuse what can't be understood."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from pydantic import ValidationError

from autotune.domain import SCHEMA_VERSION, Value
from autotune.errors import StudyConflict
from autotune.experiment import Experiment
from autotune.record import Trial

EXPERIMENT = "experiment"
SCHEMA = "schema_version"
TRIAL = "trial"
CHOICES = "choices"
LOST = "lost"
"""Set on a trial whose execution was cut off with its tuner: it does not count."""

Record = TypeVar("Record", bound=Value)


def read_experiment(storage: RDBStorage, study_id: int, name: str) -> Experiment | None:
    """Return the stored experiment; ``None`` for a study that nothing was written to.

    Raises:
        StudyConflict: it was made by something else, or by a newer autotune.
    """
    stored = storage.get_study_user_attrs(study_id).get(EXPERIMENT)
    if stored is not None:
        return _parse(Experiment, stored, f"study '{name}'")
    if storage.get_all_trials(study_id, deepcopy=False):
        raise StudyConflict(
            f"study '{name}' was not made by autotune: choose another name, or set it aside with"
            " --new"
        )
    return None


def read_trials(found: list[FrozenTrial], name: str) -> tuple[Trial, ...]:
    """Return all trials that were executed to their end, in order of their numbers.

    Raises:
        StudyConflict: one was recorded by a newer autotune.
    """
    records = (
        _parse(Trial, trial.user_attrs[TRIAL], f"trial {trial.number} of study '{name}'")
        for trial in found
        if TRIAL in trial.user_attrs
    )
    return tuple(sorted(records, key=lambda trial: trial.number))


def _parse(model: type[Record], stored: Any, what: str) -> Record:
    try:
        data = json.loads(stored) if isinstance(stored, str) else stored
        version = data.get(SCHEMA, SCHEMA_VERSION)
        if version > SCHEMA_VERSION:
            raise StudyConflict(
                f"{what} was recorded by a newer autotune (records of version {version}, this one"
                f" knows up to {SCHEMA_VERSION}): upgrade with 'pip install -U spark-autotune'"
            )
        return model.model_validate_json(json.dumps(data))
    except (ValidationError, ValueError, TypeError, AttributeError) as error:
        detail = str(error).splitlines()[0]
        raise StudyConflict(
            f"{what} can't be read ({detail}): it was changed by hand or by another program; set"
            " the study aside with --new"
        ) from error
