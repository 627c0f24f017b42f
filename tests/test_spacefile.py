"""Space files: what is shipped is right, what is wrong is told with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotune.builtin import BUILTINS
from autotune.domain import Machine
from autotune.errors import InputError
from autotune.space import Applies, bind
from autotune.spacefile import check_space, load_space, shipped_spaces, show_space
from autotune.spark.properties import property_facts

SPECS = Path(__file__).parent / "specs" / "spaces"
BAD = sorted((SPECS / "bad").glob("*.yaml"))
GOOD = sorted((SPECS / "good").glob("*.yaml"))
LAPTOP = Machine(
    master="local[8]", slots=8, cores_per_executor=8, memory_bytes=16 << 30, spark_version="4.3.0"
)
VERSIONS = ("3.5.9", "4.3.0")
OF_ONE_JOB = {builtin.name for builtin in BUILTINS}
"""Spaces of our own jobs are called like them, and may vary their arguments too."""


def header(path: Path) -> tuple[str, str]:
    kind, _, text = path.read_text().splitlines()[0].removeprefix("# ").partition(": ")
    return kind, text.strip()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_files(path: Path) -> None:
    kind, text = header(path)
    if kind == "problem":
        problems = check_space(load_space(str(path)), property_facts("4.3"))
        assert any(text in problem for problem in problems), problems
        assert all(problem.startswith("parameters.") for problem in problems)
        return
    with pytest.raises(InputError) as caught:
        load_space(str(path))
    message = str(caught.value)
    assert text in message, message
    assert path.stem in message
    assert "\n" not in message


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_files(path: Path) -> None:
    space = load_space(str(path))
    facts = property_facts("4.3")
    assert check_space(space, facts) == ()
    assert bind(space, machine=LAPTOP, baseline={}, facts=facts).dimensions


def test_what_is_shipped() -> None:
    of_any_job = [name for name in shipped_spaces() if name not in OF_ONE_JOB]
    assert of_any_job == ["default", "execution", "executors", "memory", "shuffle-io", "sql"]
    names = {p.name for name in shipped_spaces() for p in load_space(name).parameters}
    assert len(names) >= 40
    assert 12 <= len(load_space("default").parameters) <= 16


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", shipped_spaces())
def test_shipped_spaces_are_right_for_spark(name: str, version: str) -> None:
    space = load_space(name, spark_version=version)
    facts = property_facts(version)
    assert check_space(space, facts, spark_version=version) == check_space(space, facts) == ()
    for parameter in space.parameters:
        assert parameter.is_property or name in OF_ONE_JOB
        assert parameter.why.endswith(".")
        if parameter.is_property and parameter.applies_to(version):
            session = parameter.applies is Applies.SESSION
            assert facts[parameter.name].session is session, parameter.name


@pytest.mark.parametrize("name", shipped_spaces())
@pytest.mark.parametrize("master", ["local[8]", "spark://host:7077"])
def test_rows_that_people_read(name: str, master: str) -> None:
    machine = LAPTOP.model_copy(update={"master": master})
    space = load_space(name)
    rows = show_space(space, machine=machine, facts=property_facts("4.3"))
    assert [row.name for row in rows] == [parameter.name for parameter in space.parameters]
    assert all(row.range and row.here and row.default and row.why for row in rows)
    assert not any("<value of" in row.default for row in rows)


def test_a_row_says_what_a_range_means_here() -> None:
    rows = {
        row.name: row
        for row in show_space(load_space("default"), machine=LAPTOP, facts=property_facts("4.3"))
    }
    partitions = rows["spark.sql.shuffle.partitions"]
    assert (partitions.range, partitions.here) == ("0.5 … 32 (log)", "4 … 256")
    assert (partitions.default, partitions.relative_to) == ("200", "per slot")
    assert rows["spark.driver.memory"].here == "1g (unset) … 10g"
    assert rows["spark.executor.memory"].here == "–"


def test_a_space_for_another_spark(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text('spark: "<4"\nparameters:\n  spark.sql.cbo.enabled: {type: bool, why: x}\n')
    assert load_space(str(path), spark_version="3.5.9").name == "old"
    with pytest.raises(InputError, match=r"old\.yaml: spark: the space is for Spark <4"):
        load_space(str(path), spark_version="4.0.0")


def test_missing_spaces_name_the_shipped_ones(tmp_path: Path) -> None:
    for name in ("sqll", "none.yaml", f"{tmp_path}/x.yaml", f"{tmp_path}/"):
        with pytest.raises(InputError, match="shipped"):
            load_space(name)


def test_local_spaces_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "search_spaces"
    folder.mkdir()
    text = "description: mine\nparameters:\n  spark.sql.cbo.enabled: {type: bool, why: x}\n"
    (folder / "mine.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert load_space("mine").description == "mine"
    assert load_space("sql").name == "sql"


def test_includes_bring_rules_and_the_own_word_wins() -> None:
    space = load_space(str(SPECS / "good" / "included.yaml"))
    fraction = space.parameter("spark.memory.fraction")
    assert fraction.why == "The file's own wins."
    assert [rule.text for rule in space.rules] == [
        "spark.driver.memory + spark.memory.offHeap.size <= 85% of memory"
    ]
    assert len(load_space("default").rules) == 3


def test_a_property_of_a_newer_spark_is_left_aside() -> None:
    space = load_space("execution")
    old = LAPTOP.model_copy(update={"spark_version": "3.5.9"})
    names = [
        {d.name for d in bind(space, machine=m, baseline={}, facts=property_facts(v)).dimensions}
        for m, v in ((old, "3.5.9"), (LAPTOP, "4.3.0"))
    ]
    assert names[1] - names[0] == {"spark.sql.execution.arrow.maxBytesPerBatch"}
