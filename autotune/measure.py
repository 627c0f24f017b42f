"""Run a config within its limits, stop it early when it is hopeless, see what applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autotune.domain import Config, Limits, PropertyFact, Value, Workload
from autotune.pending import Measurement
from autotune.record import Checkpoint, Execute, Status, Step, Trial
from autotune.space import same_value

RACE_SHARE = 0.2
RACE_RATIO = 1.5
RACE_FLOOR_S = 2.0

_JAVA_OPTIONS = "extraJavaOptions"


class Override(Value):
    """A parameter that the job sets by itself, so that what was asked for did not apply."""

    name: str
    requested: str | None
    effective: str


class Race:
    """Compares a running execution with the incumbent, step by step.

    The racing rule of the research on per-query racing: once the steps that ended make up a fifth
    of the incumbent's time, an execution that took half as long again on the same steps is ended.
    The usual ratio is 1.25; ours is wider because single executions vary by more than that on a
    busy machine.
    """

    def __init__(self, incumbent: Sequence[Step]) -> None:
        self._seconds = {step.name: step.duration_s for step in incumbent if step.succeeded}
        self._total_s = sum(self._seconds.values())
        self.extrapolated_s: float | None = None
        self._incumbent_duration_s = max(
            (step.start_s + step.duration_s for step in incumbent), default=0.0
        )

    def hopeless(self, checkpoint: Checkpoint) -> bool:
        """Say whether to stop now; sets ``extrapolated_s`` when so."""
        known = [step for step in checkpoint.steps if step.name in self._seconds]
        incumbent_s = sum(self._seconds[step.name] for step in known)
        if incumbent_s < max(RACE_FLOOR_S, RACE_SHARE * self._total_s):
            return False
        ratio = sum(step.duration_s for step in known) / incumbent_s
        if ratio <= RACE_RATIO:
            return False
        self.extrapolated_s = ratio * self._incumbent_duration_s
        return True


def measure(
    workload: Workload,
    config: Config,
    limits: Limits,
    *,
    execute: Execute,
    incumbent: Sequence[Step] = (),
    watch: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> Measurement:
    """Execute *workload* once with *config*.

    Args:
        workload: what is run.
        config: with what.
        limits: what it may spend.
        execute: who runs it.
        incumbent: steps of the best execution so far; empty: never stop early.
        watch: told of every checkpoint, for the progress line.
    """
    race = Race(incumbent)

    def on_checkpoint(checkpoint: Checkpoint) -> bool:
        watch(checkpoint)
        return race.hopeless(checkpoint)

    execution = execute(workload, config, limits, on_checkpoint)
    stopped = execution.status is Status.STOPPED_EARLY
    return Measurement(
        execution=execution, extrapolated_s=race.extrapolated_s if stopped else None
    )


def overrides(
    workload: Workload, trials: Sequence[Trial], facts: Mapping[str, PropertyFact]
) -> dict[str, Override]:
    """Find the parameters whose effective value was not the requested one, in any trial.

    A job's own ``builder.config(…)`` beats every option of ``spark-submit``: such a parameter
    can't be tuned from outside. Trials that did not get as far as to say what applied are skipped.

    Args:
        workload: what was run.
        trials: with what, and what was in effect.
        facts: Spark's own defaults, which stand for what was not requested.
    """
    found: dict[str, Override] = {}
    for trial in trials:
        if not trial.execution.effective:
            continue
        for name in trial.config.properties:
            requested = requested_value(workload, trial.config, name)
            effective = trial.execution.effective.get(name)
            expected = requested or (facts[name].default if name in facts else None)
            if effective is not None and not _applied(name, expected, effective):
                found.setdefault(
                    name, Override(name=name, requested=requested, effective=effective)
                )
    return found


def merged_properties(workload: Workload, config: Config) -> dict[str, str]:
    """Return all properties of an execution: the person's own, overlaid by the config."""
    merged: Mapping[str, str | None] = {**workload.properties, **config.properties}
    return {name: value for name, value in merged.items() if value is not None}


def requested_value(workload: Workload, config: Config, name: str) -> str | None:
    """Return what one property is asked to be in an execution; ``None``: left to Spark."""
    return config.properties.get(name, workload.properties.get(name))


def _applied(name: str, requested: str | None, effective: str) -> bool:
    if not name.endswith(_JAVA_OPTIONS):
        return requested is not None and same_value(requested, effective)
    # Spark puts module options of its own in front of what was asked for; none is a JVM setting.
    asked, had = set((requested or "").split()), set(effective.split())
    settings = {option for option in had - asked if option.startswith("-X")}
    return asked <= had and settings <= {"-XX:+IgnoreUnrecognizedVMOptions"}
