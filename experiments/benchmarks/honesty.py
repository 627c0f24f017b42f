"""How honest a verdict is: whole simulated studies whose truth is known.

Where no parameter matters, how often is a gain claimed all the same? Where one exists, how often
is it found, how far is the claimed figure from the true one of the same configuration, and how
often does the 95 % interval cover it? The machine is a bad one: log-normal noise of 6 %, drift
that comes and goes over ten minutes (Ornstein–Uhlenbeck, 6 %), bursts of foreign load up to 2×.

Everything but Spark and the stores is the real thing: schedule, search, noise and verdict.

    python experiments/benchmarks/honesty.py --studies 1000 --with-gain 300
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from autotune import noise, schedule, search  # noqa: E402
from autotune.domain import Config, Limits  # noqa: E402
from autotune.experiment import Budget, Experiment  # noqa: E402
from autotune.expert import expert_config  # noqa: E402
from autotune.measure import measure  # noqa: E402
from autotune.record import Candidate, Execution, Purpose, Step, Trial  # noqa: E402
from autotune.results import judge_study  # noqa: E402
from autotune.standing import Derive, winner  # noqa: E402
from autotune.verdict import Verdict  # noqa: E402
from surfaces import WORKLOAD, Surface, bound_space, experiment  # noqa: E402

NOISE = 0.06
DRIFT = 0.06
DRIFT_S = 600.0
BURST_CHANCE = 0.03
BURSTS = (1.2, 2.0)
LONGEST_BURST = 3
BOUND = bound_space()


class Machine(Surface):
    """A surface on a machine that is busy with other things now and then.

    Args:
        seed: of the surface and of the machine.
        gain: the baseline's time over the best time.
    """

    def __init__(self, seed: int, gain: float) -> None:
        super().__init__(BOUND, seed=seed, gain=gain, noise=0.0, crash=False, base_s=30.0)
        self._random = np.random.default_rng([seed, 99])
        self._drift = DRIFT * self._random.standard_normal()
        self._left, self._burst = 0, 1.0

    def true_s(self, config: Config) -> float:
        """Return what *config* takes at this moment."""
        return super().true_s(config) * math.exp(self._drift) * self._burst * self._jitter

    def quiet_s(self, config: Config) -> float:
        """Return what *config* takes on a machine that does nothing else."""
        return super().true_s(config)

    def pass_time(self, seconds: float) -> None:
        """Let the machine become a little different."""
        keep = math.exp(-seconds / DRIFT_S)
        self._drift *= keep
        self._drift += DRIFT * math.sqrt(1 - keep**2) * self._random.standard_normal()
        self._left -= 1
        if self._left <= 0:
            self._burst = 1.0
            if self._random.random() < BURST_CHANCE:
                self._burst = float(self._random.uniform(*BURSTS))
                self._left = int(self._random.integers(1, LONGEST_BURST + 1))
        self._jitter = math.exp(NOISE * self._random.standard_normal())


class Played(NamedTuple):
    """One study: what was said, and what is true of the configuration it is about."""

    verdict: Verdict
    true_speedup: float
    executions: int


def play(asked: Experiment, gain: float, seed: int) -> Played:
    """Make one whole study."""
    machine = Machine(seed, gain)
    asked = asked.model_copy(update={"seed": seed})
    trials: list[Trial] = []
    derive = derivation(asked)
    machine.pass_time(0)
    while (upcoming := following(asked, trials, derive)) is not None:
        limits = asked.budget.limits(noise.median_duration_s(trials[:1]))
        racing = upcoming.purpose is Purpose.SEARCH
        execution, extrapolated_s = run(
            machine, upcoming.config, limits, incumbent(trials, derive) if racing else ()
        )
        trials.append(
            Trial(
                number=len(trials),
                purpose=upcoming.purpose,
                origin=upcoming.origin,
                config=upcoming.config,
                execution=execution,
                limits=limits,
                extrapolated_s=extrapolated_s,
            )
        )
        machine.pass_time(execution.wall_s)
    chosen = winner(asked, trials, BOUND.baseline) or BOUND.baseline
    return Played(
        verdict=judge_study(asked, trials, BOUND.baseline),
        true_speedup=machine.quiet_s(BOUND.baseline) / machine.quiet_s(chosen),
        executions=len(trials),
    )


def derivation(asked: Experiment) -> Derive:
    """Return what derives candidates, once for each number of trials."""
    known: dict[int, Sequence[Candidate]] = {}

    def derive(trials: Sequence[Trial]) -> Sequence[Candidate]:
        if len(trials) not in known:
            known[len(trials)] = noise.candidates(trials, asked.objective)
        return known[len(trials)]

    return derive


def following(asked: Experiment, trials: list[Trial], derive: Derive) -> schedule.Next | None:
    """Ask as a session does."""
    return schedule.next_trial(
        asked,
        trials,
        baseline=BOUND.baseline,
        expert=expert_config(BOUND, None),
        propose=lambda: search.propose(
            derive(trials),
            BOUND,
            sampler=asked.sampler,
            seed=asked.seed,
            number=len(trials),
        ),
        derive=derive,
    )


def run(
    machine: Machine, config: Config, limits: Limits, steps: tuple[Step, ...]
) -> tuple[Execution, float | None]:
    """Execute once, with the race against the incumbent."""
    measured = measure(WORKLOAD, config, limits, execute=machine, incumbent=steps)
    return measured.execution, measured.extrapolated_s


def incumbent(trials: list[Trial], derive: Derive) -> tuple[Step, ...]:
    """Return the steps of the best execution so far."""
    best = noise.best(derive(trials))
    numbers = best.trial_numbers if best else ()
    return next((t.execution.steps for t in trials if t.number in numbers), ())


def upper_limit(hits: int, tries: int) -> float:
    """Return the upper end of the 95 % interval of a share (Clopper and Pearson 1934)."""
    return 1.0 if hits == tries else float(stats.beta.ppf(0.975, hits + 1, tries - hits))


def row(name: str, played: list[Played]) -> str:
    """Return one line of the table."""
    claims = [p for p in played if p.verdict.claimed]
    told = [p for p in played if p.verdict.low is not None and p.verdict.high is not None]
    covered = [
        p for p in told if (p.verdict.low or 0) <= p.true_speedup <= (p.verdict.high or math.inf)
    ]
    off = [100 * ((p.verdict.speedup or 1) - p.true_speedup) for p in claims]
    raw = [100 * ((p.verdict.measured or 1) - p.true_speedup) for p in claims]
    executions = statistics.mean(p.executions for p in played)
    limit = upper_limit(len(claims), len(played))
    cells = [
        f"{name:>8}",
        f"{len(played):>7}",
        f"{statistics.median(p.true_speedup for p in played):>7.2f}",
        f"{len(claims) / len(played):>7.1%}",
        f"{limit:>7.1%}",
        f"{statistics.median(off):>+8.1f}" if off else f"{'–':>8}",
        f"{statistics.median(raw):>+8.1f}" if raw else f"{'–':>8}",
        f"{len(covered) / len(told):>8.1%}" if told else f"{'–':>8}",
        f"{executions:>6.1f}",
    ]
    return " ".join(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="where nothing matters")
    parser.add_argument("--with-gain", type=int, default=300, help="for each true gain")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--blocks", type=int, default=Budget().confirm_blocks)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asked = experiment(budget=Budget(trials=options.trials, confirm_blocks=options.blocks))
    began = time.monotonic()
    print(f"{options.trials} trials, at most {options.blocks} blocks, 95 % intervals")
    print("    gain studies  winner claimed  up to  off(pp)  raw(pp)  covered  executions")
    with ProcessPoolExecutor(options.workers) as pool:
        for index, gain in enumerate((1.0, 1.05, 1.1, 1.2, 1.5)):
            count = options.studies if gain == 1.0 else options.with_gain
            first = options.seed + 1_000_000 * index
            seeds = range(first, first + count)
            played = list(pool.map(partial(play, asked, gain), seeds, chunksize=5))
            print(row("none" if gain == 1.0 else f"{gain - 1:.0%}", played), flush=True)
    print(f"{(time.monotonic() - began) / 60:.1f} min")
    print("winner: its true speedup, median; claimed: share of studies, up to: its 95 % limit")
    print("off: claimed figure − truth, median of the claims; raw: the same as it was measured")


if __name__ == "__main__":
    main()
