"""Train the predictor: read all published studies, fit, compare with the champion, register."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean

import pandas as pd

from autotune.corpus import read_corpus
from autotune.domain import Value, digest_of
from autotune.errors import InputError, NewerVersion, NoUsableResult
from autotune.ledger import Ledger
from autotune.ledger.models import CHALLENGER, Champion, Lesson
from autotune.predict import (
    Predictor,
    Regret,
    Score,
    fit,
    left_out_regrets,
    regrets,
    shipped_files,
)
from autotune.predict.rows import usable
from autotune.recommendation.table import answers, row_of
from autotune.record import StudyHistory
from autotune.redaction import without_login
from autotune.registry import CHAMPION, MODEL_NAME, SHIPPED_TAG
from autotune.tracking_uri import DEFAULT_TRACKING_URI
from autotune.version import __version__

HASH_TAG = "autotune.training_hash"
PREDICTOR_TAG = "autotune.predictor"
"""What was learned, by which version: another one may learn otherwise from the same."""
SHIPPED_NAME = "the one that comes with autotune"
_NOTHING_NEW = "nothing new to learn from"
_REQUIREMENTS = ("scikit-learn", "skops", "pandas", "numpy", "scipy")


class TrainResult(Value):
    """What training did."""

    version: str
    """In MLflow's registry."""
    alias: str
    """``champion``: it answers from now on; ``challenger``: the one before stays in charge."""
    reason: str
    model: str
    """What answers where most is known of the job."""
    models: dict[str, str]
    """What answers, by what is known of the job: ``log``, ``plans`` or ``nothing``."""
    scores: dict[str, Score]
    """Of every model that competed to be :attr:`model`, on what was left out."""
    grouped_by: str
    studies: int
    configs: int
    workloads: tuple[str, ...]
    training_hash: str
    tracking_uri: str

    def to_text(self) -> str:
        """Return the result for people."""
        lines = [
            f"Trained on {self.configs} configurations of {self.studies} studies "
            f"({', '.join(self.workloads)}).",
            f"Checked by leaving out one {self.grouped_by} after the other:",
            f"  {'model':<18} {'regret if sure':>15} {'of all picks':>13} {'rank corr.':>11} "
            f"{'error of log time':>18}",
        ]
        for name, score in self.scores.items():
            mark = "  <- chosen" if name == self.model else ""
            lines.append(
                f"  {name:<18} {score.told_regret:>15.1%} {score.regret:>13.1%} "
                f"{score.rank_correlation:>11.2f} {score.mae_log_time:>18.3f}{mark}"
            )
        others = {told: name for told, name in self.models.items() if name != self.model}
        lines += [f"With {told} known of the job: {name}." for told, name in others.items()]
        lines.append(f"Registered as version {self.version}, {self.alias}: {self.reason}.")
        where = f"MLFLOW_TRACKING_URI={without_login(self.tracking_uri)}"
        model = f"models:/{MODEL_NAME}@{CHAMPION}"
        lines.append(f"To serve it: {where} mlflow models serve -m {model} --env-manager local")
        return "\n".join(lines)


