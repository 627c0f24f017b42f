"""What one word of a configuration, such as a flag of Java, does in the groups of the corpus.

    python experiments/benchmarks/one_word.py [--corpus FOLDER] [WORD]

A line a group: median of time ÷ default's time of the configurations that have the word and of
those that don't, and the best of either; then over all groups how often the best has it, how
much of all tuned gains is left without it, and where it is over 5 % slower than the default.
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path

from autotune.corpus import read_corpus
from autotune.domain import Config
from autotune.predict.rows import Lessons, usable

SLOWER = 1.05


def has(config: Config, word: str) -> bool:
    """Say whether any property of *config* holds *word*."""
    return any(word in (text or "").split() for text in config.properties.values())


def apart(lesson: Lessons, word: str) -> tuple[list[float], list[float]]:
    """Return time ÷ default's time of the configurations with and without *word*."""
    own = lesson.baseline.digest
    logs = {digest: log for digest, log in lesson.log_times.items() if digest != own}
    with_it = {digest for digest in logs if has(lesson.configs[digest], word)}
    ratios = {digest: math.exp(log) for digest, log in logs.items()}
    return (
        [ratio for digest, ratio in ratios.items() if digest in with_it],
        [ratio for digest, ratio in ratios.items() if digest not in with_it],
    )


def main() -> None:
    """Read the arguments and print a line a group, then what they have in common."""
    parser = argparse.ArgumentParser(description="What one word of a configuration does.")
    parser.add_argument("word", nargs="?", default="-XX:TieredStopAtLevel=1")
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parents[1] / "corpus")
    options = parser.parse_args()
    found = [
        (lesson, *apart(lesson, options.word)) for lesson in usable(read_corpus(options.corpus))
    ]
    found = [(lesson, ones, others) for lesson, ones, others in found if ones and others]
    if not found:
        parser.error(f"no configuration of {options.corpus} has {options.word}")
    leads, slower, gain, rest = 0, 0, 0.0, 0.0
    for lesson, ones, others in sorted(found, key=lambda row: statistics.median(row[1])):
        middle = statistics.median(ones)
        print(
            f"{lesson.history.study:<42} with it {middle:.2f} (best {min(ones):.2f}), "
            f"without {statistics.median(others):.2f} (best {min(others):.2f})"
        )
        leads += min(ones) < min(1.0, min(others))
        slower += middle > SLOWER
        gain -= math.log(min(1.0, min(ones), min(others)))
        rest -= math.log(min(1.0, min(others)))
    print(f"in the best configuration of {leads} of {len(found)} groups")
    print(f"{rest / gain:.0%} of all tuned gains without it")
    print(f"over 5 % slower than the default, in the median, in {slower} of {len(found)} groups")


if __name__ == "__main__":
    main()
