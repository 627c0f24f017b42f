"""Plain tables for a terminal: wide enough, never wider, no colour where nobody sees it."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autotune.builtin import Builtin
from autotune.domain import DatasetProfile, Value
from autotune.units import format_bytes

if TYPE_CHECKING:
    from autotune.space import Space
    from autotune.space.show import SpaceRow
    from autotune.study import StudyInfo

_MIN_WIDTH: Final = 40
_PIPE_WIDTH: Final = 120


def drawn(draw: Callable[[Console], None], *, width: int | None, color: bool | None) -> str:
    """Return what *draw* puts on a console, with no blanks at the ends of lines.

    Args:
        draw: prints to the console that it is given.
        width: columns; else those of the terminal, or 120 where there is none.
        color: ANSI colours; else only on a terminal, and not where ``NO_COLOR`` is set.
    """
    on_terminal = sys.stdout.isatty()
    if color is None:
        color = on_terminal and not os.environ.get("NO_COLOR")
    if width is None:
        width = shutil.get_terminal_size().columns if on_terminal else _PIPE_WIDTH
    target = io.StringIO()
    console = Console(
        file=target,
        width=max(width, _MIN_WIDTH),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=False,
    )
    draw(console)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()).rstrip("\n")


def new_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table; *right* names the columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        numeric = column in right
        table.add_column(
            column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold"
        )
    return table


def rows_text(
    rows: Sequence[Value],
    *,
    empty: str = "nothing to show",
    width: int | None = None,
    color: bool | None = None,
) -> str:
    """Return flat values as a table, one column a field."""
    if not rows:
        return empty
    fields = list(type(rows[0]).model_fields)
    numeric = [
        field for field in fields if all(isinstance(getattr(r, field), int | float) for r in rows)
    ]
    table = new_table(*(field.replace("_", " ") for field in fields), right=numeric)
    for row in rows:
        table.add_row(*(Text(_cell(getattr(row, field))) for field in fields))
    return drawn(lambda console: console.print(table), width=width, color=color)


def studies_text(
    studies: Sequence[StudyInfo], *, width: int | None = None, color: bool | None = None
) -> str:
    """Return the list of studies."""
    hint = "no studies yet; make one with `autotune tune experiments/taxi.yaml`"
    return rows_text(studies, empty=hint, width=width, color=color)


def workloads_text(
    workloads: Sequence[Builtin], *, width: int | None = None, color: bool | None = None
) -> str:
    """Return the list of built-in workloads, an entry each, with the rows of each size."""

    def draw(console: Console) -> None:
        for found in workloads:
            console.print(Text(found.name, style="bold"))
            console.print(Padding(Text(found.stresses), (0, 0, 0, 4)))
            sizes = ", ".join(f"{size} {rows:,}" for size, rows in found.rows.items())
            console.print(Padding(Text(f"rows: {sizes}", style="dim"), (0, 0, 0, 4)))
        console.print()
        console.print("Tune one:  autotune tune experiments/NAME.yaml")

    return drawn(draw, width=width, color=color)


def space_text(
    space: Space, rows: Sequence[SpaceRow], *, width: int | None = None, color: bool | None = None
) -> str:
    """Return a space with its parameters, an entry each: their names are too long for columns."""

    def draw(console: Console) -> None:
        console.print(Text(f"{space.name}: {space.description}", style="bold"))
        for row in rows:
            console.print()
            console.print(Text(row.name, style="bold"))
            console.print(Padding(Text(_range_line(row)), (0, 0, 0, 4)))
            console.print(Padding(Text(row.why), (0, 0, 0, 4)))

    return drawn(draw, width=width, color=color)


def _range_line(row: SpaceRow) -> str:
    unit = f" {row.unit}" if row.unit else ""
    here = "without effect here" if row.here == "–" else f"here {row.here}{unit}"
    parts = [
        " ".join(f"{row.type} {row.range} {row.relative_to}".split()),
        here,
        f"default {row.default}" if row.default else "no default",
        row.applies,
        f"when {row.when}" if row.when else "",
    ]
    return " · ".join(part for part in parts if part)


def _profile_facts(profile: DatasetProfile) -> dict[str, str]:
    """Return what is said of the data as a whole; what is not known has no line."""
    estimated = set(profile.estimated)

    def marked(field: str, text: str) -> str:
        return f"≈ {text}" if field in estimated else text

    facts = {
        "path": profile.path,
        "format": profile.format,
        "rows": marked("rows", f"{profile.rows:,}"),
        "bytes": marked("bytes", format_bytes(profile.bytes)),
        "files": f"{profile.files:,}, from {format_bytes(profile.smallest_file_bytes)}"
        f" to {format_bytes(profile.largest_file_bytes)}",
        "row width": marked("row_width_bytes", f"{profile.row_width_bytes:.1f} bytes"),
        "nulls": marked("null_share", f"{profile.null_share:.1%}"),
        "key skew": marked("key_skew", f"{profile.key_skew:.1%} of the rows share one key"),
        "columns": f"{len(profile.columns)}",
    }
    if profile.key_top10_share:
        ratio = profile.key_p99_to_median or 1.0
        facts["heavy keys"] = marked(
            "key_top10_share",
            f"{profile.key_top10_share:.1%} of the rows on ten, 99th percentile {ratio:,.1f}× the "
            "median",
        )
    if profile.sortedness is not None:
        facts["order"] = marked("sortedness", f"up to {profile.sortedness:.1%} of neighbours")
    if profile.row_groups is not None:
        facts["row groups"] = marked("row_groups", f"{profile.row_groups:,}")
    if profile.codec is not None:
        ratio_text = f", {profile.compression_ratio:.1f} : 1" if profile.compression_ratio else ""
        facts["compression"] = marked("compression_ratio", f"{profile.codec}{ratio_text}")
    if profile.partition_skew is not None:
        facts["partitions"] = (
            f"{profile.partition_folders:,}, the largest {profile.partition_skew:,.1f}× the median"
        )
    if profile.table_count > 1:
        few = [f"{t.name} ({t.rows:,} rows, {format_bytes(t.bytes)})" for t in profile.tables[:5]]
        more = ["…"] if profile.table_count > len(few) else []
        facts["tables"] = f"{profile.table_count:,}: {', '.join(few + more)}"
    if profile.estimated and profile.sampled_rows:
        facts["looked at"] = (
            f"{profile.sampled_rows:,} rows, {profile.inspected_files:,} files; ≈ is an estimate, "
            "and so is every distinct count and share of a value below"
        )
    return facts


def profile_text(
    profile: DatasetProfile, *, width: int | None = None, color: bool | None = None
) -> str:
    """Return the numbers about a table."""
    facts = _profile_facts(profile)

    def draw(console: Console) -> None:
        head = Table.grid(padding=(0, 2))
        for name, value in facts.items():
            head.add_row(name, Text(value, overflow="fold"))
        console.print(head)
        for caution in profile.cautions:
            console.print(Text(f"Caution: {caution}.", style="yellow"))
        console.print()
        right = ("nulls", "distinct", "top value")
        table = new_table("column", "type", *right, right=right)
        for column in profile.columns:
            table.add_row(
                Text(column.name),
                Text(column.type),
                _share(column.null_share),
                "–" if column.distinct is None else f"{column.distinct:,}",
                _share(column.top_share),
            )
        console.print(table)

    return drawn(draw, width=width, color=color)


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
