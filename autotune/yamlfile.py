"""Read YAML that other people wrote: safe types only, small, flat, no key twice, one-line errors.

A file of aliases can stand for gigabytes ("billion laughs"), and nesting can exhaust the stack,
so both are bounded before anything is built.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from autotune.errors import InputError
from autotune.redaction import HIDDEN, is_secret, without_login

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_ALIASES = 100
MAX_VALUES = 20_000
"""Keys and values of a file, with every alias counted as what it stands for."""
_MAX_DIGITS = 300
_CHARS_PER_VALUE = 50
"""A text this long counts as one value more."""

Model = TypeVar("Model", bound=BaseModel)


_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """A safe loader that minds depth, size, aliases and keys given twice."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0
        self.aliases = 0
        self.values = 0
        self.values_of: dict[str, int] = {}
        """How many values the node behind an anchor stands for, once it is complete."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        before = self.values
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if event.anchor in self.anchors and event.anchor not in self.values_of:
                self._refuse("an alias inside of what it stands for", event)
            self.values += self.values_of.get(event.anchor, 0)
        elif self.check_event(yaml.ScalarEvent):
            if _HALF_CHARACTER.search(event.value):
                self._refuse("half a character (a lone surrogate)", event)
            self.values += len(event.value) // _CHARS_PER_VALUE
        self.values += 1
        if self.aliases > MAX_ALIASES:
            self._refuse("too many aliases", event)
        if self.values > MAX_VALUES:
            alias = isinstance(event, yaml.AliasEvent)
            self._refuse("too many aliases" if alias else "too many values", event)
        if self.depth >= MAX_DEPTH:
            self._refuse("nested too deeply", event)
        self.depth += 1
        try:
            node = super().compose_node(parent, index)
        finally:
            self.depth -= 1
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self.values_of[event.anchor] = self.values - before
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse("not a mapping", node)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse("a key is not plain text", key)
            if key.tag == "tag:yaml.org,2002:merge":
                self._refuse("merge keys (<<) are not supported", key)
            if key.value in seen:
                self._refuse(f"'{key.value}' is given twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        # Numbers of base 60 take time that grows with the square of their length.
        if node.tag in _NUMBERS and len(str(node.value)) > _MAX_DIGITS:
            self._refuse("a number that is too long", node)
        return super().construct_scalar(node)

    def _refuse(self, problem: str, at: Any) -> NoReturn:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


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
        problem = _shortened(error.problem or "not valid YAML")
        raise InputError(f"{where}: {line}{problem}; correct the file") from None
    except LookupError as error:
        raise InputError(f"{where}: {error} does not fit its tag; correct the file") from None
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        problem = _shortened(str(error))
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
    place = ".".join(_shortened(str(part), 100) for part in detail["loc"])
    at = f"{place}: " if place else ""
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(detail["loc"]) == 1 else ""
        return f"{at}unknown key" + (f"; known: {known}" if known else "; remove or rename it")
    if kind == "missing":
        return f"{at}is missing; add it"
    if kind == "value_error":
        return f"{at}{_shortened(message.removeprefix('Value error, '), 400)}"
    secret = any(is_secret(str(part)) for part in detail["loc"])
    shown = HIDDEN if secret else _shortened(without_login(repr(detail.get("input"))), 60)
    return f"{at}{message[:1].lower()}{message[1:]}, not {shown}"


def _shortened(text: str, most: int = 200) -> str:
    """Return *text* in one line of at most *most* characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}…"
