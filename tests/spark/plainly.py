"""Submit a program plainly, as a person would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from autotune.spark.archive import References, share_classes
from autotune.spark.installation import find_installation

# A JVM that starts fast: these jobs are short.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
PROGRAMS = Path(__file__).parent.parent.parent / "autotune" / "workloads"


def submit(
    program: str, *arguments: str | Path, master: str = "local[2]", **conf: str
) -> subprocess.CompletedProcess[str]:
    """Run one of the programs that come with autotune."""
    installation = find_installation()
    sharing = share_classes(installation, References.COMPRESSED)
    flags = (*QUICK, *(sharing.java_options if sharing else ()))
    settings = {
        "spark.driver.extraJavaOptions": " ".join(flags),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        **conf,
    }
    options = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    command = [installation.submit_script, "--master", master, *options]
    return subprocess.run(
        [*command, str(PROGRAMS / program), *map(str, arguments)],
        env={**os.environ, "PYSPARK_PYTHON": installation.python, "SPARK_HOME": installation.home},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
