"""Publish studies to MLflow, read them back, keep the predictor in its model registry."""

from __future__ import annotations

from autotune.ledger.publishing import Ledger, Publication

__all__ = ["Ledger", "Publication"]
