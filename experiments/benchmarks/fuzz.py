"""Feeds malformed documents to everything that reads files from outside.

Prints, for each reader: documents, those accepted, those refused with one clear line, those that
ended in a traceback or hung (both must be 0), peak memory of a document, and the longest time.

    python experiments/benchmarks/fuzz.py --documents 10000 --seed 0
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import malformed  # noqa: E402
from autotune.errors import AutotuneError  # noqa: E402
from untrusted import EVENT_READERS, YAML_READERS, prepare_folder  # noqa: E402

MOST_MB = 400
MOST_S = 30
SHOWN = 5


@dataclass
class Tally:
    """What came of the documents that one reader was given."""

    reader: str
    documents: int = 0
    accepted: int = 0
    refused: int = 0
    unclear: int = 0
    tracebacks: int = 0
    peak_mb: float = 0.0
    longest_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return not self.tracebacks and not self.unclear and self.peak_mb <= MOST_MB


def _fresh_peak_mb() -> float:
    """Let the kernel forget the peak so far, where it can; return the memory in use."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class Hang(Exception):
    """A document took too long."""


def _alarm(*_: object) -> None:
    raise Hang(f"more than {MOST_S} s")


def fuzz(reader: str, count: int, seed: int, keep: str | None) -> Tally:
    """Feed *count* documents to one reader."""
    tally = Tally(reader)
    signal.signal(signal.SIGALRM, _alarm)
    with tempfile.TemporaryDirectory(prefix="autotune-fuzz-") as folder:
        os.chdir(folder)
        prepare_folder(Path(folder))
        read, documents = _reader(reader, count, seed)
        for number, document in enumerate(documents):
            path = Path("document")
            path.write_bytes(document)
            fault = _feed(tally, read, path)
            if fault and keep:
                Path(keep, f"{reader}-{number}".replace(" ", "-")).write_bytes(document)
            if fault and len(tally.faults) < SHOWN:
                tally.faults.append(f"document {number} of seed {seed}: {fault}")
        os.chdir(ROOT)
    return tally


def _reader(reader: str, count: int, seed: int) -> tuple[Callable[[Path], None], Iterator[bytes]]:
    if reader in YAML_READERS:
        generate = malformed.spaces if reader == "spaces" else malformed.experiments
        return YAML_READERS[reader], generate(seed, count)
    return EVENT_READERS[reader], malformed.event_logs(seed, count)


def _feed(tally: Tally, read: Callable[[Path], None], path: Path) -> str | None:
    tally.documents += 1
    before, began = _fresh_peak_mb(), time.perf_counter()
    fault = None
    signal.alarm(MOST_S)
    try:
        read(path)
        tally.accepted += 1
    except AutotuneError as error:
        text = str(error)
        if "\n" in text or not text.isprintable() or not 0 < len(text) <= 1000:
            tally.unclear += 1
            fault = f"an unclear message of {len(text)} characters: {text[:200]!r}"
        else:
            tally.refused += 1
    except BaseException as error:
        tally.tracebacks += 1
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        fault = f"{type(error).__name__}: {str(error)[:200]} at {where}"
    finally:
        signal.alarm(0)
    peak_mb = _peak_mb() - before
    if peak_mb > MOST_MB:
        fault = fault or f"{peak_mb:.0f} MB"
    tally.peak_mb = max(tally.peak_mb, peak_mb)
    tally.longest_s = max(tally.longest_s, time.perf_counter() - began)
    return fault


def main() -> int:
    """Feed all readers, print the table; 1 when a document was not read or refused properly."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", help="a folder for the documents that went wrong")
    parser.add_argument("--only", help="one reader")
    options = parser.parse_args()
    readers = [options.only] if options.only else [*YAML_READERS, *EVENT_READERS]
    began = time.perf_counter()
    with ProcessPoolExecutor(options.processes, max_tasks_per_child=1) as pool:
        tallies = list(
            pool.map(
                fuzz,
                readers,
                [options.documents] * len(readers),
                [options.seed] * len(readers),
                [options.keep] * len(readers),
            )
        )
    print("| reader | documents | accepted | refused in one line | unclear | tracebacks |"
          " peak MB | longest s |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for t in tallies:
        print(f"| {t.reader} | {t.documents:,} | {t.accepted:,} | {t.refused:,} | {t.unclear} |"
              f" {t.tracebacks} | {t.peak_mb:.0f} | {t.longest_s:.1f} |")  # fmt: skip
    for tally in tallies:
        for fault in tally.faults:
            print(f"{tally.reader}: {fault}", file=sys.stderr)
    print(f"seed {options.seed}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 0 if all(tally.good for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
