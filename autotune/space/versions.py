"""Ranges of Spark versions, as ``>=3.5,<5``."""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|<|>)\s*(\d+(?:\.\d+)*)\s*\Z")


def version_range_ok(text: str) -> bool:
    """Whether *text* is a list of clauses such as ``>=3.5,<5``; empty means any version."""
    return not text or all(_CLAUSE.match(clause) for clause in text.split(","))


def version_in(version: str | None, text: str) -> bool:
    """Whether *version* lies in the range *text*; pre-release suffixes are left aside."""
    numbers = re.match(r"\d+(?:\.\d+)*", version or "")
    if numbers is None or not text:
        return True
    return all(_holds(numbers[0], clause) for clause in text.split(","))


def _holds(version: str, clause: str) -> bool:
    match = _CLAUSE.match(clause)
    if match is None:
        return False
    left, right = _padded(version), _padded(match[2])
    return {
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
        "==": left == right,
        "!=": left != right,
    }[match[1]]


def _padded(version: str) -> tuple[int, ...]:
    return tuple([*map(int, version.split(".")), 0, 0, 0, 0][:4])
