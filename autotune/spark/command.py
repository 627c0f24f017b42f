"""What is typed for one execution: the command, its properties file and its environment."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from autotune.domain import Config, Value, Workload
from autotune.errors import EnvironmentFault
from autotune.spark.installation import Installation
from autotune.spark.propertyfile import render_properties

LOCAL_CLUSTER = "local-cluster"
_EXECUTOR_OPTIONS = "spark.executor.defaultJavaOptions"
_NAME = re.compile(r"\{([^{}]+)\}")


class Scratch(Value):
    """The folders of one execution, removed after it."""

    root: Path
    local: tuple[Path, ...]
    """Spark's local folders; on the disks that the person chose for them, if they did."""

    @property
    def events(self) -> Path:
        """Where the event log is written."""
        return self.root / "events"

    @property
    def temporary(self) -> Path:
        """For temporary files of the JVM and of Python."""
        return self.root / "tmp"

    @property
    def output(self) -> Path:
        """For the job's output; not there at first, since Spark wants it so."""
        return self.root / "output"

    @property
    def log(self) -> Path:
        """What the application said."""
        return self.root / "application.log"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder to remove."""
        return (self.root, *self.local)

    def remove(self) -> None:
        """Remove all of it."""
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


def make_scratch(scratch_root: Path, properties: Mapping[str, str]) -> Scratch:
    """Make the folders of one execution.

    Raises:
        EnvironmentFault: *scratch_root* can't be written to.
    """
    if "," in str(scratch_root.resolve()):
        # Spark would take it for two folders, and one of them would stay behind.
        message = f"scratch folder {scratch_root}: Spark can't use a path with a comma; set TMPDIR"
        raise EnvironmentFault(message)
    try:
        scratch_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = Path(tempfile.mkdtemp(prefix="execution-", dir=scratch_root)).resolve()
        for name in ("events", "tmp", "work"):
            (root / name).mkdir()
    except OSError as error:
        message = f"scratch folder {scratch_root}: {error.strerror}; name a folder with free space"
        raise EnvironmentFault(message) from error
    theirs = os.environ.get("SPARK_LOCAL_DIRS") or properties.get("spark.local.dir") or ""
    parents = [Path(part.strip()) for part in theirs.split(",") if part.strip()]
    local = tuple(
        parent.absolute() / f"autotune-{uuid.uuid4().hex[:12]}"
        for parent in parents
        if parent.is_dir() and os.access(parent, os.W_OK)
    )
    local = local or (root / "local",)
    for folder in local:
        folder.mkdir(mode=0o700, exist_ok=True)
    return Scratch(root=root, local=local)


def final_properties(workload: Workload, config: Config, scratch: Scratch) -> dict[str, str]:
    """Return all properties of one execution: theirs, the config's, and what measuring needs."""
    properties = dict(workload.properties)
    for name, value in config.properties.items():
        if value is None:
            properties.pop(name, None)
        else:
            properties[name] = value
    properties.setdefault("spark.ui.enabled", "false")
    properties.setdefault("spark.ui.showConsoleProgress", "false")
    if not Path("spark-warehouse").exists():
        # Not as_uri(): Spark would take "%20" for the letters of a folder's name.
        properties.setdefault("spark.sql.warehouse.dir", f"file:{scratch.root / 'work'}")
    properties.pop("spark.master", None)
    if workload.master.startswith(LOCAL_CLUSTER):
        own = properties.get(_EXECUTOR_OPTIONS, "")
        properties[_EXECUTOR_OPTIONS] = " ".join([*map(_quoted, _tidy(scratch)), own]).strip()
    return {
        **properties,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": scratch.events.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.local.dir": ",".join(str(folder) for folder in scratch.local),
    }


def submit_command(
    installation: Installation, workload: Workload, config: Config, scratch: Scratch
) -> list[str]:
    """Write the properties file, readable by its owner alone, and return the command."""
    path = scratch.root / "execution.conf"
    text = render_properties(final_properties(workload, config, scratch))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    main_class = ["--class", workload.main_class] if workload.main_class else []
    return [
        *(installation.submit_script, "--properties-file", str(path)),
        *("--master", workload.master, *main_class, *workload.submit_options),
        *(workload.application, *filled_arguments(workload, config, scratch)),
    ]


def filled_arguments(workload: Workload, config: Config, scratch: Scratch) -> tuple[str, ...]:
    """Return the job's arguments with ``{data}``, ``{output}``, ``{scratch}`` … filled in.

    Braces around anything else are left alone: they are the job's own.
    """
    return filled(workload.arguments, workload, config, scratch)


def filled(
    texts: Sequence[str], workload: Workload, config: Config, scratch: Scratch
) -> tuple[str, ...]:
    """Return *texts* with what is known in one execution filled in."""
    known = {**config.arguments, "output": str(scratch.output), "scratch": str(scratch.root)}
    if workload.data is not None:
        known["data"] = workload.data
    return tuple(
        _NAME.sub(lambda match: known.get(match[1], match[0]), argument) for argument in texts
    )


def submit_environment(
    installation: Installation, scratch: Scratch, java_options: Sequence[str] = ()
) -> dict[str, str]:
    """Return the environment of one execution: the person's, with our folders.

    Options for the JVM travel in ``SPARK_SUBMIT_OPTS``, so that they don't meet
    ``spark.driver.extraJavaOptions``, which may be tuned; the person's own come last and win.
    """
    environment = dict(os.environ)
    options = [*_tidy(scratch), *java_options]
    if not Path("metastore_db").exists():
        options.append(f"-Dderby.system.home={scratch.root / 'work'}")
    words = [_quoted(option) for option in options]
    own = environment.get("SPARK_SUBMIT_OPTS")
    environment |= {
        "SPARK_HOME": installation.home,
        "SPARK_LOCAL_DIRS": ",".join(str(folder) for folder in scratch.local),
        "SPARK_SUBMIT_OPTS": " ".join([*words, own] if own else words),
        "TMPDIR": str(scratch.temporary),
    }
    environment.setdefault("PYSPARK_PYTHON", installation.python)
    return environment


def _tidy(scratch: Scratch) -> tuple[str, ...]:
    """Return what keeps a JVM from leaving files in the system's folders when it is killed."""
    return f"-Djava.io.tmpdir={scratch.temporary}", "-XX:-UsePerfData"


def _quoted(option: str) -> str:
    """Quote for Spark's launcher, which splits its options at white space."""
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'
