"""What comes next in a study: a pure function of the trials so far.

Baseline first, more than once; then an expert's choice for this machine; then what the person
wants to be tried; then what the search proposes, with promising configurations measured again; at
last the winner against the baseline, in interleaved blocks of random order. Nothing is remembered
between calls, so a study that is continued goes on exactly where it stood.

The rules of measuring again (a repeat counts as an execution of the search):

- the leader, or the baseline while nothing leads or the person's own list is tried, after
  ``REFERENCE_EVERY`` executions of new configurations: what shows by how much the machine has
  changed meanwhile;
- in the last sixth of the budget, what was measured once and may still be the best: its value is
  within two standard errors of the leader's. What is hopeless is never measured again;
- a configuration that ran out of heap once more with the next step of memory, as a trial of its
  own, if the machine has room for it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence

from autotune import noise
from autotune.domain import Config, Value
from autotune.experiment import Experiment
from autotune.record import Candidate, Execution, Origin, Purpose, Trial
from autotune.standing import BLOCK, Derive, Standing, reference
from autotune.verdict import is_settled

REFERENCE_EVERY = 6
LAST_SHARE = 6
"""One in so many executions of the search, the last ones, is kept for promising configs."""
RESCUES = 3
"""So many steps of memory are tried when the person's own configuration runs out of it."""

Rescue = Callable[[Config, Execution], Config | None]
"""Returns the next step of memory for a config that failed; ``None``: that would not help."""


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


def planned(experiment: Experiment, trials: Sequence[Trial] = ()) -> Plan:
    """Return the executions of the whole study when it goes through to its end."""
    known = Standing(experiment, trials)
    return Plan(
        baseline=max(known.baselines_wanted(), len(known.baselines)),
        search=0 if experiment.challenger else experiment.budget.trials,
        confirm=BLOCK * experiment.budget.confirm_blocks,
    )


def next_trial(
    experiment: Experiment,
    trials: Sequence[Trial],
    *,
    baseline: Config,
    expert: Config | None,
    given: Sequence[Config] = (),
    propose: Callable[[], Config | None],
    rescue: Rescue = lambda config, execution: None,
    derive: Derive | None = None,
    search_time_left: bool = True,
    confirm_time_left: bool = True,
) -> Next | None:
    """Return the next trial, or ``None`` when the study is complete.

    Args:
        experiment: budget, objective and seed.
        trials: everything measured so far.
        baseline: what the person runs today.
        expert: a first guess for this machine, if there is one.
        given: what the person wants to be tried.
        propose: asks the search for a config; ``None`` when its space is used up.
        rescue: the next step of memory for a config that ran out of it.
        derive: trials → candidates; ``None``: :func:`autotune.noise.candidates`.
        search_time_left: whether the time budget allows another execution of the search.
        confirm_time_left: whether it allows another execution at all.
    """
    known = Standing(experiment, trials, derive)
    if not known.baselines or (
        known.baselines[0].succeeded and len(known.baselines) < known.baselines_wanted()
    ):
        return Next(purpose=Purpose.BASELINE, origin=Origin.BASELINE, config=baseline)
    start = reference(trials, baseline)
    if start is None:
        return _rescued(known, rescue)
    if added := {n: v for n, v in start.properties.items() if n not in baseline.properties}:
        # Beside the space, and the job fails without it: every config needs it.
        expert, propose = _with(added, expert), _adding(added, propose)
        given = [config for each in given if (config := _with(added, each)) is not None]
    searching = search_time_left and experiment.challenger is None
    if searching and known.spent < experiment.budget.trials:
        following = _search(
            known, start, expert=expert, given=given, propose=propose, rescue=rescue
        )
        if following is not None:
            return following
    return _confirm(known, start) if confirm_time_left else None


