"""A space on one machine for one person's job: choices ↔ configs, always feasible."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autotune.domain import Config, Machine, PropertyFact
from autotune.errors import InputError
from autotune.space.choice import BoundChoice, bind_choice
from autotune.space.numeric import BoundNumber, bind_number, scale_of
from autotune.space.order import in_order
from autotune.space.parameter import Dimension, Parameter, Space, mode_of
from autotune.space.rules import BoundRule, bind_rule
from autotune.space.units import read_share, same_value, write_number

Choices = Mapping[str, float | int | str | None]
_REFERENCE = re.compile(r"<value of (.+)>\Z")
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class _State:
    """Values of the parameters that have an effect: numbers, and choices."""

    numbers: dict[str, float]
    picked: dict[str, str | None]


@dataclass(frozen=True)
class BoundSpace:
    """What :func:`bind` makes; see there. ``dimensions`` are what a search sees."""

    space: Space
    machine: Machine
    baseline: Config
    """The person's own configuration on this space."""
    dimensions: tuple[Dimension, ...]
    bound: dict[str, BoundNumber | BoundChoice]
    """Every parameter, those that every other one may depend on first."""
    rules: tuple[BoundRule, ...]
    own: dict[str, str | None]
    free: frozenset[str]
    idle: frozenset[str]
    """Without effect in this mode or this Spark."""

    def decode(self, choices: Choices) -> Config:
        """Return the config of what was sampled, with every rule kept.

        A choice that is missing is the person's own; a position outside the range is moved to its
        end. The result decodes to itself again.

        Raises:
            InputError: A categorical choice is none of this space's.
        """
        current: Choices = choices
        for _ in range(_ROUNDS):
            state = self._state(current)
            repaired = self._repaired(state)
            positions = self._positions(repaired)
            if self._state(positions) == repaired:
                return self._config(repaired)
            current = positions
        return self.baseline

    def encode(self, config: Config) -> dict[str, float | int | str | None]:
        """Return the choices that decode to *config*; parameters without effect are absent.

        Raises:
            InputError: A value is none of this space's.
        """
        numbers: dict[str, float] = {}
        picked: dict[str, str | None] = {}
        state = _State(numbers, picked)
        for name, bound in self.bound.items():
            if not self._active(name, state):
                continue
            text = self._text_of(config, name)
            try:
                if isinstance(bound, BoundChoice):
                    picked[name] = bound.read(text)
                    continue
                value = bound.read(text)
            except KeyError:
                value = None
            if value is None:
                message = f"config: {name}: '{text}' is not in space '{self.space.name}'"
                raise InputError(f"{message}; take a value that `space show` lists")
            numbers[name] = value
        return self._positions(state)

    def keeps_rules(self, config: Config) -> bool:
        """Whether a config keeps every rule, limits widened to the person's own configuration."""
        state = self._state(self.encode(config))
        counted = self._counted(state)
        return all(rule.holds(counted) for rule in self.rules)

    def number(self, name: str, config: Config) -> float | None:
        """Return a numeric parameter's value in a config: bytes, ms or as it is.

        An unset one has the value that it behaves as; ``None`` where nothing is known, or where
        the space has no such number.
        """
        bound = self.bound.get(name)
        if not isinstance(bound, BoundNumber):
            return None
        return bound.read(self._text_of(config, name))

    def _text_of(self, config: Config, name: str) -> str | None:
        if name.startswith("spark."):
            return config.properties.get(name, self.own[name])
        return config.arguments.get(name, self.own[name])

    def _active(self, name: str, state: _State) -> bool:
        """Whether a parameter has an effect, given the ones before it."""
        if name in self.idle:
            return False
        for parent, wanted in self.bound[name].parameter.when.items():
            meaning = self._meaning(parent, state)
            if meaning is None or not any(same_value(meaning, text) for text in wanted):
                return False
        return True

    def _meaning(self, name: str, state: _State) -> str | None:
        bound = self.bound[name]
        if name in self.idle:
            return None
        if isinstance(bound, BoundChoice):
            return bound.meaning(state.picked[name]) if name in state.picked else None
        if name not in state.numbers:
            return None
        value = state.numbers[name]
        return bound.spell(value) or write_number(value, bound.parameter.type)

    def _scale(self, bound: BoundNumber, numbers: Mapping[str, float]) -> float:
        return bound.scale.at(lambda name: numbers.get(name, self._own_number(name)))

    def _own_number(self, name: str) -> float | None:
        bound = self.bound.get(name)
        return bound.own.value if isinstance(bound, BoundNumber) else None

    def _state(self, choices: Choices) -> _State:
        """Read choices into values, in order, without looking at the rules."""
        numbers: dict[str, float] = {}
        picked: dict[str, str | None] = {}
        state = _State(numbers, picked)
        for name, bound in self.bound.items():
            if not self._active(name, state):
                continue
            given = name in choices and name in self.free
            if isinstance(bound, BoundChoice):
                picked[name] = self._picked(bound, choices[name]) if given else bound.own
            elif not given:
                numbers[name] = bound.own.value
            else:
                numbers[name] = self._number(bound, choices[name], numbers)
        return state

    def _picked(self, bound: BoundChoice, choice: object) -> str | None:
        for known in bound.texts:
            if choice == known:
                return known
        message = f"choice '{choice}' of {bound.parameter.name} is not in space"
        raise InputError(f"{message} '{self.space.name}'; start a new study")

    def _number(self, bound: BoundNumber, choice: object, numbers: dict[str, float]) -> float:
        if isinstance(choice, bool) or not isinstance(choice, int | float):
            message = f"choice '{choice}' of {bound.parameter.name} is not a number"
            raise InputError(f"{message}; start a new study")
        scale = self._scale(bound, numbers)
        low = bound.low if bound.floor is None else bound.floor
        return bound.snap(min(max(choice, low), bound.high) * scale, scale)

    def _counted(self, state: _State) -> dict[str, float]:
        return state.numbers

    def _repaired(self, state: _State) -> _State:
        numbers = state.numbers

        def floor(name: str, value: float) -> float:
            bound = self.bound[name]
            assert isinstance(bound, BoundNumber)
            return bound.snap(value, self._scale(bound, numbers), down=True)

        for _ in self.rules:
            before = numbers
            for rule in self.rules:
                numbers = rule.repaired(numbers, self.free, floor)
            if numbers == before:
                break
        return _State(numbers, state.picked)

    def _positions(self, state: _State) -> dict[str, float | int | str | None]:
        positions: dict[str, float | int | str | None] = {}
        for name, bound in self.bound.items():
            if name not in self.free:
                continue
            if isinstance(bound, BoundChoice):
                if name in state.picked:
                    positions[name] = state.picked[name]
            elif name in state.numbers:
                scale = self._scale(bound, state.numbers)
                positions[name] = bound.relative(state.numbers[name], scale)
        return positions

    def _config(self, state: _State) -> Config:
        properties: dict[str, str | None] = {}
        arguments: dict[str, str] = {}
        for parameter in self.space.parameters:
            name = parameter.name
            bound = self.bound[name]
            text = self.own[name]
            if isinstance(bound, BoundChoice) and name in state.picked:
                text = bound.texts[state.picked[name]]
            elif isinstance(bound, BoundNumber) and name in state.numbers:
                text = bound.spell(state.numbers[name])
            if parameter.is_property:
                properties[name] = text
            elif text is not None and (name in state.picked or name in state.numbers):
                arguments[name] = text
        return Config(properties=properties, arguments=arguments)


