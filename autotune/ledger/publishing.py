"""Publish a study to MLflow: parent run = study, child run = trial; catch up what is missing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from autotune.domain import Value
from autotune.experiment import Experiment
from autotune.ledger import entries, files
from autotune.ledger.connection import Connection
from autotune.ledger.history import all_runs, histories
from autotune.ledger.models import Champion, Lesson, champion_tags, load_champion, register
from autotune.ledger.runs import (
    Published,
    keep,
    scrubbed,
    source_tags,
    write_totals,
    write_trial,
)
from autotune.record import StudyHistory, Trial, trial_names
from autotune.tracking_uri import DEFAULT_ARTIFACT_ROOT, DEFAULT_TRACKING_URI


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
        self._studies: dict[str, Published] = {}
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
            numbers = entries.finite(figures or {})
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

    def register(self, lesson: Lesson, *, promote: bool = False) -> str:
        """Keep a predictor in the model registry and return its version.

        The first one is the champion at once; later ones are challengers unless promoted.

        Args:
            lesson: its files, what it was trained on and how good it is.
            promote: make it the champion.

        Raises:
            EnvironmentFault: MLflow does not answer or refuses.
        """
        with self._connection.asking() as client:
            return register(self._connection, client, lesson, promote=promote)

    def champion(self) -> Champion | None:
        """Return the predictor in charge, or ``None`` when none was registered.

        Raises:
            EnvironmentFault: MLflow does not answer, or the files of the model are gone.
        """
        with self._connection.asking() as client:
            return load_champion(client)

    def champion_tags(self) -> dict[str, str] | None:
        """Return the tags of the predictor in charge; its files need not be within reach.

        Raises:
            EnvironmentFault: MLflow does not answer.
        """
        with self._connection.asking() as client:
            return champion_tags(client)

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
            write_trial(client, experiment, trial, trials, names[trial.number], known)
            known.done.add(trial.number)
        if missing or known.counted != len(trials):
            write_totals(client, experiment, trials, names, known)
        keep(client, known.run_id, scrubbed(experiment, artifacts))
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
) -> Published:
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
            keep(client, parent.info.run_id, wanted_files)
        return Published(identity, experiment_id, parent, mine)
    parent = client.create_run(
        experiment_id,
        start_time=min(entries.millis(trial.execution.started_at) for trial in trials),
        run_name=experiment.name,
        tags={
            **source_tags(),
            **entries.study_tags(experiment, identity),
            **entries.parent_tags(experiment),
        },
    )
    keep(client, parent.info.run_id, files.study_files(experiment))
    return Published(identity, experiment_id, parent, ())
