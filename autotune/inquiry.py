"""What somebody asks a recommendation about: read, and checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotune.dataset import profile_dataset
from autotune.dataset.files import local_path
from autotune.domain import DatasetProfile, Machine, WorkloadProfile
from autotune.errors import InputError
from autotune.machine import detect_machine
from autotune.pathtext import path_of
from autotune.space import Space
from autotune.spacefile import load_space
from autotune.spark.eventlog import summarise
from autotune.spark.explain import explain_queries
from autotune.spark.installation import Installation, find_installation, spark_defaults


@dataclass(frozen=True)
class Inquiry:
    """The data, the job, the machine and what may be changed, as far as they are known."""

    profile: DatasetProfile | None
    job: WorkloadProfile | None
    machine: Machine
    space: Space
    spark_defaults: Mapping[str, str]
    """What the installation's ``spark-defaults.conf`` sets."""


def inquire(
    data: Sequence[str] | DatasetProfile = (),
    *,
    eventlog: str | None = None,
    sql: str | None = None,
    space: str = "default",
    master: str = "local[*]",
    spark_home: str | None = None,
) -> Inquiry:
    """Read all that is asked about.

    Args:
        data: Paths that :func:`~autotune.dataset.profile_dataset` reads, those of all inputs of
            one job; or its profile.
        eventlog: A log of an earlier execution of the job, wherever that was: tells what it does.
        sql: The job is this folder of queries over the tables in *data*; Spark only plans them.
        space: What may be changed: a shipped space or a file.
        master: Where the job will run.
        spark_home: Of the Spark that will run it.

    Raises:
        InputError: The data, the log, the queries, the space or the master is wrong.
        EnvironmentFault: Spark or Java does not answer.
    """
    if eventlog is not None and sql is not None:
        raise InputError("recommend: --eventlog and --sql both tell of the job; leave one out")
    known = data if isinstance(data, DatasetProfile) else None
    paths = () if isinstance(data, DatasetProfile) else tuple(data)
    if sql is not None and len(paths) != 1:
        message = "needs the tables; name the one folder that they are in with --data"
        raise InputError(f"recommend: --sql {message}")
    if known is None and not paths and eventlog is None:
        raise InputError("recommend: nothing to go by; name the data with --data, or --eventlog")
    profile = profile_dataset(paths) if paths else known
    installation = find_installation(spark_home)
    job = _logged(eventlog) if eventlog is not None else None
    if sql is not None:
        job = _planned(sql, paths[0], installation)
    found = load_space(space, spark_version=installation.spark_version)
    machine = detect_machine(master, installation)
    return Inquiry(profile, job, machine, found, spark_defaults(installation))


def _logged(eventlog: str) -> WorkloadProfile:
    found = summarise(path_of(eventlog, where="eventlog")).profile
    if found is None:
        message = f"eventlog {eventlog}: no task ended in it"
        raise InputError(f"{message}; name the log of a whole execution")
    return found


def _planned(sql: str, tables: str, installation: Installation) -> WorkloadProfile:
    queries = path_of(sql, where="sql")
    if not sorted(queries.glob("*.sql")):
        message = f"sql: '{queries}' holds no .sql file; name a folder of queries"
        raise InputError(message)
    return explain_queries(installation, queries=queries, tables=local_path(tables))
