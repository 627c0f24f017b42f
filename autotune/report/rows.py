"""The lines of a report: timings, changes, steps and trials."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from autotune.domain import Config, Objective, Value
from autotune.experiment import Experiment
from autotune.record import Purpose, Trial, trial_names
from autotune.redaction import Secrets
from autotune.rescue import WHY


class Overridden(Value):
    """A parameter that the job sets by itself, so that what was asked for did not apply."""

    name: str
    asked: str | None
    effective: str


class ChangeRow(Value):
    """One property or argument that is to change; ``None``: not set."""

    name: str
    was: str | None
    now: str | None
    why: str
    default: str | None = None
    """Spark's own, which stands where nothing is set."""


class StepRow(Value):
    """Time of one step with the old and with the new configuration, in seconds."""

    name: str
    before_s: float | None
    after_s: float | None


class TrialRow(Value):
    """One trial, in a line."""

    number: int
    name: str
    purpose: str
    origin: str
    status: str
    cause: str | None
    duration_s: float | None
    value: float | None
    """The objective, where it is not the duration."""
    against_baseline: float | None
    """Objective of the baseline ÷ that of this one, from single executions: not a claim."""


class Timing(Value):
    """How long one configuration takes, and what that rests on."""

    median_s: float
    measured: int
    spread: float | None
    """Longest minus shortest, as a share of the median; ``None`` for a single measurement."""


def timing(trials: Sequence[Trial], config: Config, *, paired: bool) -> Timing | None:
    """Return how long *config* takes: in the confirmation where there was one, else overall.

    Args:
        trials: all trials of the study.
        config: the configuration.
        paired: a confirmation took place; only its interleaved executions can be compared.
    """
    mine = _measured(trials, config, paired=paired)
    durations = [t.execution.duration_s for t in mine if t.execution.duration_s is not None]
    if not durations:
        return None
    median_s = statistics.median(durations)
    several = len(durations) > 1 and median_s > 0
    spread = (max(durations) - min(durations)) / median_s if several else None
    return Timing(median_s=median_s, measured=len(durations), spread=spread)


def changed_rows(
    experiment: Experiment,
    was: Config,
    now: Config,
    *,
    defaults: Mapping[str, str | None],
    overridden: Sequence[Overridden],
) -> tuple[ChangeRow, ...]:
    """Return what is to change, without what the job sets by itself and without secrets."""
    why = {**WHY, **{p.name: p.why for p in experiment.space.parameters}}
    secrets = Secrets(experiment.workload.properties)
    left_out = {row.name for row in overridden}
    old = {**was.properties, **was.arguments}
    new = {**now.properties, **now.arguments}
    return tuple(
        ChangeRow(
            name=name,
            was=old.get(name),
            now=new.get(name),
            why=" ".join(why.get(name, "").split()),
            default=defaults.get(name),
        )
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name) and name not in left_out and not secrets.hides(name)
    )


def step_rows(
    trials: Sequence[Trial], was: Config, now: Config, *, paired: bool
) -> tuple[StepRow, ...]:
    """Return the steps of the job, in its order: median seconds before and after."""
    before, after = (
        _step_times(_measured(trials, config, paired=paired)) for config in (was, now)
    )
    return tuple(
        StepRow(name=name, before_s=before.get(name), after_s=after.get(name))
        for name in dict.fromkeys([*before, *after])
    )


def _measured(trials: Sequence[Trial], config: Config, *, paired: bool) -> list[Trial]:
    mine = [t for t in trials if t.config.digest == config.digest and t.succeeded]
    fresh = [t for t in mine if t.purpose is Purpose.CONFIRM]
    return fresh if paired and fresh else mine


def _step_times(trials: Sequence[Trial]) -> dict[str, float]:
    seen: dict[str, list[float]] = {}
    for trial in trials:
        sums: dict[str, float] = {}
        for step in trial.execution.steps:
            sums[step.name] = sums.get(step.name, 0.0) + step.duration_s
        for name, seconds in sums.items():
            seen.setdefault(name, []).append(seconds)
    return {name: statistics.median(seconds) for name, seconds in seen.items()}


def trial_rows(
    trials: Sequence[Trial], baseline: Config, objective: Objective
) -> tuple[TrialRow, ...]:
    """Return all trials in the order of their numbers."""
    names = trial_names(trials)
    own = [t for t in trials if t.config.digest == baseline.digest and t.succeeded]
    known = [value for t in own if (value := t.execution.value(objective)) is not None]
    reference = statistics.median(known) if known else None
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        execution = trial.execution
        value = execution.value(objective) if trial.succeeded else None
        rows.append(
            TrialRow(
                number=trial.number,
                name=names[trial.number],
                purpose=trial.purpose.value,
                origin=trial.origin.value,
                status=execution.status.value,
                cause=execution.shown_cause,
                duration_s=execution.duration_s if trial.succeeded else None,
                value=value,
                against_baseline=reference / value if reference and value else None,
            )
        )
    return tuple(rows)
