"""What is written where: trials and experiments as MLflow's params, metrics, tags and files.

Pure functions of records, so that publishing twice writes the same. Names follow the project's
MLflow conventions: params are Spark's own keys, metrics carry their unit, tags share one prefix.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from autotune.domain import SCHEMA_VERSION, Objective, digest_of
from autotune.experiment import Experiment
from autotune.record import Cause, Execution, Metrics, Purpose, Status, Trial
from autotune.version import __version__

EXPERIMENT_PREFIX: Final = "spark-tuning/"
TAG: Final = "autotune."
UNSET: Final = "(unset)"
STUDY_KIND: Final = "study"
TRIAL_KIND: Final = "trial"
MAX_PARAM_CHARS: Final = 6000
MAX_TAG_CHARS: Final = 4990
MAX_KEY_CHARS: Final = 250
BEST_IN_NOTE: Final = 10
WATCHED: Final = ("peak_tree_memory_bytes", "peak_scratch_bytes")
"""Metrics that are known of every execution, also of one whose event log tells nothing."""

RUN_STATES: Final = {
    Status.SUCCEEDED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.TIMED_OUT: "KILLED",
    Status.STOPPED_EARLY: "KILLED",
}


def study_id(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """Return what tells one study from every other, on a server that many people share.

    The start of the first trial is part of it: a study that was begun afresh under the same name
    is another one.
    """
    begun = min(trials, key=lambda trial: trial.number).execution.started_at
    name, workload = experiment.name, experiment.workload.name
    return digest_of([name, workload, experiment.identity, begun.isoformat()])


def millis(moment: datetime) -> int:
    """Return *moment* as MLflow counts time."""
    return round(moment.timestamp() * 1000)


def ended_millis(execution: Execution) -> int:
    """Return when an execution ended, as MLflow counts time."""
    return millis(execution.started_at) + round(execution.wall_s * 1000)


def key_of(name: str) -> str:
    """Return *name* as MLflow allows it: word characters, ``/``, ``.``, ``-``, blank."""
    return re.sub(r"[^\w./\- ]", "_", name)[:MAX_KEY_CHARS]


def shortened(text: str, limit: int = MAX_TAG_CHARS) -> str:
    """Return *text*, cut visibly where it is longer than *limit* characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def parameter_names(experiment: Experiment, trial: Trial) -> tuple[str, ...]:
    """Return the names that every trial of a study shows, in alphabetical order."""
    names = {parameter.name for parameter in experiment.space.parameters}
    return tuple(sorted(names | set(trial.config.properties) | set(trial.config.arguments)))


def params(experiment: Experiment, trial: Trial) -> dict[str, str]:
    """Return what was asked of every parameter; the same keys for every trial of a study."""
    config, today = trial.config, experiment.workload.properties
    secrets = experiment.secrets()
    shown: dict[str, str] = {}
    for name in parameter_names(experiment, trial):
        value = config.arguments.get(name, config.properties.get(name))
        if name not in config.properties and name not in config.arguments:
            value = today.get(name)
        if not secrets.hides(name):
            text = UNSET if value is None else secrets.scrub(value)
            shown[key_of(name)] = shortened(text, MAX_PARAM_CHARS)
    return shown


def baseline_s(trials: Iterable[Trial], *, up_to: int) -> float | None:
    """Return the median time of the baseline as known at trial *up_to*, in seconds.

    Only the baseline's own trials up to that number count, so that a trial's speed-up is the same
    whenever it is published.
    """
    durations = [
        trial.execution.duration_s
        for trial in trials
        if trial.purpose is Purpose.BASELINE
        and trial.number <= up_to
        and trial.succeeded
        and trial.execution.duration_s is not None
    ]
    return statistics.median(durations) if durations else None


def metrics(trial: Trial, trials: Sequence[Trial]) -> dict[str, float]:
    """Return the numbers of a trial; finite ones only, and none that was not measured.

    ``duration_s`` is there only for an execution that succeeded: whoever sorts by it must not find
    a crash on top. How long any other one lasted is ``elapsed_s``.
    """
    execution = trial.execution
    numbers: dict[str, float | None] = {"wall_s": execution.wall_s}
    told = dict(execution.metrics)
    if execution.metrics.model_copy(update=dict.fromkeys(WATCHED)) == Metrics():
        told = {name: told[name] for name in WATCHED}
    numbers |= {name: float(value) for name, value in told.items() if value is not None}
    if trial.succeeded:
        duration_s = numbers["duration_s"] = execution.duration_s
        reference_s = baseline_s(trials, up_to=trial.number)
        if duration_s and reference_s:
            numbers["speedup_vs_baseline"] = reference_s / duration_s
    else:
        numbers["elapsed_s"] = execution.duration_s
        numbers["extrapolated_s"] = trial.extrapolated_s
    if trial.output_match is not None:
        numbers["output_match"] = float(trial.output_match)
    return finite(numbers)


