"""Publish a study to MLflow: parent run = study, child run = trial; catch up what is missing."""

from __future__ import annotations

import contextlib
import getpass
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from autotune.domain import Value
from autotune.errors import EnvironmentFault
from autotune.experiment import Experiment
from autotune.ledger import entries, files
from autotune.ledger.connection import Connection
from autotune.ledger.history import all_runs, histories
from autotune.ledger.models import Champion, Lesson, load_champion, register
from autotune.record import StudyHistory, Trial, trial_names
from autotune.redaction import Secrets
from autotune.tracking_uri import DEFAULT_ARTIFACT_ROOT, DEFAULT_TRACKING_URI

_METRICS_PER_BATCH: Final = 900
_PARAMS_PER_BATCH: Final = 90


class Publication(Value):
    """Where a study can be seen."""

    tracking_uri: str
    experiment: str
    experiment_id: str
    run_id: str
    filter: str
    """For MLflow's search box: shows the trials of this study."""
    published: int
    """Trials that were new to MLflow this time."""


class _Published:
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


class Ledger:
    """What people look at: all studies in one MLflow tracking store.

    Safe to share between threads; several may exist side by side. Nothing is asked of MLflow
    before the first call.
    """

    def __init__(
        self,
        tracking_uri: str = DEFAULT_TRACKING_URI,
        artifact_root: Path = DEFAULT_ARTIFACT_ROOT,
    ) -> None:
        """Name the store.

        Args:
            tracking_uri: a database (``sqlite:///…``, ``postgresql://…``) or a server
                (``http://…``).
            artifact_root: folder for files, where a database is used with no server before it.

        Raises:
            InputError: the URI is of a kind that MLflow can't keep runs in.
        """
        self._connection = Connection(tracking_uri, artifact_root)
        self._studies: dict[str, _Published] = {}
        self._lock = threading.RLock()

    @property
    def tracking_uri(self) -> str:
        """The store, in the form that is right from every folder."""
        return self._connection.uri

    def publish(
        self,
        experiment: Experiment,
        trials: Sequence[Trial],
        *,
        artifacts: Mapping[str, str] | None = None,
    ) -> Publication | None:
        """Publish every trial that MLflow does not have yet; doing it twice changes nothing.

        Args:
            experiment: what the study is about.
            trials: all trials of the study so far.
            artifacts: file name → text, kept with the study.

        Returns:
            Where it can be seen; ``None`` while there is no trial.

        Raises:
            EnvironmentFault: MLflow does not answer or refuses. What is missing there will be
                published by a later call.
        """
        if not trials:
            return None
        with self._lock, self._connection.asking() as client:
            try:
                return self._publish(client, experiment, trials, artifacts or {})
            except BaseException:
                # What MLflow holds is no longer sure: ask again next time.
                self._studies.pop(entries.study_id(experiment, trials), None)
                raise

    def finish(
        self,
        experiment: Experiment,
        trials: Sequence[Trial],
        *,
        artifacts: Mapping[str, str] | None = None,
        figures: Mapping[str, float] | None = None,
        interrupted: bool = False,
    ) -> Publication | None:
        """Publish what is missing, and end the study's run; a later ``publish`` reopens it.

        Args:
            experiment: what the study is about.
            trials: all its trials.
            artifacts: file name → text, kept with the study beside ``trials.csv``.
            figures: the study's own results, such as the confirmed ``speedup``.
            interrupted: the study was stopped before its budget was spent.

        Raises:
            EnvironmentFault: MLflow does not answer or refuses.
        """
        table = files.trials_csv(experiment, trials)
        publication = self.publish(
            experiment, trials, artifacts={"trials.csv": table, **(artifacts or {})}
        )
        if publication is None:
            return None
        end_ms = max(entries.ended_millis(trial.execution) for trial in trials)
        last = max(trial.number for trial in trials)
        with self._lock, self._connection.asking() as client:
            numbers = entries.finite(dict(figures or {}))
            if numbers:
                client.log_batch(
                    publication.run_id,
                    metrics=[Metric(key, numbers[key], end_ms, last) for key in numbers],
                )
            state = "KILLED" if interrupted else "FINISHED"
            client.set_terminated(publication.run_id, state, end_ms)
            known = self._studies.get(entries.study_id(experiment, trials))
            if known is not None:
                known.state = state
        return publication

    def history(self) -> tuple[StudyHistory, ...]:
        """Return every study that MLflow holds, with the trials that ended.

        Raises:
            EnvironmentFault: MLflow does not answer.
        """
        with self._connection.asking() as client:
            return histories(client)

    def register(self, model: object, lesson: Lesson, *, promote: bool = False) -> str:
        """Keep a predictor in the model registry and return its version.

        The first one is the champion at once; later ones are challengers unless promoted.

        Args:
            model: what scikit-learn can predict with.
            lesson: what it was trained on and how good it is.
            promote: make it the champion.

        Raises:
            EnvironmentFault: MLflow does not answer or refuses.
        """
        with self._connection.asking() as client:
            return register(self._connection, client, model, lesson, promote=promote)

    def champion(self) -> Champion | None:
        """Return the predictor in charge, or ``None`` when none was registered.

        Raises:
            EnvironmentFault: MLflow does not answer, or the files of the model are gone.
        """
        with self._connection.asking() as client:
            return load_champion(client)

    def _publish(
        self,
        client: MlflowClient,
        experiment: Experiment,
        trials: Sequence[Trial],
        artifacts: Mapping[str, str],
    ) -> Publication:
        identity = entries.study_id(experiment, trials)
        known = self._studies.get(identity) or _look_up(
            client, self._connection, experiment, trials
        )
        self._studies[identity] = known
        missing = [trial for trial in trials if trial.number not in known.done]
        if missing and known.state != "RUNNING":
            client.update_run(known.run_id, status="RUNNING")
            known.state = "RUNNING"
        names = trial_names(trials)
        for trial in sorted(missing, key=lambda trial: trial.number):
            _publish_trial(client, experiment, trial, trials, names[trial.number], known)
            known.done.add(trial.number)
        if missing or known.counted != len(trials):
            _publish_totals(client, experiment, trials, known, missing)
        _keep(client, known.run_id, _scrubbed(experiment, artifacts))
        return Publication(
            tracking_uri=self.tracking_uri,
            experiment=entries.EXPERIMENT_PREFIX + experiment.workload.name,
            experiment_id=known.experiment_id,
            run_id=known.run_id,
            filter=entries.filter_of(identity),
            published=len(missing),
        )


