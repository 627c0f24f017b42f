"""Where a study stands: its trials by purpose, the blocks and the winner of its confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autotune import noise
from autotune.domain import Config
from autotune.experiment import Experiment
from autotune.record import Candidate, Cause, Purpose, Trial
from autotune.verdict import Block

BLOCK = 3
"""Executions of one confirmation block: baseline, winner, baseline."""

_SEARCHING = (Purpose.SEARCH, Purpose.REPEAT)

Derive = Callable[[Sequence[Trial]], Sequence[Candidate]]


class Standing:
    """The trials of a study, sorted by what they were for."""

    def __init__(
        self, experiment: Experiment, trials: Sequence[Trial], derive: Derive | None = None
    ) -> None:
        """Sort the trials.

        Args:
            experiment: budget, objective and seed.
            trials: everything measured so far.
            derive: trials → candidates; ``None``: :func:`autotune.noise.candidates`.
        """
        self.experiment = experiment
        self.trials = sorted(trials, key=lambda trial: trial.number)
        self.baselines = [t for t in self.trials if t.purpose is Purpose.BASELINE]
        self.searched = [t for t in self.trials if t.purpose in _SEARCHING]
        self.spent = len(self.searched)
        last = self.searched[-1].number if self.searched else -1
        # A study that is continued with a larger budget confirms its winner afresh.
        self.confirming = [
            t for t in self.trials if t.purpose is Purpose.CONFIRM and t.number > last
        ]
        self.settled = [
            t for t in self.trials if t.purpose is not Purpose.CONFIRM or t.number <= last
        ]
        self._derive = derive

    def candidates(self) -> Sequence[Candidate]:
        """Return the candidates, what the present confirmation measured left out."""
        if self._derive is not None:
            return self._derive(self.settled)
        return noise.candidates(self.settled, self.experiment.objective)

    def baselines_wanted(self) -> int:
        """Return how often the baseline is to be measured first, by what is known of it."""
        objective = self.experiment.objective
        first = self.baselines[0].execution.duration_s if self.baselines else None
        wanted = self.experiment.budget.baselines(first)
        return wanted + (noise.cold_start(self.baselines, objective) is not None)

    def blocks(self, start: Config) -> tuple[Block, ...]:
        """Return the confirmation blocks in which everything succeeded, in order of time."""
        found = []
        for index in range(0, len(self.confirming) - BLOCK + 1, BLOCK):
            group = self.confirming[index : index + BLOCK]
            own = [self._value(t) for t in group if t.config.digest == start.digest]
            other = [self._value(t) for t in group if t.config.digest != start.digest]
            if len(own) != BLOCK - 1 or None in (*own, *other):
                continue
            before, again, after = (value for value in (*own, *other) if value is not None)
            found.append(Block(baseline=(before, again), winner=after))
        return tuple(found)

    def failed_winner(self, start: Config) -> Trial | None:
        """Return the execution of the winner that failed in the confirmation, if there is one.

        One that was lost to something else says nothing about the winner.
        """
        mine = [t for t in self.confirming if t.config.digest != start.digest]
        failed = [t for t in mine if not t.succeeded and t.execution.cause is not Cause.LOST]
        return next(iter(failed), None)

    def winner(self, start: Config) -> Config | None:
        """Return the config that is (to be) confirmed; ``None``: nothing beat *start*."""
        if self.experiment.challenger is not None:
            return self.experiment.challenger
        for trial in self.confirming:
            if trial.config.digest != start.digest:
                return trial.config
        best = noise.soundest(self.candidates())
        if best is None or best.config.digest == start.digest:
            return None
        return best.config

    def _value(self, trial: Trial) -> float | None:
        return trial.execution.value(self.experiment.objective) if trial.succeeded else None


def reference(trials: Sequence[Trial], baseline: Config) -> Config | None:
    """Return what the winner is compared with: the baseline, or a start that works if it fails."""
    ordered = sorted(trials, key=lambda trial: trial.number)
    if any(t.succeeded for t in ordered if t.config.digest == baseline.digest):
        return baseline
    return next((t.config for t in ordered if t.succeeded), None)


def winner(experiment: Experiment, trials: Sequence[Trial], baseline: Config) -> Config | None:
    """Return the config that is (to be) confirmed; ``None``: nothing beat the baseline."""
    start = reference(trials, baseline)
    return None if start is None else Standing(experiment, trials).winner(start)


def blocks(experiment: Experiment, trials: Sequence[Trial], baseline: Config) -> tuple[Block, ...]:
    """Return the confirmation blocks in which everything succeeded, in order of time."""
    start = reference(trials, baseline)
    return () if start is None else Standing(experiment, trials).blocks(start)


def failed_winner(
    experiment: Experiment, trials: Sequence[Trial], baseline: Config
) -> Trial | None:
    """Return the execution of the winner that failed in the confirmation, if there is one."""
    start = reference(trials, baseline)
    return None if start is None else Standing(experiment, trials).failed_winner(start)
