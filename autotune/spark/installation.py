"""Find a Spark and the Java under it, without starting more than ``java -version``."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from autotune.domain import Value
from autotune.errors import EnvironmentFault
from autotune.pathtext import at_home
from autotune.spark.propertyfile import read_properties as read_properties

OLDEST = (3, 5)
FIRST_UNSUPPORTED = (5, 0)
_JAVA_TIMEOUT_S = 60
_FIX_HOME = "set SPARK_HOME to a Spark installation, or unset it to use the installed pyspark"
_FIX_JAVA = "install Java 17 and set JAVA_HOME to it"


class Installation(Value):
    """One Spark with the Java and the Python that its applications use."""

    home: str
    spark_version: str
    java: str
    """Path of the ``java`` program."""
    java_home: str | None = None
    """``JAVA_HOME``, where the person set it."""
    java_version: str
    python: str
    """What ``PYSPARK_PYTHON`` names, else this interpreter."""
    python_version: str | None = None

    @property
    def submit_script(self) -> str:
        """Path of ``spark-submit``."""
        return str(Path(self.home, "bin", "spark-submit"))

    @property
    def class_script(self) -> str:
        """Path of ``spark-class``, which starts any of Spark's own programs."""
        return str(Path(self.home, "bin", "spark-class"))

    @property
    def spark_release(self) -> tuple[int, int]:
        """Major and minor version of Spark."""
        return _release(self.spark_version)

    @property
    def java_major(self) -> int:
        """Major version of Java, such as 17."""
        return java_major(self.java_version)

    @property
    def conf_folder(self) -> Path:
        """Where ``spark-defaults.conf`` and its siblings are read from."""
        return Path(os.environ.get("SPARK_CONF_DIR") or Path(self.home, "conf"))


def find_installation(spark_home: str | None = None) -> Installation:
    """Find the Spark that is used: the one named, else ``SPARK_HOME``'s, else pyspark's.

    Args:
        spark_home: folder of a Spark installation.

    Raises:
        EnvironmentFault: no Spark or no Java is there, it is broken, or its version is not
            supported; the message says how to mend it.
    """
    home, where = _home(spark_home)
    version = _spark_version(home, where)
    if not OLDEST <= _release(version) < FIRST_UNSUPPORTED:
        message = f"{where} {home}: Spark {version} is not supported; use Spark 3.5 to 4.x"
        raise EnvironmentFault(message)
    java, java_home = _java()
    java_version = _java_version(java)
    needed = 17 if _release(version) >= (4, 0) else 8
    if java_major(java_version) < needed:
        message = (
            f"java {java}: version {java_version} is too old for Spark {version}; {_FIX_JAVA}"
        )
        raise EnvironmentFault(message)
    python = os.environ.get("PYSPARK_PYTHON") or sys.executable
    return Installation(
        home=str(home),
        spark_version=version,
        java=java,
        java_home=java_home,
        java_version=java_version,
        python=python,
        python_version=platform.python_version() if python == sys.executable else None,
    )


def spark_defaults(installation: Installation) -> dict[str, str]:
    """Return the installation's ``spark-defaults.conf``; empty where it has none.

    Raises:
        InputError: the file is there and can't be read.
    """
    path = installation.conf_folder / "spark-defaults.conf"
    return read_properties(path) if path.exists() else {}


def java_major(version: str) -> int:
    """Return 8 for ``1.8.0_402`` and 17 for ``17.0.15``."""
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    return numbers[1] if numbers[:1] == [1] and len(numbers) > 1 else (numbers or [0])[0]


def _home(spark_home: str | None) -> tuple[Path, str]:
    named = spark_home or os.environ.get("SPARK_HOME")
    where = "Spark" if spark_home else "SPARK_HOME"
    if named:
        home = at_home(Path(named)).absolute()
        if not home.is_dir():
            message = f"{where} {home}: no such folder; {_FIX_HOME}"
            raise EnvironmentFault(message)
    else:
        spec = importlib.util.find_spec("pyspark")
        if spec is None or spec.origin is None:
            message = "Spark: none found; install it with 'pip install pyspark', or set SPARK_HOME"
            raise EnvironmentFault(message)
        home, where = Path(spec.origin).parent, "pyspark"
    if not os.access(home / "bin" / "spark-submit", os.X_OK):
        message = f"{where} {home}: bin/spark-submit is missing or not executable; {_FIX_HOME}"
        raise EnvironmentFault(message)
    return home, where


def _spark_version(home: Path, where: str) -> str:
    for jar in sorted(home.glob("jars/spark-core_*.jar")):
        match = re.fullmatch(r"spark-core_[\d.]+-(\d+\.\d+.*)\.jar", jar.name)
        if match:
            return match[1]
    release = home / "RELEASE"
    if release.is_file():
        match = re.search(r"\bSpark (\d+\.\d+\S*)", release.read_text(errors="replace"))
        if match and (home / "jars").is_dir():
            return match[1]
    message = f"{where} {home}: jars/spark-core_*.jar is missing, so it is not whole; {_FIX_HOME}"
    raise EnvironmentFault(message)


def _release(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _java() -> tuple[str, str | None]:
    home = os.environ.get("JAVA_HOME")
    if home:
        java = Path(home, "bin", "java")
        if not os.access(java, os.X_OK):
            message = f"JAVA_HOME {home}: bin/java is missing; {_FIX_JAVA}, or unset it"
            raise EnvironmentFault(message)
        return str(java), home
    found = shutil.which("java")
    if found is None:
        message = f"Java: no 'java' on the PATH and no JAVA_HOME; {_FIX_JAVA}"
        raise EnvironmentFault(message)
    return found, None


def _java_version(java: str) -> str:
    place = Path(java)
    return _answered(java, place.stat().st_mtime_ns if place.exists() else 0)


@lru_cache(maxsize=8)
def _answered(java: str, modified_ns: int) -> str:
    """Return what a program says once, as long as it stays the same: to start one takes long."""
    try:
        # `java -version` writes to stderr, whoever made it.
        answer = subprocess.run(
            [java, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_JAVA_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"java {java}: does not start ({type(error).__name__}); {_FIX_JAVA}"
        raise EnvironmentFault(message) from error
    match = re.search(r'version "([^"]+)"', answer.stderr + answer.stdout)
    if answer.returncode != 0 or match is None:
        message = f"java {java}: 'java -version' fails; {_FIX_JAVA}"
        raise EnvironmentFault(message)
    return match[1]
