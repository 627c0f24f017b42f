"""What comes next in a study: a pure function of the trials so far.

Baseline first, more than once; then an expert's choice for this machine; then what the search
proposes; towards the end the most promising configurations once more; at last the winner against
the baseline, in interleaved blocks of random order. Nothing is remembered between calls, so a
study that is continued goes on exactly where it stood.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from autotune import noise
from autotune.domain import Config, Value
from autotune.experiment import Experiment
from autotune.record import Candidate, Origin, Purpose, Trial

REPEAT_EVERY = 6
"""One in so many executions of the search is kept for measuring promising configs again."""

_SEARCHING = (Purpose.SEARCH, Purpose.REPEAT)


class Next(Value):
    """The trial to be made."""

    purpose: Purpose
    origin: Origin
    config: Config


class Plan(Value):
    """How many executions a study is about to make, at most."""

    baseline: int
    search: int
    confirm: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.baseline + self.search + self.confirm


def planned(experiment: Experiment) -> Plan:
    """Return the executions of the whole study when it goes through to its end."""
    budget = experiment.budget
    return Plan(
        baseline=budget.baseline_repeats, search=budget.trials, confirm=2 * budget.confirm_blocks
    )


def next_trial(
    experiment: Experiment,
    trials: Sequence[Trial],
    *,
    baseline: Config,
    expert: Config | None,
    propose: Callable[[], Config | None],
    search_time_left: bool = True,
) -> Next | None:
    """Return the next trial, or ``None`` when the study is complete.

    Args:
        experiment: budget, objective and seed.
        trials: everything measured so far.
        baseline: what the person runs today.
        expert: a first guess for this machine, if there is one.
        propose: asks the search for a config; ``None`` when its space is used up.
        search_time_left: whether the time budget allows another execution of the search.
    """
    known = _Known(experiment, trials)
    if not known.baselines or (
        known.baselines[0].succeeded and len(known.baselines) < experiment.budget.baseline_repeats
    ):
        return Next(purpose=Purpose.BASELINE, origin=Origin.BASELINE, config=baseline)
    if not any(trial.succeeded for trial in known.baselines):
        return None
    if search_time_left and known.spent < experiment.budget.trials:
        following = _search(known, expert=expert, propose=propose)
        if following is not None:
            return following
    return _confirm(known, baseline)


def winner(experiment: Experiment, trials: Sequence[Trial], baseline: Config) -> Config | None:
    """Return the config that is (to be) confirmed; ``None``: nothing beat the baseline."""
    return _winner(_Known(experiment, trials), baseline)


def blocks(
    experiment: Experiment, trials: Sequence[Trial], baseline: Config
) -> tuple[tuple[float, float], ...]:
    """Return the complete confirmation blocks: (baseline, winner) values, in order of time."""
    known = _Known(experiment, trials)
    pairs = zip(known.confirming[::2], known.confirming[1::2], strict=False)
    found = []
    for pair in pairs:
        values = {
            trial.config.digest == baseline.digest: trial.execution.value(experiment.objective)
            for trial in pair
            if trial.succeeded
        }
        before, after = values.get(True), values.get(False)
        if before is not None and after is not None:
            found.append((before, after))
    return tuple(found)


class _Known:
    """The trials sorted by what they were for."""

    def __init__(self, experiment: Experiment, trials: Sequence[Trial]) -> None:
        self.experiment = experiment
        self.trials = sorted(trials, key=lambda trial: trial.number)
        self.baselines = [t for t in self.trials if t.purpose is Purpose.BASELINE]
        self.spent = sum(t.purpose in _SEARCHING for t in self.trials)
        last = max((t.number for t in self.trials if t.purpose in _SEARCHING), default=-1)
        # A study that is continued with a larger budget confirms its winner afresh.
        self.confirming = [
            t for t in self.trials if t.purpose is Purpose.CONFIRM and t.number > last
        ]
        self.settled = [t for t in self.trials if t not in self.confirming]

    def candidates(self) -> tuple[Candidate, ...]:
        return noise.candidates(self.settled, self.experiment.objective)


def _search(
    known: _Known, *, expert: Config | None, propose: Callable[[], Config | None]
) -> Next | None:
    tried = {trial.config.digest for trial in known.trials}
    if expert is not None and expert.digest not in tried:
        return Next(purpose=Purpose.SEARCH, origin=Origin.EXPERT, config=expert)
    budget = known.experiment.budget.trials
    again = _promising(known)
    last = budget - known.spent <= budget // REPEAT_EVERY
    config = again if last and again is not None else propose() or again
    if config is None:
        return None
    if config.digest in tried:
        return Next(purpose=Purpose.REPEAT, origin=_origin(known, config), config=config)
    return Next(purpose=Purpose.SEARCH, origin=Origin.SAMPLER, config=config)


def _promising(known: _Known) -> Config | None:
    """Return the best config that was measured only once and looks better than the baseline."""
    candidates = known.candidates()
    start = noise.baseline_value(known.settled, known.experiment.objective)
    once = [
        candidate
        for candidate in candidates
        if candidate.value is not None
        and candidate.measured == 1
        and not (candidate.failed or candidate.censored)
        and (start is None or candidate.value < start)
    ]
    return min(once, key=lambda c: c.value or 0.0).config if once else None


def _origin(known: _Known, config: Config) -> Origin:
    return next(
        (t.origin for t in known.trials if t.config.digest == config.digest), Origin.SAMPLER
    )


def _winner(known: _Known, baseline: Config) -> Config | None:
    for trial in known.confirming:
        if trial.config.digest != baseline.digest:
            return trial.config
    best = noise.best(known.candidates())
    if best is None or best.config.digest == baseline.digest:
        return None
    return best.config


def _confirm(known: _Known, baseline: Config) -> Next | None:
    done = len(known.confirming)
    if done >= 2 * known.experiment.budget.confirm_blocks:
        return None
    chosen = _winner(known, baseline)
    if chosen is None:
        return None
    pair = [chosen, baseline]
    block, position = divmod(done, 2)
    random.Random(f"{known.experiment.seed}/{len(known.settled)}/{block}").shuffle(pair)
    config = pair[position]
    origin = Origin.BASELINE if config is baseline else _origin(known, config)
    return Next(purpose=Purpose.CONFIRM, origin=origin, config=config)
