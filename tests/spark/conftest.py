"""Who must be alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from one_jvm import OneJvm


@pytest.hookimpl(tryfirst=True)  # before the markers are selected by
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who looks for what executions leave also measures the machine and keeps deadlines."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.module, "leftovers"):
            item.add_marker("alone")


@pytest.fixture(scope="module")
def one_jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneJvm]:
    """Runs several programs one after the other, quickly."""
    found = OneJvm(tmp_path_factory.mktemp("jvm"))
    yield found
    found.end()
