"""Parameters, the rules between them, and their meaning on one machine.

A :class:`Space` is what a file says: relative and valid anywhere. :func:`bind` gives it a machine
and the person's own configuration; the resulting :class:`BoundSpace` turns sampled choices into
Spark strings and back. Whatever it decodes can start: sizes are relative, rules are repaired.
"""

from __future__ import annotations

from autotune.space.binding import bind, default_of
from autotune.space.bound import BoundSpace, Choices
from autotune.space.parameter import (
    Applies,
    Dimension,
    DimensionKind,
    Mode,
    Parameter,
    Per,
    Rule,
    Space,
    mode_of,
)
from autotune.space.units import ParameterType, same_value

__all__ = [
    "Applies",
    "BoundSpace",
    "Choices",
    "Dimension",
    "DimensionKind",
    "Mode",
    "Parameter",
    "ParameterType",
    "Per",
    "Rule",
    "Space",
    "bind",
    "default_of",
    "mode_of",
    "same_value",
]