def _look_up(
    client: MlflowClient, connection: Connection, experiment: Experiment, trials: Sequence[Trial]
) -> _Published:
    name = entries.EXPERIMENT_PREFIX + experiment.workload.name
    experiment_id = connection.experiment_id(client, name)
    identity = entries.study_id(experiment, trials)
    wanted = f"tags.`{entries.TAG}study_id` = '{identity}'"
    runs = all_runs(client, [experiment_id], wanted, oldest_first=True)
    kinds: dict[str, list[Run]] = {kind: [] for kind in (entries.STUDY_KIND, entries.TRIAL_KIND)}
    for run in runs:
        kinds[run.data.tags[f"{entries.TAG}kind"]].append(run)
    parents = kinds[entries.STUDY_KIND]
    if parents:
        parent = parents[0]
        mine = [
            run
            for run in kinds[entries.TRIAL_KIND]
            if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
        ]
        kept = {file.path for file in client.list_artifacts(parent.info.run_id)}
        wanted_files = files.study_files(experiment)
        if not kept.issuperset(wanted_files):
            _keep(client, parent.info.run_id, wanted_files)
        return _Published(identity, experiment_id, parent, mine)
    parent = client.create_run(
        experiment_id,
        start_time=min(entries.millis(trial.execution.started_at) for trial in trials),
        run_name=experiment.name,
        tags={
            **_source_tags(),
            **entries.study_tags(experiment, identity),
            **entries.parent_tags(experiment),
        },
    )
    _keep(client, parent.info.run_id, files.study_files(experiment))
    return _Published(identity, experiment_id, parent, ())


def _publish_trial(
    client: MlflowClient,
    experiment: Experiment,
    trial: Trial,
    trials: Sequence[Trial],
    name: str,
    known: _Published,
) -> None:
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
                **_source_tags(),
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
    _keep(client, run_id, files.trial_files(experiment, trial))
    client.set_terminated(run_id, entries.RUN_STATES[execution.status], end_ms)


def _publish_totals(
    client: MlflowClient,
    experiment: Experiment,
    trials: Sequence[Trial],
    known: _Published,
    missing: Sequence[Trial],
) -> None:
    """Write the study's own curves and note: only what is new, unless MLflow's count is off."""
    in_step = known.counted == len(trials) - len(missing)
    first = min((trial.number for trial in missing), default=0) if in_step else 0
    points = [
        Metric(key, value, entries.ended_millis(trial.execution), trial.number)
        for trial, numbers in entries.totals(trials, experiment.objective)
        if trial.number >= first
        for key, value in numbers.items()
    ]
    tags = [RunTag("mlflow.note.content", entries.note(experiment, trials))]
    for start in range(0, max(len(points), 1), _METRICS_PER_BATCH):
        chunk = points[start : start + _METRICS_PER_BATCH]
        client.log_batch(known.run_id, metrics=chunk, tags=[] if start else tags)
    known.counted = len(trials)


def _keep(client: MlflowClient, run_id: str, texts: Mapping[str, str]) -> None:
    if not texts:
        return
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        for name, text in texts.items():
            path = Path(folder, name)
            if not path.resolve().is_relative_to(Path(folder).resolve()):
                raise EnvironmentFault(f"artifact {name!r}: leaves its folder: give a plain name")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, folder)


def _scrubbed(experiment: Experiment, artifacts: Mapping[str, str]) -> dict[str, str]:
    secrets = Secrets(experiment.workload.properties, experiment.workload.arguments)
    return {name: secrets.scrub(text) for name, text in artifacts.items()}


def _source_tags() -> dict[str, str]:
    tags = {"mlflow.source.name": "autotune", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags
