"""The corpus: studies of our own workloads, kept as two Parquet files, shipped and learned from.

``studies.parquet`` has a row a study (what was run, where, on what data), ``trials.parquet`` a row
an execution, in the order in which they were made. Nested values are JSON texts, so that any
reader of Parquet can look inside.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from autotune.errors import InputError
from autotune.record import PastTrial, StudyHistory
from autotune.shipped import shipped_folder

_STUDIES, _TRIALS = "studies.parquet", "trials.parquet"
_NESTED = ("machine", "profile", "job")


def write_corpus(histories: Sequence[StudyHistory], folder: Path) -> None:
    """Write studies as a corpus; the same studies give the same files.

    Args:
        histories: in any order.
        folder: where the two files are put; it must exist.
    """
    ordered = sorted(histories, key=lambda history: (history.workload, history.study))
    studies, trials = [], []
    for history in ordered:
        row = json.loads(history.model_dump_json(exclude={"trials"}))
        studies.append({**row, **{name: _text(row[name]) for name in _NESTED}})
        for number, trial in enumerate(history.trials):
            found = json.loads(trial.model_dump_json())
            config = _text(found.pop("config"))
            trials.append({"study": history.study, "number": number, "config": config, **found})
    for name, rows in ((_STUDIES, studies), (_TRIALS, trials)):
        pd.DataFrame(rows).to_parquet(folder / name, index=False, compression="zstd")


def read_corpus(folder: Path | None = None) -> tuple[StudyHistory, ...]:
    """Return the studies of a corpus; the shipped one if *folder* is not given.

    Raises:
        InputError: it is not there, or not of this version.
    """
    place = shipped_folder("experiments") / "corpus" if folder is None else folder
    try:
        studies = pd.read_parquet(place / _STUDIES).to_dict("records")
        trials = pd.read_parquet(place / _TRIALS).to_dict("records")
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        message = f"corpus {place}: can't be read ({said}); install autotune again"
        raise InputError(message) from error
    by_study: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in trials:
        by_study[str(trial.pop("study"))].append({str(key): trial[key] for key in trial})
    try:
        return tuple(_history(row, by_study[str(row["study"])]) for row in studies)
    except (ValidationError, KeyError) as error:
        message = f"corpus {place}: is of another version; install autotune again"
        raise InputError(message) from error


def _history(row: dict[Any, Any], trials: list[dict[str, Any]]) -> StudyHistory:
    known = {str(key): value for key, value in row.items()}
    nested = {name: None if _missing(known[name]) else json.loads(known[name]) for name in _NESTED}
    ordered = sorted(trials, key=lambda trial: int(trial["number"]))
    return StudyHistory.model_validate(
        {**known, **nested, "trials": tuple(_trial(trial) for trial in ordered)}
    )


def _trial(row: dict[str, Any]) -> PastTrial:
    known = {key: None if _missing(value) else value for key, value in row.items()}
    del known["number"]
    return PastTrial.model_validate({**known, "config": json.loads(row["config"])})


def _text(value: object) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _missing(value: object) -> bool:
    return value is None or value != value
