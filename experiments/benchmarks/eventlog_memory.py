"""Peak memory and time of summarising a large event log in one pass (goal: at most 300 MB).

Repeats a recorded log, with fresh ids in each repetition, until it has the wanted size; a child
process summarises it; the file is removed again.

    python experiments/benchmarks/eventlog_memory.py --gigabytes 1
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autotune.spark.logfiles import lines

RECORDED = Path(__file__).parents[2] / "tests" / "data" / "eventlogs" / "sql-4.3.zstd"
GOAL_MB = 300
_NUMBERS = re.compile(
    rb'("(?:Job ID|Stage ID|executionId|rootExecutionId)":|execution\.id":")(\d+)'
)
_ONCE = (b"LogStart", b"ApplicationStart", b"ApplicationEnd", b"EnvironmentUpdate", b"Added")
_CHILD = """
import json, pathlib, resource, sys, time
from autotune.spark.eventlog import summarise
began = time.perf_counter()
summary = summarise(pathlib.Path(sys.argv[1]))
seconds = time.perf_counter() - began
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"peak_mb": peak, "seconds": seconds, "lines": summary.lines,
                  "ignored_lines": summary.ignored_lines, "tasks": summary.metrics.tasks,
                  "steps": len(summary.steps)}))
"""


def repetitions(body: bytes, size: int) -> Iterator[bytes]:
    """Yield *body* again and again, ids shifted each time, up to *size* bytes."""
    pieces = _NUMBERS.split(body)
    ids = [int(piece) for piece in pieces[2::3]]
    step, made, offset = max(ids) + 1, 0, 0
    while made < size:
        pieces[2::3] = [b"%d" % (number + offset) for number in ids]
        block = b"".join(pieces)
        made += len(block)
        offset += step
        yield block


def write_log(path: Path, size: int) -> None:
    """Write a log of about *size* bytes to *path*."""
    recorded = [line.text + b"\n" for line in lines(RECORDED)]
    once = [line for line in recorded if any(word in line[:60] for word in _ONCE)]
    body = b"".join(line for line in recorded if line not in once)
    with path.open("wb") as out:
        out.writelines(once[:-1])
        for block in repetitions(body, size):
            out.write(block)
        out.write(once[-1])


def main() -> int:
    """Make the log, summarise it, print what it took; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autotune-eventlog-") as folder:
        path = Path(folder, "application")
        write_log(path, int(options.gigabytes * (1 << 30)))
        size_mb = path.stat().st_size / (1 << 20)
        ran = subprocess.run(
            [sys.executable, "-c", _CHILD, str(path)], check=True, capture_output=True, text=True
        )
    result = {"log_mb": size_mb, **json.loads(ran.stdout), "goal_mb": GOAL_MB}
    print(json.dumps({key: round(value, 1) for key, value in result.items()}))
    return 0 if result["peak_mb"] <= GOAL_MB else 1


if __name__ == "__main__":
    sys.exit(main())
