"""The predictor in MLflow's model registry: with signature, input example and aliases."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from pydantic import ConfigDict

from autotune.domain import Value
from autotune.errors import EnvironmentFault
from autotune.ledger.connection import Connection
from autotune.ledger.entries import finite, key_of, shortened
from autotune.registry import CHAMPION, MODEL_FILES, MODEL_NAME

MODEL_EXPERIMENT: Final = "spark-tuning-predictor"
CHALLENGER: Final = "challenger"
_FOLDER: Final = "model"


class Lesson(Value):
    """What a predictor was trained on, and how good it is: kept beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    serving: Path
    """The Python file that MLflow runs to serve the model; it finds the files as ``predictor``."""
    files: Mapping[str, bytes]
    """File name → content: the model itself."""
    input_example: Any
    """A few rows as ``predict`` takes them (a pandas table); the signature is read from it."""
    output_example: Any
    """What ``predict`` answers to them."""
    metrics: Mapping[str, float] = {}
    params: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    requirements: tuple[str, ...] = ()
    """Of the packages that load it; named, because guessing them takes MLflow a minute."""


class Champion(Value):
    """The predictor in charge."""

    version: str
    run_id: str
    tags: dict[str, str]
    metrics: dict[str, float]
    files: dict[str, bytes]


def register(
    connection: Connection,
    client: MlflowClient,
    lesson: Lesson,
    *,
    promote: bool,
) -> str:
    """Save a model as its files and the code that serves them, register it, point the aliases.

    Returns:
        Its version.
    """
    experiment_id = connection.experiment_id(client, MODEL_EXPERIMENT)
    run_id = client.create_run(
        experiment_id, run_name=MODEL_NAME, tags=dict(lesson.tags)
    ).info.run_id
    numbers = finite(lesson.metrics)
    client.log_batch(
        run_id,
        metrics=[Metric(key_of(key), value, 0, 0) for key, value in numbers.items()],
        params=[
            Param(key_of(key), shortened(value, 6000)) for key, value in lesson.params.items()
        ],
    )
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        path = Path(folder, _FOLDER)
        _save(lesson, Path(folder), path)
        client.log_artifacts(run_id, str(path), _FOLDER)
    client.set_terminated(run_id)
    _ensure_model(client)
    source = f"{client.get_run(run_id).info.artifact_uri}/{_FOLDER}"
    version = client.create_model_version(MODEL_NAME, source, run_id, dict(lesson.tags)).version
    first = _version_of(client, CHAMPION) is None
    alias = CHAMPION if promote or first else CHALLENGER
    client.set_registered_model_alias(MODEL_NAME, alias, str(version))
    return str(version)


def load_champion(client: MlflowClient) -> Champion | None:
    """Return the files of the model behind the alias ``champion``, or ``None``.

    Raises:
        EnvironmentFault: it is registered, and can't be loaded.
    """
    version = _version_of(client, CHAMPION)
    if version is None:
        return None
    run_id = version.run_id or ""
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        try:
            place = f"{_FOLDER}/{MODEL_FILES}"
            path = Path(client.download_artifacts(run_id, place, folder))
            files = {file.name: file.read_bytes() for file in path.iterdir()}
        except (MlflowException, OSError) as error:
            raise EnvironmentFault(
                f"model {MODEL_NAME} version {version.version}: can't be loaded"
                f" ({str(error).splitlines()[0]}): run this where its files are, or put a new one"
                " in its place with `autotune train --replace`"
            ) from error
    run = client.get_run(run_id)
    return Champion(
        version=str(version.version),
        run_id=run_id,
        tags=dict(version.tags),
        metrics=dict(run.data.metrics),
        files=files,
    )


def champion_tags(client: MlflowClient) -> dict[str, str] | None:
    """Return the tags of the model behind the alias ``champion``, or ``None``."""
    version = _version_of(client, CHAMPION)
    return None if version is None else dict(version.tags)


def _save(lesson: Lesson, scratch: Path, path: Path) -> None:
    from mlflow import pyfunc
    from mlflow.models import infer_signature

    name = Path(MODEL_FILES).name
    source = scratch / name
    source.mkdir()
    for file, content in lesson.files.items():
        (source / Path(file).name).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's advice on integer columns is not for our users
        pyfunc.save_model(
            str(path),
            python_model=str(lesson.serving),
            artifacts={name: str(source)},
            signature=infer_signature(lesson.input_example, lesson.output_example),
            input_example=lesson.input_example,
            pip_requirements=list(lesson.requirements) or None,
        )


def _ensure_model(client: MlflowClient) -> None:
    try:
        client.create_registered_model(
            MODEL_NAME,
            description="Profiles of data and jobs in, configurations of Spark out; by autotune.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version_of(client: MlflowClient, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(MODEL_NAME, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
