"""Files of Spark properties, in the format of Java's ``java.util.Properties``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from autotune.errors import InputError

_MOST_BYTES = 4 << 20
_SEPARATOR = re.compile(
    r"(?P<key>(?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(?P<value>.*)", re.DOTALL
)
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(text: str) -> dict[str, str]:
    """Return the properties in *text* as Spark would read them: later lines win, ends trimmed.

    The rules are those of ``java.util.Properties.load``: ``=``, ``:`` or white space separates,
    ``#`` and ``!`` begin a comment, a backslash escapes and continues a line.
    """
    properties = {}
    for line in _logical_lines(text):
        match = _SEPARATOR.fullmatch(line)
        if match is not None:
            properties[_unescape(match["key"])] = _unescape(match["value"]).strip(" \t\f")
    return properties


def render_properties(properties: Mapping[str, str]) -> str:
    """Return text that :func:`parse_properties` and Spark read back as *properties*."""
    return "".join(
        f"{_escape(key, key=True)}={_escape(value.strip(), key=False)}\n"
        for key, value in sorted(properties.items())
    )


def read_properties(path: Path) -> dict[str, str]:
    """Return the properties in the file at *path*.

    Raises:
        InputError: it is missing, not readable, not text, or absurdly large.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            message = f"{path}: larger than 4 MiB; a file of Spark properties was expected"
            raise InputError(message)
        return parse_properties(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path}: {error.strerror or error}; name a readable file of Spark properties"
        raise InputError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text; a file of Spark properties was expected"
        raise InputError(message) from error


def _logical_lines(text: str) -> Iterator[str]:
    pending: str | None = None
    for natural in re.split(r"\r\n|\n|\r", text):
        line = natural.lstrip(" \t\f")
        if pending is None and (not line or line[0] in "#!"):
            continue
        line = (pending or "") + line
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            pending = line[:-1]
            continue
        pending = None
        yield line
    if pending:
        yield pending


def _unescape(text: str) -> str:
    return _ESCAPED.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else _LETTERS.get(match[2], match[2]),
        text,
    )


def _escape(text: str, *, key: bool) -> str:
    text = text.replace("\\", "\\\\")
    for letter, character in _LETTERS.items():
        text = text.replace(character, "\\" + letter)
    if key:
        return re.sub(r"([=: #!])", r"\\\1", text)
    return "\\" + text if text.startswith(" ") else text
