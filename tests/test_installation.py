"""Finding Spark and Java, and saying what is wrong when they are not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from autotune.errors import EnvironmentFault, InputError
from autotune.spark.installation import find_installation, java_major, spark_defaults


def fake_java(folder: Path, answer: str = 'openjdk version "17.0.9" 2023', status: int = 0):
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit {status}\n")
    binary.chmod(0o755)
    return folder


def fake_spark(folder: Path, version: str = "4.0.1"):
    (folder / "bin").mkdir(parents=True)
    (folder / "jars").mkdir()
    script = folder / "bin" / "spark-submit"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (folder / "jars" / f"spark-core_2.13-{version}.jar").touch()
    return folder


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "java")))


def test_the_named_one_beats_the_environment_beats_pyspark(tmp_path, monkeypatch):
    named, other = fake_spark(tmp_path / "a b"), fake_spark(tmp_path / "other", "3.5.9")
    assert find_installation().home.endswith("pyspark")
    monkeypatch.setenv("SPARK_HOME", str(other))
    assert find_installation().spark_version == "3.5.9"
    found = find_installation(str(named))
    assert (found.home, found.spark_version) == (str(named), "4.0.1")
    assert found.java_version == "17.0.9"
    assert found.python == sys.executable
    assert found.submit_script == f"{named}/bin/spark-submit"
    assert found.spark_release == (4, 0)


def test_pyspark_is_found_without_importing_it():
    loaded = "pyspark" in sys.modules
    find_installation()
    assert ("pyspark" in sys.modules) == loaded


def test_the_version_is_read_from_release_without_the_jar(tmp_path):
    home = fake_spark(tmp_path / "spark")
    next(home.glob("jars/*.jar")).unlink()
    (home / "RELEASE").write_text(
        "Spark 3.5.1 (git revision fd86f85e181) built for Hadoop 3.3.4\n"
    )
    assert find_installation(str(home)).spark_version == "3.5.1"


@pytest.mark.parametrize("version", ["3.4.4", "2.4.8", "5.0.0", "5.1.0-preview1"])
def test_other_versions_are_refused_in_words(tmp_path, version):
    with pytest.raises(EnvironmentFault, match=r"not supported; use Spark 3\.5 to 4\.x"):
        find_installation(str(fake_spark(tmp_path / "spark", version)))


@pytest.mark.parametrize("version", ["3.5.0", "3.5.9", "4.0.0", "4.1.0-preview2", "4.3.0"])
def test_supported_versions_are_accepted(tmp_path, version):
    found = find_installation(str(fake_spark(tmp_path / "spark", version)))
    assert found.spark_version == version


def broken_homes(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    fake_spark(tmp_path / "jarless")
    next((tmp_path / "jarless").glob("jars/*.jar")).unlink()
    return [tmp_path / name for name in ("nothing", "file", "empty", "jarless")]


def test_broken_homes_are_refused_with_the_fix(tmp_path):
    for home in broken_homes(tmp_path):
        with pytest.raises(EnvironmentFault, match="set SPARK_HOME") as caught:
            find_installation(str(home))
        assert str(home) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_broken_spark_home_names_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "gone"))
    with pytest.raises(EnvironmentFault, match=r"SPARK_HOME .*gone: no such folder"):
        find_installation()


@pytest.mark.parametrize("fault", ["gone", "silent", "failing", "old", "broken", "nowhere"])
def test_java_faults_are_told_with_the_fix(tmp_path, monkeypatch, fault):
    home = tmp_path / fault
    if fault == "silent":
        fake_java(home, "")
    if fault == "failing":
        fake_java(home, status=1)
    if fault == "old":
        fake_java(home, 'java version "1.8.0_402"')
    if fault == "broken":
        fake_java(home)
        (home / "bin" / "java").write_bytes(b"\x7fELF not really")
    monkeypatch.setenv("JAVA_HOME", str(home))
    if fault == "nowhere":
        monkeypatch.delenv("JAVA_HOME")
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="install Java 17 and set JAVA_HOME") as caught:
        find_installation(str(fake_spark(tmp_path / "spark")))
    assert "\n" not in str(caught.value)


def test_an_old_spark_may_use_an_old_java(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "8", 'java version "1.8.0_402"')))
    found = find_installation(str(fake_spark(tmp_path / "spark", "3.5.9")))
    assert found.java_major == 8


@pytest.mark.parametrize(
    ("version", "major"), [("1.8.0_402", 8), ("11.0.2", 11), ("17", 17), ("21.0.1+12", 21)]
)
def test_java_majors(version, major):
    assert java_major(version) == major


def test_defaults_are_read_from_the_conf_folder(tmp_path, monkeypatch):
    home = fake_spark(tmp_path / "spark")
    found = find_installation(str(home))
    assert spark_defaults(found) == {}
    (home / "conf").mkdir()
    (home / "conf" / "spark-defaults.conf").write_text("spark.driver.memory  4g\n# x\n")
    assert spark_defaults(found) == {"spark.driver.memory": "4g"}
    other = tmp_path / "conf"
    other.mkdir()
    (other / "spark-defaults.conf").write_text("spark.driver.memory=5g\n")
    monkeypatch.setenv("SPARK_CONF_DIR", str(other))
    assert spark_defaults(found) == {"spark.driver.memory": "5g"}


def test_defaults_that_are_no_text_are_refused_in_words(tmp_path):
    home = fake_spark(tmp_path / "spark")
    (home / "conf").mkdir()
    (home / "conf" / "spark-defaults.conf").write_bytes(os.urandom(4) + b"\xff\xfe")
    with pytest.raises(InputError, match=r"spark-defaults\.conf: not UTF-8"):
        spark_defaults(find_installation(str(home)))
