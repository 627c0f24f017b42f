"""The requests that write one study: its run, its trials, its totals, its files."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Mapping, Sequence
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from autotune.errors import EnvironmentFault
from autotune.experiment import Experiment
from autotune.ledger import entries, files
from autotune.ledger.staging import staging_folder
from autotune.record import Trial

_METRICS_PER_BATCH: Final = 900
_PARAMS_PER_BATCH: Final = 90


class Published:
    """What MLflow is known to hold of one study."""

    def __init__(
        self, identity: str, experiment_id: str, parent: Run, children: Sequence[Run]
    ) -> None:
        self.identity = identity
        self.experiment_id = experiment_id
        self.run_id: str = parent.info.run_id
        self.state: str = parent.info.status
        self.counted = int(parent.data.metrics.get("n_trials", 0))
        self.done: set[int] = set()
        self.begun: dict[int, str] = {}
        for run in children:
            number = int(run.data.tags[f"{entries.TAG}trial_number"])
            if run.info.status == "RUNNING":
                self.begun.setdefault(number, run.info.run_id)
            else:
                self.done.add(number)


def write_trial(
    client: MlflowClient,
    experiment: Experiment,
    trial: Trial,
    trials: Sequence[Trial],
    name: str,
    known: Published,
) -> None:
    """Write one trial, or what is missing of one that was begun; a second time changes nothing."""
    execution = trial.execution
    end_ms = entries.ended_millis(execution)
    run_id = known.begun.pop(trial.number, None)
    if run_id is None:
        run_id = client.create_run(
            known.experiment_id,
            start_time=entries.millis(execution.started_at),
            run_name=name,
            tags={
                "mlflow.parentRunId": known.run_id,
                **source_tags(),
                **entries.study_tags(experiment, known.identity),
                **entries.trial_tags(trial, name),
            },
        ).info.run_id
    numbers = entries.metrics(trial, trials)
    shown = entries.params(experiment, trial)
    points = [Metric(key, value, end_ms, 0) for key, value in numbers.items()]
    settings = [Param(key, value) for key, value in shown.items()]
    client.log_batch(run_id, metrics=points, params=settings[:_PARAMS_PER_BATCH])
    for start in range(_PARAMS_PER_BATCH, len(settings), _PARAMS_PER_BATCH):
        client.log_batch(run_id, params=settings[start : start + _PARAMS_PER_BATCH])
    keep(client, run_id, files.trial_files(experiment, trial))
    client.set_terminated(run_id, entries.RUN_STATES[execution.status], end_ms)


def write_totals(
    client: MlflowClient,
    experiment: Experiment,
    trials: Sequence[Trial],
    names: Mapping[int, str],
    known: Published,
) -> None:
    """Write the study's own curves and note: only what is new, unless MLflow's count is off."""
    numbers = sorted(trial.number for trial in trials)
    first = numbers[known.counted] if known.counted < len(numbers) else 0
    points = [
        Metric(key, value, entries.ended_millis(trial.execution), trial.number)
        for trial, sums in entries.totals(trials, experiment.objective, since=first)
        for key, value in sums.items()
    ]
    tags = [RunTag("mlflow.note.content", entries.note(experiment, trials, names, known.identity))]
    for start in range(0, max(len(points), 1), _METRICS_PER_BATCH):
        chunk = points[start : start + _METRICS_PER_BATCH]
        client.log_batch(known.run_id, metrics=chunk, tags=[] if start else tags)
    known.counted = len(trials)


def keep(client: MlflowClient, run_id: str, texts: Mapping[str, str]) -> None:
    """Keep *texts* (file name → text) as files of a run."""
    if not texts:
        return
    with staging_folder() as folder:
        for name, text in texts.items():
            path = folder / name
            if not path.resolve().is_relative_to(folder.resolve()):
                raise EnvironmentFault(f"artifact {name!r}: leaves its folder: give a plain name")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, str(folder))


def scrubbed(experiment: Experiment, artifacts: Mapping[str, str]) -> dict[str, str]:
    """Return *artifacts* without the secrets of the job."""
    secrets = experiment.secrets()
    return {name: secrets.scrub(text) for name, text in artifacts.items()}


def source_tags() -> dict[str, str]:
    """Return who published, as MLflow names it."""
    tags = {"mlflow.source.name": "autotune", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags
