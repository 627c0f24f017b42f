"""Extract what one Spark says of its own properties, and write it as a data file of autotune.

Usage: ``SPARK_HOME=… python scripts/extract_spark_properties.py`` (one run a Spark version).

Spark registers a property when the Scala object that declares it is loaded, so all objects that
declare some are loaded first: those of the core's ``internal.config`` package, of SQL, Hive, YARN,
Kubernetes and Spark Connect, as far as this installation has them.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "autotune" / "spark"
DECLARING = re.compile(
    r"org/apache/spark/(internal/config/[\w/]+|sql/internal/(Static)?SQLConf|sql/hive/HiveUtils|"
    r"deploy/k8s/Config|deploy/yarn/config/package|sql/connect/config/Connect)\$\.class"
)
DOC_LENGTH = 240
OF_THIS_MACHINE = {"spark.sql.warehouse.dir", "spark.sql.session.timeZone"}
"""Their defaults come from the machine that extracts, not from Spark."""

UNREGISTERED = {
    "spark.default.parallelism": (None, "Partitions of RDD shuffles where the job names none."),
    "spark.shuffle.io.numConnectionsPerPeer": ("1", "Connections between two hosts, reused."),
    "spark.shuffle.io.preferDirectBufs": ("true", "Whether Netty uses off-heap buffers."),
    "spark.shuffle.io.serverThreads": ("0", "Threads of the shuffle server; 0: as many as cores."),
    "spark.shuffle.io.clientThreads": ("0", "Threads of the shuffle client; 0: as many as cores."),
    "spark.shuffle.io.maxRetries": ("3", "Times a fetch is tried again after an I/O fault."),
    "spark.shuffle.io.retryWait": ("5s", "Wait between two tries of a fetch."),
    "spark.shuffle.io.backLog": ("-1", "Length of the accept queue of the shuffle service."),
    "spark.shuffle.io.connectionTimeout": (None, "When an idle connection with work is closed."),
}
"""Read straight from the configuration, so not registered by (all) Spark versions."""


def declaring_classes(jars: Path) -> list[str]:
    """Return the Scala objects of an installation that declare properties."""
    names = set()
    for jar in sorted(jars.glob("spark-*.jar")):
        with zipfile.ZipFile(jar) as archive:
            names |= {n for n in archive.namelist() if DECLARING.fullmatch(n)}
    return sorted(name.removesuffix(".class").replace("/", ".") for name in names)


def registry(jvm: Any, loader: Any) -> list[Any]:
    """Return Spark's registered entries; the map that holds them is the same in all versions."""
    holder = jvm.java.lang.Class.forName(
        "org.apache.spark.internal.config.ConfigEntry$", True, loader
    )
    module = holder.getField("MODULE$").get(None)
    field = next(f for f in holder.getDeclaredFields() if f.getName() == "knownConfigs")
    field.setAccessible(True)
    return list(field.get(module).values())


def rows(session: Any, jars: Path) -> list[dict[str, Any]]:
    """Return one row a property: name, default, session, doc."""
    jvm = session._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for name in declaring_classes(jars):
        jvm.java.lang.Class.forName(name, True, loader)
    found = []
    for entry in registry(jvm, loader):
        name = entry.key()
        default = entry.defaultValueString()
        doc = " ".join(str(entry.doc()).split())
        found.append(
            {
                "name": name,
                "default": None
                if default == "<undefined>" or name in OF_THIS_MACHINE
                else default,
                "session": bool(session.conf.isModifiable(name)),
                "doc": doc if len(doc) <= DOC_LENGTH else doc[: DOC_LENGTH - 1] + "…",
                "internal": not entry.isPublic(),
            }
        )
    registered = {row["name"] for row in found}
    for name, (default, doc) in UNREGISTERED.items():
        if name in registered:
            continue
        row = {"name": name, "default": default, "session": False, "doc": doc, "internal": False}
        found.append(row)
    return sorted(found, key=lambda row: str(row["name"]))


def main() -> int:
    """Start one local session, read its registry, write the file of its minor version."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.getOrCreate()
    try:
        home = os.environ.get("SPARK_HOME") or str(
            session._jvm.java.lang.System.getenv("SPARK_HOME")
        )
        found = rows(session, Path(home) / "jars")
        version = session.version
    finally:
        session.stop()
    minor = ".".join(version.split(".")[:2])
    path = DATA / f"properties_{minor}.json.gz"
    text = json.dumps({"spark": version, "properties": found}, ensure_ascii=False, indent=0)
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as stream:
        stream.write(text.encode())
    print(f"{path.name}: {len(found)} properties of Spark {version}, {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
