"""Exports what was collected as Parquet, and prints what there is.

    python experiments/corpus/export.py [--from FOLDER] [--to FOLDER]

Studies are read back from MLflow alone, as a person's own are. A group that is not finished is
left out: its configurations would not compare.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from autotune.corpus import write_corpus
from autotune.ledger import Ledger
from autotune.record import PastTrial, Purpose, Status, StudyHistory
from autotune.space import bind
from autotune.spacefile import load_space
from autotune.spark.properties import property_facts

sys.path.insert(0, str(Path(__file__).parent))

from collect import FOLDER, places_of, starts_of
from groups import POINTS, groups


def finished(history: StudyHistory) -> bool:
    """Whether a group's baseline worked and all its configurations were tried."""
    own = [trial for trial in history.trials if trial.purpose is Purpose.BASELINE]
    tried = {trial.config.digest for trial in history.trials}
    return any(trial.status is Status.SUCCEEDED for trial in own) and len(tried) > POINTS


def main() -> None:
    """Read the arguments, write both files and print one line a group."""
    parser = argparse.ArgumentParser(description="Export the corpus.")
    parser.add_argument("--from", dest="source", type=Path, default=FOLDER)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    order = [group.name for group in groups()]
    uri = places_of(options.source.absolute()).tracking_uri
    histories = [h for h in Ledger(str(uri)).history() if h.study in order and finished(h)]
    histories.sort(key=lambda history: order.index(history.study))
    write_corpus([placed(history) for history in histories], options.to)
    points = pd.DataFrame([row for history in histories for row in points_of(history)])
    points.to_parquet(options.to / "points.parquet", index=False, compression="zstd")
    for history in histories:
        print(line_of(history))
    executions = sum(len(history.trials) for history in histories)
    print(f"{len(histories)} groups of {len({h.workload for h in histories})} workloads,")
    print(f"{executions} executions, {sum(map(failures, histories))} of them failed")


def placed(history: StudyHistory) -> StudyHistory:
    """Return a study whose data lies where anybody would make it, not where it was made."""
    if history.profile is None:
        return history
    path = f"data/{Path(history.profile.path).name}"
    return history.model_copy(
        update={"profile": history.profile.model_copy(update={"path": path})}
    )


def points_of(history: StudyHistory) -> list[dict[str, str | int]]:
    """Return which configuration of a group stands for which point of the plan."""
    version = history.machine.spark_version
    bound = bind(
        load_space("default", spark_version=version),
        machine=history.machine,
        baseline={},
        facts=property_facts(version),
    )
    found = [bound.adjusted(wishes).digest for wishes in starts_of(bound)]
    tried = {trial.config.digest for trial in history.trials}
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
