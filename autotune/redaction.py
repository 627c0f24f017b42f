"""What must never leave the machine: passwords, tokens, keys, and every text that quotes them.

A property is judged by its name, like Spark does in its own user interface. What is left out is
left out whole, and the number of omissions is told, so that nobody hunts for a missing key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autotune.errors import InputError

REDACTION_KEY = "spark.redaction.regex"
HIDDEN = "*****"

_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|access[._-]?key|credential", re.IGNORECASE
)
_NOT_SECRET_NAME = re.compile(
    r"\.enabled$|\.ttl$|\.interval$|\.timeout$|\.maxLifetime$|\.renewalRatio$|maxToStringFields$",
    re.IGNORECASE,
)
_URI_LOGIN = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
_MIN_SECRET_CHARS = 4


def secret_pattern(properties: Mapping[str, str | None]) -> re.Pattern[str] | None:
    """Return the person's own ``spark.redaction.regex`` compiled, if there is one.

    Raises:
        InputError: it is not a regular expression.
    """
    expression = properties.get(REDACTION_KEY)
    if not expression:
        return None
    try:
        # Java writes an embedded flag where Python wants it too: at the very start.
        return re.compile(expression)
    except re.error as error:
        raise InputError(
            f"{REDACTION_KEY}: {expression!r} is not a regular expression ({error}): mend it"
        ) from error


def is_secret(name: str, pattern: re.Pattern[str] | None = None) -> bool:
    """Say whether a property or an option of this name holds something to be kept secret."""
    if pattern is not None and pattern.search(name):
        return True
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET_NAME.search(name)


class Secrets:
    """The secret values of one workload, so that any text can be freed of them."""

    def __init__(
        self, properties: Mapping[str, str | None] | None = None, arguments: Sequence[str] = ()
    ) -> None:
        properties = properties or {}
        self._pattern = secret_pattern(properties)
        found = {value for name, value in properties.items() if value and self.hides(name)} | set(
            self._in_arguments(arguments)
        )
        long_enough = {value for value in found if len(value) >= _MIN_SECRET_CHARS}
        long_enough |= {json.dumps(value)[1:-1] for value in long_enough}
        self._values = sorted(long_enough, key=len, reverse=True)

    def hides(self, name: str) -> bool:
        """Say whether a property of this name is kept back."""
        return is_secret(name, self._pattern)

    def _in_arguments(self, arguments: Sequence[str]) -> Iterable[str]:
        for position, argument in enumerate(arguments):
            name, equals, value = argument.partition("=")
            if not self.hides(name) or argument.startswith("{"):
                continue
            if equals:
                yield value
            elif name.startswith("-") and position + 1 < len(arguments):
                yield arguments[position + 1]

    def scrub(self, text: str) -> str:
        """Return *text* with every known secret, and every login in a URI, blotted out."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return without_login(text)

    def scrubbed(self, data: Any) -> Any:
        """Return JSON-like *data* with the values of secret keys, and every quote, blotted out."""
        if isinstance(data, str):
            return self.scrub(data)
        if isinstance(data, dict):
            return {
                key: HIDDEN if isinstance(value, str) and self.hides(key) else self.scrubbed(value)
                for key, value in data.items()
            }
        return [self.scrubbed(item) for item in data] if isinstance(data, list) else data


def without_login(text: str) -> str:
    """Return *text* with ``user:password`` of URIs blotted out."""
    return _URI_LOGIN.sub(HIDDEN, text)
