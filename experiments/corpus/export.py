"""Exports what was collected as Parquet, and prints what there is.

    python experiments/corpus/export.py [--from FOLDER] [--to FOLDER]

Studies are read back from MLflow alone, as a person's own are. A group that is not finished is
left out: its configurations would not compare. Groups that are in the corpus already and were
collected elsewhere stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from autotune.corpus import read_corpus, write_corpus
from autotune.ledger import Ledger
from autotune.predict.rows import OURS
from autotune.record import Cause, Origin, PastTrial, Purpose, Status, StudyHistory
from autotune.space import bind
from autotune.spacefile import load_space
from autotune.spark.properties import property_facts

sys.path.insert(0, str(Path(__file__).parent))

from collect import FOLDER, places_of, starts_of
from groups import POINTS, groups

POINTS_FILE = "points.parquet"


def finished(history: StudyHistory) -> bool:
    """Whether the baseline worked, and the rules and all points of the plan were tried."""
    own = [trial for trial in history.trials if trial.purpose is Purpose.BASELINE]
    worked = any(trial.status is Status.SUCCEEDED for trial in own)
    ruled = any(trial.origin is Origin.EXPERT for trial in history.trials if told(trial))
    return worked and ruled and len(points_of(history)) == POINTS


def main() -> None:
    """Read the arguments, write the files and print one line a group."""
    parser = argparse.ArgumentParser(description="Export the corpus.")
    parser.add_argument("--from", dest="source", type=Path, default=FOLDER)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    order = [group.name for group in groups()]
    uri = places_of(options.source.absolute()).tracking_uri
    known = [history for history in Ledger(str(uri)).history() if history.study in order]
    collected = [placed(history) for history in known if finished(history)]
    if not collected:
        parser.error(f"no group is finished in {options.source}; nothing is written")
    fresh = {history.study for history in collected}
    there = read_corpus(options.to) if (options.to / POINTS_FILE).exists() else ()
    histories = [*collected, *(history for history in there if history.study not in fresh)]
    histories.sort(key=lambda history: order.index(history.study))
    write_corpus(histories, options.to)
    points = pd.DataFrame([row for history in histories for row in points_of(history)])
    points.to_parquet(options.to / POINTS_FILE, index=False, compression="zstd")
    for history in histories:
        print(line_of(history))
    executions = sum(len(history.trials) for history in histories)
    print(f"{len(histories)} groups of {len({h.workload for h in histories})} workloads,")
    print(f"{executions} executions, {sum(map(failures, histories))} of them failed")
    for history in known:
        if history.study not in fresh:
            print(f"not finished: {history.study}, {len(points_of(history))} of {POINTS} points")


def told(trial: PastTrial) -> bool:
    """Whether it says something of its configuration: it was not just ended from outside."""
    return trial.cause is not Cause.LOST


def placed(history: StudyHistory) -> StudyHistory:
    """Return a study as anybody's: its data lies where anybody would make it.

    Its workload has a name that no job of a person has, who may well call theirs `etl` too.
    """
    named = history.model_copy(update={"workload": OURS + history.workload})
    if named.profile is None:
        return named
    path = f"data/{Path(named.profile.path).name}"
    return named.model_copy(update={"profile": named.profile.model_copy(update={"path": path})})


def points_of(history: StudyHistory) -> list[dict[str, str | int]]:
    """Return which configuration of a group stands for which point of the plan.

    What the job itself sets was not varied, whatever the plan says; that shows when it has run,
    and the plan was made before.
    """
    version = history.machine.spark_version
    space = load_space("default", spark_version=version)
    values = {
        parameter.name: {trial.config.value(parameter.name) for trial in history.trials}
        for parameter in space.parameters
    }
    facts = property_facts(version)
    plan = bind(space, machine=history.machine, baseline={}, facts=facts)
    still = {name for name, found in values.items() if len(found) < 2}
    bound = bind(space, machine=history.machine, baseline={}, facts=facts, fixed=still)
    found = [bound.adjusted(wishes).digest for wishes in starts_of(plan)]
    tried = {trial.config.digest for trial in history.trials if told(trial)}
    return [
        {"study": history.study, "point": point, "config": digest}
        for point, digest in enumerate(found)
        if digest in tried
    ]


def line_of(history: StudyHistory) -> str:
    """Return what a group found, as single measurements tell it."""
    times = [t.duration_s for t in history.trials if succeeded(t) and t.duration_s]
    own = [
        t.duration_s
        for t in history.trials
        if succeeded(t) and t.purpose is Purpose.BASELINE and t.duration_s
    ]
    return (
        f"{history.study:<42} {len(history.trials):>3} executions, baseline {middle(own):6.1f} s, "
        f"fastest {min(times):6.1f} s, slowest {max(times):6.1f} s, {failures(history)} failed"
    )


def succeeded(trial: PastTrial) -> bool:
    """Whether its time may be compared."""
    return trial.status is Status.SUCCEEDED


def failures(history: StudyHistory) -> int:
    """Return how many executions did not succeed."""
    return sum(not succeeded(trial) for trial in history.trials)


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


if __name__ == "__main__":
    main()
