"""What Spark says of its properties, as shipped."""

from __future__ import annotations

import pytest

from autotune.spark.properties import is_known, property_facts, shipped_versions


def test_versions_and_their_size() -> None:
    assert shipped_versions() == ("3.5", "4.3")
    assert len(property_facts("3.5.9")) > 1000
    assert len(property_facts("4.3.0")) > 1300


@pytest.mark.parametrize(
    ("asked", "given"),
    [("3.5.1", "3.5"), ("4.0.1", "3.5"), ("4.3.2", "4.3"), ("4.10.0", "4.3"), ("5.0", "4.3"),
     ("3.3", "4.3"), (None, "4.3"), ("unknown", "4.3")],
)  # fmt: skip
def test_the_nearest_lower_version_answers(asked: str | None, given: str) -> None:
    assert property_facts(asked) is property_facts(given)


@pytest.mark.parametrize("version", ["3.5", "4.3"])
@pytest.mark.parametrize(
    ("name", "default", "session"),
    [
        ("spark.sql.shuffle.partitions", "200", True),
        ("spark.sql.adaptive.enabled", "true", True),
        ("spark.driver.memory", "1g", False),
        ("spark.memory.fraction", "0.6", False),
        ("spark.io.compression.codec", "lz4", False),
        ("spark.driver.extraJavaOptions", None, False),
        ("spark.default.parallelism", None, False),
        ("spark.sql.warehouse.dir", None, False),
        ("spark.sql.extensions", None, False),
        ("spark.shuffle.io.numConnectionsPerPeer", "1", False),
    ],
)
def test_facts(version: str, name: str, default: str | None, session: bool) -> None:
    fact = property_facts(version)[name]
    assert fact.session is session
    assert fact.default == default
    assert fact.name == name
    assert fact.doc or "extraJavaOptions" in name


def test_versions_differ() -> None:
    assert property_facts("3.5")["spark.speculation.multiplier"].default == "1.5"
    assert property_facts("4.3")["spark.speculation.multiplier"].default == "3.0"
    assert "spark.sql.execution.arrow.maxBytesPerBatch" not in property_facts("3.5")


def test_no_place_of_the_extracting_machine_is_shipped() -> None:
    for version in shipped_versions():
        for fact in property_facts(version).values():
            assert not (fact.default or "").startswith(("/home", "/root", "file:/tmp/spark-w"))
    assert property_facts(None)["spark.sql.session.timeZone"].default is None


def test_open_families_are_known() -> None:
    facts = property_facts(None)
    assert is_known("spark.hadoop.fs.s3a.connection.maximum", facts)
    assert is_known("spark.sql.shuffle.partitions", facts)
    assert not is_known("spark.sql.shufle.partitions", facts)


def test_facts_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        property_facts(None)["x"] = None  # type: ignore[index]
