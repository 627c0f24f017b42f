"""Runs stand-alone Spark programs one after the other in one process, so with one JVM.

    python one_jvm.py

reads a line of JSON a program from its standard input, ``{"script", "arguments", "conf"}``, and
answers each with a line of its own: ``{"error": null}``, or with the text of what went wrong.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotune.spark.installation import find_installation

PROGRAMS = Path(__file__).parent.parent.parent / "autotune" / "workloads"
# A JVM that starts fast: these jobs are short.
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}


class OneJvm:
    """A process that runs programs."""

    def __init__(self, folder: Path) -> None:
        """Start it; *folder* is its current one."""
        installation = find_installation()
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [installation.python, str(Path(__file__))],
                cwd=folder,
                env={
                    **os.environ,
                    "SPARK_HOME": installation.home,
                    "PYSPARK_PYTHON": installation.python,
                    "PYTHONPATH": str(PROGRAMS.parent.parent),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(
        self, script: Path | str, *arguments: object, conf: Mapping[str, str] | None = None
    ) -> None:
        """Run a program to its end.

        Args:
            script: its path, or the name of one that comes with autotune.
            arguments: of the program.
            conf: properties beside the usual ones.
        """
        order = {
            "script": str(PROGRAMS / script),
            "arguments": [str(argument) for argument in arguments],
            "conf": {**SETTINGS, **(conf or {})},
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        error = json.loads(answer)["error"] if answer else self.log.read_text()[-2000:]
        assert error is None, error

    def make(self, dataset: str, to: Path, *, rows: int, seed: int = 7, **options: object) -> Path:
        """Run the generator of a dataset, and return the folder."""
        to.mkdir(parents=True)
        given = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        self.run(f"{dataset}_data.py", f"--rows={rows}", f"--seed={seed}", "--to", to, *given)
        return to

    def end(self) -> None:
        """Stop the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def main() -> None:
    """Answer orders until there are no more; what programs print goes to the log."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps({"error": _run(json.loads(line))}), file=answers, flush=True)


def _run(order: Mapping[str, Any]) -> str | None:
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    # Each program begins with these properties and nothing of the one before.
    if SparkContext._gateway is not None:
        system = SparkContext._gateway.jvm.java.lang.System
        for name in list(system.getProperties().stringPropertyNames()):
            if name.startswith("spark."):
                system.clearProperty(name)
        for name, value in order["conf"].items():
            system.setProperty(name, value)
    else:
        os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join(
            [*(f"--conf '{key}={value}'" for key, value in order["conf"].items()), "pyspark-shell"]
        )
        SparkContext(conf=SparkConf()).stop()
    SparkSession.builder._options.clear()
    sys.argv = [order["script"], *order["arguments"]]
    try:
        runpy.run_path(order["script"], run_name="__main__")
    except SystemExit as ending:
        return str(ending.code) if ending.code else None
    except BaseException:
        return traceback.format_exc()
    finally:
        if (left := SparkContext._active_spark_context) is not None:
            left.stop()
    return None


if __name__ == "__main__":
    main()
