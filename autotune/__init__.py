"""Find the Spark configuration that makes one job fastest or cheapest, by running it."""

from __future__ import annotations

__version__ = "0.1.0"
