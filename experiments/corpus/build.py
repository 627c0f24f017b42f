"""Builds the predictor that comes with autotune, from the corpus and nothing else.

    python experiments/corpus/build.py [--corpus FOLDER] [--to FOLDER]

The same corpus gives the same predictor. Its card holds the hash of what it was trained on, the
scores of every model that competed and what was left out to get them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autotune.corpus import read_corpus
from autotune.predict import fit
from autotune.predict.predictor import PARTS, SHIPPED
from autotune.predict.rows import OURS

sys.path.insert(0, str(Path(__file__).parent))

from groups import HELD_OUT

MOST_BYTES = 10_000_000


def main() -> None:
    """Read the arguments, train, and write the files."""
    parser = argparse.ArgumentParser(description="Build the shipped predictor.")
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parent)
    parser.add_argument("--to", type=Path, default=SHIPPED)
    options = parser.parse_args()
    corpus = read_corpus(options.corpus)
    if kept_out := {history.workload.removeprefix(OURS) for history in corpus} & set(HELD_OUT):
        parser.error(f"the corpus holds what is to be judged on: {', '.join(sorted(kept_out))}")
    predictor = fit(corpus)
    files = predictor.files()
    size = sum(map(len, files.values()))
    if size > MOST_BYTES:
        parser.error(f"the predictor has {size:,} bytes, more than {MOST_BYTES:,}")
    options.to.mkdir(exist_ok=True)
    for path in [path for part in PARTS for path in options.to.glob(part)]:
        path.unlink()
    for name, content in files.items():
        (options.to / name).write_bytes(content)
    card = predictor.card
    for told, chosen in card.models.items():
        print(f"known of the job: {told}")
        for name, score in card.scores[told].items():
            mark = "  <- chosen" if name == chosen else ""
            print(
                f"  {name:<18} regret {score.told_regret:6.1%} if sure, {score.regret:6.1%} of "
                f"all  rank {score.rank_correlation:5.2f}  error {score.mae_log_time:.3f}{mark}"
            )
    print(f"{card.studies} studies, {card.configs} configurations, {card.training_hash}")
    print(f"{size:,} bytes in {options.to}")


if __name__ == "__main__":
    main()
