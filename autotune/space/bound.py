"""A space on one machine for one person's job: choices ↔ configs, always feasible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autotune.domain import Config, Machine
from autotune.errors import InputError
from autotune.space.choice import BoundChoice
from autotune.space.numeric import BoundNumber
from autotune.space.parameter import Dimension, Space
from autotune.space.rules import BoundRule
from autotune.space.units import same_value, write_number

Choices = Mapping[str, float | int | str | None]
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class State:
    """Values of the parameters that have an effect: numbers, and choices."""

    numbers: dict[str, float]
    picked: dict[str, str | None]


@dataclass(frozen=True)
class BoundSpace:
    """What ``bind`` makes; see there. ``dimensions`` are what a search sees."""

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
            state = self.state(current)
            repaired = self._without_what_fails(self._repaired(state))
            positions = self._positions(repaired)
            if self.state(positions) == repaired:
                kept = all(rule.holds(repaired.numbers) for rule in self.rules)
                return self.config(repaired) if kept else self.baseline
            current = positions
        return self.baseline

    def encode(self, config: Config) -> dict[str, float | int | str | None]:
        """Return the choices that decode to *config*; parameters without effect are absent.

        Raises:
            InputError: A value is none of this space's.
        """
        numbers: dict[str, float] = {}
        picked: dict[str, str | None] = {}
        state = State(numbers, picked)
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

    def adjusted(self, wishes: Mapping[str, str]) -> Config:
        """Return the person's own config with some values changed, on the ladder, rules kept.

        Args:
            wishes: Parameter → Spark string (of a parameter with JVM flags: one of its choices).
                What has no effect here, is fixed, or is none of the choices is left aside.
        """
        numbers: dict[str, float] = {}
        picked: dict[str, str | None] = {}
        state = State(numbers, picked)
        for name, bound in self.bound.items():
            if not self._active(name, state):
                continue
            wish = wishes.get(name) if name in self.free else None
            if isinstance(bound, BoundChoice):
                picked[name] = bound.wished(wish)
            else:
                value = None if wish is None else bound.read(wish)
                numbers[name] = bound.own.value if value is None else value
        return self.decode(self._positions(state))

    def keeps_rules(self, config: Config) -> bool:
        """Whether a config keeps every rule, limits widened to the person's own configuration."""
        state = self.state(self.encode(config))
        return all(rule.holds(state.numbers) for rule in self.rules)

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

    def _active(self, name: str, state: State) -> bool:
        """Whether a parameter has an effect, given the ones before it."""
        if name in self.idle:
            return False
        when = self.bound[name].parameter.when
        if not when:
            return True
        for parent, wanted in when.items():
            meaning = self._meaning(parent, state)
            if meaning is None or not any(same_value(meaning, text) for text in wanted):
                return False
        return True

    def _meaning(self, name: str, state: State) -> str | None:
        bound = self.bound[name]
        if name in self.idle:
            return None
        if isinstance(bound, BoundChoice):
            return bound.meaning(state.picked[name]) if name in state.picked else None
        if name not in state.numbers:
            return None
        value = state.numbers[name]
        return bound.spell(value) or write_number(value, bound.parameter.type)

    def scale(self, bound: BoundNumber, numbers: Mapping[str, float]) -> float:
        """Return what a parameter's positions are multiples of, the others being *numbers*."""
        return bound.scale.at(lambda name: numbers.get(name, self._own_number(name)))

    def _own_number(self, name: str) -> float | None:
        bound = self.bound.get(name)
        return bound.own.value if isinstance(bound, BoundNumber) else None

    def state(self, choices: Choices) -> State:
        """Read choices into values, in order, without looking at the rules."""
        numbers: dict[str, float] = {}
        picked: dict[str, str | None] = {}
        state = State(numbers, picked)
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
        scale = self.scale(bound, numbers)
        low = bound.low if bound.floor is None else bound.floor
        return bound.snap(min(max(choice, low), bound.high) * scale, scale)

    def _repaired(self, state: State) -> State:
        numbers = state.numbers

        def floor(name: str, value: float) -> float:
            bound = self.bound[name]
            assert isinstance(bound, BoundNumber)
            return bound.snap(value, self.scale(bound, numbers), down=True)

        for _ in self.rules:
            before = numbers
            for rule in self.rules:
                numbers = rule.repaired(numbers, self.free, floor)
                if not rule.holds(numbers):
                    numbers = self._raised(rule, numbers)
            if numbers == before:
                break
        return State(numbers, state.picked)

    def _raised(self, rule: BoundRule, numbers: dict[str, float]) -> dict[str, float]:
        """Undo what went below one that may not change: the person's own values fit each other."""
        limits = rule.rule.ordered[1:] if rule.rule.ordered else (rule.of,)
        raised = dict(numbers)
        for name in limits:
            bound = self.bound.get(name or "")
            if name in numbers and name in self.free and isinstance(bound, BoundNumber):
                raised[name] = max(numbers[name], bound.own.value)
        return raised

    def _without_what_fails(self, state: State) -> State:
        """Switch back what a rule has no room for, e.g. off-heap memory beside a huge heap."""
        picked = dict(state.picked)
        for rule in self.rules:
            if rule.holds(state.numbers):
                continue
            for name in rule.rule.names:
                for parent in self.bound[name].parameter.when:
                    bound = self.bound[parent]
                    if isinstance(bound, BoundChoice) and parent in picked:
                        picked[parent] = bound.own
        return State(state.numbers, picked)

    def _positions(self, state: State) -> dict[str, float | int | str | None]:
        positions: dict[str, float | int | str | None] = {}
        for name, bound in self.bound.items():
            if name not in self.free:
                continue
            if isinstance(bound, BoundChoice):
                if name in state.picked:
                    positions[name] = state.picked[name]
            elif name in state.numbers:
                scale = self.scale(bound, state.numbers)
                positions[name] = bound.relative(state.numbers[name], scale)
        return positions

    def config(self, state: State) -> Config:
        """Spell values as Spark reads them."""
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
