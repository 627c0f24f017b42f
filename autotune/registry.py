"""The predictor in charge, as far as a SQLite store tells without MLflow, which is slow to load.

What is read are MLflow's own tables: its aliases, and the versions of a model with their tags.
Where they are not as expected nothing is said, and MLflow has to be asked.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

MODEL_NAME: Final = "spark-autotune-predictor"
CHAMPION: Final = "champion"
SHIPPED_TAG: Final = "autotune.shipped"
"""On a registered model that came with autotune: it only stands there to be served."""
MODEL_FILES: Final = "artifacts/predictor"
"""Where below a registered model its files are."""

_QUERY: Final = """
SELECT v.version, v.source, EXISTS (
  SELECT 1 FROM model_version_tags t
  WHERE t.name = v.name AND t.version = v.version AND t.key = :shipped)
FROM registered_model_aliases a
JOIN model_versions v ON v.name = a.name AND v.version = a.version
WHERE a.name = :model AND a.alias = :alias
"""


@dataclass(frozen=True)
class InCharge:
    """What answers."""

    version: str
    folder: Path | None
    """Where its files are; ``None``: it is the one that comes with autotune."""


SHIPPED: Final = InCharge("shipped", None)


def in_charge(store: Path) -> InCharge | None:
    """Return which predictor answers; ``None``: only MLflow can tell.

    Args:
        store: A SQLite file that MLflow keeps, or will.
    """
    if not store.exists():
        return SHIPPED
    values = {"model": MODEL_NAME, "alias": CHAMPION, "shipped": SHIPPED_TAG}
    try:
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as tables:
            rows = tables.execute(_QUERY, values).fetchall()
    except sqlite3.Error:
        return None
    if not rows:
        return SHIPPED
    if len(rows) > 1:
        return None
    version, source, shipped = rows[0]
    if shipped:
        return SHIPPED
    folder = _local(str(source))
    files = None if folder is None else folder / MODEL_FILES
    if files is None or not os.access(files, os.R_OK | os.X_OK):
        return None
    return InCharge(str(version), files)


def _local(source: str) -> Path | None:
    parts = urlsplit(source)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(source)