def finite(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """Return the numbers that MLflow can draw."""
    return {
        name: float(value)
        for name, value in numbers.items()
        if value is not None and math.isfinite(value)
    }


def totals(
    trials: Sequence[Trial], objective: Objective = Objective.DURATION_S, *, since: int = 0
) -> list[tuple[Trial, dict[str, float]]]:
    """Return the study's own numbers after each trial, for curves over the trial number.

    Args:
        trials: all trials of the study.
        objective: what is minimised.
        since: leave out the trials with a lower number.
    """
    best: dict[str, float] = {}
    baselines: list[float] = []
    failed = out_of_memory = 0
    rows = []
    for count, trial in enumerate(sorted(trials, key=lambda trial: trial.number), 1):
        execution = trial.execution
        failed += execution.status is Status.FAILED
        out_of_memory += execution.cause is Cause.OUT_OF_MEMORY
        if trial.succeeded:
            for goal in {Objective.DURATION_S, objective}:
                value = execution.value(goal)
                if value is not None and math.isfinite(value):
                    name = f"best_{goal.value}"
                    best[name] = min(value, best.get(name, math.inf))
            if trial.purpose is Purpose.BASELINE and execution.duration_s is not None:
                baselines.append(execution.duration_s)
        if trial.number >= since:
            numbers = {"n_trials": count, "n_failed": failed, "n_oom": out_of_memory, **best}
            if baselines:
                numbers["baseline_duration_s"] = statistics.median(baselines)
            rows.append((trial, finite(numbers)))
    return rows


def study_tags(experiment: Experiment, identity: str) -> dict[str, str]:
    """Return the facts about a study that are repeated on its trials, for filters to reach."""
    machine = experiment.machine
    facts = {
        "study": experiment.name,
        "study_id": identity,
        "workload": experiment.workload.name,
        "space": experiment.space.name,
        "space_hash": digest_of(experiment.space.model_dump(mode="json")),
        "objective": experiment.objective.value,
        "sampler": experiment.sampler.value,
        "seed": str(experiment.seed),
        "master": machine.master,
        "slots": str(machine.slots),
        "executors": str(machine.executors),
        "memory_bytes": str(machine.memory_bytes),
        "platform": machine.platform,
        "spark_version": machine.spark_version,
        "java_version": machine.java_version,
        "tool_version": __version__,
        "schema_version": str(SCHEMA_VERSION),
    }
    return _prefixed(experiment.secrets().scrubbed(facts))


def parent_tags(experiment: Experiment) -> dict[str, str]:
    """Return what is only said of the study as a whole; the rest of it is in its files."""
    secrets = experiment.secrets()
    machine, known = experiment.machine.model_dump(mode="json"), experiment.profile
    profile = json.dumps(secrets.scrubbed(known.model_dump(mode="json"))) if known else None
    facts = {
        "kind": STUDY_KIND,
        "machine": json.dumps(secrets.scrubbed(machine)),
        "profile": profile if profile and len(profile) <= MAX_TAG_CHARS else None,
        "data": secrets.scrub(experiment.workload.data or ""),
    }
    return _prefixed(facts)


def trial_tags(trial: Trial, name: str) -> dict[str, str]:
    """Return what people filter trials by."""
    execution = trial.execution
    facts = {
        "kind": TRIAL_KIND,
        "trial": name,
        "trial_number": str(trial.number),
        "purpose": trial.purpose.value,
        "origin": trial.origin.value,
        "status": execution.status.value,
        "cause": execution.shown_cause,
        "config_hash": trial.config.digest,
        "application_id": execution.application_id,
        "job": _job_of(trial),
    }
    return _prefixed(facts)


def _job_of(trial: Trial) -> str | None:
    """Return what the job does, of its baseline only: it is the same for all."""
    profile = trial.execution.profile
    if trial.purpose is not Purpose.BASELINE or profile is None:
        return None
    return profile.model_dump_json(exclude_none=True)


def _prefixed(facts: dict[str, str | None]) -> dict[str, str]:
    return {TAG + name: shortened(value) for name, value in facts.items() if value}


def filter_of(identity: str) -> str:
    """Return the filter that shows the trials of one study in MLflow's search box."""
    return f"tags.`{TAG}study_id` = '{identity}' AND tags.`{TAG}kind` = 'trial'"


def note(
    experiment: Experiment, trials: Sequence[Trial], names: Mapping[int, str], identity: str
) -> str:
    """Return the study's note: its best trials, and how to see all of them.

    MLflow's page of a parent run lists no children, and its charts show the ten latest only.
    """
    timed = sorted(
        (trial.execution.duration_s, trial.number)
        for trial in trials
        if trial.succeeded and trial.execution.duration_s is not None
    )
    reference_s = baseline_s(trials, up_to=max((trial.number for trial in trials), default=0))
    lines = [
        f"Study **{experiment.name}** of workload **{experiment.workload.name}**:"
        f" {len(trials)} trials, single measurements, fastest first.",
        "",
        "| trial | duration_s | against the baseline |",
        "|---|---:|---:|",
    ]
    for duration_s, number in timed[:BEST_IN_NOTE]:
        gain = f"{reference_s / duration_s:.2f}×" if reference_s and duration_s else "–"
        lines.append(f"| {names[number]} | {duration_s:.2f} | {gain} |")
    lines += ["", "All its trials, in the search box of the experiment:", ""]
    lines += [
        f"    {filter_of(identity)}",
        "",
        "Charts draw ten runs unless told otherwise.",
    ]
    return shortened("\n".join(lines))
