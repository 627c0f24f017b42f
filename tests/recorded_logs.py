"""The recorded event logs, as the tests want them."""

from __future__ import annotations

from pathlib import Path

from autotune.spark.logfiles import lines

LOGS = Path(__file__).parent / "data" / "eventlogs"
ROLLED = LOGS / "eventlog_v2_local-1"
VERSIONS = ("4.3", "3.5")


def recorded(name: str) -> bytes:
    suffix = ".gz" if name.startswith("fail") else ".zstd"
    return b"".join(line.text + b"\n" for line in lines(LOGS / f"{name}{suffix}"))


def plain(tmp_path: Path, data: bytes, name: str = "local-1") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path
