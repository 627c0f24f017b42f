"""Class-data sharing: an archive of Spark's start-up, so that every execution starts faster.

Java maps the archive instead of loading, verifying and linking some ten thousand classes again
(dynamic AppCDS, JEP 350). Found by trying, Java 17: one archive serves every collector and heap
as long as references have the same width; ZGC, heaps from 32 GiB on and
``-XX:-UseCompressedOops`` have wide ones and need an archive of their own; another object
alignment can't use either. So there is one archive for each width, and whether it was in effect
is recorded for each execution.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.resources
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from autotune.domain import Value, digest_of
from autotune.pathtext import at_home
from autotune.spark.installation import Installation
from autotune.spark.process import SupervisedProcess

FIRST_JAVA = 13
_QUIET = "-Xlog:cds*=off"
"""Else Java tells the job's standard output about an archive that does not fit."""
_MAKE_TIMEOUT_S = 300
_WIDE_HEAP_BYTES = 32 << 30
_HARMLESS = {"spark-defaults.conf", "log4j2.properties"}
"""Already merged into every execution, and passed on by an option of Java."""
_WARMUP = str(importlib.resources.files("autotune.workloads") / "warmup.py")
_UNITS = {"": 1 << 20, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class References(StrEnum):
    """How wide the JVM's references are; an archive serves one width."""

    COMPRESSED = "compressed"
    WIDE = "wide"


class Sharing(Value):
    """What to start a JVM with so that it uses an archive."""

    archive: Path
    java_options: tuple[str, ...]
    conf_folder: Path | None = None
    """``SPARK_CONF_DIR`` to use instead: Java shares nothing beside a folder with files."""


def share_classes(
    installation: Installation, references: References, cache: Path | None = None
) -> Sharing | None:
    """Return the archive for *installation*, making it the first time (a minute or so).

    Args:
        installation: whose start-up.
        references: of the JVM that will use it.
        cache: folder of archives; ``None``: ``AUTOTUNE_CACHE``, else ``~/.cache/autotune``.

    Returns:
        ``None`` where no archive can be made or used: old Java, a folder that can't be written
        to, a ``conf`` folder whose files matter. Nothing else depends on it.
    """
    cache = cache or cache_folder()
    if installation.java_major < FIRST_JAVA or not _conf_allows(installation.conf_folder):
        return None
    archive = _archive(cache, installation, references)
    try:
        sharing = _sharing(installation, archive)
        if not archive.exists():
            with _one_at_a_time(archive):
                if not archive.exists():
                    _make(installation, references, sharing)
    except OSError:
        return None
    return sharing if archive.exists() else None


def is_to_be_made(installation: Installation, references: References) -> bool:
    """Say whether :func:`share_classes` would take the time to make an archive now."""
    allowed = installation.java_major >= FIRST_JAVA and _conf_allows(installation.conf_folder)
    return allowed and not _archive(cache_folder(), installation, references).exists()


def _archive(cache: Path, installation: Installation, references: References) -> Path:
    return cache / "class-data" / f"{_identity(installation, references)}.jsa"


def cache_folder() -> Path:
    """Return where archives are kept: ``AUTOTUNE_CACHE``, else the user's cache folder."""
    named = os.environ.get("AUTOTUNE_CACHE")
    if named:
        return at_home(Path(named)).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return at_home(Path(base)).absolute() / "autotune"


def references_of(properties: Mapping[str, str]) -> References:
    """Say how wide the references of a driver with *properties* are."""
    flags = " ".join(
        properties.get(f"spark.driver.{name}", "")
        for name in ("defaultJavaOptions", "extraJavaOptions")
    )
    heap = re.fullmatch(
        r"\s*(\d+)\s*([bkmgt]?)b?\s*", properties.get("spark.driver.memory", "1g").lower()
    )
    heap_bytes = int(heap[1]) * _UNITS[heap[2]] if heap else 0
    # The last of two contradicting flags counts, as for Java.
    chosen = re.findall(r"-XX:([+-])UseCompressedOops\b", flags)
    collector = re.findall(r"-XX:([+-])UseZGC\b", flags)
    wide = heap_bytes >= _WIDE_HEAP_BYTES or chosen[-1:] == ["-"] or collector[-1:] == ["+"]
    return References.WIDE if wide else References.COMPRESSED


def is_mapped(pid: int, archive: Path) -> bool | None:
    """Say whether process *pid* uses *archive*; ``None`` where the system does not tell."""
    try:
        mapped = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return None
    return str(archive) in mapped if mapped else None


def _sharing(installation: Installation, archive: Path) -> Sharing:
    options = [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", _QUIET]
    conf = installation.conf_folder
    if not conf.is_dir() or not any(conf.iterdir()):
        return Sharing(archive=archive, java_options=tuple(options))
    logging = conf / "log4j2.properties"
    if logging.exists():
        options.append(f"-Dlog4j2.configurationFile={logging.absolute().as_uri()}")
    empty = archive.parent / "no-conf"
    empty.mkdir(parents=True, exist_ok=True)
    return Sharing(archive=archive, java_options=tuple(options), conf_folder=empty)


def _conf_allows(conf: Path) -> bool:
    """Whether Spark can do without the files in *conf*, as far as we don't pass them on."""
    if not conf.is_dir():
        return True
    names = {entry.name for entry in conf.iterdir() if not entry.name.endswith(".template")}
    return names <= _HARMLESS


def _identity(installation: Installation, references: References) -> str:
    """Everything that makes Java refuse an archive, so that a change makes another one."""
    jars = sorted(Path(installation.home, "jars").glob("*.jar"))
    facts = [
        *(installation.home, installation.spark_version, installation.java),
        *(installation.java_version, os.path.realpath(installation.java), references.value),
        [(jar.name, jar.stat().st_size, jar.stat().st_mtime_ns) for jar in jars],
        digest_of(Path(_WARMUP).read_text(encoding="utf-8")),
    ]
    return f"spark-{installation.spark_version}-{references.value}-{digest_of(facts)}"


@contextlib.contextmanager
def _one_at_a_time(archive: Path) -> Iterator[None]:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(installation: Installation, references: References, sharing: Sharing) -> None:
    """Run the warm-up with the archive being written at its end; moved into place when whole."""
    folder = Path(tempfile.mkdtemp(prefix="making-", dir=sharing.archive.parent))
    try:
        made = folder / "made.jsa"
        options = [f"-XX:ArchiveClassesAtExit={made}", _QUIET]
        if references is References.WIDE:
            options.append("-XX:-UseCompressedOops")
        command = [
            *(installation.submit_script, "--master", "local[2]"),
            *("--properties-file", str(_properties_file(folder))),
            *(_WARMUP, str(folder / "data")),
        ]
        with SupervisedProcess(
            command,
            environment=_environment(installation, sharing, options, folder),
            log=folder / "log",
            folders=[folder],
        ) as process:
            ended = process.wait(_MAKE_TIMEOUT_S)
        if ended and process.exit_status == 0 and made.exists():
            made.replace(sharing.archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _properties_file(folder: Path) -> Path:
    path = folder / "warmup.conf"
    events = folder / "events"
    events.mkdir()
    path.write_text(
        "spark.ui.enabled=false\nspark.ui.showConsoleProgress=false\n"
        "spark.eventLog.enabled=true\nspark.eventLog.rolling.enabled=false\n"
        f"spark.eventLog.dir={events.as_uri()}\nspark.local.dir={folder / 'local'}\n"
        f"spark.sql.warehouse.dir={(folder / 'warehouse').as_uri()}\n"
        "spark.sql.shuffle.partitions=4\n"
    )
    return path


def _environment(
    installation: Installation, sharing: Sharing, options: list[str], folder: Path
) -> dict[str, str]:
    environment = dict(os.environ)
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_LOCAL_DIRS"):
        environment.pop(name, None)
    options += [f"-Djava.io.tmpdir={folder}", "-XX:-UsePerfData"]
    environment |= {
        "SPARK_HOME": installation.home,
        "SPARK_SUBMIT_OPTS": " ".join(f'"{option}"' for option in options),
        "TMPDIR": str(folder),
    }
    if sharing.conf_folder is not None:
        environment["SPARK_CONF_DIR"] = str(sharing.conf_folder)
    environment.setdefault("PYSPARK_PYTHON", installation.python)
    return environment
