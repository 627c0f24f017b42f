"""What is recommended, and how it is said."""

from __future__ import annotations

import textwrap

from autotune.domain import Config, DatasetProfile, Machine, Value, WorkloadProfile
from autotune.units import format_bytes


class Change(Value):
    """One property or argument that the recommendation changes; ``None``: not set."""

    name: str
    was: str | None
    now: str | None
    effect: float
    """Predicted time with it ÷ without it, everything else as recommended."""
    failure_avoided: float = 0.0
    """Probability of failure without it − with it."""
    why: str = ""

    @property
    def effect_text(self) -> str:
        """What it is predicted to do: change the time, or else the risk."""
        if abs(self.effect - 1) >= 0.005 or self.failure_avoided < 0.005:
            return f"{self.effect - 1:+.0%} time"
        return f"{-self.failure_avoided:+.0%} risk of failure"


class Recommendation(Value):
    """A configuration with its predicted gain; "keep your default" is an allowed answer."""

    data: str | None
    machine: Machine
    profile: DatasetProfile | None
    job: WorkloadProfile | None = None
    """What the job does, where that is known."""
    workload: str | None = None
    keep_default: bool
    reason: str
    """Why this is the answer, in a sentence."""
    config: Config
    """What to run with; the baseline itself where ``keep_default``."""
    baseline: Config
    baseline_from: str
    """Where the configuration comes from that this one is compared with."""
    predicted_speedup: float
    """Baseline time ÷ time; with ``low`` to ``high``, an interval for four cases in five."""
    low: float
    high: float
    failure_probability: float
    changes: tuple[Change, ...] = ()
    promising: tuple[Change, ...] = ()
    """What looked best and was not sure enough to be recommended: to be measured first."""
    cautions: tuple[str, ...] = ()
    similar_studies: tuple[str, ...] = ()
    """The earlier studies that are most like this one, the nearest first."""
    outside: bool = False
    """It is about something too far from all that was learned from: then no model was asked."""
    candidates_considered: int
    origin: str = "baseline"
    """Where the winner came from: a study, the expert rules, a sample, a neighbour of those."""
    predictor_version: str | None = None

    def to_text(self) -> str:
        """Return the recommendation for people."""
        about = self._about()
        if self.keep_default:
            lines = [about, "", f"Keep your configuration: {self.reason}."]
            if self.promising:
                lines += ["Most promising, if you can measure it:", "", *self._table()]
        else:
            lines = [
                about,
                "",
                self._gain(),
                *([f"{self.reason[:1].upper()}{self.reason[1:]}."] if self.outside else []),
                "",
                *self._table(),
            ]
        lines += ["", *(f"Caution: {caution}." for caution in self.cautions)]
        if self.similar_studies:
            lines.append(f"Leans on: {', '.join(self.similar_studies)}")
        lines.append(
            f"Considered {self.candidates_considered} configurations; probability of failure "
            f"{self.failure_probability:.0%}. To be sure, measure it: autotune tune"
        )
        return "\n".join(lines)

    def _gain(self) -> str:
        if self.predicted_speedup == 1:
            return f"Set this over {self.baseline_from}; not measured on this data."
        return (
            f"Predicted {self.predicted_speedup:.2f}× as fast as {self.baseline_from} "
            f"(four in five times {self.low:.2f}–{self.high:.2f}); not measured on this data."
        )

    def _about(self) -> str:
        where = f"{self.machine.master}, {self.machine.slots} slots"
        data = self.profile
        if data is None:
            return f"any data; {where}"
        size = f"{data.rows:,} rows, {format_bytes(data.bytes)} of {data.format}"
        return f"{self.data}: {size} in {data.files} files; {where}"

    def _table(self) -> list[str]:
        changes = self.changes or self.promising
        width = max(len(change.name) for change in changes)
        lines = []
        for change in changes:
            was, now = (
                text if text is not None else "(unset)" for text in (change.was, change.now)
            )
            effect = "" if self.outside else f"  {change.effect_text}"
            lines.append(f"{change.name:<{width}}  {was} -> {now}{effect}")
            lines += textwrap.wrap(change.why, 96, initial_indent="    ", subsequent_indent="    ")
        return lines
