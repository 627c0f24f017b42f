"""What the tests that start Spark share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from one_jvm import OneJvm


@pytest.fixture(scope="module")
def one_jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneJvm]:
    """Runs several programs one after the other, quickly."""
    found = OneJvm(tmp_path_factory.mktemp("jvm"))
    yield found
    found.end()
