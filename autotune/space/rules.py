"""Rules on one machine: checked before anything starts, repaired whenever values are decoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autotune.domain import Machine
from autotune.space.parameter import Parameter, Rule
from autotune.space.units import read_share

Floor = Callable[[str, float], float]
"""The next lower rung of a parameter (never below its range), by name and value."""


@dataclass(frozen=True, slots=True)
class BoundRule:
    """One rule with its limit in numbers, widened to hold the person's own configuration."""

    rule: Rule
    limit: float
    of: str | None = None
    """A parameter that the limit is a share of; without effect it limits nothing."""

    def limit_at(self, values: Mapping[str, float]) -> float:
        """Return the limit in the unit of the total."""
        if self.of is None:
            return self.limit
        return self.limit * values[self.of] if self.of in values else math.inf

    def total(self, values: Mapping[str, float]) -> float:
        """Return what the limit is compared with; parameters without effect count for nothing."""
        present = [values[name] for name in self.rule.names if name in values]
        if self.rule.ordered:
            pairs = zip(self.rule.ordered, self.rule.ordered[1:], strict=False)
            ratios = [
                values[a] / values[b]
                for a, b in pairs
                if a in values and b in values and values[b] > 0
            ]
            return max(ratios, default=0.0)
        return sum(present) if self.rule.sum else math.prod(present)

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether the rule is kept."""
        return self.total(values) <= self.limit_at(values) * (1 + 1e-9)

    def repaired(
        self, values: dict[str, float], free: frozenset[str], floor: Floor
    ) -> dict[str, float]:
        """Return values that keep the rule, as far as the ranges of the free ones let them.

        All free ones are scaled down alike first, then one after the other in the order of the
        rule; none goes below its range.
        """
        if self.holds(values):
            return values
        values = dict(values)
        for shared in (True, False):
            for name, wanted in self._wanted(values, free, shared=shared):
                if self.holds(values):
                    return values
                current = wanted() if callable(wanted) else wanted
                values[name] = min(values[name], floor(name, current))
        return values

    def _wanted(
        self, values: dict[str, float], free: frozenset[str], *, shared: bool
    ) -> list[tuple[str, float | Callable[[], float]]]:
        names = [name for name in self.rule.names if name in values and name in free]
        if not shared or self.rule.ordered:
            order = reversed(names) if self.rule.ordered else names
            return [(name, self._fitting(name, values)) for name in order]
        total = self.total(values)
        if self.rule.product:
            factor = (self.limit_at(values) / total) ** (1 / max(1, len(names)))
            return [(name, values[name] * factor) for name in names]
        movable = sum(values[name] for name in names)
        share = max(0.0, self.limit_at(values) - (total - movable)) / movable if movable else 0.0
        return [(name, values[name] * share) for name in names]

    def _fitting(self, name: str, values: dict[str, float]) -> Callable[[], float]:
        """Return how to find what *name* may be, given the others at that moment."""

        def fitting() -> float:
            others = {key: value for key, value in values.items() if key != name}
            if self.rule.ordered:
                place = self.rule.ordered.index(name)
                after = [values[key] for key in self.rule.ordered[place + 1 :] if key in values]
                return min([values[name], *(bound * self.limit for bound in after)])
            if self.rule.sum:
                return max(0.0, self.limit_at(values) - self.total(others))
            rest = self.total(others)
            return self.limit_at(values) / rest if rest else values[name]

        return fitting


def bind_rule(
    rule: Rule, first: Parameter, machine: Machine, own: Mapping[str, float]
) -> BoundRule:
    """Put a rule's limit in numbers, and widen it to what the person runs today."""
    if rule.ordered:
        limit = 1.0
    elif rule.limited_by is not None:
        limit = read_share(str(rule.at_most)) or 0.0
        whole = own.get(rule.limited_by, 0.0)
        total = BoundRule(rule, limit).total(own)
        return BoundRule(rule, max(limit, total / whole if whole else 0.0), rule.limited_by)
    elif rule.of is not None:
        machine_has = {
            "memory": machine.memory_bytes,
            "cores": machine.cores_per_executor,
            "slots": machine.slots,
        }
        limit = (read_share(str(rule.at_most)) or 0.0) * machine_has[str(rule.of)]
    else:
        limit = first.number(rule.at_most if rule.at_most is not None else math.inf) or 0.0
    return BoundRule(rule, max(limit, BoundRule(rule, limit).total(own)))
