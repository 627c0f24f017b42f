"""A report as a terminal shows it."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from autotune.domain import Objective
from autotune.record import Status
from autotune.report.data import ReportData
from autotune.report.rows import ChangeRow, Timing
from autotune.report.tables import drawn, new_table

_STEPS_SHOWN: Final = 12
_TABLE_WIDTH: Final = 110
"""Narrower than this, the names of properties would be broken."""
_VALUE_CHARS: Final = 60
_GAINS: Final = {
    Objective.DURATION_S: "faster",
    Objective.CORE_SECONDS: "fewer core-seconds",
    Objective.GB_SECONDS: "fewer GB-seconds",
    Objective.MICROBATCH_P95_S: "shorter micro-batches (95th percentile)",
    Objective.SECONDS_PER_MILLION_ROWS: "more streamed rows per second",
}


def report_text(
    report: ReportData,
    *,
    trials: bool = False,
    width: int | None = None,
    color: bool | None = None,
) -> str:
    """Return *report* for a terminal; see :meth:`ReportData.to_text`."""

    def draw(console: Console) -> None:
        _headline(console, report)
        _changes(console, report)
        _steps(console, report)
        _cautions(console, report)
        if trials:
            _trials(console, report)
        _places(console, report)

    return drawn(draw, width=width, color=color)


def _headline(console: Console, report: ReportData) -> None:
    console.print(Text(f"Study {report.study} ({report.workload}), {report.status}", style="bold"))
    console.print(Text(gain_line(report), style="green" if report.confirmed else "yellow"))
    for line in (report.reason, report.advice, report.answers):
        if line:
            console.print(Text(line))
    console.print()
    table = new_table("", "seconds", "measured", "spread", right=("seconds", "measured", "spread"))
    rows = [("what you run today", report.baseline)]
    if report.confirmed:
        rows.append(("recommended", report.best))
    elif report.fastest is not None:
        rows.append(("fastest seen, no gain claimed", report.fastest))
    for label, timing in rows:
        table.add_row(label, *_timing_cells(timing))
    console.print(table)
    console.print()
    failed = f", {report.failed} without a result ({_causes(report)})" if report.failed else ""
    console.print(Text(f"{report.trials} executions{failed}, on {report.machine}"))
    if report.cold_start_s is not None:
        cold = f"The first execution took {report.cold_start_s:.2f} s: a cold start, set apart"
        console.print(Text(cold))


def gain_line(report: ReportData) -> str:
    """Return the result in one line: the confirmed gain, or that there is none."""
    if report.confirmed and report.speedup is None:
        return "Your configuration fails; the recommended one works."
    if report.trials and report.failed == report.trials:
        return "Your configuration fails, and nothing was found that works."
    if not report.confirmed or report.speedup is None:
        return "Keep your configuration: no gain was confirmed."
    interval = (
        f" (95 % interval {report.low:.2f}–{report.high:.2f})"
        if report.low is not None and report.high is not None
        else ""
    )
    unit = _GAINS[report.objective]
    return (
        f"{report.speedup:.2f}× {unit}{interval}, confirmed in {report.blocks} interleaved blocks"
    )


def _changes(console: Console, report: ReportData) -> None:
    if not report.changed:
        return
    console.print()
    if console.width < _TABLE_WIDTH:
        for row in report.changed:
            console.print(Text(row.name, style="bold"))
            change = f"{_shown(row, row.was)} → {_shown(row, row.now)}"
            console.print(Padding(Text(change), (0, 0, 0, 4)))
            console.print(Padding(Text(row.why), (0, 0, 0, 4)))
        return
    table = new_table("property", "was", "now", "why")
    table.columns[0].no_wrap = True
    for row in report.changed:
        was, now = _shown(row, row.was), _shown(row, row.now)
        table.add_row(Text(row.name), Text(was), Text(now, style="bold"), Text(row.why))
    console.print(table)


def _shown(row: ChangeRow, value: str | None) -> str:
    if value is not None:
        return value
    return "(unset)" if row.default is None else f"{row.default} (default)"


def _steps(console: Console, report: ReportData) -> None:
    if not report.steps:
        return
    longest = sorted(report.steps, key=lambda row: -(row.before_s or 0.0))[:_STEPS_SHOWN]
    kept = {row.name for row in longest}
    console.print()
    table = new_table("step", "before", "after", "", right=("before", "after", ""))
    for row in report.steps:
        if row.name in kept:
            ratio = f"{row.before_s / row.after_s:.2f}×" if row.before_s and row.after_s else "–"
            table.add_row(Text(row.name), _seconds(row.before_s), _seconds(row.after_s), ratio)
    console.print(table)
    if len(report.steps) > len(kept):
        console.print(Text(f"and {len(report.steps) - len(kept)} shorter steps"))


def _cautions(console: Console, report: ReportData) -> None:
    lines = [
        f"{row.name}: the job itself sets {_short(row.effective)}"
        + (f" (asked: {row.asked})" if row.asked is not None else "")
        + "; not tuned, not claimed"
        for row in report.overridden
    ]
    lines += report.not_claimed
    if lines:
        console.print()
        for line in lines:
            console.print(Text(f"! {line}"))


def _trials(console: Console, report: ReportData) -> None:
    console.print()
    valued = report.objective.value != "duration_s"
    right = ["seconds", *([report.objective.value] if valued else []), "× baseline"]
    table = new_table("trial", "from", "outcome", *right, right=right)
    for row in report.rows:
        cause = "" if row.cause in (None, row.status) else f": {row.cause}"
        outcome = f"{row.status}{cause}".replace("_", " ")
        style = "" if row.status == Status.SUCCEEDED.value else "red"
        cells = [_seconds(row.duration_s), *([_seconds(row.value)] if valued else [])]
        against = "–" if row.against_baseline is None else f"{row.against_baseline:.2f}"
        table.add_row(row.name, row.origin, Text(outcome, style=style), *cells, against)
    console.print(table)
    console.print(Text("Single executions; only the confirmation above is a claim."))


def _places(console: Console, report: ReportData) -> None:
    if report.artifacts:
        console.print()
        widest = max(len(name) for name in report.artifacts)
        for name, place in report.artifacts.items():
            console.print(Text(f"{name:<{widest}}  {place}"), soft_wrap=True)
    if report.next_commands:
        console.print()
        console.print(Text("Next:"))
        for command in report.next_commands:
            console.print(Text(f"  {command}"), soft_wrap=True)


def _timing_cells(timing: Timing | None) -> tuple[str, str, str]:
    if timing is None:
        return ("–", "never", "–")
    spread = "–" if timing.spread is None else f"{timing.spread:.0%}"
    return (f"{timing.median_s:.2f}", f"{timing.measured}×", spread)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _causes(report: ReportData) -> str:
    return ", ".join(
        f"{count} {cause.replace('_', ' ')}" for cause, count in report.causes.items()
    )


def _short(value: str) -> str:
    return value if len(value) <= _VALUE_CHARS else f"{value[:_VALUE_CHARS]}…"
