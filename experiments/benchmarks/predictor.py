"""How good the first picks of the predictor are, on groups of the corpus that it never saw.

    python experiments/benchmarks/predictor.py [--corpus FOLDER] [--split workload|size|machine]

Whole workloads, sizes or machine shapes are left out in turn; every way chooses among what was
measured in every group; "tuned" is the best of that. A table a split:

- first, of 3, of 5: share of the tuned gain, in log(time), that the best of so many picks has, the
  default being free from the second on; an answer "keep your default" is a pick. Of groups with a
  gain of 3 % or more: mean over the groups of a workload, median over workloads, with a 95 %
  interval;
- sum: gain of all first picks ÷ all tuned gains;
- regret: time of the first pick ÷ time of the best − 1; median, 90th percentile, worst group;
- slower: share of groups whose first pick is over 5 % slower than the default; mean over the
  groups of a workload, mean over workloads, with an exact interval (Clopper and Pearson 1934);
- failed: first picks that failed. What fails counts as twice the time, or as the slowest;
- rank: Spearman's correlation of what was expected with what was measured; median over groups;
- ours ahead: captured gain of ours less that of this way, in points of log(time); mean, interval.

Intervals are bootstraps over workloads (Efron 1979): groups of one workload are not independent.
Two lines are no ways but ceilings, since times of single executions are noisy: ``oracle`` knows
the true times, ``measured once`` executes everything once more; both scored on other executions.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from outcomes import DRAWS, WORTH, again, ahead, figures, mean_of, outcome
from picks import (
    BASELINE,
    EXPERT,
    Group,
    Pick,
    best_single,
    covered,
    default,
    expert,
    fitted,
    forest_on_knobs,
    nearest,
    ours,
    shuffled,
)

from autotune.corpus import read_corpus
from autotune.drift import levels
from autotune.predict.jobs import Knowledge
from autotune.predict.rows import Lessons, usable
from autotune.predict.scoring import FAILED_SHARE, cost_of
from autotune.record import Origin, Status, StudyHistory

CORPUS = Path(__file__).parents[1] / "corpus"
OURS = "ours"

SPLITS: dict[str, Callable[[StudyHistory], str]] = {
    "workload": lambda history: history.workload,
    "size": lambda history: history.study.split("-")[-3],
    "machine": lambda history: history.machine.master,
}
WAYS: dict[str, Pick] = {
    "default": default,
    "expert rules": expert,
    "best single": best_single,
    "nearest groups": nearest,
    "forest on knobs": forest_on_knobs,
    "ours, nothing of the job": ours(Knowledge.NOTHING),
    "ours, its plans alone": ours(Knowledge.PLANS),
    OURS: ours(),
}


def main() -> None:
    """Read the arguments, and print a table for every split."""
    parser = argparse.ArgumentParser(description="Evaluate the predictor.")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--split", choices=tuple(SPLITS), action="append")
    options = parser.parse_args()
    groups = read_groups(options.corpus)
    noise = np.median([group.noise for group in groups])
    print(f"{len(groups)} groups, {sum(g.best <= WORTH for g in groups)} with a gain of 3 %")
    print(f"noise of one execution: {noise:.1%}, median of groups")
    for split in options.split or SPLITS:
        pairs = split_up(groups, SPLITS[split])
        print(f"\nleft out: {split}")
        print(table_of(pairs).to_string(index=False))
        for knowledge in Knowledge:
            held = np.mean([np.mean(covered(fitted(t), g, knowledge)) for t, g in pairs])
            print(f"intervals for 80 %, known of the job: {knowledge}, hold {held:.0%}")
        if split == "workload":
            print(unseen_points(pairs))


def read_groups(folder: Path) -> list[Group]:
    """Return the groups of a corpus, by what all of them share."""
    points = pd.read_parquet(folder / "points.parquet")
    found = []
    for lesson in usable(read_corpus(folder)):
        own = points[points["study"] == lesson.history.study]
        names = {f"{row.point:02d}": row.config for row in own.itertuples()}
        names[BASELINE] = lesson.baseline.digest
        told = lesson.configs  # what was only ended from outside says nothing
        rules = [
            t
            for t in lesson.history.trials
            if t.origin is Origin.EXPERT and t.config.digest in told
        ]
        if rules:
            names[EXPERT] = rules[0].config.digest
        found.append(group_of(lesson, names))
    return found


def group_of(lesson: Lessons, names: dict[str, str]) -> Group:
    """Return a group, given the digest of each name."""
    costs = cost_of(lesson)
    trials = lesson.history.trials
    return Group(
        history=lesson.history,
        configs={name: lesson.configs[digest] for name, digest in names.items()},
        logs={name: costs[digest] for name, digest in names.items() if digest in costs},
        failed=frozenset(n for n, d in names.items() if lesson.failures[d] >= FAILED_SHARE),
        runs={n: sum(t.config.digest == d for t in trials) for n, d in names.items()},
        noise=noise_of(lesson.history),
    )


def noise_of(history: StudyHistory) -> float:
    """Return the spread of one execution, the machine's drift taken out, in log(time)."""
    told = [
        (trial.started_at.timestamp(), trial.config.digest, math.log(trial.duration_s))
        for trial in history.trials[1:]  # the first may be a cold start
        if trial.status is Status.SUCCEEDED and trial.duration_s and trial.started_at
    ]
    at, digests, logs = zip(*told, strict=True)
    places = {digest: place for place, digest in enumerate(dict.fromkeys(digests))}
    return levels(np.array(at), np.array([places[d] for d in digests]), np.array(logs)).noise


