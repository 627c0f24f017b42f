"""A chosen configuration in the forms that other programs read.

By default only what changes is written: a file that repeats all defaults of one machine grows old
and hides what was decided. Identifiers of one run and secrets are never written, only counted.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from pydantic import Field

from autotune.domain import Config, Value
from autotune.redaction import HIDDEN, Secrets, without_login

DRIVER_MEMORY: Final = "spark.driver.memory"

_RUN_SPECIFIC: Final = re.compile(
    r"spark\.app\..*"
    r"|spark\.driver\.(host|port|appUIAddress|bindAddress|blockManager\.port)"
    r"|spark\.executor\.id"
    r"|spark\.(repl\.class\.(uri|outputDir)|externalBlockStore\.folderName)"
    r"|spark\.(yarn\.app\.id|kubernetes\.driver\.pod\.name|ui\.proxyBase)"
)


class Target(StrEnum):
    """Where a configuration is to be used."""

    CONF = "conf"
    """``spark-defaults.conf``, or any file for ``--properties-file``."""
    SUBMIT = "submit"
    """Options of ``spark-submit``, for a shell."""
    JSON = "json"


class Meta(Value):
    """What a file says of its own origin."""

    study: str
    date: date
    version: str
    """Of autotune."""
    gain: str | None = None
    """The confirmed gain in words; ``None``: none was confirmed."""


class Choice(Value):
    """What was chosen, beside what it replaces."""

    now: Config
    was: Config
    today: dict[str, str] = Field(default={})
    """All properties that the person sets; a config overlays them, ``None`` takes one away."""
    reasons: dict[str, str] = Field(default={})
    """Parameter → why it matters."""

    def rolled_back(self) -> Choice:
        """Return the way back: old values in the place of the new ones."""
        return self.model_copy(update={"now": self.was, "was": self.now, "reasons": {}})


class Change(Value):
    """One property or argument, before and after; ``None``: not set."""

    name: str
    old: str | None
    new: str | None
    argument: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return self.old != self.new


def changes(choice: Choice, *, full: bool = False) -> tuple[Change, ...]:
    """Return what changes, properties first and in alphabetical order; with *full*, everything.

    Identifiers of one run and secrets are left out; :func:`withheld` counts them.
    """
    secrets = Secrets(choice.today)
    return tuple(
        change
        for change in _all_changes(choice)
        if (full or change.changed) and not _hidden(change, secrets)
    )


def withheld(choice: Choice, *, full: bool = False) -> int:
    """Return how many entries :func:`changes` left out."""
    secrets = Secrets(choice.today)
    return sum(
        (full or change.changed) and _hidden(change, secrets) for change in _all_changes(choice)
    )


def render(target: Target, choice: Choice, meta: Meta, *, full: bool = False) -> str:
    """Return *choice* in the form of *target*.

    Args:
        target: the form.
        choice: new and old values.
        meta: what the file says of itself.
        full: everything that is set, not only what changes.

    Raises:
        InputError: the person's ``spark.redaction.regex`` can't be read.
    """
    if target is Target.JSON:
        return _json(choice, meta, full=full)
    header = [f"# {_one_line(line)}".rstrip() for line in _header(target, choice, meta, full)]
    shown = [change for change in changes(choice, full=full) if not change.argument]
    lines = _conf_lines(shown) if target is Target.CONF else _submit_lines(shown)
    return "\n".join([*header, *lines]) + "\n"


def rollback(target: Target, choice: Choice, meta: Meta) -> str:
    """Return the old values of what changes, to undo it."""
    undone = meta.model_copy(update={"study": f"{meta.study} (rollback: old values)"})
    return render(target, choice.rolled_back(), undone)


def _all_changes(choice: Choice) -> Iterator[Change]:
    old, new = (_merged(choice.today, config) for config in (choice.was, choice.now))
    for name in sorted({*old, *new}):
        yield Change(name=name, old=old.get(name), new=new.get(name))
    before, after = choice.was.arguments, choice.now.arguments
    for name in sorted({*before, *after}):
        yield Change(name=name, old=before.get(name), new=after.get(name), argument=True)


def _merged(today: Mapping[str, str], config: Config) -> dict[str, str]:
    merged: dict[str, str | None] = {**today, **config.properties}
    return {name: value for name, value in merged.items() if value is not None}


def _hidden(change: Change, secrets: Secrets) -> bool:
    if _RUN_SPECIFIC.fullmatch(change.name) or secrets.hides(change.name):
        return True
    # A login inside an address, another property's secret quoted in this one, or one that was
    # blotted out when it was stored.
    return any(
        value is not None and (HIDDEN in value or secrets.scrub(value) != value)
        for value in (change.old, change.new)
    )


def _header(target: Target, choice: Choice, meta: Meta, full: bool) -> Iterator[str]:
    yield f"Spark configuration of study {meta.study}, by autotune {meta.version}, {meta.date}"
    yield f"Confirmed gain: {meta.gain}" if meta.gain else "No gain was confirmed."
    if target is Target.CONF:
        yield "Use: spark-submit --properties-file THIS_FILE …"
        if not full:
            yield (
                "Spark skips its own spark-defaults.conf then: append these lines to it instead,"
                " or export with --full."
            )
    hidden = withheld(choice, full=full)
    if hidden:
        yield f"Left out: {hidden} (secrets and identifiers of one run)"
    for change in changes(choice, full=full):
        if change.argument:
            yield f"Argument of the job: {change.name} = {change.new} (was {change.old})"
        elif change.new is None:
            yield f"Remove {change.name} (was {change.old})"


def _conf_lines(shown: list[Change]) -> list[str]:
    return [
        f"{escape_key(change.name)}{' ' if change.new else '='}{escape_value(change.new)}"
        for change in shown
        if change.new is not None
    ]


def _submit_lines(shown: list[Change]) -> list[str]:
    options = []
    for change in shown:
        if change.new is None:
            continue
        if change.name == DRIVER_MEMORY:
            options.append(f"--driver-memory {shlex.quote(change.new)}")
        else:
            options.append(f"--conf {shlex.quote(f'{change.name}={change.new}')}")
    return [f"{option} \\" for option in options[:-1]] + options[-1:]


def _json(choice: Choice, meta: Meta, *, full: bool) -> str:
    source = f"autotune {meta.version}, study {meta.study}, {meta.date}"
    data = {
        change.name: {
            "old": change.old,
            "new": change.new,
            "reason": choice.reasons.get(change.name),
            "source": source if change.changed else "kept",
            **({"argument": True} if change.argument else {}),
        }
        for change in changes(choice, full=full)
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def escape_key(name: str) -> str:
    """Return *name* as the key of a line in a Java properties file."""
    return _escape_unprintable(re.sub(r"([\\ :=#!])", r"\\\1", name))


def escape_value(value: str) -> str:
    r"""Return *value* as the value of a line in a Java properties file.

    Java takes a backslash as an escape, skips blanks before a value, and takes one ``=`` or ``:``
    there as the separator.
    """
    escaped = _escape_unprintable(value.replace("\\", "\\\\"))
    return "\\" + escaped if escaped[:1] in (" ", "=", ":", "#", "!") else escaped


def _escape_unprintable(text: str) -> str:
    return "".join(char if " " <= char <= "~" else _unicode_escape(char) for char in text)


def _unicode_escape(char: str) -> str:
    units = char.encode("utf-16-be", errors="surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs)


def _one_line(text: str) -> str:
    return without_login(" ".join(text.split()))
