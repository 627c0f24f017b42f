"""What a study found, as data, as text; and the tables that the other verbs print."""

from __future__ import annotations

from autotune.report.data import ReportData, build
from autotune.report.rows import Overridden
from autotune.report.tables import (
    profile_text,
    rows_text,
    space_text,
    studies_text,
    workloads_text,
)

__all__ = [
    "Overridden",
    "ReportData",
    "build",
    "profile_text",
    "rows_text",
    "space_text",
    "studies_text",
    "workloads_text",
]