def _search(
    known: Standing,
    start: Config,
    *,
    expert: Config | None,
    given: Sequence[Config],
    propose: Callable[[], Config | None],
    rescue: Rescue,
) -> Next | None:
    tried = {trial.config.digest for trial in known.trials}
    if (grown := _retried(known, tried, rescue)) is not None:
        return Next(purpose=Purpose.SEARCH, origin=Origin.RESCUE, config=grown)
    if expert is not None and expert.digest not in tried:
        return Next(purpose=Purpose.SEARCH, origin=Origin.EXPERT, config=expert)
    budget = known.experiment.budget.trials
    candidates = known.candidates()
    waiting = next((config for config in given if config.digest not in tried), None)
    again: Config | None = None
    if _since_reference(known) >= REFERENCE_EVERY:
        again = start if waiting is not None else _leader(candidates, start)
    elif waiting is None and budget - known.spent <= budget // LAST_SHARE:
        again = _promising(candidates, start)
    if again is None and waiting is not None:
        return Next(purpose=Purpose.SEARCH, origin=Origin.GIVEN, config=waiting)
    config = again or propose() or _promising(candidates, start)
    if config is None:
        return None
    if config.digest in tried:
        return Next(purpose=Purpose.REPEAT, origin=_origin(known, config), config=config)
    return Next(purpose=Purpose.SEARCH, origin=Origin.SAMPLER, config=config)


def _retried(known: Standing, tried: set[str], rescue: Rescue) -> Config | None:
    """Return the next step of memory for the last config, if that is what it failed for."""
    last = known.trials[-1]
    if last.purpose is not Purpose.SEARCH or last.succeeded or last.origin is Origin.RESCUE:
        return None
    grown = rescue(last.config, last.execution)
    if grown is None or grown.properties.keys() != last.config.properties.keys():
        return None  # what is not in the space is left to the person, as long as theirs works
    return None if grown.digest in tried else grown


def _since_reference(known: Standing) -> int:
    """Return how many new configs were executed since one that had been measured before."""
    seen: set[str] = set()
    count = 0
    for trial in known.trials:
        count = 0 if trial.config.digest in seen else count + 1
        seen.add(trial.config.digest)
    return count


def _leader(candidates: Sequence[Candidate], start: Config) -> Config:
    best = noise.best(candidates)
    return start if best is None else best.config


def _promising(candidates: Sequence[Candidate], start: Config) -> Config | None:
    """Return the best config that was measured only once and may still beat all others."""
    best = noise.best(candidates)
    own = next((c for c in candidates if c.config.digest == start.digest), None)
    if best is None or best.value is None:
        return None
    bar = own.value if own is not None and own.value is not None else math.inf
    once = [
        c
        for c in candidates
        if c.value is not None and c.measured == 1 and not (c.failed or c.censored)
        if c.value < bar and _may_be_best(c, best)
    ]
    return min(once, key=lambda c: c.value or 0.0).config if once else None


def _may_be_best(candidate: Candidate, best: Candidate) -> bool:
    behind = math.log((candidate.value or 1.0) / (best.value or 1.0))
    return behind <= 2 * math.hypot(candidate.error or 0.0, best.error or 0.0)


def _origin(known: Standing, config: Config) -> Origin:
    return next(
        (t.origin for t in known.trials if t.config.digest == config.digest), Origin.SAMPLER
    )


def _rescued(known: Standing, rescue: Rescue) -> Next | None:
    """Look for a start that works, from the person's own configuration upwards."""
    last = known.trials[-1]
    if len(known.searched) >= RESCUES:
        return None
    grown = rescue(last.config, last.execution)
    if grown is None or grown.digest in {trial.config.digest for trial in known.trials}:
        return None
    rules = known.experiment.conf
    if grown.properties.keys() & {*rules.enforced, *rules.preserve, *rules.exclude}:
        return None
    return Next(purpose=Purpose.SEARCH, origin=Origin.RESCUE, config=grown)


def _adding(
    added: Mapping[str, str | None], propose: Callable[[], Config | None]
) -> Callable[[], Config | None]:
    return lambda: _with(added, propose())


def _with(added: Mapping[str, str | None], config: Config | None) -> Config | None:
    if config is None:
        return None
    return config.model_copy(update={"properties": {**added, **config.properties}})


def _confirm(known: Standing, start: Config) -> Next | None:
    done = len(known.confirming)
    most = known.experiment.budget.confirm_blocks
    chosen = known.winner(start)
    if chosen is None or done >= BLOCK * most or known.failed_winner(start) is not None:
        return None
    block, position = divmod(done, BLOCK)
    if (
        position == 0
        and block
        and is_settled(known.blocks(start), most, seed=known.experiment.seed)
    ):
        return None
    order = [chosen, start, start]
    random.Random(f"{known.experiment.seed}/{len(known.settled)}/{block}").shuffle(order)
    config = order[position]
    origin = Origin.BASELINE if config is start else _origin(known, config)
    return Next(purpose=Purpose.CONFIRM, origin=origin, config=config)
