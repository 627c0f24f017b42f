"""The files that are kept beside the numbers: free of secrets, readable without autotune."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from autotune.experiment import Experiment
from autotune.ledger.entries import metrics, params
from autotune.record import Trial, trial_names


def trial_files(experiment: Experiment, trial: Trial) -> dict[str, str]:
    """Return the files kept with a trial: asked and effective config, numbers, steps, error."""
    execution = trial.execution
    secrets = experiment.secrets()
    asked = {
        name: value
        for name, value in {**trial.config.properties, **trial.config.arguments}.items()
        if not secrets.hides(name)
    }
    effective = {name: execution.effective[name] for name in asked if name in execution.effective}
    data: dict[str, object] = {
        "config.json": (
            {"asked": asked, "effective": effective, "config_hash": trial.config.digest}
        ),
        "metrics.json": (
            {
                "wall_s": execution.wall_s,
                "duration_s": execution.duration_s,
                **execution.metrics.model_dump(mode="json"),
            }
        ),
    }
    if execution.steps:
        data["steps.json"] = [step.model_dump(mode="json") for step in execution.steps]
    files = {name: _json(secrets.scrubbed(value)) for name, value in data.items()}
    if execution.error:
        files["error.txt"] = secrets.scrub(execution.error)
    return files


def study_files(experiment: Experiment) -> dict[str, str]:
    """Return the files that a study begins with; secrets are left out."""
    workload = experiment.workload
    secrets = experiment.secrets()
    shown = {name: value for name, value in workload.properties.items() if not secrets.hides(name)}
    public = experiment.model_copy(
        update={"workload": workload.model_copy(update={"properties": shown})}
    )
    files = {"experiment.json": _json(secrets.scrubbed(public.model_dump(mode="json")))}
    if experiment.profile is not None:
        profile = secrets.scrubbed(experiment.profile.model_dump(mode="json"))
        files["profile.json"] = _json(profile)
    return files


def trials_csv(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """Return all trials as one table, for a spreadsheet."""
    names = trial_names(trials)
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        execution = trial.execution
        rows.append(
            {
                "number": trial.number,
                "name": names[trial.number],
                "purpose": trial.purpose.value,
                "origin": trial.origin.value,
                "status": execution.status.value,
                "cause": execution.shown_cause or "",
                "started_at": execution.started_at.isoformat(),
                **metrics(trial, trials),
                **params(experiment, trial),
            }
        )
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return experiment.secrets().scrub(text.getvalue())


def _json(data: object) -> str:
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
