"""What was learned, and how it answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
from pydantic import TypeAdapter, ValidationError
from sklearn import config_context

from autotune.domain import Config, DatasetProfile, Machine, Value, WorkloadProfile
from autotune.errors import InputError, NewerVersion
from autotune.predict.card import CARD_VERSION, Margins, ModelCard
from autotune.predict.features import (
    SHARES,
    FactsOf,
    Kind,
    config_features,
    context_features,
    context_text,
    matrix,
)
from autotune.predict.models import TRUSTED_TYPES, ask, chance
from autotune.predict.telling import doubt, lead
from autotune.record import StudyHistory
from autotune.spark.properties import property_facts

CARD_FILE = "card.json"
REGRESSOR_FILE = "regressor-{}.skops"
FAILURE_FILE = "failure.skops"
KNOWN_FILE = "known.json"
PARTS = (CARD_FILE, REGRESSOR_FILE.format("*"), FAILURE_FILE, KNOWN_FILE)
"""All that a predictor may have, as patterns of names."""
SHIPPED = Path(__file__).parent / "shipped"
_RETRAIN = "train a new one with `autotune train`"
_OTHER_VERSION = f"model: {CARD_FILE} is of another version; {_RETRAIN}"
_NEWER = "model: made by a newer autotune; update autotune, or see `autotune train --replace`"
_KNOWN = TypeAdapter(tuple[StudyHistory, ...])


class Prediction(Value):
    """What to expect of a configuration, relative to the baseline: below 1 is faster."""

    relative_time: float
    low: float
    high: float
    """``low`` to ``high``: 80 % of left-out configurations fell into such an interval."""
    failure_probability: float
    spread: float = 0.0
    """Disagreement inside the model, in log(time)."""
    lead: float = 0.0
    """By how much it gains more than it has to, in log(time), to be told: ``Margins.sure``."""


@dataclass(frozen=True)
class Predictor:
    """(data, machine, configuration) → relative time, interval, probability of failure."""

    regressors: Mapping[str, Any]
    """By name of the model, fitted scikit-learn pipelines over rows of features."""
    failure: Any | None
    """A classifier of failure over what the pipeline prepares; ``None``: the same for all."""
    card: ModelCard
    known: tuple[StudyHistory, ...] = ()
    """Of every study the baseline and the best configurations: what may be tried elsewhere."""
    facts_of: FactsOf = property_facts

    @cached_property
    def contexts(self) -> tuple[Mapping[str, float], ...]:
        """What does not depend on the configuration, of each of ``known``: every answer asks."""
        return tuple(context_features(h.profile, h.machine, "", h.job) for h in self.known)

    def predict(
        self,
        profile: DatasetProfile | None,
        machine: Machine,
        configs: Sequence[Config],
        *,
        baseline: Config | None = None,
        workload: str = "",
        job: WorkloadProfile | None = None,
    ) -> tuple[Prediction, ...]:
        """Predict each of *configs*, relative to *baseline* (Spark's own defaults if ``None``).

        Args:
            profile: The data that the job will read.
            machine: Where it will run.
            configs: Any configurations; what they leave unset has Spark's default.
            baseline: What the job runs with today.
            workload: Its name in earlier studies, where it has one.
            job: What it does, where that is known.
        """
        if not configs:
            return ()
        table = self.features(profile, machine, [baseline or Config(), *configs], workload, job)
        known = self.card.known(job)
        regressor = self.regressors[self.card.models[known]]
        # The numbers are ours: to check them for every question costs more than some answers.
        with config_context(assume_finite=True, skip_parameter_validation=True):
            prepared = regressor["prepare"].transform(table)
            logs, spread = ask(regressor["model"], prepared)
        failing = self._failure_probabilities(prepared)
        # Not the last digits: two equal rows may differ in them, by their place in the table.
        rows = zip(np.round(logs - logs[0], 9), spread, failing, strict=True)
        margins = self.card.margins[known]
        return tuple(_prediction(*row, margins) for row in rows)[1:]

    def features(
        self,
        profile: DatasetProfile | None,
        machine: Machine,
        configs: Sequence[Config],
        workload: str = "",
        job: WorkloadProfile | None = None,
    ) -> np.ndarray:
        """Return what the models take: a row for each of *configs*, the card's columns."""
        facts = self.facts_of(machine.spark_version)
        context = context_features(profile, machine, workload, job)
        rows = [
            context | config_features(self.card.settings, config, profile, machine, facts, job)
            for config in configs
        ]
        return matrix(rows, self.card.columns)

    def distance(
        self, profile: DatasetProfile | None, machine: Machine, job: WorkloadProfile | None
    ) -> float:
        """Return how far a question lies from what was learned from; above 1 is too far."""
        reach = self.card.reach[self.card.known(job)]
        return reach.distance(context_features(profile, machine, "", job))

    def unfamiliar(self, profile: DatasetProfile | None, machine: Machine) -> tuple[str, ...]:
        """Say in words what about the data and the machine lies outside of what was learned from.

        A tolerance of a factor of two at either end of what is counted in logarithms.
        """
        context = context_features(profile, machine, "")
        found = []
        for name, (low, high) in self.card.ranges.items():
            value = context.get(name)
            if value is None or math.isnan(value):
                continue
            margin = 0.1 if name in SHARES else 1.0
            if not low - margin <= value <= high + margin:
                side = "above" if value > high else "below"
                shown = [context_text(name, x) for x in (value, low, high)]
                found.append(
                    f"{name} {shown[0]} is {side} what was learned from ({shown[1]}–{shown[2]})"
                )
        return tuple(found)

    def untried(self, config: Config, machine: Machine) -> tuple[str, ...]:
        """Say in words which values of *config* lie far outside of what any study tried.

        A tolerance of a factor of two at either end, of memory a tenth of the machine's. Nothing
        is said of what *config* leaves unset.
        """
        facts = self.facts_of(machine.spark_version)
        numbers = config_features(self.card.settings, config, None, machine, facts)
        found = []
        for setting in self.card.settings:
            text = config.value(setting.name)
            if text is None or setting.amount not in self.card.ranges:
                continue
            low, high = self.card.ranges[setting.amount]
            value = numbers[setting.amount]
            margin = 0.1 if setting.kind is Kind.MEMORY else 1.0
            if value < low - margin or value > high + margin:
                side = "above" if value > high else "below"
                found.append(f"{setting.name}={text} is far {side} all that was tried")
        return tuple(found)

    def files(self) -> dict[str, bytes]:
        """Return the files that make this predictor again: no code in them, no pickle."""
        found = {
            CARD_FILE: self.card.model_dump_json(indent=1).encode(),
            **{
                REGRESSOR_FILE.format(name): skops.io.dumps(model, compression=ZIP_DEFLATED)
                for name, model in self.regressors.items()
            },
            KNOWN_FILE: _KNOWN.dump_json(self.known),
        }
        if self.failure is not None:
            found[FAILURE_FILE] = skops.io.dumps(self.failure, compression=ZIP_DEFLATED)
        return found

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], *, facts_of: FactsOf = property_facts
    ) -> Predictor:
        """Rebuild what :meth:`files` gave; only types that skops trusts are loaded.

        Raises:
            InputError: The files are of another version, or not a predictor's.
        """
        for name in (CARD_FILE, KNOWN_FILE):
            if name not in files:
                raise InputError(f"model: {name} is missing, so it is no predictor; {_RETRAIN}")
        try:
            card = ModelCard.model_validate_json(files[CARD_FILE])
        except ValidationError as error:
            if _newer(files[CARD_FILE]):
                raise NewerVersion(_NEWER) from error
            raise InputError(_OTHER_VERSION) from error
        if card.schema_version > CARD_VERSION:
            raise NewerVersion(_NEWER)
        if card.schema_version < CARD_VERSION:
            raise InputError(_OTHER_VERSION)
        try:
            known = _KNOWN.validate_json(files[KNOWN_FILE])
        except ValidationError as error:
            raise InputError(f"model: {KNOWN_FILE} is of another version; {_RETRAIN}") from error
        failure = _loaded(files, FAILURE_FILE) if FAILURE_FILE in files else None
        names = sorted(set(card.models.values()))
        models = {name: _loaded(files, REGRESSOR_FILE.format(name)) for name in names}
        return cls(models, failure, card, known, facts_of)

    def _failure_probabilities(self, prepared: np.ndarray) -> np.ndarray:
        if self.failure is None:
            return np.full(len(prepared), self.card.failure_prior)
        return chance(self.failure, prepared)


def _prediction(log_time: float, spread: float, failing: float, margins: Margins) -> Prediction:
    unit = float(doubt(np.array(spread)))
    more = lead(log_time, spread, margins.sure)
    high = margins.high_if_sure if more > 0 else margins.high
    return Prediction(
        relative_time=math.exp(log_time),
        low=math.exp(log_time + margins.low * unit),
        high=math.exp(log_time + high * unit),
        failure_probability=float(failing),
        spread=float(spread),
        lead=more,
    )


def shipped_files() -> dict[str, bytes]:
    """Return the files of the predictor that comes with autotune; none if there is none."""
    if not SHIPPED.is_dir():
        return {}
    return {file.name: file.read_bytes() for file in sorted(SHIPPED.iterdir())}


def _newer(card: bytes) -> bool:
    try:
        version = json.loads(card)["schema_version"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(version, int) and version > CARD_VERSION


def _loaded(files: Mapping[str, bytes], name: str) -> Any:
    if name not in files:
        raise InputError(f"model: {name} is missing, so it is no predictor; {_RETRAIN}")
    try:
        return skops.io.loads(files[name], trusted=list(TRUSTED_TYPES))
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"model: {name} can't be loaded ({said}); {_RETRAIN}") from error
