"""What an answer and a training cost: seconds and peak memory.

    python experiments/benchmarks/predictor_cost.py [--rounds 5] [--megabytes 400] [--trials 10000]

- cold: ``autotune recommend --data TABLE --format json``, a process each; files in the page cache;
  right after installation, and with a predictor of one's own registered in MLflow;
- warm: ``autotune.recommend`` of a profile in one process, 20 times after the first;
- training: ``fit`` on the corpus and copies of it with other times, up to so many executions.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from profile_cost import large

import autotune
from autotune.corpus import read_corpus
from autotune.ledger import Ledger
from autotune.predict import Predictor, shipped_files
from autotune.record import PastTrial, StudyHistory
from autotune.training import lesson_of

COMMAND = str(Path(sys.executable).with_name("autotune"))
MASTER = "local[2]"
TRAINING = """
import json, pathlib, resource, sys, time
from autotune.predict import fit
sys.path.insert(0, sys.argv[1])
from predictor_cost import enlarged
histories = enlarged(int(sys.argv[2]))
began = time.perf_counter()
predictor = fit(histories)
seconds = time.perf_counter() - began
print(json.dumps({
    "seconds": seconds, "trials": sum(len(h.trials) for h in histories),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "model": predictor.card.model,
    "megabytes": sum(map(len, predictor.files().values())) / 1e6}))
"""


def main() -> None:
    """Read the arguments and print a line for each cost."""
    parser = argparse.ArgumentParser(description="Measure what answers and training cost.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--trials", type=int, default=10_000)
    options = parser.parse_args()
    # There, since nothing of what is tuned elsewhere is to be read; and back before it is gone.
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        data = Path(name) / "table"
        data.mkdir()
        large(data, options.megabytes)
        print(f"cold  {shown([cold(data) for _ in range(options.rounds)])}")
        print(f"warm  {shown(warm())}")
        register(Path(name))
        own = shown([cold(data) for _ in range(options.rounds)])
        print(f"cold, with one of one's own  {own}")
    print(f"training  {trained(options.trials)}")


def cold(data: Path) -> float:
    """Return the seconds of one command."""
    began = time.perf_counter()
    words = [COMMAND, "recommend", "--data", str(data), "--master", MASTER, "--format", "json"]
    subprocess.run(words, check=True, capture_output=True, cwd=data.parent)
    return time.perf_counter() - began


def warm() -> list[float]:
    """Return the seconds of calls in this process, the first left out."""
    # One of the corpus: far from all that was learned from, the model would not be asked.
    known = next(history.profile for history in read_corpus() if history.profile is not None)
    times = []
    for _ in range(21):
        began = time.perf_counter()
        autotune.recommend(known, master=MASTER)
        times.append(time.perf_counter() - began)
    return times[1:]


def register(folder: Path) -> None:
    """Put a predictor in charge that is not the shipped one, as ``autotune train`` does."""
    store = folder / "mlruns" / "mlflow.db"
    ledger = Ledger(f"sqlite:///{store}", folder / "mlruns" / "artifacts")
    own = lesson_of(Predictor.from_files(shipped_files()), shipped=False)
    ledger.register(own, promote=True)


def trained(trials: int) -> str:
    """Return what training on so many executions takes, in a process of its own."""
    command = [sys.executable, "-c", TRAINING, str(Path(__file__).parent), str(trials)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return ", ".join(f"{k} {v if isinstance(v, str) else round(v, 1)}" for k, v in told.items())


def enlarged(trials: int) -> list[StudyHistory]:
    """Return the corpus, and copies of it whose times differ, with so many trials together."""
    corpus = read_corpus()
    draw = random.Random(0)
    found: list[StudyHistory] = []
    while sum(len(history.trials) for history in found) < trials:
        own = corpus[len(found) % len(corpus)]
        number = len(found) // len(corpus)
        found.append(
            own.model_copy(
                update={
                    "study": f"{own.study}-{number}",
                    "trials": tuple(
                        shaken(trial, draw, 0.05 * bool(number)) for trial in own.trials
                    ),
                }
            )
        )
    return found


def shaken(trial: PastTrial, draw: random.Random, spread: float) -> PastTrial:
    """Return a trial that took a little more or less."""
    if not trial.duration_s:
        return trial
    took = trial.duration_s * math.exp(draw.gauss(0, spread))
    return trial.model_copy(update={"duration_s": took})


def shown(seconds: list[float]) -> str:
    """Return the median and the range."""
    low, high = min(seconds), max(seconds)
    return f"{statistics.median(seconds):.3f} s ({low:.3f}–{high:.3f}, n={len(seconds)})"


if __name__ == "__main__":
    main()
