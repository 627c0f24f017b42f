"""Give a space a machine and a person: widen it once, so that what they run is inside."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from autotune.domain import Config, Machine, PropertyFact
from autotune.space.bound import BoundSpace
from autotune.space.choice import BoundChoice, bind_choice
from autotune.space.numeric import BoundNumber, bind_number, scale_of
from autotune.space.order import in_order
from autotune.space.parameter import Parameter, Space, mode_of
from autotune.space.rules import bind_rule
from autotune.space.units import read_share, write_number

_REFERENCE = re.compile(r"<value of (.+)>\Z")


def bind(
    space: Space,
    *,
    machine: Machine,
    baseline: Mapping[str, str],
    facts: Mapping[str, PropertyFact],
    fixed: Collection[str] = (),
) -> BoundSpace:
    """Give a space a machine and the person's own configuration.

    Ranges, choices and limits are widened once to hold that configuration, "unset" included, so
    every rule can be kept: at worst with what the person runs today.

    Args:
        space: What the file says.
        machine: What sizes and counts are relative to.
        baseline: The person's own properties, and values of the job's arguments by name.
        facts: What this version of Spark says of its properties.
        fixed: Parameters that stay as the person has them (the job overrides them).

    Raises:
        InputError: A rule or condition names an unknown parameter, or they form a circle.
    """
    own = {p.name: _own(p, baseline) for p in space.parameters}
    bound: dict[str, BoundNumber | BoundChoice] = {}
    for parameter in in_order(space):
        unset = _unset(parameter, machine, baseline, facts)
        bound[parameter.name] = _bind(parameter, machine, bound, own[parameter.name], unset)
    idle = _idle(space, machine)
    dimensions = tuple(
        dimension
        for parameter in space.parameters
        if parameter.name not in idle and parameter.name not in fixed
        if (dimension := bound[parameter.name].dimension()) is not None
    )
    draft = BoundSpace(
        space=space,
        machine=machine,
        baseline=Config(),
        dimensions=dimensions,
        bound=bound,
        rules=(),
        own=own,
        free=frozenset(dimension.name for dimension in dimensions),
        idle=idle,
    )
    return _with_rules(draft)


def _idle(space: Space, machine: Machine) -> frozenset[str]:
    """Return the parameters without effect in this mode or this Spark."""
    mode = mode_of(machine.master)
    return frozenset(
        parameter.name
        for parameter in space.parameters
        if mode not in parameter.modes or not parameter.applies_to(machine.spark_version)
    )


def _with_rules(draft: BoundSpace) -> BoundSpace:
    """Add the rules and the person's own config, which both need the bound parameters."""
    state = draft.state({})
    mode = mode_of(draft.machine.master)
    rules = tuple(
        bind_rule(rule, draft.bound[rule.names[0]].parameter, draft.machine, state.numbers)
        for rule in draft.space.rules
        if mode in rule.modes
    )
    return replace(draft, rules=rules, baseline=draft.config(state))


def _bind(
    parameter: Parameter,
    machine: Machine,
    before: Mapping[str, BoundNumber | BoundChoice],
    own: str | None,
    unset: str | None,
) -> BoundNumber | BoundChoice:
    if not parameter.type.numeric:
        return bind_choice(parameter, own=own, unset=unset)
    scale = scale_of(parameter, machine)

    def effective(name: str) -> float | None:
        part = before.get(name)
        return part.own.value if isinstance(part, BoundNumber) else None

    return bind_number(parameter, scale, own=own, unset=unset, at=scale.at(effective))


def _own(parameter: Parameter, baseline: Mapping[str, str]) -> str | None:
    """Return the person's own string; an argument always has one."""
    own = baseline.get(parameter.name)
    if own is not None or parameter.is_property:
        return own
    if parameter.unset_as is not None:
        return parameter.unset_as
    listed = next((text for text in parameter.choices if text is not None), None)
    if listed is not None or not parameter.type.numeric:
        return listed or "false"
    return write_number(parameter.number(parameter.low or 0) or 0.0, parameter.type)


def _unset(
    parameter: Parameter,
    machine: Machine,
    baseline: Mapping[str, str],
    facts: Mapping[str, PropertyFact],
) -> str | None:
    """Return the string that an unset value behaves as: the file's word, else Spark's default."""
    if parameter.unset_as is not None:
        number = parameter.number(parameter.unset_as) if parameter.type.numeric else None
        if number is None or not parameter.relative or not _bare(parameter.unset_as):
            return parameter.unset_as
        return write_number(
            number * scale_of(parameter, machine).at(lambda _: None), parameter.type
        )
    return default_of(parameter.name, baseline, facts)


def _bare(text: str) -> bool:
    """Whether a value is a share or a multiple, not a quantity with a unit."""
    return read_share(text) is not None or text.replace(".", "", 1).isdigit()


def default_of(
    name: str, baseline: Mapping[str, str], facts: Mapping[str, PropertyFact]
) -> str | None:
    """Return Spark's own default, following the properties that it falls back to."""
    for _ in range(5):
        fact = facts.get(name)
        if fact is None or fact.default is None:
            return None
        reference = _REFERENCE.match(fact.default)
        if reference is None:
            return fact.default
        name = reference[1]
        if name in baseline:
            return baseline[name]
    return None
