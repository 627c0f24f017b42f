"""What a study comes to: its verdict, its report, and the files it leaves behind.

Everything here is derived from the experiment and its trials, so that ``tune``, ``show`` and
``export`` can't disagree.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from autotune.domain import Config, Value
from autotune.errors import EnvironmentFault
from autotune.experiment import Experiment
from autotune.export import Choice, Meta, Target, render, rollback
from autotune.measure import overrides
from autotune.pathtext import file_name
from autotune.record import Trial
from autotune.report import Overridden, ReportData, build
from autotune.rescue import WHY, failure_advice, failure_reason
from autotune.space import BoundSpace, bind, default_of
from autotune.spark.properties import property_facts
from autotune.standing import Standing, blocks, failed_winner, reference, winner
from autotune.verdict import Verdict, VerdictKind, final
from autotune.version import __version__


class Results(Value):
    """The outcome of a study."""

    experiment: Experiment
    verdict: Verdict
    report: ReportData
    choice: Choice
    """What is recommended, beside what the person runs today."""
    day: date
    """When the last trial was measured."""

    @property
    def best_config(self) -> Config:
        """The confirmed winner, or the person's own configuration where none was confirmed."""
        return self.choice.now

    @property
    def speedup(self) -> float | None:
        """Confirmed baseline time ÷ winner's time; 1 where no gain was confirmed."""
        return self.report.speedup

    def export(self, target: Target, *, full: bool = False, back: bool = False) -> str:
        """Return the recommended configuration in the form of *target*.

        Args:
            target: the form.
            full: everything that is set, not only what changes.
            back: the old values of what changes, to undo it.
        """
        meta = Meta(
            study=self.experiment.name,
            date=self.day,
            version=__version__,
            gain=gain_text(self.verdict),
        )
        if back:
            return rollback(target, self.choice, meta)
        return render(target, self.choice, meta, full=full)


def bind_study(experiment: Experiment, trials: Sequence[Trial]) -> BoundSpace:
    """Return the space of a study as far as the trials have shown what the job overrides."""
    facts = property_facts(experiment.machine.spark_version)
    return bind(
        experiment.space,
        machine=experiment.machine,
        baseline=experiment.workload.properties,
        facts=facts,
        fixed=tuple(overrides(experiment.workload, trials, facts)),
    )


def judge_study(experiment: Experiment, trials: Sequence[Trial], baseline: Config) -> Verdict:
    """Judge the winner by its confirmation blocks, and by nothing else."""
    start = reference(trials, baseline)
    if start is None and trials:
        reason, advice = failure_reason(trials), failure_advice(trials)
        return Verdict(kind=VerdictKind.UNDECIDED, reason=reason, advice=advice)
    if start is not None and start.digest != baseline.digest:
        return _works(experiment, trials, baseline)
    standing = Standing(experiment, trials)
    if experiment.challenger is None and not standing.searched:
        return Verdict(
            kind=VerdictKind.UNDECIDED,
            reason="nothing was tried yet: the time was up after the baseline",
            advice="a longer --timeout would decide it",
        )
    return _confirmed(experiment, trials, baseline)


def _confirmed(experiment: Experiment, trials: Sequence[Trial], start: Config) -> Verdict:
    most = experiment.budget.confirm_blocks
    if winner(experiment, trials, start) is None:
        reason = "nothing that was tried is faster than your configuration"
        return Verdict(kind=VerdictKind.NO_GAIN, reason=reason)
    if (failed := failed_winner(experiment, trials, start)) is not None:
        cause = (failed.execution.cause or failed.execution.status).replace("_", " ")
        reason = f"the fastest of the search failed when it was measured again ({cause})"
        return Verdict(kind=VerdictKind.NO_GAIN, reason=reason)
    if not most:
        reason = "no confirmation was asked for (0 blocks), so nothing can be claimed"
        advice = "--confirm-blocks 6 would decide it"
        return Verdict(kind=VerdictKind.UNDECIDED, reason=reason, advice=advice)
    found = blocks(experiment, trials, start)
    verdict = final(found, most, seed=experiment.seed)
    if verdict.kind is VerdictKind.UNDECIDED and len(found) < most:
        reason = f"{verdict.reason}; the time was up after {len(found)} of {most} blocks"
        return verdict.model_copy(update={"reason": reason})
    return verdict


def _works(experiment: Experiment, trials: Sequence[Trial], baseline: Config) -> Verdict:
    """Say that the person's own configuration fails, and how often the other one did not."""
    failed = next(t for t in trials if t.config.digest == baseline.digest and not t.succeeded)
    cause = (failed.execution.cause or failed.execution.status).replace("_", " ")
    chosen = _recommended(experiment, trials, baseline)
    good = sum(t.config.digest == chosen.digest and t.succeeded for t in trials)
    times = "once" if good == 1 else f"{good} times"
    reason = f"your configuration fails ({cause}); this one ran {times} to its end"
    return Verdict(kind=VerdictKind.WORKS, reason=reason)


