"""Read YAML that other people wrote: safe types only, small, flat, no key twice, one-line errors.

A file of aliases can stand for gigabytes ("billion laughs"), and nesting can exhaust the stack,
so both are bounded before anything is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from autotune.errors import InputError

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_ALIASES = 100

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """A safe loader that minds depth, aliases and keys given twice."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0
        self.aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise yaml.MarkedYAMLError(problem="too many aliases", problem_mark=mark)
        if self.depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key is not plain text", problem_mark=key.start_mark
                )
            if key.tag == "tag:yaml.org,2002:merge":
                problem = "merge keys (<<) are not supported"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"'{key.value}' is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file says, as plain values; ``None`` for an empty one.

    Args:
        path: The file; at most 1 MB.

    Raises:
        InputError: It can't be read, or is no YAML that we accept; names file and line.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: {reason}; name a YAML file that you can read") from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: larger than 1 MB; is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; is it the right file?") from None
    return parse_yaml(text, where=str(path))


def parse_yaml(text: str, *, where: str) -> Any:
    """Return what YAML text says; *where* names its origin in messages.

    Raises:
        InputError: As :func:`read_yaml`.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        problem = " ".join((error.problem or "not valid YAML").split())
        raise InputError(f"{where}: {line}{problem}; correct the file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{where}: {problem}; correct the file") from None


def validate(model: type[Model], data: object, *, where: str) -> Model:
    """Build *model* from plain values.

    Args:
        model: A pydantic model.
        data: What a file said.
        where: The file, and the key within it where that is known.

    Raises:
        InputError: The first thing that is wrong, in one line with file and key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise InputError(f"{where}: {_told(model, first)}{more}") from None


def _told(model: type[BaseModel], detail: Any) -> str:
    """Say what one pydantic error means to the person who wrote the file."""
    place = ".".join(str(part) for part in detail["loc"])
    at = f"{place}: " if place else ""
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(detail["loc"]) == 1 else ""
        return f"{at}unknown key" + (f"; known: {known}" if known else "; remove or rename it")
    if kind == "missing":
        return f"{at}is missing; add it"
    if kind == "value_error":
        return f"{at}{message.removeprefix('Value error, ')}"
    given = " ".join(repr(detail.get("input")).split())
    shown = given if len(given) <= 60 else f"{given[:57]}…"
    return f"{at}{message[:1].lower()}{message[1:]}, not {shown}"
