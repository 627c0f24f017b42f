"""Space files: read them, resolve what they include, check them against Spark's own list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from autotune.domain import Machine, PropertyFact, Value
from autotune.errors import InputError
from autotune.pathtext import path_of
from autotune.space import Applies, BoundSpace, Parameter, Rule, Space, bind, default_of
from autotune.space.order import in_order
from autotune.space.show import SpaceRow, rows_of
from autotune.space.units import read_number, same_value
from autotune.space.versions import version_in, version_range_ok
from autotune.spark.properties import is_known, property_facts, shipped_versions
from autotune.yamlfile import read_yaml, validate

__all__ = ["SpaceRow", "check_space", "load_space", "shipped_spaces", "show_space"]

_PACKAGE = Path(__file__).parent
_SHIPPED = (_PACKAGE.parent / "search_spaces", _PACKAGE / "_shipped" / "search_spaces")
_LOCAL = Path("search_spaces")
_MAX_INCLUDES = 8

_CHANGES_RESULTS = re.compile(
    r"spark\.sql\.(ansi\..*|legacy\..*|session\.timeZone|session\.localRelation.*|caseSensitive"
    r"|storeAssignmentPolicy|mapKeyDedupPolicy|timestampType|crossJoin\.enabled|collation.*"
    r"|parquet\.(int96|datetime|binaryAsString|mergeSchema|outputTimestampType|fieldId).*"
    r"|avro\.datetime.*|orc\.mergeSchema|json\.filter.*|csv\.(parser|filter).*|files\.ignore.*"
    r"|sources\.(partitionOverwriteMode|partitionColumnTypeInference.*|default)|groupBy.*"
    r"|orderByOrdinal|decimalOperations\..*|optimizer\.metadataOnly|columnNameOfCorruptRecord"
    r"|execution\.pythonUDF\..*|execution\.pandas\..*|pyspark\.(infer|legacy).*|charAsVarchar"
    r"|readSideCharPadding|variable\..*|streaming\..*|cte\..*|defaultColumn\..*)"
    r"|spark\.sql\.(streaming|warehouse|catalog|extensions).*"
    r"|spark\.hadoop\.(mapreduce\.fileoutputcommitter|mapred\.output).*"
)
_NOT_OURS = re.compile(
    r"spark\.(master|app\.name|submit\..*|jars.*|files|archives|eventLog\..*|local\.dir|home"
    r"|authenticate.*|ssl\..*|acls\..*|plugins|extraListeners|ui\..*|history\..*|redaction\..*)"
)


def _tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class _SpaceFile(Value):
    """The keys of a space file."""

    name: str | None = None
    description: str = ""
    spark: str = ""
    include: dict[str, Annotated[tuple[str, ...], BeforeValidator(_tuple)]] = Field(default={})
    """File or shipped space → the parameters to take from it; ``all`` for every one."""
    parameters: dict[str, dict[str, Any]] = Field(default={})
    rules: tuple[dict[str, Any], ...] = ()


def shipped_spaces() -> tuple[str, ...]:
    """Return the names of the spaces that come with autotune."""
    return tuple(sorted({path.stem for folder in _SHIPPED for path in folder.glob("*.yaml")}))


def load_space(name_or_path: str, *, spark_version: str | None = None) -> Space:
    """Read a space, with all that it includes.

    Args:
        name_or_path: A shipped space (``sql``), one in ``./search_spaces``, or a YAML file.
        spark_version: Refuse a space that is not for this Spark; ``None``: don't ask.

    Raises:
        InputError: There is no such space, or its file is wrong; names file and key.
    """
    path = _find(name_or_path, beside=None)
    space = _load_shipped(path) if path.parent in _SHIPPED else _load(path, ())
    return _fitting(space, path, spark_version)


def load_shipped_space(name: str, *, spark_version: str | None = None) -> Space:
    """Read a space that comes with autotune, whatever files there are.

    Raises:
        InputError: There is none of this name, or it is not for this Spark.
    """
    paths = [folder / f"{name}.yaml" for folder in _SHIPPED if name in shipped_spaces()]
    for path in paths:
        if path.is_file():
            return _fitting(_load_shipped(path), path, spark_version)
    raise InputError(f"space: '{name}' is none of {', '.join(shipped_spaces())}")


def _fitting(space: Space, path: Path, spark_version: str | None) -> Space:
    if not version_in(spark_version, space.spark):
        message = f"{path}: spark: the space is for Spark {space.spark}, this is {spark_version}"
        raise InputError(f"{message}; take another space or Spark")
    return space


def check_space(
    space: Space, facts: Mapping[str, PropertyFact], *, spark_version: str | None = None
) -> tuple[str, ...]:
    """Return what is wrong with a space for one Spark, one line a problem.

    Args:
        space: A space that :func:`load_space` accepted.
        facts: What this version of Spark says of its properties.
        spark_version: Leaves out the parameters that say of themselves that they are for other
            versions; ``None``: they are left out where another Spark has them.
    """
    return tuple(
        f"parameters.{parameter.name}: {problem}"
        for parameter in space.parameters
        if parameter.applies_to(spark_version)
        for problem in _problems(parameter, facts)
    )


def show_space(
    space: Space,
    *,
    machine: Machine,
    facts: Mapping[str, PropertyFact],
    baseline: Mapping[str, str] | None = None,
) -> tuple[SpaceRow, ...]:
    """Return one row a parameter: what the file says, and what it means on this machine.

    Args:
        space: The space.
        machine: What its ranges are relative to.
        facts: Where defaults come from.
        baseline: The person's own properties; none by default.
    """
    bound: BoundSpace = bind(space, machine=machine, baseline=baseline or {}, facts=facts)
    return rows_of(bound, facts)


def _find(name: str, *, beside: Path | None) -> Path:
    """Return the file of a space: a path, a neighbour, a local one or a shipped one."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = path_of(name if beside is None else str(beside / name), where="space file")
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            shipped = ", ".join(shipped_spaces())
            raise InputError(f"space file {path} {what}; shipped spaces: {shipped}")
        return path
    folders = ((beside,) if beside else ()) + (_LOCAL, *_SHIPPED)
    for folder in folders:
        path = path_of(str(folder / f"{name}.yaml"), where="space")
        if path.is_file():
            return path
    shipped = ", ".join(shipped_spaces())
    raise InputError(f"space '{name}' is unknown; shipped: {shipped}; or give a .yaml file")


