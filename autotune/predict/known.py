"""What is worth remembering of a study: where it started, and what did best there."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from autotune.domain import ColumnProfile, Config
from autotune.predict.levels import log_levels
from autotune.record import Purpose, Status, StudyHistory

BEST_PER_STUDY = 3


def remembered(history: StudyHistory, logs: Mapping[str, float] | None = None) -> StudyHistory:
    """Return a study with its baseline and its best configurations only.

    Columns of its data are counted, and not named.

    Args:
        history: The whole study.
        logs: As :func:`best_configs` takes them.
    """
    best = {config.digest for config in best_configs(history, logs)}
    own = {t.config.digest for t in history.trials if t.purpose is Purpose.BASELINE}
    kept = tuple(t for t in history.trials if t.config.digest in best | own)
    profile = history.profile
    if profile is not None:
        columns = tuple(ColumnProfile(name=str(i), type="") for i in range(len(profile.columns)))
        profile = profile.model_copy(update={"columns": columns})
    return history.model_copy(update={"profile": profile, "trials": kept})


def best_configs(history: StudyHistory, logs: Mapping[str, float] | None = None) -> list[Config]:
    """Return the configurations that were faster than that study's baseline, fastest first.

    Args:
        history: The whole study.
        logs: Digest → log(time) at one and the same state of the machine, relative to anything;
            ``None``: :func:`~autotune.predict.levels.log_levels` tells.
    """
    own = next((t.config.digest for t in history.trials if t.purpose is Purpose.BASELINE), None)
    configs = {t.config.digest: t.config for t in history.trials if t.status is Status.SUCCEEDED}
    failed = {t.config.digest for t in history.trials if t.status is Status.FAILED}
    logs = log_levels(history.trials) if logs is None else logs
    limit = logs.get(own, math.inf) if own is not None else math.inf
    good = [d for d in logs if d in configs and logs[d] < limit and d not in failed]
    return [configs[d] for d in sorted(good, key=lambda d: logs[d])[:BEST_PER_STUDY]]


def carried(history: StudyHistory) -> list[Config]:
    """Return what may be tried elsewhere of a study as it is :func:`remembered`, fastest first."""
    own = {t.config.digest for t in history.trials if t.purpose is Purpose.BASELINE}
    times: dict[str, list[float]] = {}
    configs: dict[str, Config] = {}
    for trial in history.trials:
        if trial.duration_s and trial.config.digest not in own:
            times.setdefault(trial.config.digest, []).append(trial.duration_s)
            configs[trial.config.digest] = trial.config
    return [configs[d] for d in sorted(times, key=lambda d: statistics.median(times[d]))]
