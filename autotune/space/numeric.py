"""A numeric parameter on one machine: its range, its ladder and its special values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from autotune.domain import Machine
from autotune.space.parameter import Dimension, DimensionKind, Parameter, Per
from autotune.space.units import (
    ParameterType,
    on_grid,
    read_number,
    rung,
    same_value,
    write_number,
)

Effective = Callable[[str], float | None]
"""The number that a parameter has at the moment, by name."""


@dataclass(frozen=True, slots=True)
class Special:
    """A value with a spelling of its own: the person's own string, "unset", or "off"."""

    value: float
    text: str | None


@dataclass(frozen=True, slots=True)
class Scale:
    """What a relative value is multiplied with; follows other parameters where it has to."""

    constant: float
    times: str | None = None
    whole: float = 1.0
    """What ``times`` is a share of; 1 where the parameter itself is meant."""

    def at(self, effective: Effective) -> float:
        """Return the factor, given what the other parameters are."""
        if self.times is None:
            return self.constant
        other = effective(self.times)
        return self.constant * (self.whole if other is None or other <= 0 else other) / self.whole


@dataclass(frozen=True, slots=True)
class BoundNumber:
    """One numeric parameter, widened to hold the person's value."""

    parameter: Parameter
    scale: Scale
    low: float
    """Relative, as sampled; likewise ``high``."""
    high: float
    least: float | None
    """In the unit of the value itself; likewise ``most``."""
    most: float | None
    specials: tuple[Special, ...]
    """The first is the person's own value."""
    unset: float | None = None
    """What an unset value behaves as, where that is known."""
    floor: float | None = None
    """Lowest position that is held by an odd value of the person, below the range."""
    _ends: dict[float, tuple[float, float]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """By scale: every configuration that is thought of asks for them again."""

    @property
    def own(self) -> Special:
        """The person's own value."""
        return self.specials[0]

    def bounds(self, scale: float) -> tuple[float, float]:
        """Return the lowest and highest regular value at a scale."""
        if scale in self._ends:
            return self._ends[scale]
        low, high = self._on_ladder(self.low * scale, up=True), self._on_ladder(self.high * scale)
        if self.least is not None:
            low = max(low, self.least)
        if self.most is not None:
            high = min(high, self.most)
        if low > high:
            high = low if self.most is None else min(low, self.most)
            low = min(low, high)
        self._ends[scale] = low, high
        return low, high

    def snap(self, value: float, scale: float, *, down: bool = False) -> float:
        """Put a value on the nearest rung, special values included, or the next one below."""
        low, high = self.bounds(scale)
        nearest = None if not down else False
        best = min(max(self._on_ladder(value, up=nearest), low), high)
        for special in self.specials:
            if down and special.value > value * (1 + 1e-12):
                continue
            gain = abs(best - value) - abs(special.value - value)
            if gain >= -1e-9 * abs(value) or (down and best > value):
                best = special.value
        return best

    def spell(self, value: float) -> str | None:
        """Return the string that Spark gets; ``None``: unset."""
        for special in self.specials:
            if math.isclose(value, special.value, rel_tol=1e-9):
                return special.text
        return write_number(value, self.parameter.type)

    def read(self, text: str | None) -> float | None:
        """Return the value of a string, or ``None`` where it is none of this parameter's."""
        for special in self.specials:
            if text == special.text:
                return special.value
        if text is None:
            return self.unset
        for special in self.specials:
            if special.text is not None and same_value(text, special.text):
                return special.value
        return read_number(text, self.parameter.type, self.parameter.bare_unit)

    def relative(self, value: float, scale: float) -> float | int:
        """Return the position that a search sees of a value."""
        low = self.low if self.floor is None else self.floor
        position = min(max(value / scale, low), self.high)
        return round(position) if self.kind is DimensionKind.INT else position

    @property
    def kind(self) -> DimensionKind:
        """Whole numbers that are relative to nothing are whole for the search too."""
        whole = self.parameter.type is ParameterType.INT and not self.parameter.relative
        if whole and self.floor is None and self.low.is_integer() and self.high.is_integer():
            return DimensionKind.INT
        return DimensionKind.FLOAT

    def dimension(self) -> Dimension | None:
        """Return what a search sees, or ``None`` where this machine leaves no choice."""
        low = self.low if self.floor is None else self.floor
        if low >= self.high:
            return None
        return Dimension(
            name=self.parameter.name,
            kind=self.kind,
            low=low,
            high=self.high,
            log=self.parameter.log,
        )

    def _on_ladder(self, value: float, *, up: bool | None = False) -> float:
        parameter = self.parameter
        if parameter.step is None:
            return rung(value, parameter.type, up=up)
        origin = 0.0
        if not parameter.relative and parameter.low is not None:
            origin = parameter.number(parameter.low) or 0.0
        return on_grid(value, origin, parameter.number(parameter.step) or 1.0, up=up)


def scale_of(parameter: Parameter, machine: Machine) -> Scale:
    """Return what the sampled values of *parameter* are multiples of on *machine*."""
    cores = float(machine.cores_per_executor)
    if parameter.per is not None:
        counts = {Per.SLOT: machine.slots, Per.EXECUTOR: machine.executors, Per.CORE: cores}
        return Scale(float(counts[parameter.per]))
    if parameter.of is None:
        return Scale(1.0)
    if parameter.of == "memory":
        return Scale(float(machine.memory_bytes), times=parameter.share, whole=cores)
    return Scale(cores) if parameter.of == "cores" else Scale(1.0, times=parameter.of)


def bind_number(
    parameter: Parameter, scale: Scale, *, own: str | None, unset: str | None, at: float
) -> BoundNumber:
    """Widen a numeric parameter once, so that it holds the person's own value.

    Args:
        parameter: What the file says.
        scale: What its values are relative to.
        own: The person's own string; ``None``: they leave it unset.
        unset: The string that an unset value behaves as, where that is known.
        at: The scale with the person's own configuration.
    """
    low, high = _limit(parameter, parameter.low), _limit(parameter, parameter.high)
    assert low is not None
    assert high is not None
    least, most = _limit(parameter, parameter.at_least), _limit(parameter, parameter.at_most)
    if least is None and parameter.type is ParameterType.INT and parameter.relative and low > 0:
        least = 1.0
    meant = _value(parameter, unset, low)
    value = meant if own is None else _value(parameter, own, low)
    floor = None
    if value is None:
        bottom = max(low, (least or low * at) / at)
        floor = bottom / 1.5 if parameter.log else bottom - (high - bottom) / 20
        value = floor * at
    else:
        low, high = min(low, value / at), max(high, value / at)
        least = None if least is None else min(least, value)
        most = None if most is None else max(most, value)
    specials = [Special(value, own)]
    if parameter.low_as is not None and own != parameter.low_as:
        off = _limit(parameter, parameter.low) or 0.0
        if not math.isclose(off, value, rel_tol=1e-9):
            specials.append(Special(off, parameter.low_as))
    if scale.times is None:
        low = low if least is None else max(low, least / at)
        high = high if most is None else min(high, most / at)
        high = max(low, high)
    return BoundNumber(parameter, scale, low, high, least, most, tuple(specials), meant, floor)


def _value(parameter: Parameter, text: str | None, low: float) -> float | None:
    """Return the value of the person's string, or ``None`` where it is no regular number."""
    if text is None:
        return None
    if parameter.low_as is not None and same_value(text, parameter.low_as):
        return low
    value = read_number(text, parameter.type, parameter.bare_unit)
    return None if value is None or (parameter.log and value <= 0) else value


def _limit(parameter: Parameter, scalar: float | str | None) -> float | None:
    return None if scalar is None else parameter.number(scalar)
