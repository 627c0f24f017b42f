"""Whether two outputs are the same answer, and what differs if not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from itertools import combinations
from math import fsum

from autotune.digests.table import FloatColumn, FloatFamily, TableDigest
from autotune.domain import Value

TOLERANCE = 1e-6
"""By which fraction sums of floating point numbers may differ: other order, other rounding."""
_FLOAT32_TOLERANCE = 1e-5


class PartKind(StrEnum):
    """What of an output is compared."""

    TABLE = "table"
    """Whether the table is there."""
    ROWS = "rows"
    """The number of rows."""
    PAIRING = "pairing"
    """Which values stand in one row together."""
    COLUMN = "column"
    """The exact values of one column, or whether it is there."""
    FLOATS = "floats"
    """The floating point values under one name."""


class Part(Value):
    """One thing that can differ between two outputs."""

    table: str
    kind: PartKind
    column: str | None = None


class Difference(Value):
    """One thing that does differ, with a line for people."""

    part: Part
    text: str

    @property
    def table(self) -> str:
        """Name of the table; empty for the output itself."""
        return self.part.table

    @property
    def column(self) -> str | None:
        """Name of the column, if it is about one."""
        return self.part.column


def compare(
    expected: Sequence[TableDigest],
    found: Sequence[TableDigest],
    *,
    tolerance: float = TOLERANCE,
    unstable: Collection[Part] = (),
) -> tuple[Difference, ...]:
    """Return what differs between two outputs; nothing if they are the same answer.

    Exact values must be the same. Sums of floating point numbers may differ by *tolerance* times
    the sum of their absolute values, in each bucket of rows; the smallest and the largest value by
    *tolerance* times their size or the mean absolute value. Single precision gets 1e-5 at least.

    Where an exact part of a table is unstable, its rows can't be told apart any more; what is
    left is the number of rows, the stable columns one by one, and sums over all rows.

    A line that was set aside as a possible header counts as one if both sides have the same line;
    if they don't match so, it counts as data.

    Args:
        expected: Digests of the output that is taken to be right.
        found: Digests of the output in question.
        tolerance: A fraction: 1e-6 is one part in a million.
        unstable: Parts that differ between executions of one configuration; passed over.
    """
    differences: list[Difference] = []
    for before, after in _tables(expected, found):
        if isinstance(after, Difference):
            differences += [after] if after.part not in unstable else []
            continue
        differences += _shown(_best_reading(before, after, tolerance, frozenset(unstable)))
    return tuple(differences)


def unstable_parts(
    digests: Sequence[Sequence[TableDigest]], tolerance: float = TOLERANCE
) -> frozenset[Part]:
    """Return what differs between outputs of repeated executions of one configuration.

    Args:
        digests: The digests of each execution; with fewer than two nothing is known to differ.
        tolerance: As in ``compare``.
    """
    parts: set[Part] = set()
    for expected, found in combinations(digests, 2):
        for before, after in _tables(expected, found):
            if isinstance(after, Difference):
                parts.add(after.part)
            else:
                parts |= {d.part for d in _best_reading(before, after, tolerance, frozenset())}
    return frozenset(parts)


def _tables(
    expected: Sequence[TableDigest], found: Sequence[TableDigest]
) -> Iterator[tuple[TableDigest, TableDigest | Difference]]:
    """Pair the tables by name; what is on one side alone comes with its difference."""
    befores, afters = ({table.name: table for table in side} for side in (expected, found))
    for name in sorted({*befores, *afters}):
        if name in befores and name in afters:
            yield befores[name], afters[name]
            continue
        missing = "is missing" if name in befores else "was not there before"
        text = f"table {name} {missing}" if name else f"the output's own table {missing}"
        part = Part(table=name, kind=PartKind.TABLE)
        yield befores.get(name) or afters[name], Difference(part=part, text=text)


def _best_reading(
    before: TableDigest, after: TableDigest, tolerance: float, unstable: frozenset[Part]
) -> list[Difference]:
    """Compare with lines set aside as header and as data: one reading without fault is enough."""
    readings = [(before.whole, after.whole)]
    if before.head and after.head and before.head_text == after.head_text:
        readings.insert(0, (before.body, after.body))
    names = _names(before.head_text) if len(readings) > 1 else {}
    differences = [
        list(_Pair(one, other, tolerance, unstable, names).differences())
        for one, other in readings
    ]
    return next((d for d in differences if not d), differences[0])


def _shown(differences: list[Difference]) -> list[Difference]:
    """Leave out what follows from the rest: one line per column, none when rows are missing."""
    kinds = {d.part.kind for d in differences}
    if PartKind.ROWS in kinds:
        return [d for d in differences if d.part.kind is PartKind.ROWS]
    # The last one of a column is about its numbers and says more.
    columns = {d.part.column: d for d in differences if d.part.kind is not PartKind.PAIRING}
    return list(columns.values()) or differences


class _Pair:
    """Two digests of one table, to be compared."""

    def __init__(
        self,
        before: TableDigest,
        after: TableDigest,
        tolerance: float,
        unstable: frozenset[Part],
        names: dict[str, str],
    ) -> None:
        self.before, self.after = before, after
        self.tolerance, self.unstable, self.names = tolerance, unstable, names
        self.where = before.name or "the output"
        kinds = {part.kind for part in unstable if part.table == before.name}
        self.rows_known = not kinds & {PartKind.ROWS, PartKind.PAIRING, PartKind.COLUMN}

    def differences(self) -> Iterator[Difference]:
        """Yield everything that differs and is stable."""
        for difference in (self._rows(), *self._columns(), self._pairing(), *self._floats()):
            if difference is not None and difference.part not in self.unstable:
                yield difference

    def _rows(self) -> Difference | None:
        before, after = self.before.rows, self.after.rows
        if before == after:
            return None
        text = f"{after:,} row{'s' if after != 1 else ''} instead of {before:,}"
        return self._difference(PartKind.ROWS, None, text)

    def _columns(self) -> Iterator[Difference]:
        before, after = self.before, self.after
        if not all(side.rows or side.columns for side in (before, after)):
            return  # An empty table may be written as no file at all: it has no columns.
        for name in sorted({*before.columns, *after.columns}):
            said = None
            if name not in after.columns:
                said = "is missing"
            elif name not in before.columns:
                said = "was not there before"
            elif before.columns[name] != after.columns[name]:
                said = f"is {after.columns[name]} instead of {before.columns[name]}"
            elif before.column_digests.get(name) != after.column_digests.get(name):
                said = "differs"
            if said:
                yield self._difference(PartKind.COLUMN, name, f"{self._named(name)} {said}")

    def _pairing(self) -> Difference | None:
        if self.before.exact == self.after.exact or not self.rows_known:
            return None
        text = "the columns hold the same values, but together in other rows"
        return self._difference(PartKind.PAIRING, None, text)

    def _floats(self) -> Iterator[Difference]:
        # Rows that differ are in other buckets: then only sums over all of them say something.
        by_bucket = self.rows_known and self.before.exact == self.after.exact
        befores, afters = ({f.name: f for f in side.floats} for side in (self.before, self.after))
        for name in sorted({*befores, *afters}):
            one = befores.get(name) or FloatColumn(name=name)
            other = afters.get(name) or FloatColumn(name=name)
            said = _float_difference(one, other, self.tolerance, by_bucket)
            if said:
                text = f"{self._named(name)} differs ({said})"
                yield self._difference(PartKind.FLOATS, name, text)

    def _named(self, column: str) -> str:
        known = self.names.get(column)
        return f"column {column} ({known})" if known else f"column {column}"

    def _difference(self, kind: PartKind, column: str | None, text: str) -> Difference:
        part = Part(table=self.before.name, kind=kind, column=column)
        return Difference(part=part, text=f"{self.where}: {text}")


def _float_difference(
    one: FloatColumn, other: FloatColumn, tolerance: float, by_bucket: bool
) -> str | None:
    """Say in a few words what differs, or ``None``."""
    for label, before, after in (
        ("nulls", one.nulls, other.nulls),
        ("NaN", one.nans, other.nans),
        ("Infinity", one.positive_infinities, other.positive_infinities),
        ("-Infinity", one.negative_infinities, other.negative_infinities),
        ("numbers", one.finite, other.finite),
    ):
        if before != after:
            return f"{label} {before:,} → {after:,}"
    if FloatFamily.FLOAT32 in (one.family, other.family):
        tolerance = max(tolerance, _FLOAT32_TOLERANCE)
    said = _apart(one, other, tolerance)
    if not said and by_bucket and _moved(one, other, tolerance):
        said = "the same sum, but of other values"
    return f"{said}, tolerance {tolerance:g}" if said else None


def _apart(one: FloatColumn, other: FloatColumn, tolerance: float) -> str | None:
    size = max(_total(one.absolute_sums), _total(other.absolute_sums))
    mean = size / max(one.finite, 1)
    before, after = _total(one.sums), _total(other.sums)
    if abs(before - after) > tolerance * size:
        return f"sum {before:.12g} → {after:.12g}"
    for label, before, after in (
        ("smallest", one.minimum or 0.0, other.minimum or 0.0),
        ("largest", one.maximum or 0.0, other.maximum or 0.0),
    ):
        if abs(before - after) > tolerance * max(abs(before), abs(after), mean):
            return f"{label} {before:.12g} → {after:.12g}"
    return None


def _moved(one: FloatColumn, other: FloatColumn, tolerance: float) -> bool:
    sizes = map(max, one.absolute_sums, other.absolute_sums)
    return any(
        abs(a - b) > tolerance * size or abs(c - d) > tolerance * size
        for a, b, c, d, size in zip(
            one.sums, other.sums, one.weighted_sums, other.weighted_sums, sizes, strict=True
        )
    )


def _total(sums: Sequence[float]) -> float:
    try:
        return fsum(sums)
    except OverflowError:
        return sum(sums)


def _names(header: str | None) -> dict[str, str]:
    """Return what a header calls the columns that go by their place."""
    words = re.split(r"[,;\t|]", header or "")
    return {f"_c{i}": word.strip('" ') for i, word in enumerate(words)}
