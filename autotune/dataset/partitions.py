"""Columns that are folder names (``key=value``), and the sizes of such folders."""

from __future__ import annotations

import os
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from autotune.dataset.files import Table
from autotune.domain import ColumnProfile

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Partitions:
    """How a table is divided into folders."""

    values: dict[str, Counter[str]]
    """Column → value → bytes that lie in it."""
    sizes: tuple[int, ...]
    """Bytes of each innermost folder."""

    @property
    def skew(self) -> float | None:
        """Bytes of the largest folder ÷ those of the median one."""
        return round(max(self.sizes) / statistics.median(self.sizes), 3) if self.sizes else None

    def columns(self) -> Iterator[ColumnProfile]:
        """Yield a profile of each column; shares are those of bytes."""
        for name, values in self.values.items():
            yield _column(name, values)


def partitions_of(table: Table) -> Partitions:
    """Read the folder names of *table*; no file is opened."""
    folders: Counter[str] = Counter()
    for path, size in zip(table.files, table.sizes, strict=True):
        folders[os.path.dirname(path)] += size  # noqa: PTH120  # per file, of very many
    values: dict[str, Counter[str]] = {}
    sizes = []
    for folder, size in folders.items():
        # The root's own name counts too: one partition may be named alone.
        parts = Path(folder).parts[len(table.root.parts) - 1 :]
        named = [part.partition("=") for part in parts if "=" in part]
        for name, _, value in named:
            values.setdefault(unquote(name), Counter())[unquote(value)] += size
        if named:
            sizes.append(size)
    return Partitions(values, tuple(sizes))


def _column(name: str, values: Counter[str]) -> ColumnProfile:
    total = values.total()
    present = Counter({v: size for v, size in values.items() if v != _NULL_PARTITION})
    whole_numbers = bool(present) and all(re.fullmatch(r"-?\d{1,9}", v) for v in present)
    return ColumnProfile(
        name=name,
        type="int" if whole_numbers else "string",
        null_share=values[_NULL_PARTITION] / total,
        distinct=len(present),
        top_share=max(present.values(), default=0) / total,
        top10_share=sum(size for _, size in present.most_common(10)) / total,
    )
