"""Answer with a configuration for data never tuned before, and with no execution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from autotune.dataset import profile_dataset
from autotune.domain import DatasetProfile, WorkloadProfile
from autotune.errors import InputError, NoUsableResult
from autotune.machine import detect_machine
from autotune.pathtext import path_of
from autotune.predict import Predictor, shipped_files
from autotune.recommendation.answer import Change, Recommendation
from autotune.recommendation.asking import answer, starting_point
from autotune.recommendation.question import Question
from autotune.recommendation.ranking import rank
from autotune.spacefile import load_space
from autotune.spark.eventlog import summarise
from autotune.spark.explain import explain_queries
from autotune.spark.installation import Installation, find_installation, spark_defaults
from autotune.tracking_uri import DEFAULT_TRACKING_URI, sqlite_path

__all__ = [
    "Change",
    "Question",
    "Recommendation",
    "answer",
    "predictor_in_charge",
    "rank",
    "recommend",
    "starting_point",
]


def recommend(
    data: str | DatasetProfile | None = None,
    *,
    workload: str | None = None,
    eventlog: str | None = None,
    sql: str | None = None,
    space: str = "default",
    master: str = "local[*]",
    spark_home: str | None = None,
    tracking_uri: str = DEFAULT_TRACKING_URI,
    conf: Mapping[str, str] | None = None,
) -> Recommendation:
    """Recommend a configuration for a job, from what earlier studies taught.

    Args:
        data: A path that :func:`~autotune.dataset.profile_dataset` reads, or its profile.
        workload: What the job is called in earlier studies.
        eventlog: A log of an earlier execution of the job, wherever that was: tells what it does.
        sql: The job is this folder of queries over the tables in *data*; Spark only plans them.
        space: What may be changed: a shipped space or a file.
        master: Where the job will run.
        spark_home: Of the Spark that will run it.
        tracking_uri: Where the studies are published and the predictor is registered.
        conf: What the job runs with today. ``None``: what its latest study started from; without
            a study of it, what all studies started from; else Spark's own defaults; each over
            the installation's ``spark-defaults.conf``.

    Raises:
        InputError: The data, the space or the master is wrong.
        NoUsableResult: Nothing was trained yet.
        EnvironmentFault: Spark, Java or MLflow does not answer.
    """
    if eventlog is not None and sql is not None:
        raise InputError("recommend: --eventlog and --sql both tell of the job; leave one out")
    if sql is not None and not isinstance(data, str):
        raise InputError("recommend: --sql needs the tables; name their folder with --data")
    if data is None and eventlog is None:
        raise InputError("recommend: nothing to go by; name the data with --data, or --eventlog")
    profile = profile_dataset(data) if isinstance(data, str) else data
    installation = find_installation(spark_home)
    job = _job(data, eventlog, sql, installation)
    found = load_space(space, spark_version=installation.spark_version)
    machine = detect_machine(master, installation)
    predictor, version = predictor_in_charge(tracking_uri)
    defaults = spark_defaults(installation)
    today, origin = starting_point(predictor.known, workload, conf)
    recommendation = answer(
        predictor,
        profile,
        machine,
        found,
        today={**defaults, **today},
        baseline_from=origin,
        workload=workload,
        job=job,
    )
    return recommendation.model_copy(update={"predictor_version": version})


def predictor_in_charge(tracking_uri: str) -> tuple[Predictor, str]:
    """Return the champion of the registry, or else the predictor that came with autotune.

    Returns:
        The predictor, and its version in the registry or ``shipped``.

    Raises:
        NoUsableResult: There is neither.
        InputError: It is of another version.
        EnvironmentFault: MLflow does not answer.
    """
    store = sqlite_path(tracking_uri)
    if store is None or store.expanduser().exists():
        # MLflow takes seconds to import; right after installation there is nothing in it.
        from autotune.ledger import Ledger
        from autotune.ledger.models import SHIPPED_TAG

        champion = Ledger(tracking_uri).champion()
        if champion is not None and SHIPPED_TAG not in champion.tags:
            return Predictor.from_files(champion.files), champion.version
    shipped = _shipped()
    if shipped is not None:
        return shipped, "shipped"
    raise NoUsableResult(
        "no predictor yet: tune at least two jobs or tables with `autotune tune`, then run "
        "`autotune train`"
    )


@lru_cache(maxsize=1)
def _shipped() -> Predictor | None:
    files = shipped_files()
    return Predictor.from_files(files) if files else None


def _job(
    data: str | DatasetProfile | None,
    eventlog: str | None,
    sql: str | None,
    installation: Installation,
) -> WorkloadProfile | None:
    """Return what the job does, where somebody said how to know it."""
    if eventlog is not None:
        found = summarise(path_of(eventlog, where="eventlog")).profile
        if found is None:
            message = f"eventlog {eventlog}: no task ended in it"
            raise InputError(f"{message}; name the log of a whole execution")
        return found
    if sql is None or not isinstance(data, str):
        return None
    queries = path_of(sql, where="sql")
    if not sorted(queries.glob("*.sql")):
        message = f"sql: '{queries}' holds no .sql file; name a folder of queries"
        raise InputError(message)
    return explain_queries(installation, queries=queries, tables=path_of(data, where="data"))
