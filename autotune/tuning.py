"""Tune one job: measure configurations until the budget is spent, then prove the winner.

``tune`` reads from top to bottom: open the study, ask what comes next, measure it, record it,
publish it; at the end judge the winner by fresh interleaved executions and write the results.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from autotune import datagen, plan
from autotune.domain import Value, digest_of
from autotune.draft import DataDraft, Draft
from autotune.events import Event, EventKind, ignore
from autotune.experiment import Experiment
from autotune.ledger import Ledger
from autotune.ledger.files import trials_csv
from autotune.pathtext import file_name
from autotune.pending import Pending
from autotune.record import Execute
from autotune.redaction import without_login
from autotune.results import Results, write_results
from autotune.session import Session
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit
from autotune.study import open_study

DEFAULT_STORAGE_URL = "sqlite:///mlruns/optuna.db"
DEFAULT_TRACKING_URI = "sqlite:///mlruns/mlflow.db"
DEFAULT_FOLDER = Path("mlruns/studies")


class Places(Value):
    """Where a study is kept, published and written to."""

    storage_url: str = DEFAULT_STORAGE_URL
    tracking_uri: str | None = DEFAULT_TRACKING_URI
    """``None``: nothing is published."""
    folder: Path = DEFAULT_FOLDER


def tune(
    experiment: Experiment,
    *,
    execute: Execute | None = None,
    places: Places | None = None,
    new: bool = False,
    on_event: Callable[[Event], None] = ignore,
) -> Results:
    """Measure configurations until the budget is spent; continue where the study left off.

    Args:
        experiment: what is tuned, over what, for how long.
        execute: runs a workload with a config; ``None``: real ``spark-submit`` processes.
        places: where the study is kept (an Optuna storage), published (MLflow) and written to.
        new: set an existing study of the same name aside and begin again.
        on_event: told of everything that happens.

    Raises:
        StudyConflict: the study exists with another meaning, or another process works on it.
        UnsafeWorkload: the job writes outside its scratch folder.
        NoUsableResult: the job fails with the person's own configuration.
        EnvironmentFault: Spark, Java, the disk or the study's storage refuses.
    """
    places = places or Places()
    pending = Pending(
        path=places.folder / file_name(experiment.name) / "unrecorded.json",
        study=digest_of([experiment.identity, without_login(places.storage_url)]),
    )
    if execute is None:
        submit = SparkSubmit(
            installation=find_installation(experiment.spark_home),
            # Made for each execution and removed after it: nothing is left if we die in between.
            scratch_root=Path(tempfile.gettempdir()) / f"autotune-{uuid.uuid4().hex}",
            pending=pending,
        )
        if submit.is_to_prepare(experiment.workload):
            text = "preparing a faster start of Spark (once per Spark and Java, a minute or so)"
            on_event(Event(kind=EventKind.NOTE, text=text))
        return tune(experiment, execute=submit, places=places, new=new, on_event=on_event)
    with open_study(experiment, storage_url=places.storage_url, new=new) as study:
        if new:
            pending.clear()
        ledger = Ledger(places.tracking_uri) if places.tracking_uri else None
        session = Session(experiment, study, ledger, pending, on_event)
        try:
            session.check_safety()
            session.check_objective()
            while (upcoming := session.next_trial()) is not None:
                trial = session.measure(upcoming, execute)
                session.record(trial)
                session.check_safety()
                session.check_objective()
            session.check_baseline()
        except BaseException:
            session.end_early()
            raise
        results = write_results(
            experiment,
            study.trials,
            folder=places.folder,
            places={
                **({"mlflow": ledger.tracking_uri} if ledger else {}),
                "study": places.storage_url,
            },
            table=trials_csv(experiment, study.trials),
        )
        session.finish(results)
    return results


def prepare(draft: Draft, *, on_event: Callable[[Event], None] = ignore) -> Experiment:
    """Make a draft complete; data that is missing and can be made is made first.

    Raises:
        InputError: something that the draft names is missing or does not fit.
        EnvironmentFault: Spark, Java or a generator is missing.
    """
    installation = find_installation(plan.command_spark_home(draft))
    data = draft.data
    if isinstance(data, DataDraft) and data.make and not Path(data.path).exists():
        on_event(Event(kind=EventKind.NOTE, text=f"making {data.make} data in {data.path}"))
        datagen.make_data(
            data.make,
            to=data.path,
            size=data.size,
            rows=data.rows,
            scale=data.scale,
            seed=data.seed,
            options=data.options,
            installation=installation,
        )

    def tell(text: str) -> None:
        on_event(Event(kind=EventKind.NOTE, text=text))

    return plan.complete(draft, installation=installation, tell=tell)
