"""Check what a study needs of this machine, and say how to mend what is missing."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable

from autotune.domain import Value
from autotune.errors import AutotuneError
from autotune.machine import detect_machine
from autotune.redaction import without_login
from autotune.spark.installation import find_installation
from autotune.units import format_bytes

_MIN_PYTHON = (3, 11)
_MIN_MEMORY_BYTES = 2 * 2**30
_MIN_DISK_BYTES = 5 * 2**30


class Finding(Value):
    """The outcome of one check."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def examine(*, spark_home: str | None, storage_url: str, tracking_uri: str) -> tuple[Finding, ...]:
    """Run all checks; none of them changes anything that stays.

    Args:
        spark_home: the Spark to look at; ``None``: the one of the environment.
        storage_url: where studies are kept.
        tracking_uri: where studies are published.
    """
    checks: dict[str, Callable[[], Finding]] = {
        "python": _python,
        "java and spark": lambda: _spark(spark_home),
        "cores and memory": lambda: _machine(spark_home),
        "disk": _disk,
        "study storage": lambda: _storage(storage_url),
        "mlflow": lambda: _mlflow(tracking_uri),
    }
    return tuple(_guarded(name, check) for name, check in checks.items())


def to_text(findings: tuple[Finding, ...]) -> str:
    """Render the findings, one line each, with the fix below what is wrong."""
    lines = []
    for finding in findings:
        lines.append(f"{'✓' if finding.ok else '✗'} {finding.name:<17} {finding.found}")
        if not finding.ok and finding.fix:
            lines.append(f"  {'':<17} → {finding.fix}")
    return "\n".join(lines)


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except AutotuneError as error:
        found, _, fix = str(error).partition(": ")
        return Finding(name=name, ok=False, found=found, fix=fix)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        name="python",
        ok=sys.version_info >= _MIN_PYTHON,
        found=f"{version} at {sys.executable}",
        fix="install Python 3.11 or later",
    )


def _spark(spark_home: str | None) -> Finding:
    installation = find_installation(spark_home)
    return Finding(
        name="java and spark",
        ok=True,
        found=f"Spark {installation.spark_version} at {installation.home},"
        f" Java {installation.java_version}",
    )


def _machine(spark_home: str | None) -> Finding:
    machine = detect_machine("local[*]", find_installation(spark_home))
    return Finding(
        name="cores and memory",
        ok=machine.memory_bytes >= _MIN_MEMORY_BYTES,
        found=f"{machine.slots} task slots, {format_bytes(machine.memory_bytes)}",
        fix="Spark needs 2 GiB at least: use a larger machine",
    )


def _disk() -> Finding:
    scratch = tempfile.gettempdir()
    free = shutil.disk_usage(scratch).free
    return Finding(
        name="disk",
        ok=free >= _MIN_DISK_BYTES,
        found=f"{format_bytes(free)} free in {scratch}",
        fix="set TMPDIR to a folder with 5 GiB free or more: shuffles and spills go there",
    )


def _storage(storage_url: str) -> Finding:
    from autotune.study import list_studies

    return Finding(
        name="study storage",
        ok=True,
        found=f"{without_login(storage_url)}, {len(list_studies(storage_url))} studies",
    )


def _mlflow(tracking_uri: str) -> Finding:
    from autotune.ledger import Ledger

    return Finding(
        name="mlflow",
        ok=True,
        found=f"{without_login(tracking_uri)}, {len(Ledger(tracking_uri).history())} studies",
    )
