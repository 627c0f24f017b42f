"""Read studies back from MLflow alone: a team's tracking server is the predictor's memory."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from autotune.domain import (
    SCHEMA_VERSION,
    Config,
    DatasetProfile,
    Machine,
    Objective,
    WorkloadProfile,
)
from autotune.ledger.entries import (
    EXPERIMENT_PREFIX,
    STUDY_KIND,
    TAG,
    TRIAL_KIND,
    UNSET,
)
from autotune.record import Cause, Origin, PastTrial, Purpose, Status, StudyHistory
from autotune.redaction import HIDDEN

_PAGE: Final = 1000
_LOG: Final = logging.getLogger(__name__)


def all_runs(
    client: MlflowClient, experiment_ids: Sequence[str], wanted: str, *, oldest_first: bool = False
) -> list[Run]:
    """Return every run that the filter *wanted* finds, however many pages that takes."""
    if not experiment_ids:
        return []
    order = ["attributes.start_time ASC"] if oldest_first else None
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(
            list(experiment_ids), wanted, max_results=_PAGE, order_by=order, page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs


def histories(client: MlflowClient) -> tuple[StudyHistory, ...]:
    """Return all studies, oldest first; one that can't be read is skipped and named in the log."""
    experiment_ids = _experiment_ids(client)
    kind = f"tags.`{TAG}kind` ="
    parents = all_runs(client, experiment_ids, f"{kind} '{STUDY_KIND}'", oldest_first=True)
    children: dict[str, dict[int, Run]] = {}
    for run in all_runs(client, experiment_ids, f"{kind} '{TRIAL_KIND}'", oldest_first=True):
        number = run.data.tags.get(f"{TAG}trial_number", "")
        if run.info.status != "RUNNING" and number.isdecimal():
            siblings = children.setdefault(run.data.tags.get("mlflow.parentRunId", ""), {})
            siblings.setdefault(int(number), run)
    found = []
    for parent in parents:
        try:
            found.append(_study(client, parent, children.get(parent.info.run_id, {})))
        except (ValidationError, ValueError, KeyError, MlflowException, OSError) as error:
            reason = str(error).splitlines()[0]
            _LOG.warning("study %s is skipped: %s", parent.info.run_name, reason)
    return tuple(found)


def _experiment_ids(client: MlflowClient) -> list[str]:
    ids: list[str] = []
    token: str | None = None
    while True:
        page = client.search_experiments(
            filter_string=f"name LIKE '{EXPERIMENT_PREFIX}%'", page_token=token
        )
        ids += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return ids


def _study(client: MlflowClient, parent: Run, children: dict[int, Run]) -> StudyHistory:
    tags = parent.data.tags
    if int(tags.get(f"{TAG}schema_version", "1")) > SCHEMA_VERSION:
        raise ValueError("a newer autotune wrote it: update this one")
    return StudyHistory(
        study=tags[f"{TAG}study"],
        workload=tags[f"{TAG}workload"],
        objective=Objective(tags.get(f"{TAG}objective", Objective.DURATION_S)),
        machine=Machine.model_validate_json(tags[f"{TAG}machine"]),
        profile=_profile(client, parent),
        job=_job(children),
        trials=tuple(_trial(children[number]) for number in sorted(children)),
    )


def _profile(client: MlflowClient, parent: Run) -> DatasetProfile | None:
    text = parent.data.tags.get(f"{TAG}profile")
    if text is not None:
        return DatasetProfile.model_validate_json(text)
    run_id = parent.info.run_id
    if not any(file.path == "profile.json" for file in client.list_artifacts(run_id)):
        return None
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        path = Path(client.download_artifacts(run_id, "profile.json", folder))
        return DatasetProfile.model_validate_json(path.read_text(encoding="utf-8"))


def _job(children: Mapping[int, Run]) -> WorkloadProfile | None:
    """Return what the job does; of several baselines the last, which is no cold start."""
    texts = [t for n in sorted(children) if (t := children[n].data.tags.get(f"{TAG}job"))]
    return WorkloadProfile.model_validate_json(texts[-1]) if texts else None


def _trial(run: Run) -> PastTrial:
    tags, metrics = run.data.tags, run.data.metrics
    properties: dict[str, str | None] = {}
    arguments: dict[str, str] = {}
    for name, value in run.data.params.items():
        if HIDDEN in value:
            continue  # what it was is not known, so nobody may be told to set it
        if name.startswith("spark."):
            properties[name] = None if value == UNSET else value
        elif value != UNSET:
            arguments[name] = value
    cause = tags.get(f"{TAG}cause")
    return PastTrial(
        config=Config(properties=properties, arguments=arguments),
        purpose=Purpose(tags[f"{TAG}purpose"]),
        status=Status(tags[f"{TAG}status"]),
        duration_s=metrics.get("duration_s", metrics.get("elapsed_s")),
        cause=Cause(cause) if cause else None,
        origin=Origin(origin) if (origin := tags.get(f"{TAG}origin")) else None,
        started_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
    )
