"""Who must be alone."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # before the markers are selected by
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who looks for what executions leave also measures the machine and keeps deadlines."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "leftovers"):
            item.add_marker("alone")
