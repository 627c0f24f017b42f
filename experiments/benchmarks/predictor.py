"""How good the first picks of the predictor are, on groups of the corpus that it never saw.

    python experiments/benchmarks/predictor.py [--corpus FOLDER] [--split workload|size|machine]

Whole workloads, sizes or machine shapes are left out in turn; every way to pick chooses among the
configurations that were measured in every group. Prints one table a split:

- first, of 3, of 5: share of the tuned gain that is captured by the best of so many picks, in
  log(time); median over groups in which there is a gain of 3 % or more, with a 95 % bootstrap
  interval over groups for the first;
- regret: time of the first pick ÷ time of the best − 1; median, 90th percentile, worst;
- slower: share of groups in which the first pick is over 5 % slower than the default; failures;
- rank: Spearman's correlation of the order with the measured one, of ways that order everything.

Then how often the intervals of our predictions, meant for 80 %, hold what was measured.

The line ``measured once`` is what executing everything once more would do: what noise allows.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parent))

from picks import (
    BASELINE,
    EXPERT,
    Group,
    Pick,
    best_single,
    covered,
    default,
    expert,
    forest_on_knobs,
    measured_once,
    nearest,
    predictor_pick,
    random_five,
)

from autotune.corpus import read_corpus
from autotune.domain import Config
from autotune.expert import expert_config
from autotune.predict.rows import usable
from autotune.record import Status, StudyHistory
from autotune.space import bind
from autotune.spacefile import load_space
from autotune.spark.properties import property_facts

CORPUS = Path(__file__).parents[1] / "corpus"
WORTH = math.log(0.97)
SLOWER = math.log(1.05)
FAILED = math.log(2)
"""A pick that fails counts as one that takes twice the time."""

SPLITS: dict[str, Callable[[StudyHistory], str]] = {
    "workload": lambda history: history.workload,
    "size": lambda history: history.study.split("-")[-3],
    "machine": lambda history: history.machine.master,
}
WAYS: dict[str, Pick] = {
    "default": default,
    "expert rules": expert,
    "best single": best_single,
    "nearest group": nearest,
    "random": random_five,
    "forest on knobs": forest_on_knobs,
    "ours, no profile of the job": predictor_pick(with_job=False),
    "ours": predictor_pick(),
    "measured once": measured_once,
}


def main() -> None:
    """Read the arguments, and print a table for every split."""
    parser = argparse.ArgumentParser(description="Evaluate the predictor.")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--split", choices=tuple(SPLITS), action="append")
    options = parser.parse_args()
    groups = read_groups(options.corpus)
    print(f"{len(groups)} groups, {sum(g.best <= WORTH for g in groups)} with a gain of 3 %")
    print(f"noise of one execution: {noise_of(groups):.1%}")
    for split in options.split or SPLITS:
        print(f"\nleft out: {split}")
        print(table_of(groups, SPLITS[split]).to_string(index=False))
        held = [h for pair in split_up(groups, SPLITS[split]) for h in covered(*pair)]
        print(f"intervals for four in five hold {np.mean(held):.0%} of {len(held)} times")


def read_groups(folder: Path) -> list[Group]:
    """Return the groups of a corpus, by what all of them share."""
    points = pd.read_parquet(folder / "points.parquet")
    lessons = usable(read_corpus(folder))
    noise = pooled_noise([lesson.history for lesson in lessons])
    found = []
    for lesson in lessons:
        own = points[points["study"] == lesson.history.study]
        names = {row.config: f"{row.point:02d}" for row in own.itertuples()}
        names |= {expert_of(lesson.history).digest: EXPERT, lesson.baseline.digest: BASELINE}
        configs: dict[str, Config] = {
            name: lesson.configs[digest]
            for digest, name in names.items()
            if digest in lesson.configs
        }
        logs = {
            name: lesson.log_times[digest]
            for digest, name in names.items()
            if digest in lesson.log_times and lesson.failures[digest] < 0.5
        }
        found.append(Group(lesson.history, configs, logs, noise))
    return found


def expert_of(history: StudyHistory) -> Config:
    """Return what the expert's rules said in that group."""
    version = history.machine.spark_version
    space = load_space("default", spark_version=version)
    bound = bind(space, machine=history.machine, baseline={}, facts=property_facts(version))
    return expert_config(bound, history.profile)


