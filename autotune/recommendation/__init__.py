"""Answer with a configuration for data never tuned before, and with no execution."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from autotune.errors import NoUsableResult
from autotune.inquiry import Inquiry
from autotune.pathtext import at_home
from autotune.predict import Predictor, shipped_files
from autotune.recommendation.answer import Change, Recommendation
from autotune.recommendation.asking import answer, known_job, starting_point
from autotune.recommendation.question import Question
from autotune.recommendation.ranking import rank
from autotune.registry import SHIPPED_TAG, in_charge
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
    about: Inquiry,
    *,
    workload: str | None = None,
    tracking_uri: str = DEFAULT_TRACKING_URI,
) -> Recommendation:
    """Recommend a configuration for a job, from what earlier studies taught.

    What it is compared with is what the person says, over what the execution of the log ran with.
    With neither: what its latest study started from; without a study of it, what all studies
    started from; else Spark's own defaults; each over the installation's ``spark-defaults.conf``.

    Args:
        about: What is asked about.
        workload: What the job is called in earlier studies.
        tracking_uri: Where the studies are published and the predictor is registered.

    Raises:
        InputError: The predictor is of another version.
        NoUsableResult: Nothing was trained yet.
        EnvironmentFault: MLflow does not answer.
    """
    predictor, version = predictor_in_charge(tracking_uri)
    today, origin = starting_point(predictor.known, workload, about.conf, about.logged)
    job, cautions = about.job, about.cautions
    if job is None:
        job, said = known_job(predictor.known, workload, about.profile)
        cautions += said
    recommendation = answer(
        predictor,
        about.profile,
        about.machine,
        about.space,
        today={**about.spark_defaults, **today},
        baseline_from=origin,
        workload=workload,
        job=job,
        cautions=cautions,
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
    found = in_charge(at_home(store)) if store is not None else None
    if found is not None and found.folder is not None:
        try:
            modified_ns = found.folder.stat().st_mtime_ns
            return _registered(found.folder, modified_ns), found.version
        except OSError:
            found = None  # MLflow says what is wrong with it
    if found is None:
        from autotune.ledger import Ledger  # MLflow takes seconds to import

        ledger = Ledger(tracking_uri)
        # Of ours there is a copy here, wherever the registered one may be.
        ours = SHIPPED_TAG in (ledger.champion_tags() or {})
        champion = None if ours else ledger.champion()
        if champion is not None:
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


@lru_cache(maxsize=1)
def _registered(folder: Path, modified_ns: int) -> Predictor:
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return Predictor.from_files(files)
