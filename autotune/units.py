"""Durations and sizes as people write and read them."""

from __future__ import annotations

import re

from autotune.errors import InputError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min|m|h|d)?")
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(?P<unit>[kmgt])?(?:i?b)?")


def parse_duration_s(text: str | float, *, where: str) -> float:
    """Return the seconds in ``90s``, ``15m``, ``2h`` or a bare number of seconds.

    Args:
        text: what was written.
        where: the file and key, or the flag, for the message.

    Raises:
        InputError: it is no duration, or not a positive one.
    """
    match = _DURATION.fullmatch(str(text).strip().lower())
    seconds = float(match["number"]) * _SECONDS[match["unit"] or "s"] if match else 0.0
    if seconds <= 0:
        message = f"{where}: '{text}' is not a duration; write it like 90s, 15m or 2h"
        raise InputError(message)
    return seconds


def parse_size_bytes(text: str | int, *, where: str) -> int:
    """Return the bytes in ``512m``, ``8g``, ``1.5g`` or a bare number of bytes.

    Args:
        text: what was written.
        where: the file and key, or the flag, for the message.

    Raises:
        InputError: it is no size, or not a positive one.
    """
    match = _SIZE.fullmatch(str(text).strip().lower())
    size = int(float(match["number"]) * _BYTES[match["unit"] or ""]) if match else 0
    if size <= 0:
        message = f"{where}: '{text}' is not a size; write it like 512m or 8g"
        raise InputError(message)
    return size


def format_duration(seconds: float) -> str:
    """Return ``8.3 s``, ``2 min 05 s`` or ``1 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_bytes(count: float) -> str:
    """Return ``512 B``, ``1.5 MiB`` or ``3.0 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