def pooled_noise(histories: Sequence[StudyHistory]) -> float:
    """Return the standard deviation of one execution in log(time), from what was repeated."""
    squares, freedom = 0.0, 0
    for history in histories:
        times: dict[str, list[float]] = {}
        for trial in history.trials:
            if trial.status is Status.SUCCEEDED and trial.duration_s:
                times.setdefault(trial.config.digest, []).append(math.log(trial.duration_s))
        for logs in times.values():
            mean = statistics.mean(logs)
            squares += sum((value - mean) ** 2 for value in logs)
            freedom += len(logs) - 1
    return math.sqrt(squares / max(freedom, 1))


def noise_of(groups: Sequence[Group]) -> float:
    """Return the noise that all groups share."""
    return groups[0].noise if groups else 0.0


def table_of(groups: Sequence[Group], split: Callable[[StudyHistory], str]) -> pd.DataFrame:
    """Return a row for each way to pick."""
    pairs = split_up(groups, split)
    rows = []
    for name, pick in WAYS.items():
        picked = [(group, pick(train, group)) for train, group in pairs]
        rows.append({"way": name, **scores(picked)})
    return pd.DataFrame(rows)


def split_up(
    groups: Sequence[Group], split: Callable[[StudyHistory], str]
) -> list[tuple[list[Group], Group]]:
    """Return each group with those to learn from: all but what is left out with it."""
    return [
        (train, group)
        for group in groups
        if (train := [g for g in groups if split(g.history) != split(group.history)])
    ]


def scores(picked: Sequence[tuple[Group, list[str]]]) -> dict[str, str]:
    """Return the figures of one way, as texts."""
    gaining = [(group, order) for group, order in picked if group.best <= WORTH]
    first = [took(group, order[:1]) for group, order in picked]
    regrets = [math.exp(t - group.best) - 1 for t, (group, _) in zip(first, picked, strict=True)]
    shares = {k: [captured(group, order[:k]) for group, order in gaining] for k in (1, 3, 5)}
    low, high = interval(shares[1])
    high_regret = np.quantile(regrets, 0.9)
    ranks = [rank for group, order in picked if (rank := correlation(group, order)) is not None]
    failures = sum(order[0] not in group.logs for group, order in picked)
    return {
        "first": f"{np.median(shares[1]):.0%} ({low:.0%}–{high:.0%})",
        "of 3": f"{np.median(shares[3]):.0%}",
        "of 5": f"{np.median(shares[5]):.0%}",
        "regret": f"{np.median(regrets):.1%} / {high_regret:.1%} / {max(regrets):.0%}",
        "slower": f"{np.mean([t > SLOWER for t in first]):.0%}",
        "failed": str(failures),
        "rank": f"{np.median(ranks):.2f}" if ranks else "–",
    }


def took(group: Group, names: Sequence[str]) -> float:
    """Return log(time ÷ baseline) of the best of some picks."""
    return min(group.logs.get(name, FAILED) for name in names)


def captured(group: Group, names: Sequence[str]) -> float:
    """Return the share of the gain that the best of some picks has; negative: it is slower."""
    return took(group, names) / group.best


def correlation(group: Group, order: Sequence[str]) -> float | None:
    """Return how well an order of everything agrees with the measured one."""
    known = [name for name in order if name in group.logs]
    if len(known) < len(group.logs):
        return None
    truth = [group.logs[name] for name in known]
    return float(spearmanr(range(len(known)), truth).statistic)


def interval(values: Sequence[float], *, draws: int = 2000) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of the median (Efron 1979)."""
    if not values:
        return math.nan, math.nan
    chosen = np.random.default_rng(0).choice(values, size=(draws, len(values)))
    low, high = np.quantile(np.median(chosen, axis=1), [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
