"""Everything that a study found, as one value; how it is shown is another matter.

Only what was confirmed in fresh, interleaved executions is called a gain. Where nothing was
confirmed, what is recommended is what the person runs today, and the speed-up is 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from autotune.domain import Config, Machine, Objective, Value
from autotune.experiment import Experiment
from autotune.noise import cold_start
from autotune.record import Trial, trial_names
from autotune.redaction import Secrets
from autotune.report.rows import (
    ChangeRow,
    Overridden,
    StepRow,
    Timing,
    TrialRow,
    changed_rows,
    step_rows,
    timing,
    trial_rows,
)

if TYPE_CHECKING:
    from autotune.verdict import Verdict

__all__ = ["Overridden", "ReportData", "build", "machine_line"]


_WRONG_SHOWN = 3


class ReportData(Value):
    """The findings of one study."""

    study: str
    workload: str
    status: str
    objective: Objective
    machine: str
    baseline: Timing | None
    best: Timing | None
    """Of the recommended configuration."""
    fastest: Timing | None
    """Of the best candidate seen, recommended or not."""
    confirmed: bool
    speedup: float | None
    low: float | None
    high: float | None
    blocks: int
    verdict: str
    reason: str
    advice: str = ""
    """What would decide it."""
    measured: float | None = None
    """The ratio of medians as it came out, before what a winner owes to luck is taken off."""
    aa_ratio: float | None = None
    """What the confirmation shows for the baseline against itself."""
    answers: str = ""
    """Whether the job still gives the same answer."""
    cold_start_s: float | None = None
    """Of the first execution, if it was a cold one and was set apart."""
    trials: int
    failed: int
    causes: dict[str, int] = Field(default={})
    config: Config
    changed: tuple[ChangeRow, ...] = ()
    overridden: tuple[Overridden, ...] = ()
    not_claimed: tuple[str, ...] = ()
    steps: tuple[StepRow, ...] = ()
    rows: tuple[TrialRow, ...] = ()
    artifacts: dict[str, str] = Field(default={})
    next_commands: tuple[str, ...] = ()

    def to_text(
        self, *, trials: bool = False, width: int | None = None, color: bool | None = None
    ) -> str:
        """Return the report for a terminal.

        Args:
            trials: add every trial.
            width: columns; else those of the terminal.
            color: use ANSI colours; else only on a terminal, and not where ``NO_COLOR`` is set.
        """
        from autotune.report.text import report_text

        return report_text(self, trials=trials, width=width, color=color)

    def to_dict(self, *, trials: bool = False) -> dict[str, Any]:
        """Return the report as JSON-like data; times in seconds.

        Args:
            trials: add every trial, as ``trial_list``.
        """
        data: dict[str, Any] = {
            "study": self.study,
            "workload": self.workload,
            "status": self.status,
            "objective": self.objective.value,
            "baseline_s": self.baseline.median_s if self.baseline else None,
            "best_s": self.best.median_s if self.best else None,
            "fastest_s": self.fastest.median_s if self.fastest else None,
            "speedup": self.speedup,
            "interval": [self.low, self.high] if self.low is not None else None,
            "confirmed": self.confirmed,
            "blocks": self.blocks,
            "verdict": self.verdict,
            "reason": self.reason,
            "advice": self.advice,
            "measured": self.measured,
            "aa_ratio": self.aa_ratio,
            "answers": self.answers,
            "cold_start_s": self.cold_start_s,
            "trials": self.trials,
            "failed": self.failed,
            "causes": self.causes,
            "config": {**self.config.properties, **self.config.arguments},
            "changed": [row.model_dump(mode="json") for row in self.changed],
            "overridden": [row.model_dump(mode="json") for row in self.overridden],
            "not_claimed": list(self.not_claimed),
            "machine": self.machine,
            "steps": [row.model_dump(mode="json") for row in self.steps],
            "artifacts": self.artifacts,
            "next": list(self.next_commands),
        }
        if trials:
            data["trial_list"] = [row.model_dump(mode="json") for row in self.rows]
        return data


def build(
    experiment: Experiment,
    trials: Sequence[Trial],
    verdict: Verdict,
    *,
    baseline: Config,
    winner: Config | None = None,
    chosen: Config | None = None,
    status: str = "finished",
    overridden: Sequence[Overridden] = (),
    not_claimed: Sequence[str] = (),
    defaults: Mapping[str, str | None] | None = None,
    artifacts: Mapping[str, str] | None = None,
    next_commands: Sequence[str] = (),
) -> ReportData:
    """Put together what a study found.

    Args:
        experiment: what was tuned.
        trials: all its trials.
        verdict: the judgement of the confirmation.
        baseline: what the person runs today.
        winner: the candidate that was, or would have been, confirmed.
        chosen: what is recommended; ``None``: a confirmed winner, else the baseline.
        status: how the study ended: ``finished``, ``interrupted`` …
        overridden: parameters that the job sets by itself.
        not_claimed: what else must not be read as a result, one line each.
        defaults: Spark's own values, shown where nothing is set.
        artifacts: what it is → where it is.
        next_commands: what the person may want to type now.
    """
    chosen = chosen or (winner if verdict.claimed else None) or baseline
    confirmed = verdict.claimed and chosen.digest != baseline.digest
    cold = cold_start(trials, experiment.objective)
    warm = [trial for trial in trials if trial is not cold]
    secrets = experiment.secrets()
    causes = Counter(
        str((t.execution.cause or t.execution.status).value) for t in trials if not t.succeeded
    )
    found = ReportData(
        study=experiment.name,
        workload=experiment.workload.name,
        status=status,
        objective=experiment.objective,
        machine=machine_line(experiment.machine),
        baseline=timing(warm, baseline, paired=verdict.blocks > 0),
        best=timing(warm, chosen, paired=verdict.blocks > 0),
        fastest=timing(warm, winner, paired=verdict.blocks > 0) if winner else None,
        confirmed=confirmed,
        speedup=verdict.speedup
        if confirmed
        else 1.0
        if sum(causes.values()) < len(trials)
        else None,
        low=verdict.low,
        high=verdict.high,
        blocks=verdict.blocks,
        verdict=verdict.kind.value,
        reason=verdict.reason,
        advice=verdict.advice,
        measured=verdict.measured,
        aa_ratio=verdict.aa_ratio,
        answers=answer_line(experiment, trials),
        cold_start_s=cold.execution.duration_s if cold else None,
        trials=len(trials),
        failed=sum(causes.values()),
        causes=dict(sorted(causes.items())),
        config=_public(chosen, secrets),
        changed=changed_rows(
            experiment, baseline, chosen, defaults=defaults or {}, overridden=overridden
        ),
        overridden=tuple(overridden),
        not_claimed=tuple(secrets.scrub(line) for line in (*not_claimed, *_mismatches(trials))),
        steps=step_rows(trials, baseline, chosen, paired=verdict.blocks > 0) if confirmed else (),
        rows=trial_rows(trials, baseline, experiment.objective),
        artifacts={name: secrets.scrub(place) for name, place in (artifacts or {}).items()},
        next_commands=tuple(secrets.scrub(command) for command in next_commands),
    )
    return ReportData.model_validate(secrets.scrubbed(found.model_dump(mode="json")))


def machine_line(machine: Machine) -> str:
    """Return where it was measured, in a line."""
    parts = [
        machine.master,
        f"{machine.slots} task slots",
        f"{machine.memory_bytes / 2**30:.1f} GiB",
        f"Spark {machine.spark_version}" if machine.spark_version else "",
        f"Java {machine.java_version}" if machine.java_version else "",
        f"Python {machine.python_version}" if machine.python_version else "",
        machine.platform,
    ]
    return " · ".join(part for part in parts if part)


def answer_line(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """Return in a line whether the executions gave the baseline's answer."""
    if not experiment.workload.outputs:
        return "output not compared: the job names none"
    same = sum(trial.output_match is True for trial in trials)
    wrong = sum(trial.output_match is False for trial in trials)
    if not same + wrong:
        return "output not compared: nothing but the baseline ran to its end"
    if wrong:
        return f"other output in {wrong} of {same + wrong} executions compared; those never win"
    return f"same output as your configuration's in all {same} executions compared"


def _mismatches(trials: Sequence[Trial]) -> list[str]:
    """Return what was different in the wrong answers, the first of them."""
    names = trial_names(trials)
    wrong = [t for t in trials if t.output_match is False]
    return [f"{names[t.number]}: {t.execution.error}" for t in wrong[:_WRONG_SHOWN]]


def _public(config: Config, secrets: Secrets) -> Config:
    shown = {name: value for name, value in config.properties.items() if not secrets.hides(name)}
    return config.model_copy(update={"properties": shown})
