"""Publish studies to MLflow, read them back, keep the predictor in its model registry."""

from __future__ import annotations

from autotune.ledger.models import Champion, Lesson
from autotune.ledger.publishing import Ledger, Publication

__all__ = ["Champion", "Ledger", "Lesson", "Publication"]
