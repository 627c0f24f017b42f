"""Find the Spark configuration that makes one job fastest or cheapest, by running it.

The functions below are what the command line calls. Nothing heavy is imported before one of them
is used. The values they take and give are in ``autotune.experiment``, ``autotune.domain`` and
``autotune.record``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autotune.version import __version__

if TYPE_CHECKING:
    from autotune.domain import DatasetProfile
    from autotune.events import Event
    from autotune.experiment import Experiment
    from autotune.recommendation import Recommendation
    from autotune.record import Execute
    from autotune.results import Results
    from autotune.training import TrainResult
    from autotune.tuning import Places


__all__ = ["__version__", "load_experiment", "profile", "recommend", "train", "tune"]


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment file and make it complete; data that can be made is made.

    Args:
        path: a YAML file, or the name of a shipped experiment.

    Raises:
        InputError: something in the file is wrong, or something it names is missing.
        EnvironmentFault: Spark, Java or a generator is missing.
    """
    from autotune.plan import read_experiment
    from autotune.tuning import prepare

    return prepare(read_experiment(str(path)))


def tune(
    experiment: Experiment | str | Path,
    *,
    execute: Execute | None = None,
    places: Places | None = None,
    new: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Results:
    """Search for the best configuration by executing the job; continue where a study left off.

    Args:
        experiment: a complete experiment, or a file (see :func:`load_experiment`).
        execute: who executes: any callable that takes a workload, a config, limits and a callable
            for checkpoints, and returns an ``Execution``. ``None``: real ``spark-submit``.
        places: where the study is kept, published and written to.
        new: set an existing study of the same name aside and begin again.
        on_event: told of everything that happens.

    Raises:
        StudyConflict: the study exists with another meaning, or another process works on it.
        UnsafeWorkload: the job writes outside its scratch folder.
        NoUsableResult: the job fails with the person's own configuration.
        InputError: the experiment is wrong.
        EnvironmentFault: Spark, Java, the disk or a store refuses.
    """
    from autotune.events import ignore
    from autotune.tuning import tune as run

    asked = load_experiment(experiment) if isinstance(experiment, str | Path) else experiment
    return run(asked, execute=execute, places=places, new=new, on_event=on_event or ignore)


def profile(
    path: str | Path | Sequence[str | Path],
    *,
    sample_rows: int = 100_000,
    max_files: int = 1000,
    columns: Sequence[str] = (),
) -> DatasetProfile:
    """Describe what a job reads in numbers: tables or folders of tables, of any known format.

    Args:
        path: a file or a folder of Parquet, CSV, JSON or ORC, or several of them.
        sample_rows: how many rows are looked at, at most, for what metadata does not tell.
        max_files: how many files are looked into, at most; of more, rows are estimated.
        columns: whose values are looked at; none named: those of the first 256.

    Raises:
        InputError: there is no readable table with rows, or no such column.
    """
    from autotune.dataset import profile_dataset

    paths = [path] if isinstance(path, str | Path) else path
    return profile_dataset(
        [str(each) for each in paths],
        sample_rows=sample_rows,
        max_files=max_files,
        columns=columns,
    )


def train(
    tracking_uri: str = "sqlite:///mlruns/mlflow.db", *, replace: bool = False
) -> TrainResult:
    """Fit the predictor on the corpus and all published studies; register it in MLflow.

    Args:
        tracking_uri: where the studies are published.
        replace: put the new one in charge without comparing it with the one in use.

    Raises:
        NoUsableResult: there is too little history; the message says what is missing.
        InputError: the one in use was made by a newer autotune.
        EnvironmentFault: MLflow does not answer, or the files of the one in use are out of reach.
    """
    from autotune.training import train as run

    return run(tracking_uri, replace=replace)


def recommend(
    data: str | Path | Sequence[str | Path] | DatasetProfile | None = None,
    *,
    workload: str | None = None,
    eventlog: str | Path | None = None,
    sql: str | Path | None = None,
    space: str = "default",
    master: str | None = None,
    spark_home: str | None = None,
    tracking_uri: str = "sqlite:///mlruns/mlflow.db",
    conf: Mapping[str, str] | None = None,
) -> Recommendation:
    """Predict a good configuration for a job, with no execution of it.

    Args:
        data: a table or a folder of tables, several of them, or a profile.
        workload: what the job is called in earlier studies.
        eventlog: log of an earlier execution of the job, wherever that was.
        sql: the job is this folder of queries over the tables in *data*; Spark only plans them.
        space: a shipped space or a file.
        master: where the job will run; ``None``: as *conf* or ``spark-defaults.conf`` says, or
            else all of this machine.
        spark_home: of the Spark that will run it.
        tracking_uri: where your studies are published and your predictor is registered, if any.
        conf: what the job runs with today, over what the execution of the log ran with. With
            neither: what earlier studies started from.

    Raises:
        InputError: the data, the log, the space or the master is wrong.
        EnvironmentFault: Spark, Java or MLflow does not answer.
    """
    from autotune.domain import DatasetProfile
    from autotune.inquiry import inquire
    from autotune.recommendation import recommend as run

    paths = [data] if isinstance(data, str | Path) else data or ()
    about = inquire(
        paths if isinstance(paths, DatasetProfile) else [str(each) for each in paths],
        eventlog=None if eventlog is None else str(eventlog),
        sql=None if sql is None else str(sql),
        space=space,
        master=master,
        conf=conf,
        spark_home=spark_home,
    )
    return run(about, workload=workload, tracking_uri=tracking_uri)
