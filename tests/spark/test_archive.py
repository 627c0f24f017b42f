"""Class-data sharing: made once, mapped by every JVM that can, and never in the way."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from autotune.domain import Config, Limits, Workload
from autotune.record import Status
from autotune.spark.archive import References, references_of, share_classes
from autotune.spark.installation import find_installation
from autotune.spark.submit import SparkSubmit

pytestmark = pytest.mark.spark

FINE = str(Path(__file__).parent / "programs" / "fine.py")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    named = os.environ.get("AUTOTUNE_CACHE")
    return Path(named) if named else tmp_path_factory.mktemp("cache")


def execute(tmp_path, cache, monkeypatch, **properties):
    monkeypatch.setenv("AUTOTUNE_CACHE", str(cache))
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dspark.theirs=kept")
    submit = SparkSubmit(find_installation(), tmp_path / "scratch")
    job = Workload(name="fine", application=FINE, master="local[2]", properties=properties)
    execution = submit(job, Config(), Limits(time_s=180), lambda seen: False)
    assert execution.status is Status.SUCCEEDED, execution.error
    assert execution.effective["spark.theirs"] == "kept"
    return execution


@pytest.mark.alone  # no other test may be making one
def test_it_is_made_once_and_then_found(cache):
    installation = find_installation()
    made = share_classes(installation, References.COMPRESSED, cache)
    assert made is not None
    before = made.archive.stat()
    assert share_classes(installation, References.COMPRESSED, cache) == made
    assert made.archive.stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_size > 50_000_000
    assert {entry.suffix for entry in made.archive.parent.iterdir()} <= {".jsa", ".lock", ""}
    assert not list(made.archive.parent.glob("making-*"))


@pytest.mark.parametrize(
    "flags", ["-XX:+UseSerialGC", "-XX:+UseParallelGC -Xmn100m", "-XX:+UseG1GC"]
)
def test_every_collector_with_compressed_references_maps_it(tmp_path, cache, monkeypatch, flags):
    properties = {"spark.driver.extraJavaOptions": flags, "spark.driver.memory": "700m"}
    assert execute(tmp_path, cache, monkeypatch, **properties).shared_archive_mapped is True


def test_wide_references_have_an_archive_of_their_own(tmp_path, cache, monkeypatch):
    properties = {"spark.driver.extraJavaOptions": "-XX:+UseZGC"}
    assert references_of(properties) is References.WIDE
    assert execute(tmp_path, cache, monkeypatch, **properties).shared_archive_mapped is True


def test_where_it_cannot_be_mapped_the_record_says_so(tmp_path, cache, monkeypatch):
    theirs = tmp_path / "their.jar"
    with zipfile.ZipFile(theirs, "w") as jar:
        jar.writestr("their.properties", "a=b")
    other = {"spark.driver.extraClassPath": str(theirs)}
    assert execute(tmp_path, cache, monkeypatch, **other).shared_archive_mapped is False
