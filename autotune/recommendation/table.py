"""Questions and answers as tables: what MLflow serves, and what a notebook works with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from pydantic import ValidationError

from autotune.domain import DatasetProfile, Machine, WorkloadProfile
from autotune.errors import AutotuneError, InputError
from autotune.predict import Predictor
from autotune.recommendation.asking import answer
from autotune.spacefile import load_shipped_space

COLUMNS: Final = ("profile", "machine", "job", "workload", "space", "conf")
"""All texts, empty where nothing is known; the first three and ``conf`` are JSON."""
_NEEDED = ", ".join(name for name, field in Machine.model_fields.items() if field.is_required())


def row_of(
    profile: DatasetProfile | None,
    machine: Machine,
    job: WorkloadProfile | None = None,
    *,
    workload: str = "",
    space: str = "default",
    conf: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return one question as a row of the table that :func:`answers` takes."""
    return {
        "profile": profile.model_dump_json() if profile is not None else "",
        "machine": machine.model_dump_json(),
        "job": job.model_dump_json(exclude_none=True) if job is not None else "",
        "workload": workload,
        "space": space,
        "conf": json.dumps(dict(conf or {})),
    }


def answers(predictor: Predictor, questions: pd.DataFrame) -> pd.DataFrame:
    """Recommend a configuration for each row.

    Args:
        predictor: A fitted one.
        questions: A row a question, with the texts of :data:`COLUMNS`; only ``machine`` must be
            given, of which ``master``, ``slots``, ``cores_per_executor`` and ``memory_bytes``
            are needed.

    Returns:
        A row a question: ``config`` (JSON: property or argument → value), ``keep_default``,
        ``predicted_speedup`` with ``low`` and ``high``, ``failure_probability``, ``reason``; and
        ``error``, which is empty unless the question can't be understood.
    """
    return pd.DataFrame([_answer(predictor, row) for row in questions.to_dict("records")])


def _answer(predictor: Predictor, row: Mapping[Any, Any]) -> dict[str, Any]:
    try:
        return _answered(predictor, {name: _text(row.get(name)) for name in COLUMNS})
    except AutotuneError as error:
        said = str(error)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        said = f"{error.title}: {place}: {first['msg']}; see `autotune profile --format json`"
    except (ValueError, ArithmeticError, RecursionError) as error:
        # Numbers that no data, job or machine has; the other rows are answered all the same.
        said = str(InputError(f"no question of autotune's: {error}"))
    unknown = {"predicted_speedup": 1.0, "low": 1.0, "high": 1.0, "failure_probability": 0.0}
    return {"config": "{}", "keep_default": True, **unknown, "reason": "", "error": said}


def _answered(predictor: Predictor, row: Mapping[str, str]) -> dict[str, Any]:
    if not row["machine"]:
        raise InputError(f"machine: it is empty; give at least {_NEEDED}")
    machine = Machine.model_validate_json(row["machine"])
    found = answer(
        predictor,
        DatasetProfile.model_validate_json(row["profile"]) if row["profile"] else None,
        machine,
        # Who asks may not name files of the server.
        load_shipped_space(row["space"] or "default", spark_version=machine.spark_version),
        today=_conf(row["conf"]),
        workload=row["workload"] or None,
        job=WorkloadProfile.model_validate_json(row["job"]) if row["job"] else None,
    )
    values = {**found.config.properties, **found.config.arguments}
    return {
        "config": json.dumps({name: value for name, value in values.items() if value is not None}),
        "keep_default": found.keep_default,
        "predicted_speedup": found.predicted_speedup,
        "low": found.low,
        "high": found.high,
        "failure_probability": found.failure_probability,
        "reason": found.reason,
        "error": "",
    }


def _conf(text: str) -> dict[str, str]:
    try:
        known = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError("conf: it is not JSON; write it as {property: value}") from error
    if not isinstance(known, dict):
        raise InputError("conf: it is a list or a plain value; write it as {property: value}")
    return {str(name): str(value) for name, value in known.items() if value is not None}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
