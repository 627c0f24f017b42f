"""Read what a person types today: ``spark-submit … job.py …`` → its parts.

The options are those of Spark's own parser (``SparkSubmitOptionParser``). What has a property of
its own becomes that property, so that it is part of the baseline and may be tuned; the rest
is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from autotune.domain import Value
from autotune.errors import InputError

_PROPERTY_OF = {
    "--master": "spark.master",
    "--name": "spark.app.name",
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-library-path": "spark.driver.extraLibraryPath",
    "--driver-class-path": "spark.driver.extraClassPath",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--total-executor-cores": "spark.cores.max",
    "--num-executors": "spark.executor.instances",
}
_KEPT = {
    "--jars",
    "--packages",
    "--exclude-packages",
    "--repositories",
    "--py-files",
    "--files",
    "--archives",
    "--proxy-user",
    "--principal",
    "--keytab",
    "--queue",
}
_HANDLED = {"--conf", "-c", "--class", "--deploy-mode", "--properties-file"}
_DROPPED = {"--verbose", "-v"}
_REFUSED = {
    "--kill": "it ends another application",
    "--status": "it asks for another application",
    "--remote": "Spark Connect servers are not supported yet; name a --master",
    "--supervise": "it belongs to the cluster deploy mode, which is not supported yet",
    "--help": "it runs no job",
    "-h": "it runs no job",
    "--version": "it runs no job",
    "--usage-error": "it runs no job",
}
_LOAD_DEFAULTS = "--load-spark-defaults"


class ApplicationKind(StrEnum):
    """What the main file of a job may be."""

    PYTHON = "python"
    JAR = "jar"


class SubmitLine(Value):
    """The parts of one ``spark-submit`` command."""

    application: str
    arguments: tuple[str, ...] = ()
    main_class: str | None = None
    properties: dict[str, str]
    """From options and ``--conf``; they beat the properties file."""
    properties_file: str | None = None
    load_defaults: bool = True
    """Whether the installation's ``spark-defaults.conf`` applies: not beside a properties file."""
    submit_options: tuple[str, ...] = ()
    spark_home: str | None = None
    """Named by the path that ``spark-submit`` was typed with."""


def application_kind(application: str) -> ApplicationKind:
    """Tell what the main file is.

    Raises:
        InputError: it is neither a Python file nor a JAR.
    """
    if application.endswith(".py"):
        return ApplicationKind.PYTHON
    if application.endswith(".jar"):
        return ApplicationKind.JAR
    message = (
        f"job '{application}': not a .py file or a .jar; name the file that spark-submit runs"
    )
    raise InputError(message)


def parse_submit_line(words: Sequence[str]) -> SubmitLine:
    """Split a ``spark-submit`` command, given as a shell would split it, into its parts.

    Raises:
        InputError: the command is another one, an option is unknown, misses its value or is not
            supported, or no job is named.
    """
    spark_home = _spark_home_of(words)
    options, rest = _split_options(words[1:])
    single = {name: value for name, value in options if name not in {"--conf", "-c"}}
    mode = single.get("--deploy-mode", "client")
    if mode != "client":
        message = f"--deploy-mode {mode}: only client mode can be measured for now; leave it out"
        raise InputError(message)
    if not rest:
        raise InputError("spark-submit: no job named; end the command with a .py file or a .jar")
    if application_kind(rest[0]) is ApplicationKind.JAR and "--class" not in single:
        message = f"job '{rest[0]}': a JAR needs --class with the name of its main class"
        raise InputError(message)
    properties = dict(_conf_pair(value) for name, value in options if name in {"--conf", "-c"})
    properties |= {_PROPERTY_OF[name]: v for name, v in single.items() if name in _PROPERTY_OF}
    properties_file = single.get("--properties-file")
    return SubmitLine(
        application=rest[0],
        arguments=tuple(rest[1:]),
        main_class=single.get("--class"),
        properties=properties,
        properties_file=properties_file,
        load_defaults=properties_file is None or _LOAD_DEFAULTS in single,
        submit_options=tuple(
            word for name, value in options if name in _KEPT for word in (name, value)
        ),
        spark_home=spark_home,
    )


def _spark_home_of(words: Sequence[str]) -> str | None:
    command = Path(words[0]) if words else Path("nothing")
    if command.name not in {"spark-submit", "spark-submit.cmd"}:
        hint = (
            " (for 'python job.py' write 'spark-submit job.py')"
            if "python" in str(command)
            else ""
        )
        message = f"command '{command}': expected spark-submit after --{hint}"
        raise InputError(message)
    if command.parent.name == "bin" and command.is_file():
        return str(command.resolve().parent.parent)
    return None


def _split_options(words: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options before the job, and the job with its arguments."""
    options: list[tuple[str, str]] = []
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            return options, [word, *left]
        name, equals, value = word.partition("=")
        name = name if name.startswith("--") else word
        if name in _REFUSED:
            message = f"spark-submit {name}: {_REFUSED[name]}"
            raise InputError(message)
        if name in _DROPPED:
            continue
        if name == _LOAD_DEFAULTS:
            options.append((name, ""))
            continue
        if name not in _HANDLED | _KEPT | _PROPERTY_OF.keys():
            message = f"spark-submit {name}: Spark has no such option; check its spelling"
            raise InputError(message)
        options.append((name, value if equals and name != "-c" else _value_of(name, left)))
    return options, []


def _value_of(name: str, left: Iterator[str]) -> str:
    value = next(left, None)
    if value is None:
        message = f"spark-submit {name}: its value is missing"
        raise InputError(message)
    return value


def _conf_pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        message = f"spark-submit --conf {text}: write it as key=value"
        raise InputError(message)
    return key.strip(), value
