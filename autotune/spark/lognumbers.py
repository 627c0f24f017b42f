"""Numbers as an event log may hold them: anything but a finite, sensible one is refused.

JSON knows ``1e999`` and numbers of thousands of digits, and other writers put ``NaN`` or text
there; one of them in a sum would spoil all that is derived from it.
"""

from __future__ import annotations

_MOST = 1e18
"""Far beyond any count of bytes or milliseconds since 1970, and exact enough as a float."""


def number(value: object) -> float:
    """Return *value* if it is a finite number that Spark could mean.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, (int, float)) and -_MOST < value < _MOST:
        return value
    raise ValueError("not a number")


def amount(value: object) -> float:
    """Return how much of something there was; never less than nothing.

    Raises:
        ValueError: as :func:`number`.
    """
    return max(0, number(value))


def identifier(value: object) -> int:
    """Return the number by which a job, stage or SQL execution is known, also from a text.

    Raises:
        ValueError: as :func:`number`.
    """
    if isinstance(value, str):
        value = int(value[:40])
    return int(number(value))
