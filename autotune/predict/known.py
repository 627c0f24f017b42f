"""What is worth remembering of a study: where it started, and what did best there."""

from __future__ import annotations

import math
import statistics

from autotune.domain import ColumnProfile, Config
from autotune.record import Purpose, Status, StudyHistory

BEST_PER_STUDY = 3


def remembered(history: StudyHistory) -> StudyHistory:
    """Return a study with its baseline and its best configurations only.

    Columns of its data are counted, and not named.
    """
    best = {config.digest for config in best_configs(history)}
    own = {t.config.digest for t in history.trials if t.purpose is Purpose.BASELINE}
    kept = tuple(t for t in history.trials if t.config.digest in best | own)
    profile = history.profile
    if profile is not None:
        columns = tuple(ColumnProfile(name=str(i), type="") for i in range(len(profile.columns)))
        profile = profile.model_copy(update={"columns": columns})
    return history.model_copy(update={"profile": profile, "trials": kept})


def best_configs(history: StudyHistory) -> list[Config]:
    """Return the configurations that were faster than that study's baseline, fastest first."""
    times: dict[str, list[float]] = {}
    configs: dict[str, Config] = {}
    failed = {t.config.digest for t in history.trials if t.status is Status.FAILED}
    for trial in history.trials:
        if trial.status is Status.SUCCEEDED and trial.duration_s:
            times.setdefault(trial.config.digest, []).append(trial.duration_s)
            configs[trial.config.digest] = trial.config
    median = {digest: statistics.median(values) for digest, values in times.items()}
    own = next((t for t in history.trials if t.purpose is Purpose.BASELINE), None)
    limit = median.get(own.config.digest, math.inf) if own else math.inf
    good = [d for d in median if median[d] < limit and d not in failed]
    return [configs[d] for d in sorted(good, key=lambda d: median[d])[:BEST_PER_STUDY]]
