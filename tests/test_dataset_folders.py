"""Folders of dates, and how many of very many folders are looked into."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autotune.dataset import profile_dataset
from autotune.dataset.formats import format_of_content, parquet_footer
from autotune.domain import DatasetProfile
from autotune.errors import InputError


def parts(folder: Path, count: int = 1, ending: str = ".parquet", names: str = "ab") -> None:
    """Lay files of three rows into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: [1, 2, 3] for name in names})
    for number in range(count):
        pq.write_table(table, folder / f"part-{number}{ending}")


def days(lake: Path, form: str, count: int, files: int = 1, ending: str = ".parquet") -> None:
    for number in range(count):
        parts(lake / form.format(month=1 + number // 20, day=1 + number % 20), files, ending)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose footers or first bytes were asked for."""
    asked: list[Path] = []

    def footer(path: Path) -> object:
        asked.append(path)
        return parquet_footer(path)

    def content(path: Path) -> str | None:
        asked.append(path)
        return format_of_content(path)

    for module in ("files", "footers", "readers"):
        monkeypatch.setattr(f"autotune.dataset.{module}.parquet_footer", footer)
    monkeypatch.setattr("autotune.dataset.files.format_of_content", content)
    return asked


@pytest.mark.parametrize("ending", [".parquet", ""])
def test_the_limit_of_files_holds_over_folders_of_dates(
    tmp_path: Path, opened: list[Path], ending: str
) -> None:
    days(tmp_path / "lake", "2024/{month:02}/{day:02}", 60, 5, ending)
    profile = profile_dataset(str(tmp_path / "lake"), max_files=20)
    assert (profile.table_count, profile.files, profile.rows) == (1, 300, 900)
    assert profile.tables[0].name == "lake"
    assert profile.inspected_files == 20
    assert len(set(opened)) <= (40 if ending else 60)
    assert "rows" in profile.estimated


@pytest.mark.parametrize("ending", [".parquet", ""])
def test_the_limit_of_files_holds_over_folders_of_tables(
    tmp_path: Path, opened: list[Path], ending: str
) -> None:
    for number in range(60):
        parts(tmp_path / f"table_{number}", 5, ending, names=f"{'abcdefghij'[number % 10]}xy")
    profile = profile_dataset(str(tmp_path), max_files=20)
    assert (profile.table_count, profile.files, profile.rows) == (60, 300, 900)
    assert profile.inspected_files == 20
    # Without an extension, one file of each folder must be asked what it is.
    assert len(set(opened)) <= (20 if ending else 80)


def test_small_folders_are_told_apart_beside_a_large_one(tmp_path: Path) -> None:
    parts(tmp_path / "large", 40)
    parts(tmp_path / "small", 1)
    parts(tmp_path / "small", 1, ".other.parquet", names="xyz")
    profile = profile_dataset(str(tmp_path), max_files=20)
    assert profile.table_count == 3


@pytest.mark.parametrize(
    "form",
    ["2024/{month:02}/{day:02}", "2024-{month:02}-{day:02}", "2024{month:02}{day:02}", "{day}"],
)
def test_folders_of_dates_are_one_table(tmp_path: Path, form: str) -> None:
    days(tmp_path / "lake" / "orders", form, 3)
    days(tmp_path / "lake" / "clicks", form, 3)
    profile = profile_dataset(str(tmp_path / "lake"))
    assert sorted(each.name for each in profile.tables) == ["clicks", "orders"]
    assert (profile.rows, profile.estimated) == (18, ())


def test_folders_of_numbers_with_other_columns_are_other_tables(tmp_path: Path) -> None:
    for name, columns in (("1", "ab"), ("2", "abc"), ("3", "abc"), ("x", "ab")):
        parts(tmp_path / name, names=columns)
    assert profile_dataset(str(tmp_path)).table_count == 3
    parts(tmp_path / "1", 1, ".other.parquet", names="xyz")
    assert profile_dataset(str(tmp_path)).table_count == 4, "no date, but a folder of two tables"


def test_dates_are_joined_around_partitions_and_not_above_what_is_named(tmp_path: Path) -> None:
    for day in ("2024/01/01", "2024/01/02", "2025/01/01"):
        for region in ("eu", "us"):
            parts(tmp_path / "t" / day / f"region={region}")
    profile = profile_dataset(str(tmp_path / "t"))
    assert (profile.table_count, profile.partition_folders) == (1, 6)
    assert "region" in {column.name for column in profile.columns}
    apart = [str(tmp_path / "t" / year) for year in ("2024", "2025")]
    assert profile_dataset(apart).table_count == 2


@pytest.mark.parametrize("lines", [["a,b", "1,2"], ["Ann,Rome", "Bob,Paris"]])
def test_folders_of_dates_hold_text_with_and_without_names(
    tmp_path: Path, lines: Sequence[str]
) -> None:
    for day in range(1, 4):
        folder = tmp_path / f"2024-05-0{day}"
        folder.mkdir()
        text = [line.replace("Ann", "Ann" + "e" * day) for line in lines]
        (folder / "part-0.csv").write_text("\n".join(text) + "\n")
    profile = profile_dataset(str(tmp_path))
    assert profile.table_count == 1
    assert profile.rows == (3 if lines[0] == "a,b" else 6)


def test_files_that_are_named_make_the_tables_that_their_folder_makes(tmp_path: Path) -> None:
    parts(tmp_path / "t", 5)
    parts(tmp_path / "t", 2, ".other.parquet", names="xyz")
    (tmp_path / "t" / "_SUCCESS").touch()
    (tmp_path / "t" / "_committed_1").write_text('{"added": []}')
    (tmp_path / "t" / "more.csv").write_text("a,b\n1,2\n")
    profile = profile_dataset([str(each) for each in sorted((tmp_path / "t").glob("*"))])
    found = sorted((each.format, each.files, each.rows) for each in profile.tables)
    assert found == [("csv", 1, 1), ("parquet", 2, 6), ("parquet", 5, 15)]


def test_files_that_are_named_may_lie_in_partitions(tmp_path: Path) -> None:
    for day in ("1", "2"):
        parts(tmp_path / "by_day" / f"day={day}", 2)
        parts(tmp_path / "by_date" / "2024" / "05" / day)
    profile = profile_dataset([str(each) for each in (tmp_path / "by_day").glob("*/*")])
    assert (profile.table_count, profile.rows, profile.partition_folders) == (1, 12, 2)
    assert "day" in {column.name for column in profile.columns}
    profile = profile_dataset([str(each) for each in (tmp_path / "by_date").glob("*/*/*/*")])
    assert [(each.name, each.files) for each in profile.tables] == [("by_date", 2)]


def test_each_input_that_is_named_must_be_data(tmp_path: Path) -> None:
    parts(tmp_path / "t")
    for name, said in (("unknown.bin", "of unknown format"), ("none.csv", "empty")):
        wrong = tmp_path / "wrong" / name
        wrong.parent.mkdir(exist_ok=True)
        wrong.write_text("a" if said != "empty" else "")
        for inputs in ([wrong], [tmp_path / "t", wrong], [tmp_path / "t/part-0.parquet", wrong]):
            with pytest.raises(InputError, match=f"{name}: {said}"):
                profile_dataset([str(each) for each in inputs])


def test_the_limit_of_files_holds_over_all_inputs(tmp_path: Path, opened: list[Path]) -> None:
    for number in range(30):
        parts(tmp_path / f"t{number}", 5, names=f"{'abcdefghij'[number % 10]}xy")
    profile = profile_dataset([str(each) for each in tmp_path.iterdir()], max_files=20)
    assert (profile.table_count, profile.rows, profile.inspected_files) == (30, 450, 20)
    assert len(set(opened)) <= 20


def test_very_many_inputs_are_compared_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.csv" for number in range(2000)]
    for path in paths:
        path.write_text("a,b\n1,2\n")
    before = time.process_time()
    profile = profile_dataset([str(path) for path in paths], max_files=10)
    assert time.process_time() - before < 10, "each with each takes half a minute"
    assert (profile.files, profile.table_count) == (2000, 1)


def test_links_that_lead_in_circles_are_passed_over(tmp_path: Path) -> None:
    parts(tmp_path / "t", 2)
    for one, other in (("a.parquet", "b.parquet"), ("b.parquet", "a.parquet"), ("me", "me")):
        (tmp_path / "t" / one).symlink_to(tmp_path / "t" / other)
    (tmp_path / "t" / "_delta_log").symlink_to(tmp_path / "t" / "_delta_log")
    (tmp_path / "t" / "gone.parquet").symlink_to(tmp_path / "gone.parquet")
    profile = profile_dataset(str(tmp_path / "t"))
    assert (profile.rows, profile.files, profile.cautions) == (6, 2, ())


@pytest.mark.parametrize(
    "name", [b"caf\xe9.parquet", b"caf\xe9/0.parquet", b"d=\xe9/0", b"\xe9.orc", b"\xe9.csv"]
)
def test_files_of_names_that_are_no_text_are_left_out(tmp_path: Path, name: bytes) -> None:
    odd = tmp_path / "t" / os.fsdecode(name)
    try:
        odd.parent.mkdir(parents=True)
        odd.touch()
    except OSError:
        pytest.skip("this file system takes Unicode only")
    parts(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "part-0.parquet").replace(odd)
    with pytest.raises(InputError, match="names that are no Unicode"):
        profile_dataset(str(tmp_path / "t"))
    parts(tmp_path / "t", 2)
    profile = profile_dataset(str(tmp_path / "t"))
    assert (profile.rows, profile.files, profile.table_count) == (6, 2, 1)
    left_out = "a file or folder whose name is no Unicode was left out; rename it"
    assert profile.cautions == (left_out,)
    assert DatasetProfile.model_validate_json(profile.model_dump_json()) == profile
    (tmp_path / "t" / os.fsdecode(b"\xff.csv")).write_text("a,b\n1,2\n")
    left_out = "2 files or folders whose names are no Unicode were left out; rename them"
    assert profile_dataset(str(tmp_path / "t")).cautions == (left_out,)
