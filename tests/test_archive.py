"""Which archive a configuration needs, and when there is none."""

from __future__ import annotations

import pytest

from autotune.spark.archive import References, cache_folder, references_of, share_classes
from autotune.spark.installation import Installation


@pytest.mark.parametrize(
    ("memory", "flags", "references"),
    [
        (None, None, References.COMPRESSED),
        ("31g", "-XX:+UseParallelGC", References.COMPRESSED),
        ("32g", None, References.WIDE),
        ("40960", None, References.WIDE),
        ("1t", None, References.WIDE),
        ("nonsense", None, References.COMPRESSED),
        ("1g", "-XX:+UseZGC", References.WIDE),
        ("1g", "-XX:+UseZGC -XX:-UseZGC", References.COMPRESSED),
        ("1g", "-Da=b -XX:-UseCompressedOops", References.WIDE),
        ("1g", "-XX:-UseCompressedOops -XX:+UseCompressedOops", References.COMPRESSED),
    ],
)
def test_the_width_of_references(memory, flags, references):
    properties = {"spark.driver.memory": memory, "spark.driver.extraJavaOptions": flags}
    given = {name: value for name, value in properties.items() if value is not None}
    assert references_of(given) is references


def installation(home, java_version="17.0.1"):
    return Installation(
        home=str(home), spark_version="4.0.1", java="java", java_version=java_version, python="p"
    )


def test_old_javas_have_none(tmp_path):
    old = installation(tmp_path, "11.0.2")
    assert share_classes(old, References.COMPRESSED, tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["hive-site.xml", "spark-env.sh", "core-site.xml"])
def test_conf_files_that_matter_forbid_it(tmp_path, name, monkeypatch):
    monkeypatch.delenv("SPARK_CONF_DIR", raising=False)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / name).touch()
    assert share_classes(installation(tmp_path), References.COMPRESSED, tmp_path / "c") is None


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path):
    (tmp_path / "cache").touch()
    found = share_classes(installation(tmp_path), References.COMPRESSED, tmp_path / "cache")
    assert found is None


def test_a_spark_that_does_not_start_has_none_and_leaves_nothing(tmp_path):
    home = tmp_path / "spark"
    (home / "bin").mkdir(parents=True)
    script = home / "bin" / "spark-submit"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    cache = tmp_path / "cache"
    assert share_classes(installation(home), References.COMPRESSED, cache) is None
    assert {entry.suffix for entry in (cache / "class-data").iterdir()} == {".lock"}


def test_where_archives_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOTUNE_CACHE", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
    monkeypatch.delenv("AUTOTUNE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "autotune"