def train(
    tracking_uri: str = DEFAULT_TRACKING_URI,
    *,
    replace: bool = False,
    ledger: Ledger | None = None,
    corpus: Sequence[StudyHistory] | None = None,
) -> TrainResult:
    """Fit the predictor on the person's own studies and the corpus; register it in MLflow.

    It becomes champion if following it, in own studies that the one in use has not learned from,
    costs no more; it is judged on them by models that had not seen them either. Without
    such studies the two know the same, and their left-out scores are compared. In use is the
    champion of the registry, or else the predictor that comes with autotune.

    Where there is no own study and no champion, the one that comes with autotune is registered,
    so that it can be served.

    Args:
        tracking_uri: Where the person's studies are published.
        replace: Put the new one in charge without comparing it.
        ledger: Instead of one on *tracking_uri*.
        corpus: Studies that are learned from beside the own ones; ``None``: the shipped ones. With
            none at all, the predictor that comes with autotune is not compared with either.

    Raises:
        NoUsableResult: There is too little history, or no own study to learn from while
            a predictor is registered already.
        NewerVersion: The champion was made by a newer autotune, so it can't be compared.
        EnvironmentFault: MLflow does not answer, or the champion's files are out of reach.
    """
    ledger = ledger or Ledger(tracking_uri)
    own = ledger.history()
    lent = read_corpus() if corpus is None else tuple(corpus)
    shipped = shipped_files() if lent else {}
    reigning = Reigning(None, "", "as was asked") if replace else _reigning(ledger, shipped)
    if lent and not usable(own):
        if not shipped or reigning.name not in ("", SHIPPED_NAME):
            raise NoUsableResult(f"{_NOTHING_NEW}: {_no_lesson(ledger, len(own))}")
        return _without_own(ledger, Predictor.from_files(shipped), len(own), replace=replace)
    predictor = fit([*own, *lent])
    promote, reason = True, reigning.note
    if reigning.predictor is not None:
        promote, compared = _better(predictor, reigning.predictor, reigning.name, own, lent)
        reason = f"{reason}; {compared}" if reason else compared
        if not promote and reigning.name == SHIPPED_NAME:
            _put_in_charge(ledger, reigning.predictor)  # so that it is what is served
    return _registered(ledger, predictor, promote=promote, reason=reason)


def _put_in_charge(ledger: Ledger, shipped: Predictor) -> None:
    if not _is_champion(ledger, shipped):
        ledger.register(lesson_of(shipped, shipped=True), promote=True)


def _is_champion(ledger: Ledger, predictor: Predictor) -> bool:
    return (ledger.champion_tags() or {}).get(PREDICTOR_TAG) == _identity(predictor)


def _identity(predictor: Predictor) -> str:
    return digest_of([predictor.card.model_dump(mode="json"), __version__])


def _without_own(
    ledger: Ledger, shipped: Predictor, studies: int, *, replace: bool
) -> TrainResult:
    """Register the predictor that came with autotune, unless just that is registered already."""
    if _is_champion(ledger, shipped) and not replace:
        raise NoUsableResult(f"{_NOTHING_NEW}: {_no_lesson(ledger, studies)}")
    reason = f"it came with autotune, and {_no_lesson(ledger, studies)}"
    return _registered(ledger, shipped, promote=True, reason=reason, shipped=True)


def _no_lesson(ledger: Ledger, studies: int) -> str:
    found = "no study of your own is published"
    if studies:
        found = f"none of your {studies} studies (streams at a pace of their own aside) has a "
        found += "measured baseline and another configuration that succeeded"
    return f"{found} in {without_login(ledger.tracking_uri)}: tune a job with `autotune tune`"


def _registered(
    ledger: Ledger, predictor: Predictor, *, promote: bool, reason: str, shipped: bool = False
) -> TrainResult:
    registered = ledger.register(lesson_of(predictor, shipped=shipped), promote=promote)
    card = predictor.card
    return TrainResult(
        version=registered,
        alias=CHAMPION if promote else CHALLENGER,
        reason=reason,
        model=card.model,
        models={told.value: name for told, name in card.models.items()},
        scores=card.scores[card.most],
        grouped_by=card.grouped_by,
        studies=card.studies,
        configs=card.configs,
        workloads=card.workloads,
        training_hash=card.training_hash,
        tracking_uri=without_login(ledger.tracking_uri),
    )


def load_predictor(champion: Champion) -> Predictor:
    """Rebuild the predictor that the registry holds.

    Raises:
        InputError: It was made by another version, or is something else.
    """
    return Predictor.from_files(champion.files)


@dataclass(frozen=True)
class Reigning:
    """The predictor in use, with which a new one is compared."""

    predictor: Predictor | None
    name: str
    note: str
    """What is to be said of it: why there is none, or why it is not the champion."""


