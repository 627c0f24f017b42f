"""What a session tells whoever watches it, each thing once, with where the study stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from autotune import noise, schedule
from autotune.events import Event, EventKind
from autotune.experiment import Experiment
from autotune.measure import Override
from autotune.record import Candidate, Cause, Origin, Purpose, Trial, trial_names


class News:
    """Tells a listener about one study."""

    def __init__(
        self,
        experiment: Experiment,
        trials: Callable[[], Sequence[Trial]],
        derive: Callable[[Sequence[Trial]], Sequence[Candidate]],
        on_event: Callable[[Event], None],
    ) -> None:
        """Watch a study.

        Args:
            experiment: what is tuned.
            trials: everything measured by now.
            derive: trials → candidates.
            on_event: the listener.
        """
        self._experiment = experiment
        self._trials = trials
        self._derive = derive
        self._on_event = on_event
        self._said: set[str] = set()

    def announce(self) -> None:
        """Say what is about to be done, and what the person should know before."""
        plan = schedule.planned(self._experiment, self._trials())
        known = len(self._trials())
        self.note(
            f"study {self._experiment.name}: {plan.total} executions at most"
            f" (baseline {plan.baseline}, search {plan.search}, confirmation {plan.confirm})"
            + (f"; {known} are measured already" if known else "")
        )
        if known:
            return
        if not self._experiment.workload.ours:
            self.note(
                f"your job will be executed up to {plan.total} times: it must be safe to repeat."
                " After the first execution its event log is checked for writes outside its"
                " scratch folder"
            )
        if not self._experiment.workload.outputs:
            self.note(
                "the job names no output, so whether it still gives the same answer is not"
                " checked: write to {output}, or name what it writes with --outputs"
            )

    def name_wobbles(self, texts: Iterable[str]) -> None:
        """Say where the job's answers differ without any change of configuration."""
        for text in texts:
            self.note(
                f"{text}, between two executions of your own configuration: the job is not"
                " deterministic there, so that part is not compared"
            )

    def name_overrides(self, found: Iterable[Override]) -> None:
        """Say what the job sets by itself."""
        for override in found:
            self.note(
                f"{override.name}: the job itself sets {override.effective[:60]}, so it is left"
                " out of the search"
            )

    def _name_rescue(self, trial: Trial, trials: Sequence[Trial]) -> None:
        """Say what a trial got more of than the one before, which ran out of it."""
        if trial.origin is not Origin.RESCUE or trial.purpose is not Purpose.SEARCH:
            return
        names = trial_names(trials)
        before = max((t for t in trials if t.number < trial.number), key=lambda t: t.number)
        old, new = before.config.properties, trial.config.properties
        changes = ", ".join(
            f"{name} {old.get(name) or '(unset)'} → {value}"
            for name, value in new.items()
            if value != old.get(name)
        )
        mine = names[trial.number]
        self.note(f"{names[before.number]} ran out of memory: {mine} is the same with {changes}")
        if trial.succeeded and not any(t.succeeded for t in trials if t.number < trial.number):
            self.note(f"your own configuration fails, so the others are compared with {mine}")

    def note(self, text: str) -> None:
        """Say *text*, unless it was said before."""
        if text not in self._said:
            self._said.add(text)
            self.tell(EventKind.NOTE, text=text)

    def tell(
        self,
        kind: EventKind,
        *,
        text: str = "",
        name: str = "",
        trial: Trial | None = None,
        running_s: float = 0.0,
    ) -> None:
        """Pass on an event, with where the study stands."""
        trials = self._trials()
        if kind is EventKind.FINISHED and trial is not None:
            self._name_rescue(trial, trials)
        known = self._derive(trials)
        best = noise.best(known)
        # Of one kind with the best: a level, so that the best is never shown as the worse one.
        own = next((c for c in known if c.config.digest == trials[0].config.digest), None)
        plan = schedule.planned(self._experiment, trials)
        walls = [t.execution.wall_s for t in trials]
        left = max(plan.total - len(trials), 0)
        self._on_event(
            Event(
                kind=kind,
                text=text,
                name=name,
                trial=trial,
                done=len(trials),
                total=plan.total,
                failed=sum(not t.succeeded for t in trials),
                out_of_memory=sum(t.execution.cause is Cause.OUT_OF_MEMORY for t in trials),
                baseline=own.value if own else None,
                best=best.value if best else None,
                running_s=running_s,
                left_s=left * sum(walls) / len(walls) if walls else None,
            )
        )
