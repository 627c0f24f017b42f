"""One stretch of work on a study by one process: ask, measure, record, publish, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from autotune import noise, schedule, search
from autotune.domain import Config
from autotune.errors import EnvironmentFault, NoUsableResult, UnsafeWorkload
from autotune.events import Event, EventKind
from autotune.experiment import Experiment
from autotune.expert import expert_config
from autotune.ledger import Ledger
from autotune.measure import measure, overrides
from autotune.record import (
    Candidate,
    Cause,
    Checkpoint,
    Execute,
    Purpose,
    Step,
    Trial,
    trial_names,
)
from autotune.results import Results, artifact_texts, bind_study
from autotune.schedule import Next
from autotune.spark.properties import property_facts
from autotune.study import Study


class Session:
    """One stretch of work on a study, by one process."""

    def __init__(
        self,
        experiment: Experiment,
        study: Study,
        ledger: Ledger | None,
        on_event: Callable[[Event], None],
    ) -> None:
        self.experiment = experiment
        self.study = study
        self.ledger = ledger
        self.on_event = on_event
        self.facts = property_facts(experiment.machine.spark_version)
        self.began = time.monotonic()
        self.bound = bind_study(self.experiment, self.study.trials)
        self._named: set[str] = set()
        self._candidates: tuple[Candidate, ...] = ()
        self._derived_from = -1
        self._told_unpublished = False
        self._announce()

    def next_trial(self) -> Next | None:
        """Ask the schedule, with the space as it is known by now."""
        self.bound = bind_study(self.experiment, self.study.trials)
        return schedule.next_trial(
            self.experiment,
            self.study.trials,
            baseline=self.bound.baseline,
            expert=expert_config(self.bound, self.experiment.profile),
            propose=self._propose,
            search_time_left=self._search_time_left(),
        )

    def measure(self, upcoming: Next, execute: Execute) -> Trial:
        """Execute what comes next, under a number that is claimed first."""
        number = self.study.claim()
        limits = self.experiment.budget.limits(self._baseline_duration_s())
        began = time.monotonic()

        def watch(checkpoint: Checkpoint) -> None:
            self._tell(EventKind.RUNNING, running_s=time.monotonic() - began)

        self._tell(EventKind.STARTED, text=upcoming.purpose.value)
        measured = measure(
            self.experiment.workload,
            upcoming.config,
            limits,
            execute=execute,
            incumbent=self._incumbent_steps() if upcoming.purpose is Purpose.SEARCH else (),
            watch=watch,
        )
        return Trial(
            number=number,
            purpose=upcoming.purpose,
            origin=upcoming.origin,
            config=upcoming.config,
            execution=measured.execution,
            limits=limits,
            extrapolated_s=measured.extrapolated_s,
        )

    def record(self, trial: Trial) -> None:
        """Add the trial to the record that counts, then to the one that people look at."""
        self.study.add(trial, self.bound.encode(trial.config), self.bound.dimensions)
        names = trial_names(self.study.trials)
        self._tell(EventKind.FINISHED, trial=trial, name=names[trial.number])
        self._name_overrides()
        self.publish()

    def publish(self) -> None:
        """Publish what is not published yet; a server that is away is caught up with later."""
        if self.ledger is None:
            return
        try:
            self.ledger.publish(self.experiment, self.study.trials)
        except EnvironmentFault as fault:
            self._not_published(fault)
        else:
            self._told_unpublished = False

    def finish(self, results: Results) -> None:
        """Publish the outcome and end the study's run."""
        verdict = results.verdict
        figures = {"n_confirm_blocks": float(verdict.blocks)}
        if verdict.claimed and verdict.speedup is not None:
            figures["speedup"] = verdict.speedup
        self._end(artifacts=artifact_texts(results), figures=figures, interrupted=False)

    def end_early(self) -> None:
        """End the study's run as it stands: it was interrupted, or can't go on."""
        self._end(artifacts={}, figures={}, interrupted=True)

    def _end(
        self, *, artifacts: Mapping[str, str], figures: Mapping[str, float], interrupted: bool
    ) -> None:
        if self.ledger is None:
            return
        try:
            self.ledger.finish(
                self.experiment,
                self.study.trials,
                artifacts=artifacts,
                figures=figures,
                interrupted=interrupted,
            )
        except EnvironmentFault as fault:
            self._not_published(fault)

    def check_safety(self) -> None:
        """Refuse to execute a job again that was seen to write outside its scratch folder."""
        if self.experiment.rerunnable or self.experiment.workload.ours:
            return
        written = sorted({w for t in self.study.trials for w in t.execution.writes_outside})
        if written:
            places = ", ".join(written)
            message = (
                f"job '{self.experiment.workload.application}' writes to {places}: not executed"
                " again; write to {output} instead, or give --rerunnable if repeating is harmless"
            )
            raise UnsafeWorkload(message)

    def check_baseline(self) -> None:
        """Say so when the person's own configuration never succeeded."""
        baselines = [t for t in self.study.trials if t.purpose is Purpose.BASELINE]
        if any(trial.succeeded for trial in baselines):
            return
        execution = baselines[0].execution
        cause = (execution.cause or execution.status).replace("_", " ")
        message = (
            f"the job fails with your own configuration ({cause}), so there is nothing to compare"
            f" with; make it run once with spark-submit, then tune it:\n{execution.error or ''}"
        )
        raise NoUsableResult(message.rstrip().removesuffix(":"))

    def _known(self) -> tuple[Candidate, ...]:
        """Derive the candidates, again only when there are more trials."""
        trials = self.study.trials
        if self._derived_from != len(trials):
            self._candidates = noise.candidates(trials, self.experiment.objective)
            self._derived_from = len(trials)
        return self._candidates

    def _propose(self) -> Config | None:
        return search.propose(
            self._known(),
            self.bound,
            sampler=self.experiment.sampler,
            seed=self.experiment.seed,
            # Not the number that was claimed: one that was cut off leaves a gap behind.
            number=len(self.study.trials),
        )

    def _incumbent_steps(self) -> tuple[Step, ...]:
        best = noise.best(self._known())
        if best is None:
            return ()
        return next(
            (t.execution.steps for t in self.study.trials if t.number in best.trial_numbers), ()
        )

    def _not_published(self, fault: EnvironmentFault) -> None:
        if not self._told_unpublished:
            self._tell(EventKind.NOTE, text=f"not published yet: {fault}")
        self._told_unpublished = True

    def _baseline_duration_s(self) -> float | None:
        return noise.median_duration_s(
            [t for t in self.study.trials if t.config.digest == self.bound.baseline.digest]
        )

    def _search_time_left(self) -> bool:
        """Keep enough of the time for the confirmation."""
        timeout_s = self.experiment.budget.timeout_s
        if timeout_s is None:
            return True
        each_s = self._baseline_duration_s() or 0.0
        kept_s = 2 * self.experiment.budget.confirm_blocks * each_s
        return time.monotonic() - self.began + each_s + kept_s < timeout_s

    def _announce(self) -> None:
        plan = schedule.planned(self.experiment)
        known = len(self.study.trials)
        self._tell(
            EventKind.NOTE,
            text=f"study {self.study.name}: {plan.total} executions at most"
            f" (baseline {plan.baseline}, search {plan.search}, confirmation {plan.confirm})"
            + (f"; {known} are measured already" if known else ""),
        )
        if not self.experiment.workload.ours and not known:
            self._tell(
                EventKind.NOTE,
                text=f"your job will be executed up to {plan.total} times: it must be safe to"
                " repeat. After the first execution its event log is checked for writes outside"
                " its scratch folder",
            )

    def _name_overrides(self) -> None:
        found = overrides(self.experiment.workload, self.study.trials, self.facts)
        for override in found.values():
            if override.name not in self._named:
                self._named.add(override.name)
                self._tell(
                    EventKind.NOTE,
                    text=f"{override.name}: the job itself sets {override.effective[:60]}, so"
                    " it is left out of the search",
                )

    def _tell(
        self,
        kind: EventKind,
        *,
        text: str = "",
        name: str = "",
        trial: Trial | None = None,
        running_s: float = 0.0,
    ) -> None:
        trials = self.study.trials
        objective = self.experiment.objective
        best = noise.best(self._known())
        plan = schedule.planned(self.experiment)
        walls = [t.execution.wall_s for t in trials]
        left = max(plan.total - len(trials), 0)
        self.on_event(
            Event(
                kind=kind,
                text=text,
                name=name,
                trial=trial,
                done=len(trials),
                total=plan.total,
                failed=sum(not t.succeeded for t in trials),
                out_of_memory=sum(t.execution.cause is Cause.OUT_OF_MEMORY for t in trials),
                baseline=noise.baseline_value(trials, objective),
                best=best.value if best else None,
                running_s=running_s,
                left_s=left * sum(walls) / len(walls) if walls else None,
            )
        )
