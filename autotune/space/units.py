"""Spark's own spelling of quantities: text → number, number → text, and the ladders between.

Numbers are bytes for sizes and milliseconds for durations. Sampled numbers are put on a ladder of
a few rungs an octave, so that strings stay readable and near-equal choices are one choice.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from functools import lru_cache

_SIZE = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_TIME_MS = {
    "us": 0.001,
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
}
_QUANTITY = re.compile(r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)\s*\Z")


class ParameterType(StrEnum):
    """What the values of a parameter are."""

    INT = "int"
    FLOAT = "float"
    BYTES = "bytes"
    DURATION = "duration"
    CATEGORICAL = "categorical"
    BOOL = "bool"

    @property
    def numeric(self) -> bool:
        """Whether values have an order and a size."""
        return self not in {ParameterType.CATEGORICAL, ParameterType.BOOL}


def read_number(text: str, kind: ParameterType, unit: str = "") -> float | None:
    """Return the number that Spark reads in *text*, or ``None`` where it is not one.

    Args:
        text: A value as people write it: ``768m``, ``0.6``, ``30s``.
        kind: The type that the property has.
        unit: Unit of a bare number (``m`` for MiB, ``s`` for seconds); bytes or ms by default.
    """
    match = _QUANTITY.match(text)
    if match is None:
        return None
    suffix = match[2].lower()
    if kind is ParameterType.BYTES:
        if suffix not in _SIZE:
            suffix = suffix.removesuffix("b").removesuffix("i") or suffix
        factor: float | None = _SIZE.get(suffix or unit or "b")
    elif kind is ParameterType.DURATION:
        factor = _TIME_MS.get(suffix or unit or "ms")
    else:
        factor = None if suffix else 1
    number = None if factor is None else float(match[1]) * factor
    return number if number is not None and math.isfinite(number) else None


def read_share(text: str) -> float | None:
    """Return ``0.1`` for ``10%``, and ``None`` for what is not a percentage."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    share = float(match[1]) / 100 if match else math.inf
    return share if math.isfinite(share) else None


def write_number(value: float, kind: ParameterType) -> str:
    """Spell *value* as Spark reads it, in the largest unit that loses nothing."""
    if kind is ParameterType.FLOAT:
        return format(value, ".10g")
    whole = round(value)
    if kind is ParameterType.INT:
        return str(whole)
    if kind is ParameterType.BYTES:
        for suffix in ("g", "m", "k"):
            if whole and whole % _SIZE[suffix] == 0:
                return f"{whole // _SIZE[suffix]}{suffix}"
        return f"{whole}b"
    return f"{whole // 1000}s" if whole and whole % 1000 == 0 else f"{whole}ms"


@lru_cache(maxsize=8192)
def rung(value: float, kind: ParameterType, *, up: bool | None = None) -> float:
    """Put *value* on the ladder of its type.

    Sizes have four rungs an octave (512m, 640m, 768m, 896m, 1g …), whole numbers eight, durations
    and fractions two significant digits.

    Args:
        value: The number, in bytes, milliseconds or as it is.
        kind: A numeric type.
        up: ``None`` for the nearest rung, true for the next at or above, false for at or below.
    """
    if value == 0:
        return 0.0
    size = abs(value)
    if kind in {ParameterType.BYTES, ParameterType.INT}:
        bits = 2 if kind is ParameterType.BYTES else 3
        grain = max(1.0, 2.0 ** (math.floor(math.log2(size)) - bits))
    else:
        grain = 10.0 ** (math.floor(math.log10(size)) - 1)
        if kind is ParameterType.DURATION:
            grain = max(1.0, grain)
    return on_grid(value, 0.0, grain, up=up)


@lru_cache(maxsize=8192)
def on_grid(value: float, origin: float, grain: float, *, up: bool | None = None) -> float:
    """Put *value* on the grid of *grain* through *origin*; *up* as in :func:`rung`."""
    steps = (value - origin) / grain
    if up is None or abs(steps - round(steps)) < 1e-9:
        count = math.floor(steps + 0.5)
    else:
        count = math.ceil(steps) if up else math.floor(steps)
    return float(format(origin + count * grain, ".12g"))


@lru_cache(maxsize=4096)
def same_value(left: str, right: str) -> bool:
    """Whether two strings mean the same to Spark: ``1024M`` and ``1g``, ``TRUE`` and ``true``.

    Without knowing the property a number with a unit is read as a size first, then as a time.
    """
    left, right = left.strip(), right.strip()
    if left == right or (left.lower() == right.lower() and left.lower() in {"true", "false"}):
        return True
    for kind in (ParameterType.FLOAT, ParameterType.BYTES, ParameterType.DURATION):
        one, other = read_number(left, kind), read_number(right, kind)
        if one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9):
            return True
    return False