@lru_cache(maxsize=32)
def _load_shipped(path: Path) -> Space:
    """Read a file of ours, once: a served predictor needs it for every question."""
    return _load(path, ())


def _load(path: Path, through: tuple[Path, ...]) -> Space:
    """Read one file and, before its own parameters, what it includes."""
    if path.resolve() in through or len(through) >= _MAX_INCLUDES:
        raise InputError(f"{path}: include: files include each other; break the circle")
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: a space is a mapping with the key 'parameters'; see `sql.yaml`")
    file = validate(_SpaceFile, data, where=str(path))
    if not version_range_ok(file.spark):
        raise InputError(f"{path}: spark: '{file.spark}' is not a range such as '>=3.5,<5'")
    parameters, rules = _included(file, path, (*through, path.resolve()))
    for name, fields in file.parameters.items():
        if "name" in fields:
            raise InputError(f"{path}: parameters.{name}.name: the key itself is the name")
        own = {**fields, "name": name}
        parameters[name] = validate(Parameter, own, where=f"{path}: parameters.{name}")
    if not parameters:
        raise InputError(f"{path}: parameters: none given; name at least one, or include some")
    rules = [rule for rule in rules if set(rule.parameters) <= set(parameters)]
    for index, rule_fields in enumerate(file.rules):
        rules.append(validate(Rule, rule_fields, where=f"{path}: rules.{index}"))
    space = Space(
        name=file.name or path.stem,
        description=file.description,
        spark=file.spark,
        parameters=tuple(parameters.values()),
        rules=tuple(rules),
    )
    _check_names(space, path)
    return space


