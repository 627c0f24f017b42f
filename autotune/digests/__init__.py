"""What an output holds, in numbers that do not depend on order, and how two outputs differ.

Two executions of one job may write their rows in another order and into another number of files,
and add up floating point numbers in another order. None of that is a different answer. A digest
keeps what is left: sums over rows of hashes of everything exact, and plain sums of floating point
values that are compared with a tolerance. It can be added up piece by piece.

Where two executions with the same configuration differ, the job is not deterministic by itself
in these parts, and they prove nothing against another configuration (``unstable_parts``).
"""

from __future__ import annotations

from autotune.digests.comparison import (
    TOLERANCE,
    Difference,
    Part,
    PartKind,
    compare,
    unstable_parts,
)
from autotune.digests.table import (
    BUCKETS,
    DIGEST_VERSION,
    NO_ROWS,
    FloatColumn,
    FloatFamily,
    TableDigest,
    merged,
    merged_floats,
)

__all__ = [
    "BUCKETS",
    "DIGEST_VERSION",
    "NO_ROWS",
    "TOLERANCE",
    "Difference",
    "FloatColumn",
    "FloatFamily",
    "Part",
    "PartKind",
    "TableDigest",
    "compare",
    "merged",
    "merged_floats",
    "unstable_parts",
]
