"""Two configurations of one job, measured against each other as a winner is against a baseline.

A comparison is a study without a search: its space holds nothing but what differs between the
two, the first is the baseline and the second the challenger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from autotune.domain import Config
from autotune.errors import InputError
from autotune.experiment import Experiment
from autotune.plan import identity_of
from autotune.redaction import Secrets, without_login
from autotune.results import review
from autotune.space import Parameter, ParameterType, Space
from autotune.spark.installation import read_properties
from autotune.study import load_study

TODAY = "today"
_BASELINES = 2
"""So that a job that is not deterministic by itself is noticed before anything is compared."""


def named_properties(name: str, storage_url: str) -> dict[str, str | None]:
    """Return what a side of a comparison changes: property → value, ``None``: unset.

    Args:
        name: ``today`` (nothing), a file in the form of ``spark-defaults.conf``, one setting or
            several as ``spark.x=y,spark.z=w``, or a study, for what it recommends.
        storage_url: where studies are kept.

    Raises:
        InputError: it is none of these.
    """
    if name == TODAY:
        return {}
    if Path(name).is_file():
        return dict(read_properties(Path(name)))
    if name.startswith("spark.") and "=" in name:
        return dict(_setting(part) for part in re.split(r",(?=spark\.)", name))
    try:
        record = load_study(storage_url, name)
    except InputError as error:
        message = (
            f"'{name}': no file of properties, no study ({error}) and no setting;"
            " name a file, a study, spark.x=y or today"
        )
        raise InputError(message) from error
    return dict(review(record.experiment, record.trials).best_config.properties)


def comparison_of(
    experiment: Experiment,
    first: tuple[str, Mapping[str, str | None]],
    second: tuple[str, Mapping[str, str | None]],
) -> Experiment:
    """Return the experiment that compares two configurations of the job of another.

    Args:
        experiment: names the job, the machine and the budget; its space is not used.
        first: name, and what it changes of what the person runs today.
        second: likewise.

    Raises:
        InputError: the two do not differ.
    """
    today = experiment.workload.properties
    sides = [{**today, **changes} for _, changes in (first, second)]
    names = sorted({name for side in sides for name in side})
    differing = [name for name in names if sides[0].get(name) != sides[1].get(name)]
    if not differing:
        message = (
            f"'{first[0]}' and '{second[0]}' are the same configuration; name two that differ"
        )
        raise InputError(message)
    _check_public(differing, sides)
    properties = {name: value for name, value in sides[0].items() if value is not None}
    labels = "-vs-".join(_label(side[0]) for side in (first, second))
    compared = experiment.model_copy(
        update={
            "name": f"{experiment.name}-{labels}",
            "workload": experiment.workload.model_copy(update={"properties": properties}),
            "space": _space(differing, sides),
            "challenger": Config(properties={name: sides[1].get(name) for name in differing}),
            "budget": experiment.budget.model_copy(update={"baseline_repeats": _BASELINES}),
        }
    )
    return compared.model_copy(update={"identity": identity_of(compared)})


def _space(names: list[str], sides: list[dict[str, str | None]]) -> Space:
    return Space(
        name="comparison",
        description="What differs between two configurations.",
        parameters=tuple(
            Parameter(
                name=name,
                type=ParameterType.CATEGORICAL,
                choices=tuple(side.get(name) for side in sides),
            )
            for name in names
        ),
    )


def _check_public(names: list[str], sides: list[dict[str, str | None]]) -> None:
    """Refuse to compare secrets: what is compared is stored, published and part of a name."""
    secrets = [Secrets(side) for side in sides]
    for name in names:
        values = [side.get(name) or "" for side in sides]
        shown = {known.scrub(value) for known, value in zip(secrets, values, strict=True)}
        if secrets[0].hides(name) or len(shown) == 1:
            raise InputError(f"{name}: differs in a secret, which is not compared; set both alike")


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _label(name: str) -> str:
    """Return the name of a side as a part of the study's name."""
    shown = Path(name).stem if Path(name).is_file() else without_login(name)
    return re.sub(r"[^\w.=-]+", "_", shown)[:40]
