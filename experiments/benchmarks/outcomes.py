"""What a way to pick did in the groups of the corpus, and the figures that tell it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))

from picks import BASELINE, FAILED_COST, Choice, Group

WORTH = math.log(0.97)
SLOWER = math.log(1.05)
DRAWS = 200
PARTS = ("first", "of_3", "of_5")


@dataclass(frozen=True)
class Outcome:
    """What one way did in one group."""

    workload: str
    best: float
    first: float
    """log(time ÷ baseline) of the first pick; then of the best of three and of five."""
    of_3: float
    of_5: float
    failed: float
    rank: float
    slower: float
    """Whether the first pick is over 5 % slower than the default; its share, of several draws."""
    regret: float


def outcome(group: Group, choice: Choice) -> Outcome:
    """Return what one way did in one group."""

    def took(names: Sequence[str]) -> float:
        return min(group.logs.get(name, FAILED_COST) for name in names)

    rank = math.nan
    if choice.expected is not None:
        known = sorted(set(choice.expected) & set(group.logs) - group.failed)
        guess = [choice.expected[name] for name in known]
        truth = [group.logs[name] for name in known]
        rank = float(stats.spearmanr(guess, truth).statistic) if np.ptp(guess) > 0 else 0.0
    first = took(choice.order[:1])
    return Outcome(
        workload=group.history.workload,
        best=group.best,
        first=first,
        of_3=took([BASELINE, *choice.order[:3]]),
        of_5=took([BASELINE, *choice.order[:5]]),
        failed=float(choice.order[0] in group.failed),
        rank=rank,
        slower=float(first > SLOWER),
        regret=math.exp(first - group.best) - 1,
    )


def again(group: Group, *, knowing: bool) -> Outcome:
    """Return what who knows the true times, or measures everything once more, would do.

    What was measured is taken for the truth; it is picked by one draw around it and scored on
    another, each as noisy as the corpus is, and that many times.
    """
    draw = np.random.default_rng(len(group.history.study))
    names = sorted(group.logs)
    truth = np.array([group.logs[name] for name in names])
    runs = np.array([group.runs[name] for name in names])
    own = names.index(BASELINE)
    found = []
    for _ in range(DRAWS):
        scored = truth + draw.normal(0, group.noise, len(names)) / np.sqrt(runs)
        seen = truth if knowing else truth + draw.normal(0, group.noise, len(names))
        logs = dict(zip(names, scored - scored[own], strict=True))
        order = [names[place] for place in np.argsort(seen, kind="stable")]
        found.append(outcome(replace(group, logs=logs), Choice(order)))
    return mean_of(found)


def mean_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the mean of what was drawn for one group."""
    numbers = ("best", "first", "of_3", "of_5", "failed", "rank", "slower", "regret")
    means = {name: float(np.mean([getattr(o, name) for o in outcomes])) for name in numbers}
    return Outcome(workload=outcomes[0].workload, **means)


def figures(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the figures of one way, as texts."""
    gaining = [o for o in outcomes if o.best <= WORTH]
    shares = {k: by_workload(gaining, lambda o, k=k: getattr(o, k) / o.best) for k in PARTS}
    low, high = interval(shares["first"], np.median)
    regrets = [o.regret for o in outcomes]
    slow = by_workload(outcomes, lambda o: o.slower)
    slow_low, slow_high = rarely(sum(slow), len(slow))
    ranks = [o.rank for o in outcomes if not math.isnan(o.rank)]
    tail = f"{np.quantile(regrets, 0.9):.1%} / {max(regrets):.0%}"
    return {
        "first": f"{np.median(shares['first']):.0%} ({low:.0%}–{high:.0%})",
        "of 3": f"{np.median(shares['of_3']):.0%}",
        "of 5": f"{np.median(shares['of_5']):.0%}",
        "sum": f"{sum(o.first for o in outcomes) / sum(o.best for o in outcomes) + 0.0:.0%}",
        "regret": f"{np.median(regrets):.1%} / {tail}",
        "slower": f"{np.mean(slow):.0%} ({slow_low:.0%}–{slow_high:.0%})",
        "failed": f"{sum(o.failed for o in outcomes):.0f}",
        "rank": f"{np.median(ranks):.2f}" if ranks else "–",
    }


def ahead(mine: Sequence[Outcome], theirs: Sequence[Outcome]) -> dict[str, str]:
    """Return by how much more the first picks of ours gained, in points of log(time)."""
    pairs = zip(mine, theirs, strict=True)
    gaps = [replace(one, first=other.first - one.first) for one, other in pairs]
    means = by_workload(gaps, lambda gap: 100 * gap.first)
    low, high = interval(means, np.mean)
    return {"ours ahead": f"{np.mean(means):.1f} ({low:.1f}–{high:.1f})"}


def by_workload(outcomes: Sequence[Outcome], figure: Callable[[Outcome], float]) -> list[float]:
    """Return the mean of a figure over the groups of each workload."""
    names = sorted({o.workload for o in outcomes})
    return [float(np.mean([figure(o) for o in outcomes if o.workload == n])) for n in names]


def rarely(count: float, of: int) -> tuple[float, float]:
    """Return a 95 % interval for a share that may be none at all, which a bootstrap has none for.

    Clopper and Pearson, Biometrika 1934, by the quantiles of beta distributions; also for a count
    that is no whole number, as of workloads of which only some groups were slower.
    """
    low = stats.beta.ppf(0.025, count, of - count + 1) if count > 0 else 0.0
    high = stats.beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    return float(low), float(high)


def interval(
    values: Sequence[float], middle: Callable[..., np.ndarray], *, draws: int = 4000
) -> tuple[float, float]:
    """Return a 95 % bootstrap interval over workloads."""
    if not values:
        return math.nan, math.nan
    chosen = np.random.default_rng(0).choice(values, size=(draws, len(values)))
    low, high = np.quantile(middle(chosen, axis=1), [0.025, 0.975])
    return float(low), float(high)
