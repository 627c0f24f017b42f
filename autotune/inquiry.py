"""What somebody asks a recommendation about: read, and checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autotune.dataset import profile_dataset
from autotune.dataset.files import local_path
from autotune.dataset.formats import format_of
from autotune.domain import DatasetProfile, Machine, WorkloadProfile
from autotune.errors import AutotuneError, InputError
from autotune.logclues import log_cautions, other_data, ran_with
from autotune.machine import detect_machine
from autotune.pathtext import local_of
from autotune.space import Space
from autotune.spacefile import load_space
from autotune.spark.eventlog import summarise
from autotune.spark.explain import explain_queries
from autotune.spark.installation import Installation, find_installation, spark_defaults

_MASTER = "spark.master"


@dataclass(frozen=True)
class Inquiry:
    """The data, the job, the machine and what may be changed, as far as they are known."""

    profile: DatasetProfile | None
    job: WorkloadProfile | None
    machine: Machine
    space: Space
    spark_defaults: Mapping[str, str]
    """What the installation's ``spark-defaults.conf`` sets."""
    conf: Mapping[str, str] | None = None
    """What the person says that the job runs with today, its master aside."""
    logged: Mapping[str, str] | None = None
    """What the execution of the log ran with, of what the space may change."""
    cautions: tuple[str, ...] = ()
    """What makes the log or the queries tell less than the whole job does."""


def inquire(
    data: Sequence[str] | DatasetProfile = (),
    *,
    eventlog: str | None = None,
    sql: str | None = None,
    space: str = "default",
    master: str | None = None,
    conf: Mapping[str, str] | None = None,
    spark_home: str | None = None,
    sample_rows: int = 100_000,
    max_files: int = 1000,
    columns: Sequence[str] = (),
) -> Inquiry:
    """Read all that is asked about.

    Args:
        data: Paths that :func:`~autotune.dataset.profile_dataset` reads, those of all inputs of
            one job; or its profile.
        eventlog: A log of an earlier execution of the job, wherever that was: tells what it does.
        sql: The job is this folder of queries over the tables in *data*; Spark only plans them.
        space: What may be changed: a shipped space or a file.
        master: Where the job will run; ``None``: what *conf* or ``spark-defaults.conf`` says, or
            else all of this machine.
        conf: What the job runs with today, where the person says it.
        spark_home: Of the Spark that will run it.
        sample_rows: As ``profile_dataset`` takes it, like the next two.
        max_files: See there.
        columns: See there.

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
    if sql is not None:
        _check_queries(sql, paths[0])
    profile = known
    if paths:
        apart = paths if sql is None else _tables(paths[0])
        profile = profile_dataset(
            apart, sample_rows=sample_rows, max_files=max_files, columns=columns
        )
    installation = find_installation(spark_home)
    defaults = spark_defaults(installation)
    own = dict(conf or {})
    named = master or own.pop(_MASTER, None)
    machine, cautions = _machine(named, defaults.get(_MASTER), installation)
    found = load_space(space, spark_version=installation.spark_version)
    said = None if conf is None else own
    about = Inquiry(profile, None, machine, found, defaults, said, cautions=cautions)
    if eventlog is not None:
        return _with_log(about, eventlog)
    if sql is not None:
        queries, tables = local_of(sql, where="sql"), local_path(paths[0])
        job, more = explain_queries(installation, queries=queries, tables=tables)
        return replace(about, job=job, cautions=(*cautions, *more))
    return about


def _tables(data: str) -> Sequence[str]:
    """Return the tables of queries one by one where they lie side by side in several formats."""
    folder = local_path(data)
    if (folder / "tables").is_dir():
        folder = folder / "tables"
    inside = [path for path in sorted(folder.glob("*")) if path.name[0] not in "._"]
    forms = {path: format_of(path.name, str(folder)) for path in inside if path.is_file()}
    kinds = {form for form in forms.values() if form and form != "text"}
    if len(kinds) < 2:
        return [data]
    return [str(path) for path in inside if path.is_dir() or forms[path] in kinds]


def _machine(
    named: str | None, usual: str | None, installation: Installation
) -> tuple[Machine, tuple[str, ...]]:
    """Return the machine that is asked about; of a usual one that is out of reach, this one."""
    if named is None and usual is not None:
        try:
            return detect_machine(usual, installation), ()
        except AutotuneError as error:
            caution = f"this is about local[*], see --master: spark-defaults.conf says {error}"
            return detect_machine("local[*]", installation), (caution,)
    return detect_machine(named or "local[*]", installation), ()


def _with_log(about: Inquiry, eventlog: str) -> Inquiry:
    log = summarise(local_of(eventlog, where="eventlog"))
    if log.profile is None:
        message = f"eventlog {eventlog}: no task ended in it"
        raise InputError(f"{message}; name the log of a whole execution")
    ran, too_large = ran_with(log, about.space, about.machine)
    cautions = [*about.cautions, *log_cautions(log, about.machine)]
    cautions += [*other_data(log.profile, about.profile), *too_large]
    return replace(about, job=log.profile, logged=ran, cautions=tuple(cautions))


def _check_queries(sql: str, tables: str) -> None:
    queries = local_of(sql, where="sql")
    if not sorted(queries.glob("*.sql")):
        message = f"sql: '{queries}' holds no .sql file; name a folder of queries"
        raise InputError(message)
    folder = local_path(tables)
    if folder.exists() and not folder.is_dir():
        message = f"data: '{folder}' is a file; name the folder that the tables are in"
        raise InputError(message)
