"""Answer with a configuration for data never tuned before, and with no execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotune.dataset import profile_dataset
from autotune.domain import DatasetProfile, Machine, WorkloadProfile
from autotune.errors import InputError, NoUsableResult
from autotune.ledger import Ledger
from autotune.machine import detect_machine
from autotune.pathtext import path_of
from autotune.predict import Predictor
from autotune.recommendation.answer import Change, Recommendation
from autotune.recommendation.candidates import past_baseline
from autotune.recommendation.ranking import Question, rank
from autotune.record import StudyHistory
from autotune.space import Space, bind
from autotune.spacefile import load_space
from autotune.spark.eventlog import summarise
from autotune.spark.explain import explain_queries
from autotune.spark.installation import Installation, find_installation, spark_defaults
from autotune.tracking_uri import DEFAULT_TRACKING_URI

__all__ = ["Change", "Question", "Recommendation", "answer", "rank", "recommend"]


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
    if data is None and eventlog is None:
        raise InputError("recommend: nothing to go by; name the data with --data, or --eventlog")
    profile = profile_dataset(data) if isinstance(data, str) else data
    installation = find_installation(spark_home)
    job = _job(data, eventlog, sql, installation)
    found = load_space(space, spark_version=installation.spark_version)
    machine = detect_machine(master, installation)
    ledger = Ledger(tracking_uri)
    champion = ledger.champion()
    if champion is None:
        raise NoUsableResult(
            "no predictor yet: tune at least two jobs or tables with `autotune tune`, then run "
            "`autotune train`"
        )
    predictor = Predictor.from_parts(champion.model, champion.files)
    histories = ledger.history()
    defaults = spark_defaults(installation)
    today, origin = starting_point(histories, workload, conf)
    recommendation = answer(
        predictor,
        profile,
        machine,
        found,
        histories=histories,
        today={**defaults, **today},
        baseline_from=origin,
        workload=workload,
        job=job,
    )
    return recommendation.model_copy(update={"predictor_version": champion.version})


def _job(
    data: str | DatasetProfile | None,
    eventlog: str | None,
    sql: str | None,
    installation: Installation,
) -> WorkloadProfile | None:
    """Return what the job does, where somebody said how to know it."""
    if eventlog is not None and sql is not None:
        raise InputError("recommend: --eventlog and --sql both tell of the job; leave one out")
    if eventlog is not None:
        found = summarise(path_of(eventlog, where="eventlog")).profile
        if found is None:
            message = f"eventlog {eventlog}: no task ended in it"
            raise InputError(f"{message}; name the log of a whole execution")
        return found
    if sql is None:
        return None
    if not isinstance(data, str):
        raise InputError("recommend: --sql needs the tables; name their folder with --data")
    queries = path_of(sql, where="sql")
    if not sorted(queries.glob("*.sql")):
        message = f"sql: '{queries}' holds no .sql file; name a folder of queries"
        raise InputError(message)
    return explain_queries(installation, queries=queries, tables=path_of(data, where="data"))


def answer(
    predictor: Predictor,
    profile: DatasetProfile | None,
    machine: Machine,
    space: Space,
    *,
    histories: Sequence[StudyHistory] = (),
    today: Mapping[str, str] | None = None,
    baseline_from: str = "your configuration",
    workload: str | None = None,
    job: WorkloadProfile | None = None,
) -> Recommendation:
    """Recommend with everything at hand: no file, no server and no process is touched.

    Args:
        predictor: A fitted one.
        profile: Of the data, where it is known.
        machine: Where the job will run.
        space: What may be changed.
        histories: Studies whose best configurations are candidates.
        today: What the job runs with now.
        baseline_from: Where *today* is known from, in words.
        workload: What the job is called in earlier studies.
        job: What it does, where that is known.
    """
    today = today or {}
    facts = predictor.facts_of(machine.spark_version)
    bound = bind(space, machine=machine, baseline=today, facts=facts)
    question = Question(bound, profile, today, baseline_from, workload, job)
    return rank(predictor, question, histories)


def starting_point(
    histories: Sequence[StudyHistory], workload: str | None, conf: Mapping[str, str] | None
) -> tuple[Mapping[str, str], str]:
    """Return the configuration to compare with, and in words where it is known from."""
    if conf is not None:
        return conf, "your configuration"
    known = [(h, base) for h in histories if (base := past_baseline(h)) is not None]
    own = [(h, base) for h, base in known if h.workload == workload]
    if own:
        history, base = own[-1]
        return base, f"what study {history.study} started from"
    if known and all(base == known[0][1] for _, base in known):
        return known[0][1], "what the earlier studies started from"
    return {}, "Spark's defaults"