def split_up(
    groups: Sequence[Group], split: Callable[[StudyHistory], str]
) -> list[tuple[list[Group], Group]]:
    """Return each group with those to learn from: all but what is left out with it."""
    return [
        (train, group)
        for group in groups
        if (train := [g for g in groups if split(g.history) != split(group.history)])
    ]


def table_of(pairs: Sequence[tuple[list[Group], Group]]) -> pd.DataFrame:
    """Return a row for each way to pick, and the two ceilings."""
    outcomes = {name: [outcome(g, pick(t, g)) for t, g in pairs] for name, pick in WAYS.items()}
    groups = [group for _, group in pairs]
    outcomes["random"] = [
        mean_of([outcome(g, shuffled(g, draw)) for draw in range(DRAWS)]) for g in groups
    ]
    outcomes["measured once"] = [again(group, knowing=False) for group in groups]
    outcomes["oracle"] = [again(group, knowing=True) for group in groups]
    order = ["default", "random", *[name for name in WAYS if name != "default"]]
    return pd.DataFrame(
        [
            {"way": name, **figures(outcomes[name]), **ahead(outcomes[OURS], outcomes[name])}
            for name in [*order, "measured once", "oracle"]
        ]
    )


def unseen_points(pairs: Sequence[tuple[list[Group], Group]]) -> str:
    """Return how ours does among configurations that were executed nowhere before.

    Half of the points is taken out of what is learned from, then the other half; the pick is
    among those, the expert's aside. The kind of model is the one that is chosen most often.
    """
    chosen = [fitted(train).card.model for train, _ in pairs]
    model = max(sorted(set(chosen)), key=chosen.count)
    found = []
    for odd in (0, 1):
        for train, group in pairs:
            hidden = {name for name in group.configs if name.isdigit() and int(name) % 2 == odd}
            rest = [without(each, hidden) for each in train]
            asked = only(group, hidden | {BASELINE})
            found.append(outcome(asked, ours(models=(model,), tried=False)(rest, asked)))
    told = figures(found)
    return (
        f"among points executed nowhere before ({model}): first {told['first']}, "
        f"of 3 {told['of 3']}, regret {told['regret']}, slower {told['slower']}, "
        f"rank {told['rank']}"
    )


def without(group: Group, hidden: set[str]) -> Group:
    """Return a group in which some points were never executed."""
    digests = {group.configs[name].digest for name in hidden if name in group.configs}
    kept = tuple(t for t in group.history.trials if t.config.digest not in digests)
    return replace(group, history=group.history.model_copy(update={"trials": kept}))


def only(group: Group, names: set[str]) -> Group:
    """Return a group in which nothing but some configurations can be picked."""
    return replace(
        group,
        configs={name: config for name, config in group.configs.items() if name in names},
        logs={name: log for name, log in group.logs.items() if name in names},
    )


if __name__ == "__main__":
    main()
