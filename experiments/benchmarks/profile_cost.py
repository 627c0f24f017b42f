"""What a profile costs: time and peak memory for 100 MB, 1 GB and 10 GB, and for awkward tables.

    python experiments/benchmarks/profile_cost.py [--rounds 5] [--megabytes 100]

One file is made and has many names (hard links), so 10 GB take the disk of 100 MB; it is then in
the page cache, as data are that a job has just read. Every profile has a process of its own: its
seconds are those after importing, its peak is that of the whole process. Medians are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 400_000
_LINKS = 10_000
_CHILD = """
import json, pathlib, resource, sys, time
began = time.perf_counter()
from autotune.dataset import profile_dataset
imported = time.perf_counter()
profile = profile_dataset(sys.argv[1])
seconds = time.perf_counter() - imported
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"import_s": imported - began, "profile_s": seconds, "peak_mb": peak,
                  "files": profile.files, "megabytes": profile.bytes / 1e6,
                  "rows": profile.rows, "inspected_files": profile.inspected_files}))
"""


def trips(rows: int, seed: int = 0) -> pa.Table:
    """Return numbers, times, a skewed key, words and a text of its own in each row."""
    draw = np.random.default_rng(seed)
    times = np.sort(draw.integers(1_600_000_000, 1_700_000_000, rows)) * 1_000_000
    return pa.table(
        {
            "id": np.arange(rows),
            "pickup": pa.array(times, pa.timestamp("us")),
            "zone": draw.zipf(1.3, rows) % 263,
            "fare": draw.gamma(2, 8, rows),
            "tip": pa.array(draw.normal(size=rows), mask=draw.random(rows) < 0.1),
            "kind": pa.array(np.array(["card", "cash", "other"])[draw.integers(0, 3, rows)]),
            "note": pa.array([f"note {x:x}" for x in draw.integers(0, 1 << 40, rows)]),
            "passengers": draw.integers(1, 7, rows).astype("int32"),
        }
    )


def large(folder: Path, megabytes: int) -> Path:
    """Make a table of files of 16 MB or so."""
    pq.write_table(trips(_ROWS), folder / "part-000000.parquet")
    size = (folder / "part-000000.parquet").stat().st_size
    return _copied(folder, "part-000000.parquet", max(1, megabytes * 1_000_000 // size))


def tiny(folder: Path, kind: str, files: int = 100_000) -> Path:
    """Make a table of as many files of three rows."""
    if kind == "parquet":
        pq.write_table(trips(3), folder / "part-000000.parquet")
    else:
        (folder / "part-000000.csv").write_text("a,b\n1,x\n2,y\n3,z\n")
    return _copied(folder, f"part-000000.{kind}", files)


def wide(folder: Path) -> Path:
    """Make a table of 5,000 columns in 100 files."""
    table = pa.table({f"column_{i}": np.arange(100) * i for i in range(5000)})
    pq.write_table(table, folder / "part-000000.parquet")
    return _copied(folder, "part-000000.parquet", 100)


def _copied(folder: Path, name: str, files: int) -> Path:
    source, data = folder / name, (folder / name).read_bytes()
    for number in range(1, files):
        path = folder / f"part-{number:06d}{source.suffix}"
        if number % _LINKS:  # file systems allow only so many names of one file
            os.link(source, path)
        else:
            path.write_bytes(data)
            source = path
    return folder


def measured(folder: Path, rounds: int) -> dict[str, float]:
    """Return the medians of *rounds* profiles of *folder*, each in a process of its own."""
    command = [sys.executable, "-c", _CHILD, str(folder)]
    found = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(rounds)
    ]
    return {key: statistics.median(each[key] for each in found) for key in found[0]}


def main() -> None:
    """Print a table, or lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100, help="Of the smallest table.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = options.megabytes
    cases: dict[str, Callable[[Path], Path]] = {
        f"{size:,} MB": lambda folder: large(folder, size),
        f"{4 * size:,} MB": lambda folder: large(folder, 4 * size),
        f"{10 * size:,} MB": lambda folder: large(folder, 10 * size),
        f"{100 * size:,} MB": lambda folder: large(folder, 100 * size),
        "100,000 tiny Parquet files": lambda folder: tiny(folder, "parquet"),
        "100,000 tiny CSV files": lambda folder: tiny(folder, "csv"),
        "5,000 columns, 100 files": wide,
    }
    head = ("import_s", "profile_s", "peak_mb", "megabytes", "files", "inspected_files")
    if not options.json:
        print(f"{'median of ' + str(options.rounds):<28}", *(f"{name:>15}" for name in head))
    for name, make in cases.items():
        with tempfile.TemporaryDirectory(prefix="autotune-profile-") as folder:
            found = measured(make(Path(folder)), options.rounds)
        if options.json:
            print(json.dumps({"case": name, **found}))
        else:
            print(f"{name:<28}", *(f"{found[key]:>15,.2f}" for key in head), flush=True)


if __name__ == "__main__":
    main()