def _included(
    file: _SpaceFile, path: Path, through: tuple[Path, ...]
) -> tuple[dict[str, Parameter], list[Rule]]:
    """Return what a file takes from others, and the rules of those others."""
    parameters: dict[str, Parameter] = {}
    rules: list[Rule] = []
    for name, wanted in file.include.items():
        where = f"{path}: include.{name}"
        try:
            found = _find(name, beside=path.parent)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        other = _load(found, through)
        for parameter in _taken(other, wanted, where=where):
            parameters.setdefault(parameter.name, parameter)
        rules += [rule for rule in other.rules if rule not in rules]
    return parameters, rules


def _check_names(space: Space, path: Path) -> None:
    """Refuse what names a parameter that is not there, or a value that it can't have."""
    try:
        in_order(space)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for parameter in space.parameters:
        for parent_name, wanted in parameter.when.items():
            parent = space.parameter(parent_name)
            for text in wanted:
                if not _possible(parent, text):
                    message = f"{path}: parameters.{parameter.name}.when: {parent_name} can't be"
                    raise InputError(f"{message} '{text}'; take one of its values")


def _possible(parent: Parameter, text: str) -> bool:
    if parent.type.numeric:
        return read_number(text, parent.type, parent.bare_unit) is not None
    listed = parent.choices or ("true", "false")
    return any(choice is not None and same_value(choice, text) for choice in listed)


def _taken(other: Space, wanted: tuple[str, ...], *, where: str) -> tuple[Parameter, ...]:
    if wanted == ("all",):
        return other.parameters
    known = {parameter.name: parameter for parameter in other.parameters}
    for name in wanted:
        if name not in known:
            raise InputError(f"{where}: '{name}' is not in space '{other.name}'; rename it")
    return tuple(known[name] for name in wanted)


def _problems(parameter: Parameter, facts: Mapping[str, PropertyFact]) -> list[str]:
    name = parameter.name
    if not parameter.is_property:
        return []
    if _CHANGES_RESULTS.fullmatch(name):
        return ["can change what the job computes, so it is not searched; set it in the job"]
    if _NOT_OURS.fullmatch(name):
        return ["belongs to how the job is run, not to its speed; remove it"]
    fact = facts.get(name)
    if fact is None:
        if is_known(name, facts):
            return _default_problems(parameter, facts)
        if parameter.spark and any(name in property_facts(one) for one in shipped_versions()):
            return []
        return [f"this Spark has no such property{_meant(name, facts)}; correct or remove it"]
    problems = []
    if parameter.applies is Applies.SESSION and not fact.session:
        problems.append("applies: session, but Spark fixes it at start; write application")
    if not parameter.why:
        problems.append("why: is empty; say in a sentence what it does")
    return problems + _default_problems(parameter, facts)


def _default_problems(parameter: Parameter, facts: Mapping[str, PropertyFact]) -> list[str]:
    """Return what is wrong with what an unset value stands for."""
    if not parameter.type.numeric:
        return []
    given = parameter.unset_as
    if given is not None:
        known = parameter.number(given) is not None
        return [] if known else [f"unset_as: '{given}' is not of type {parameter.type}"]
    default = default_of(parameter.name, {}, facts)
    if default is None:
        return ["Spark names no default; say with unset_as what an unset value behaves as"]
    if parameter.low_as is not None and same_value(default, parameter.low_as):
        return []
    if read_number(default, parameter.type, parameter.bare_unit) is None:
        return [f"type: Spark's default '{default}' is not of type {parameter.type}"]
    return []


def _meant(name: str, facts: Mapping[str, PropertyFact]) -> str:
    """Return the name that was probably meant, as part of a sentence."""
    import difflib

    close = difflib.get_close_matches(name, facts.keys(), n=1, cutoff=0.85)
    return f" (did you mean {close[0]}?)" if close else ""
