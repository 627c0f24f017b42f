"""One stretch of work on a study by one process: ask, measure, record, publish, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from autotune import noise, schedule, search
from autotune.domain import Config, Limits
from autotune.errors import EnvironmentFault, NoUsableResult, UnsafeWorkload
from autotune.events import Event, EventKind
from autotune.experiment import Experiment
from autotune.expert import expert_config
from autotune.ledger import Ledger
from autotune.measure import measure, overrides
from autotune.news import News
from autotune.pending import Measurement, Pending
from autotune.record import (
    Candidate,
    Checkpoint,
    Execute,
    Execution,
    Purpose,
    Step,
    Trial,
    trial_names,
)
from autotune.rescue import failure_text, rescued
from autotune.results import Results, artifact_texts, bind_study
from autotune.sameness import Answer, checked, expected_answer
from autotune.schedule import Next
from autotune.spark.properties import property_facts
from autotune.standing import BLOCK, reference
from autotune.study import Study

RESERVED_BLOCKS = 3
"""Of the time budget so many confirmation blocks are kept free while the search goes on."""


class Session:
    """One stretch of work on a study, by one process."""

    def __init__(
        self,
        experiment: Experiment,
        study: Study,
        ledger: Ledger | None,
        pending: Pending,
        on_event: Callable[[Event], None],
    ) -> None:
        self.experiment = experiment
        self.study = study
        self.ledger = ledger
        self.pending = pending
        pending.settle([trial.execution for trial in study.trials])
        self.facts = property_facts(experiment.machine.spark_version)
        self.began = time.monotonic()
        self.bound = bind_study(self.experiment, self.study.trials)
        self._derived: dict[tuple[int, ...], tuple[Candidate, ...]] = {}
        self._confirming = False
        self._told_unpublished = False
        self.news = News(experiment, lambda: study.trials, self._derive, on_event)
        self.news.announce()

    def next_trial(self) -> Next | None:
        """Ask the schedule, with the space as it is known by now."""
        self.bound = bind_study(self.experiment, self.study.trials)
        upcoming = schedule.next_trial(
            self.experiment,
            self.study.trials,
            baseline=self.bound.baseline,
            expert=expert_config(self.bound, self.experiment.profile),
            given=[self.bound.adjusted(wishes) for wishes in self.experiment.starts],
            propose=self._propose,
            rescue=self._rescue,
            derive=self._derive,
            search_time_left=not self._confirming and self._time_left(RESERVED_BLOCKS),
            confirm_time_left=self._time_left(0),
        )
        # Once the winner is being confirmed this session searches no more, else a confirmation
        # that ends early would leave time for another winner, and another chance to be lucky.
        self._confirming = upcoming is not None and upcoming.purpose is Purpose.CONFIRM
        return upcoming

    def measure(self, upcoming: Next, execute: Execute) -> Trial:
        """Execute what comes next, under a number that is claimed first.

        What a tuner before this one measured but could not record is not executed again.
        """
        number = self.study.claim()
        limits = self.experiment.budget.limits(self._baseline_duration_s())
        self.news.tell(EventKind.STARTED, text=upcoming.purpose.value)
        measured = self._kept(upcoming.config)
        if measured is None:
            measured = self._executed(upcoming, limits, execute)
            self.pending.keep(upcoming.config, measured, self.experiment.secrets())
        execution, match = checked(
            measured.execution,
            self._answer(),
            own=upcoming.config.digest == self._reference().digest,
            tolerance=self.experiment.output_tolerance,
        )
        return Trial(
            number=number,
            purpose=upcoming.purpose,
            origin=upcoming.origin,
            config=upcoming.config,
            execution=execution,
            limits=limits,
            output_match=match,
            extrapolated_s=measured.extrapolated_s,
        )

    def _kept(self, config: Config) -> Measurement | None:
        measured = self.pending.take(config)
        if measured is not None:
            text = "measured before the interruption, not executed again"
            self.news.tell(EventKind.NOTE, text=text)
        return measured

    def _executed(self, upcoming: Next, limits: Limits, execute: Execute) -> Measurement:
        began = time.monotonic()

        def watch(checkpoint: Checkpoint) -> None:
            self.news.tell(EventKind.RUNNING, running_s=time.monotonic() - began)

        racing = self.experiment.budget.race and upcoming.purpose is Purpose.SEARCH
        # Micro-batches of another size take another time, which says nothing against them.
        racing = racing and not self.experiment.objective.of_stream
        return measure(
            self.experiment.workload,
            upcoming.config,
            limits,
            execute=execute,
            incumbent=self._incumbent_steps() if racing else (),
            watch=watch,
        )

    def record(self, trial: Trial) -> None:
        """Add the trial to the record that counts, then to the one that people look at."""
        self.study.add(trial, self.bound.encode(trial.config), self.bound.dimensions)
        self.pending.clear()
        names = trial_names(self.study.trials)
        self.news.tell(EventKind.FINISHED, trial=trial, name=names[trial.number])
        found = overrides(self.experiment.workload, self.study.trials, self.facts)
        self.news.name_overrides(found.values())
        answer = self._answer()
        self.news.name_wobbles(answer.wobbles if answer else ())
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

    def check_objective(self) -> None:
        """Refuse to go on where what is minimised is not there to be measured.

        Raises:
            NoUsableResult: the job ran to its end and was no streaming job.
        """
        objective = self.experiment.objective
        ran = [trial.execution for trial in self.study.trials if trial.succeeded]
        if objective.of_stream and ran and all(each.value(objective) is None for each in ran):
            message = (
                f"objective: {objective.value}: '{self.experiment.workload.name}' ran to its end"
                " without a micro-batch that read rows, so it has no such value; choose"
                " duration_s, core_seconds or gb_seconds, and give the command with --new"
            )
            raise NoUsableResult(message)

    def check_baseline(self) -> None:
        """Say so when the person's own configuration never succeeded."""
        trials = self.study.trials
        if reference(trials, self.bound.baseline) is not None:
            return
        raise NoUsableResult(failure_text(trials))

    def _known(self) -> tuple[Candidate, ...]:
        return self._derive(self.study.trials)

    def _derive(self, trials: Sequence[Trial]) -> tuple[Candidate, ...]:
        """Derive the candidates, again only when there are other trials."""
        numbers = tuple(trial.number for trial in trials)
        if numbers not in self._derived:
            found = noise.candidates(trials, self.experiment.objective)
            self._derived = {numbers: found, **dict(list(self._derived.items())[:1])}
        return self._derived[numbers]

    def _reference(self) -> Config:
        return reference(self.study.trials, self.bound.baseline) or self.bound.baseline

    def _answer(self) -> Answer | None:
        return expected_answer(
            self.study.trials, self._reference(), self.experiment.output_tolerance
        )

    def _rescue(self, config: Config, execution: Execution) -> Config | None:
        return rescued(self.bound, config, execution)

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
            self.news.tell(EventKind.NOTE, text=f"not published yet: {fault}")
        self._told_unpublished = True

    def _baseline_duration_s(self) -> float | None:
        start = self._reference().digest
        return noise.median_duration_s([t for t in self.study.trials if t.config.digest == start])

    def _time_left(self, reserved_blocks: int) -> bool:
        """Whether another execution fits, so many blocks of the confirmation kept free."""
        timeout_s = self.experiment.budget.timeout_s
        if timeout_s is None:
            return True
        each_s = self._baseline_duration_s() or 0.0
        kept = BLOCK * min(self.experiment.budget.confirm_blocks, reserved_blocks)
        return time.monotonic() - self.began + each_s * (1 + kept) < timeout_s
