"""A space as people read it: what each parameter may be, here and in general."""

from __future__ import annotations

from collections.abc import Mapping

from autotune.domain import PropertyFact, Value
from autotune.space.binding import default_of
from autotune.space.bound import BoundSpace
from autotune.space.choice import BoundChoice
from autotune.space.numeric import BoundNumber
from autotune.space.parameter import Parameter
from autotune.space.units import write_number


class SpaceRow(Value):
    """One parameter, in words."""

    name: str
    type: str
    range: str
    """As the file says it."""
    here: str
    """On this machine, with this person's own value inside; ``–``: without effect here."""
    unit: str
    default: str
    relative_to: str
    applies: str
    when: str
    why: str


def rows_of(bound: BoundSpace, facts: Mapping[str, PropertyFact]) -> tuple[SpaceRow, ...]:
    """Return one row a parameter, in the order of the file."""
    return tuple(_row(parameter, bound, facts) for parameter in bound.space.parameters)


def _row(parameter: Parameter, bound: BoundSpace, facts: Mapping[str, PropertyFact]) -> SpaceRow:
    default = default_of(parameter.name, {}, facts)
    return SpaceRow(
        name=parameter.name,
        type=parameter.type.value,
        range=_range(parameter),
        here=_here(parameter, bound),
        unit=parameter.unit,
        default=default if default is not None else parameter.unset_as or "",
        relative_to=_relative_to(parameter),
        applies=parameter.applies.value if parameter.is_property else "argument",
        when=", ".join(f"{name} = {'|'.join(texts)}" for name, texts in parameter.when.items()),
        why=parameter.why,
    )


def _range(parameter: Parameter) -> str:
    if not parameter.type.numeric:
        return " | ".join(text or "unset" for text in parameter.choices or ("true", "false"))
    text = f"{_plain(parameter.low)} … {_plain(parameter.high)}"
    if parameter.low_as is not None:
        text += f" (lowest: {parameter.low_as})"
    return text + (" (log)" if parameter.log else "")


def _here(parameter: Parameter, bound: BoundSpace) -> str:
    part = bound.bound[parameter.name]
    if parameter.name in bound.idle:
        return "–"
    if isinstance(part, BoundChoice):
        return " | ".join("unset" if text is None else text for text in part.texts.values())
    low, high = part.bounds(bound.scale(part, {}))
    if part.floor is None:
        low, high = min(low, part.own.value), max(high, part.own.value)
    return f"{_spelled(part, low)} … {_spelled(part, high)}"


def _spelled(part: BoundNumber, value: float) -> str:
    text = part.spell(value)
    return f"{write_number(value, part.parameter.type)} (unset)" if text is None else text


def _relative_to(parameter: Parameter) -> str:
    if parameter.per is not None:
        return f"per {parameter.per.value}"
    share = f", by share of {parameter.share}" if parameter.share else ""
    return f"of {parameter.of}{share}" if parameter.of else ""


def _plain(scalar: float | str | None) -> str:
    return format(scalar, ".10g") if isinstance(scalar, float) else str(scalar)