def bind(
    space: Space,
    *,
    machine: Machine,
    baseline: Mapping[str, str],
    facts: Mapping[str, PropertyFact],
    fixed: Collection[str] = (),
) -> BoundSpace:
    """Give a space a machine and the person's own configuration.

    Ranges, choices and limits are widened once to hold that configuration, "unset" included.

    Args:
        space: What the file says.
        machine: What sizes and counts are relative to.
        baseline: The person's own properties, and values of the job's arguments by name.
        facts: What this version of Spark says of its properties.
        fixed: Parameters that stay as the person has them (the job overrides them).

    Raises:
        InputError: A rule or condition names an unknown parameter, or a rule can't be kept on
            this machine.
    """
    mode = mode_of(machine.master)
    idle = frozenset(
        p.name
        for p in space.parameters
        if mode not in p.modes or not p.applies_to(machine.spark_version)
    )
    own = {p.name: _own(p, baseline) for p in space.parameters}
    bound: dict[str, BoundNumber | BoundChoice] = {}
    for parameter in in_order(space):
        unset = _unset(parameter, machine, baseline, facts)
        bound[parameter.name] = _bind(parameter, machine, bound, own[parameter.name], unset)
    candidates = {
        name: dimension
        for name, part in bound.items()
        if name not in idle and name not in fixed
        if (dimension := part.dimension()) is not None
    }
    draft = BoundSpace(
        space=space,
        machine=machine,
        baseline=Config(),
        dimensions=tuple(candidates[p.name] for p in space.parameters if p.name in candidates),
        bound=bound,
        rules=(),
        own=own,
        free=frozenset(candidates),
        idle=idle,
    )
    return _with_rules(draft)


def _with_rules(draft: BoundSpace) -> BoundSpace:
    """Add the rules and the person's own config, which both need the bound parameters."""
    state = draft._state({})
    mode = mode_of(draft.machine.master)
    rules = tuple(
        bind_rule(rule, draft.bound[rule.names[0]].parameter, draft.machine, state.numbers)
        for rule in draft.space.rules
        if mode in rule.modes
    )
    _check_possible(draft, rules)
    return BoundSpace(
        **{
            **{field: getattr(draft, field) for field in BoundSpace.__dataclass_fields__},
            "rules": rules,
            "baseline": draft._config(state),
        }
    )


def _check_possible(draft: BoundSpace, rules: tuple[BoundRule, ...]) -> None:
    """Refuse rules that even the lowest values break, whatever is switched on."""
    lowest = {}
    for name, part in draft.bound.items():
        if isinstance(part, BoundNumber) and name not in draft.idle:
            scale = draft._scale(part, {})
            free = name in draft.free
            lowest[name] = min(part.bounds(scale)[0], part.own.value) if free else part.own.value
    for rule in rules:
        if not rule.rule.ordered and not rule.holds(lowest):
            message = (
                f"space '{draft.space.name}': rule '{rule.rule.text}' can't be kept on this"
                " machine, even with the lowest values"
            )
            raise InputError(f"{message}; lower at_least or take a larger machine")


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
