"""A parameter with choices: categorical, yes or no, and JVM flags that join the person's own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from autotune.space.parameter import Dimension, DimensionKind, Parameter
from autotune.space.units import ParameterType, same_value

_COLLECTOR = re.compile(r"-XX:[+-]Use\w*GC\Z")
_NAMED_FLAG = re.compile(r"-XX:[+-]?(\w+)")


@dataclass(frozen=True, slots=True)
class BoundChoice:
    """One parameter with choices, the person's own among them."""

    parameter: Parameter
    texts: dict[str | None, str | None]
    """What a search chooses → what Spark gets (``None``: unset)."""
    own: str | None
    """The choice that is the person's own."""
    unset: str | None
    """What an unset value behaves as, where that is known."""

    def read(self, text: str | None) -> str | None:
        """Return the choice that stands for a string; ``KeyError`` where there is none."""
        for choice, own_text in self.texts.items():
            if text == own_text:
                return choice
        wanted = self.unset if text is None else text
        for choice in self.texts:
            meaning = self.meaning(choice)
            if wanted is not None and meaning is not None and _same(wanted, meaning):
                return choice
        raise KeyError(text)

    def wished(self, text: str | None) -> str | None:
        """Return the choice that *text* names or means, else the person's own."""
        if text is None:
            return self.own
        if text in self.texts:
            return text
        try:
            return self.read(text)
        except KeyError:
            return self.own

    def meaning(self, choice: str | None) -> str | None:
        """Return what a choice makes of the job, an unset one included."""
        text = self.texts[choice]
        return self.unset if text is None else text

    def dimension(self) -> Dimension | None:
        """Return what a search sees."""
        if len(self.texts) < 2:
            return None
        return Dimension(
            name=self.parameter.name, kind=DimensionKind.CATEGORICAL, choices=tuple(self.texts)
        )


def bind_choice(parameter: Parameter, *, own: str | None, unset: str | None) -> BoundChoice:
    """Widen the choices once, so that they hold the person's own value.

    A choice that an unset value means anyway is written as "unset" where the person leaves it
    unset, so that one thing is not tried under two names.
    """
    if parameter.append:
        return _bind_flags(parameter, own=own, unset=unset)
    listed: tuple[str | None, ...] = parameter.choices
    if parameter.type is ParameterType.BOOL:
        listed = ("true", "false")
    meant = own if own is not None else unset
    texts: list[str | None] = [
        own if text is not None and meant is not None and _same(text, meant) else text
        for text in listed
    ]
    if own not in texts:
        texts.append(own)
    return BoundChoice(parameter, {text: text for text in texts}, own, unset)


def _bind_flags(parameter: Parameter, *, own: str | None, unset: str | None) -> BoundChoice:
    """Let each choice of JVM flags join the person's flags; ``None`` leaves theirs alone."""
    texts: dict[str | None, str | None] = {None: own}
    held = set(_tokens(own or unset))
    listed = [flags for flags in parameter.choices if flags is not None]
    fitting = [flags for flags in listed if set(_tokens(flags)) <= held]
    own_choice = max(fitting, key=lambda flags: len(_tokens(flags)), default=None)
    if own_choice is not None:
        del texts[None]
    for flags in listed:
        texts[flags] = own if flags == own_choice else join_flags(own, flags)
    return BoundChoice(parameter, texts, own_choice, unset)


def join_flags(own: str | None, added: str) -> str:
    """Add JVM flags to the person's own; where two set the same option, the added one stays."""
    new = _tokens(added)
    settled = {_option(token) for token in new}
    kept = [token for token in _tokens(own) if _option(token) not in settled]
    return " ".join(_quoted([*kept, *new]))


def _option(token: str) -> str:
    """Return what a JVM flag sets: all garbage collectors are one option."""
    if _COLLECTOR.match(token):
        return "collector"
    named = _NAMED_FLAG.match(token)
    if named:
        return named[1]
    short = re.match(r"-X(ms|mx|ss|mn)", token)
    return short[0] if short else token.split("=", 1)[0]


@lru_cache(maxsize=256)
def _tokens(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


def _quoted(tokens: Iterable[str]) -> list[str]:
    return [f'"{token}"' if re.search(r"\s", token) else token for token in tokens]


def _same(left: str, right: str) -> bool:
    return left.casefold() == right.casefold() or same_value(left, right)