def _recommended(experiment: Experiment, trials: Sequence[Trial], baseline: Config) -> Config:
    """Return what to run from now on: the confirmed winner, else what it was compared with."""
    start = reference(trials, baseline) or baseline
    found = winner(experiment, trials, baseline)
    if found is None:
        return start
    return found if _confirmed(experiment, trials, start).claimed else start


def review(
    experiment: Experiment, trials: Sequence[Trial], *, places: Mapping[str, str] | None = None
) -> Results:
    """Derive the outcome of a study from its trials.

    Args:
        experiment: what was tuned.
        trials: everything measured.
        places: what it is → where it is, for the report.
    """
    bound = bind_study(experiment, trials)
    facts = property_facts(experiment.machine.spark_version)
    verdict = judge_study(experiment, trials, bound.baseline)
    chosen = _recommended(experiment, trials, bound.baseline)
    found = overrides(experiment.workload, trials, facts)
    report = build(
        experiment,
        trials,
        verdict,
        baseline=bound.baseline,
        winner=winner(experiment, trials, bound.baseline),
        chosen=chosen,
        overridden=[
            Overridden(name=o.name, asked=o.requested, effective=o.effective)
            for o in found.values()
        ],
        defaults={p.name: default_of(p.name, {}, facts) for p in experiment.space.parameters},
        artifacts=places,
        next_commands=_next_commands(experiment, verdict, trials),
    )
    choice = Choice(
        now=_without(chosen, bound.baseline, found),
        was=bound.baseline,
        today=experiment.workload.properties,
        reasons={**WHY, **{p.name: " ".join(p.why.split()) for p in experiment.space.parameters}},
    )
    return Results(
        experiment=experiment,
        verdict=verdict,
        report=report,
        choice=choice,
        day=_last_day(trials),
    )


def write_results(
    experiment: Experiment,
    trials: Sequence[Trial],
    *,
    folder: Path,
    places: Mapping[str, str],
    table: str,
) -> Results:
    """Derive the outcome and write it to the study's own folder.

    Args:
        experiment: what was tuned.
        trials: everything measured.
        folder: where every study has a folder.
        places: where else the study can be seen, for the report.
        table: the trials as CSV.

    Raises:
        EnvironmentFault: the folder can't be written to.
    """
    own = folder / file_name(experiment.name)
    names = ("best.conf", "rollback.conf", "best.json", "report.txt", "trials.csv")
    results = review(
        experiment, trials, places={**{name: str(own / name) for name in names}, **places}
    )
    texts = artifact_texts(results)
    try:
        own.mkdir(parents=True, exist_ok=True)
        for name in names:
            (own / name).write_text({**texts, "trials.csv": table}[name], encoding="utf-8")
    except OSError as error:
        message = f"{own}: can't write the results ({error.strerror}); choose --output-dir"
        raise EnvironmentFault(message) from error
    return results


def artifact_texts(results: Results) -> dict[str, str]:
    """Return the texts that a study leaves behind, by file name."""
    return {
        "best.conf": results.export(Target.CONF),
        "rollback.conf": results.export(Target.CONF, back=True),
        "best.json": results.export(Target.JSON),
        "report.txt": results.report.to_text(trials=True, width=120, color=False),
    }


def gain_text(verdict: Verdict) -> str | None:
    """Return the confirmed gain in words; ``None``: none was confirmed."""
    if not verdict.claimed:
        return None
    if verdict.speedup is None:
        return verdict.reason
    return (
        f"{verdict.speedup:.2f}× faster (95 % interval {verdict.low:.2f}–{verdict.high:.2f},"
        f" {verdict.blocks} interleaved blocks)"
    )


def _next_commands(
    experiment: Experiment, verdict: Verdict, trials: Sequence[Trial]
) -> tuple[str, ...]:
    name = shlex.quote(experiment.name)
    commands = [f"autotune show {name}", "autotune ui"]
    if verdict.claimed:
        return (f"autotune export {name} --to submit", *commands)
    if trials and not any(trial.succeeded for trial in trials):
        return ("the same command with --new, once the job can run", *commands)
    if experiment.challenger is not None:
        more = 2 * experiment.budget.confirm_blocks
        return (f"the same command with --blocks {more}, to measure on", *commands)
    if not verdict.blocks and verdict.kind is VerdictKind.UNDECIDED:
        return ("the same command with a longer --timeout, to go on", *commands)
    if verdict.kind is VerdictKind.UNDECIDED:
        more = max(2 * experiment.budget.confirm_blocks, 6)
        return (f"the same command with --confirm-blocks {more}, to measure on", *commands)
    more = 2 * experiment.budget.trials
    return (f"the same command with --trials {more}, to search on", *commands)


def _without(config: Config, baseline: Config, overridden: Mapping[str, object]) -> Config:
    """Take what the job sets by itself out of what is exported: it would have no effect."""
    properties = {
        name: baseline.properties.get(name) if name in overridden else value
        for name, value in config.properties.items()
    }
    return config.model_copy(update={"properties": properties})


def _last_day(trials: Sequence[Trial]) -> date:
    return max((t.execution.started_at for t in trials), default=datetime.now(UTC)).date()
