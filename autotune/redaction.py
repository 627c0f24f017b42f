"""What must never leave the machine: passwords, tokens, keys, and every text that quotes them.

A property, an argument or a variable of the environment is judged by its name, as Spark does in
its own pages, and by the expressions that the person gave Spark for that. Its value is then left
out of every text, in whichever form it may be quoted; so is what looks like a secret by itself.
What is left out is left out whole, and the number of omissions is told, so that nobody hunts for
a missing key.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from autotune.errors import InputError

REDACTION_KEY = "spark.redaction.regex"
OPTIONS_KEY = "spark.sql.redaction.options.regex"
TEXT_KEYS = ("spark.redaction.string.regex", "spark.sql.redaction.string.regex")
_EXPRESSIONS = (REDACTION_KEY, OPTIONS_KEY, *TEXT_KEYS)
HIDDEN = "*****"

_SECRET_NAME = re.compile(
    r"password|passwd|passphrase|(?:^|[._-])(?:pwd|pw|pass|sig)(?:$|[._-])|secret|token"
    r"|(?:access|api|account|private|encryption)[._-]?key|credential|signature|authorization",
    re.IGNORECASE,
)
_NOT_SECRET_NAME = re.compile(
    r"\.enabled$|\.ttl$|\.interval$|\.timeout$|\.maxLifetime$|\.renewalRatio$|maxToStringFields$"
    r"|credentials?\.provider$",
    re.IGNORECASE,
)
_SHORT_OPTIONS = {"-p", "-P", "-pw", "-pass"}
_LOGIN = re.compile(
    r"(?<=/)(?:[A-Z0-9]{16,}:[^\s@\"']+|[^/\s:@\"']*:[^/\s\"']+|[^/\s:@\"']{20,})(?=@)"
)
_ASSIGNED = re.compile(
    r"(?<![\w.$-])(?P<name>-{0,2}[\w.$-]{2,100})(?:\\*[\"']?\s*(?:=|:|->)\s*|(?P<blank>\s+))"
)
_VALUE = re.compile(
    r"(?P<open>\\*[\"'])(?P<quoted>[^\n]{0,4000}?)(?P=open)|(?P<bare>[^\s\"'`,;&<>\\)\]}|]+)"
)
_BY_ITSELF = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=Bearer )[\w.~+/=-]{8,}|(?<=Basic )[\w+/=]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bdapi[0-9a-f]{32}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+",
    re.DOTALL | re.IGNORECASE,
)
_TELLS_NOTHING = re.compile(
    r"(?:true|false|null|none|yes|no|on|off|default|local|\d{1,5}|\*+(?:\(redacted\))?"
    r"|\{[\w.-]+\}|\$\{?[\w.]+\}?|%\w|<[\w.-]+>|.{0,3})",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{[\w.-]+\}|\$\{[\w.]+\}|<[\w.-]+>")
_WEAK = re.compile(r"[a-z]{1,7}|\d{1,7}", re.IGNORECASE)
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_MIN_CUT = 5
_MIN_FROM_ENVIRONMENT = 6
_ELLIPSIS = re.compile(r"\s*…\s*")


def secret_pattern(properties: Mapping[str, str | None]) -> re.Pattern[str] | None:
    """Return the person's own ``spark.redaction.regex`` compiled, if there is one.

    Raises:
        InputError: it is not a regular expression.
    """
    return _compiled(properties, REDACTION_KEY)


def is_secret(name: str, pattern: re.Pattern[str] | None = None) -> bool:
    """Say whether a property or an option of this name holds something to be kept secret."""
    if pattern is not None and pattern.search(name):
        return True
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET_NAME.search(name)


class Secrets:
    """The secret values of one workload, so that any text can be freed of them."""

    def __init__(
        self,
        properties: Mapping[str, str | None] | None = None,
        arguments: Sequence[str] = (),
        *,
        texts: Iterable[str | None] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Collect what is secret.

        Args:
            properties: Spark's, the person's own.
            arguments: of the job, and options of ``spark-submit``.
            texts: what else may hold a login: addresses of data, masters, stores.
            environment: variables that the job inherits; ``None``: those of this process.

        Raises:
            InputError: an expression that the person set for redaction can't be read.
        """
        properties = properties or {}
        self._pattern = secret_pattern(properties)
        self._options = _compiled(properties, OPTIONS_KEY)
        self._text_patterns = [
            found for key in TEXT_KEYS if (found := _compiled(properties, key)) is not None
        ]
        inherited = os.environ if environment is None else environment
        values = {value for name, value in properties.items() if value and self._kept(name, value)}
        values |= {arguments[place] for place in self._places(arguments)}
        values |= {
            value
            for name, value in inherited.items()
            if len(value) >= _MIN_FROM_ENVIRONMENT and "/" not in value[:1] and self.hides(name)
        }
        for text in (*properties.values(), *arguments, *texts):
            values |= {text[start:end] for start, end in self._found(text)} if text else set()
            values |= {match[0].partition(":")[2] for match in _LOGIN.finditer(text or "")}
        self._values = sorted((v for v in values if not _TELLS_NOTHING.fullmatch(v)), key=len)
        forms = {form for value in self._values for form in _forms(value)}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(_expression, ordered))) if forms else None

    def hides(self, name: str) -> bool:
        """Say whether a property of this name is kept back."""
        if self._options is not None and self._options.search(name):
            return True
        return is_secret(name, self._pattern)

    def arguments(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return *arguments* with every secret one blotted out, however short it is."""
        hidden = self._places(arguments)
        return tuple(
            HIDDEN if place in hidden else self.scrub(argument)
            for place, argument in enumerate(arguments)
        )

    def scrub(self, text: str) -> str:
        """Return *text* with every known secret, and all that looks like one, blotted out."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
            text = self._without_cut_ends(text)
        return _without(text, self._found(text))

    def scrubbed(self, data: Any) -> Any:
        """Return JSON-like *data* with the values of secret keys, and every quote, blotted out."""
        if isinstance(data, str):
            return self.scrub(data)
        if isinstance(data, dict):
            return {key: self._scrubbed_at(key, value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            if all(isinstance(item, str) for item in data):
                return list(self.arguments(data))
            return [self.scrubbed(item) for item in data]
        return data

    def _scrubbed_at(self, key: str, value: Any) -> Any:
        if key in _EXPRESSIONS:
            return value  # with a piece blotted out it would be another expression
        if isinstance(value, str) and self._kept(key, value):
            return HIDDEN
        return self.scrubbed(value)

    def _kept(self, name: str, value: str) -> bool:
        """Say whether a value is kept back whole; Spark tries its expression on values too."""
        if name in _EXPRESSIONS:
            return False
        matches = self._pattern is not None and "." in name and self._pattern.search(value)
        return self.hides(name) or bool(matches)

    def _places(self, arguments: Sequence[str]) -> set[int]:
        """Return where an argument is a secret as a whole: what follows ``--password``."""
        return {
            place
            for place in range(1, len(arguments))
            if (option := arguments[place - 1]).startswith("-")
            and "=" not in option
            and (option in _SHORT_OPTIONS or self.hides(option))
            and not arguments[place].startswith(("{", "--"))
            and not (option in _SHORT_OPTIONS and _TELLS_NOTHING.fullmatch(arguments[place]))
        }

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where *text* holds something that looks like a secret."""
        for pattern in (_LOGIN, _BY_ITSELF, *self._text_patterns):
            yield from (match.span() for match in pattern.finditer(text))
        for match in _ASSIGNED.finditer(text):
            name = match["name"]
            if match["blank"] and not (name.startswith("-") or "." in name.strip(".")):
                continue
            # The value of an option may be missing; the next option is not it.
            if (match["blank"] and text.startswith("-", match.end())) or not self.hides(name):
                continue
            value = _VALUE.match(text, match.end())
            if _PLACEHOLDER.match(text, match.end()):
                continue
            if value and not _TELLS_NOTHING.fullmatch(value["quoted"] or value["bare"] or ""):
                yield value.span("bare" if value["quoted"] is None else "quoted")

    def _without_cut_ends(self, text: str) -> str:
        """Blot out what is left of a secret where a text was cut: at its ends, beside ``…``."""
        parts, place = [], 0
        for cut in [*_ELLIPSIS.finditer(text), None]:
            end = cut.start() if cut else len(text)
            parts.append(self._without_ends(text[place:end]))
            if cut:
                parts.append(cut[0])
                place = cut.end()
        return "".join(parts)

    def _without_ends(self, text: str) -> str:
        for value in self._values:
            sizes = range(min(len(value) - 1, len(text)), max(_MIN_CUT, len(value) // 4) - 1, -1)
            size = next((size for size in sizes if text.endswith(value[:size])), 0)
            text = text[: len(text) - size] + HIDDEN if size else text
            size = next((size for size in sizes if text.startswith(value[-size:])), 0)
            text = HIDDEN + text[size:] if size else text
        return text


def without_login(text: str) -> str:
    """Return *text* with logins in addresses, and all else that looks secret, blotted out."""
    return _ANYBODYS.scrub(text)


def _compiled(properties: Mapping[str, str | None], key: str) -> re.Pattern[str] | None:
    expression = properties.get(key)
    if not expression:
        return None
    # Java takes a flag such as (?i) anywhere; Python wants it in front, where it hides no less.
    flags = {flag for match in _FLAGS.finditer(expression) for flag in match[1].lower()} & set(
        "ims"
    )
    try:
        front = f"(?{''.join(sorted(flags))})" if flags else ""
        return re.compile(front + _FLAGS.sub("", expression))
    except re.error as error:
        raise InputError(
            f"{key}: {expression!r} is not a regular expression ({error}): mend it"
        ) from error


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, place = [], 0
    for start, end in sorted(spans):
        if end > place:
            parts += [text[place : max(start, place)], HIDDEN if start >= place else ""]
            place = end
    return "".join([*parts, text[place:]])


def _forms(value: str) -> Iterator[str]:
    """Yield how a value may be quoted: as it is, in JSON, in an address, by line, in base64."""
    lines = [line.strip() for line in value.splitlines()]
    plain = {value, value.strip(), unquote(value), *(line for line in lines if len(line) >= 16)}
    for text in plain - {""}:
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield text.replace("'", "'\"'\"'")
        raw = text.encode(errors="surrogatepass")
        yield quote(raw, safe="")
        yield quote(raw, safe="/")
        yield quote_plus(raw)
        if len(raw) >= 6:
            yield from _in_base64(raw)


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 digits that stem from *raw* alone, wherever in a text it is encoded."""
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + raw).decode()
        core = digits[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        yield from (core, core.replace("+", "-").replace("/", "_"))


def _expression(form: str) -> str:
    escaped = re.escape(form)
    # A password such as "spark" must not take every property's name apart.
    return rf"(?<![\w.-]){escaped}(?![\w-]|\.\w)" if _WEAK.fullmatch(form) else escaped


_ANYBODYS = Secrets(environment={})