def _reigning(ledger: Ledger, shipped: Mapping[str, bytes]) -> Reigning:
    note = ""
    # Of ours there is a copy here, wherever the registered one may be.
    champion = ledger.champion() if SHIPPED_TAG not in (ledger.champion_tags() or {}) else None
    if champion is not None:
        try:
            return Reigning(load_predictor(champion), f"version {champion.version}", "")
        except NewerVersion:
            raise
        except InputError as error:
            note = f"the one before can't be used ({error})"
    if not shipped:
        return Reigning(None, "", note or "the first one")
    return Reigning(Predictor.from_files(shipped), SHIPPED_NAME, note)


def _better(
    predictor: Predictor,
    champion: Predictor,
    name: str,
    own: Sequence[StudyHistory],
    lent: Sequence[StudyHistory],
) -> tuple[bool, str]:
    """Return whether *predictor* is at least as good on *own* studies, and why.

    Own studies that the champion has not learned from are asked of both: of the champion as it
    is, of the new one by what the same kind of model says that learned from all others. Where
    there are none, both were judged on the same studies, whole workloads left out.
    """
    lessons = {lesson.key: lesson.history for lesson in usable(own)}
    theirs = champion.card.study_regrets
    fresh = sorted(set(lessons) - set(theirs))
    if fresh:
        kinds = sorted(set(predictor.card.models.values()))
        mine = left_out_regrets(fresh, [*own, *lent], kinds)
        known = regrets(champion, [lessons[key] for key in fresh])
        return as_good(mine, known, sorted(set(mine) & set(known)), f"new to {name}")
    mine = predictor.card.study_regrets
    return as_good(mine, theirs, sorted(set(lessons) & set(mine)), f"that {name} knows too")


def as_good(
    mine: Mapping[str, Regret], theirs: Mapping[str, Regret], studies: Sequence[str], which: str
) -> tuple[bool, str]:
    """Return whether following a new predictor on *studies* costs no more, and the figures.

    What counts is what either would tell; where that costs the same, all their picks, sure or
    not. Of two that are as good, the new one has learned from more.
    """
    if not studies:
        return True, "the one before learned from studies that are gone"
    new, old = (mean(each[key].told for key in studies) for each in (mine, theirs))
    said, where = f"regret {new:.1%} against {old:.1%}", f"on {len(studies)} studies {which}"
    if not math.isclose(new, old, abs_tol=1e-9):
        return new < old, f"{said} {where}"
    new, old = (mean(each[key].pick for key in studies) for each in (mine, theirs))
    return new <= old + 1e-9, f"{said}, and of all picks {new:.1%} against {old:.1%}, {where}"


def lesson_of(predictor: Predictor, *, shipped: bool) -> Lesson:
    """Return what is registered of a predictor; *shipped*: it is the one of autotune itself."""
    card = predictor.card
    example = max(predictor.known, key=lambda history: len(history.trials))
    full = row_of(example.profile, example.machine, example.job)
    # What may be left out is left out in the second row: so MLflow takes it for optional.
    least = {name: value if name == "machine" else None for name, value in full.items()}
    table = pd.DataFrame([full, least])
    return Lesson(
        serving=Path(__file__).with_name("serving.py"),
        files=predictor.files(),
        input_example=table,
        output_example=answers(predictor, table),
        metrics={
            "cv_told_regret": card.score.told_regret,
            "cv_regret": card.score.regret,
            "cv_rank_correlation": card.score.rank_correlation,
            "cv_mae_log_time": card.score.mae_log_time,
            "studies": card.studies,
            "configs": card.configs,
        },
        params={
            "model": ", ".join(f"{told} {name}" for told, name in card.models.items()),
            "left_out": card.grouped_by,
            "workloads": ", ".join(card.workloads),
        },
        tags={HASH_TAG: card.training_hash, PREDICTOR_TAG: _identity(predictor)}
        | ({SHIPPED_TAG: "true"} if shipped else {}),
        requirements=(
            f"spark-autotune=={__version__}",
            *(f"{name}=={version(name)}" for name in _REQUIREMENTS),
        ),
    )
