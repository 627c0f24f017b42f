"""Several inputs of one job, several tables, partitions, and profiles of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from autotune.dataset import profile_dataset, profile_if_readable
from autotune.domain import DatasetProfile
from autotune.errors import InputError
from commands import Command

OLD_PROFILE = """{"path": "/t", "format": "parquet", "rows": 10, "bytes": 100, "files": 1,
"largest_file_bytes": 100, "smallest_file_bytes": 100, "row_width_bytes": 8.0, "null_share": 0.0,
"key_skew": 0.1, "columns": [{"name": "k", "type": "bigint", "null_share": 0.0, "distinct": 10,
"top_share": 0.1}], "estimated": ["distinct"]}"""


def table(folder: Path, rows: int, **more: object) -> Path:
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"id": np.arange(rows), **more}), folder / "part-0.parquet")
    return folder


def test_several_inputs_make_one_profile(tmp_path: Path) -> None:
    facts = table(tmp_path / "facts", 50_000)
    cities = table(tmp_path / "elsewhere" / "cities", 100, city=["x"] * 100)
    profile = profile_dataset([str(cities), str(facts)])
    assert profile.path == f"{cities}, {facts}"
    assert (profile.rows, profile.files, profile.table_count) == (50_100, 2, 2)
    assert [each.name for each in profile.tables] == ["facts", "cities"]
    assert [each.rows for each in profile.tables] == [50_000, 100]
    assert profile.bytes == sum(each.bytes for each in profile.tables)
    assert profile.table_ratio == pytest.approx(
        profile.tables[0].bytes / profile.tables[1].bytes, abs=0.001
    )
    assert profile.largest_share == profile.tables[0].bytes / profile.bytes
    assert [c.name for c in profile.columns] == ["id"]


def test_inputs_may_have_several_formats(tmp_path: Path) -> None:
    facts = table(tmp_path / "facts", 1000)
    (tmp_path / "more.csv").write_text("a,b\n1,2\n")
    profile = profile_dataset([str(facts), str(tmp_path / "more.csv")])
    assert [each.format for each in profile.tables] == ["parquet", "csv"]
    assert profile.rows == 1001


def test_an_input_counts_once(tmp_path: Path) -> None:
    facts = table(tmp_path / "facts", 10)
    assert profile_dataset([str(facts), f"{facts}/"]).rows == 10
    with pytest.raises(InputError, match=r"is part of .*; name each table once"):
        profile_dataset([str(tmp_path), str(facts)])
    with pytest.raises(InputError, match="no path"):
        profile_dataset([])


def test_a_table_without_rows_is_not_the_one_that_is_told_of(tmp_path: Path) -> None:
    full = table(tmp_path / "full", 5)
    wide = pa.table({f"c{i}": pa.array([], pa.int64()) for i in range(50)})
    (tmp_path / "none").mkdir()
    pq.write_table(wide, tmp_path / "none" / "0.parquet")
    assert (tmp_path / "none" / "0.parquet").stat().st_size > (
        full / "part-0.parquet"
    ).stat().st_size
    profile = profile_dataset(str(tmp_path))
    assert profile.rows == 5
    assert [c.name for c in profile.columns] == ["id"]
    with pytest.raises(InputError, match="no rows"):
        profile_dataset(str(tmp_path / "none"))


def test_sizes_of_partition_folders(tmp_path: Path) -> None:
    for day, rows in (("1", 1000), ("2", 1000), ("3", 50_000)):
        table(tmp_path / "t" / f"day={day}", rows)
    profile = profile_dataset(str(tmp_path / "t"))
    assert profile.partition_folders == 3
    assert profile.partition_skew is not None
    assert profile.partition_skew > 10
    assert profile_dataset(str(tmp_path / "t" / "day=1")).partition_skew == 1.0


def test_a_table_without_partitions_has_no_folder_sizes(tmp_path: Path) -> None:
    profile = profile_dataset(str(table(tmp_path / "t", 10)))
    assert (profile.partition_folders, profile.partition_skew) == (0, None)


def test_a_cut_off_parquet_file_is_named(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", 10_000)
    whole = (folder / "part-0.parquet").read_bytes()
    (folder / "part-1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"part-1.parquet: not a readable Parquet") as caught:
        profile_dataset(str(folder))
    assert "\n" not in str(caught.value)


def test_parquet_pages_that_were_overwritten_are_one_line(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", 10_000)
    whole = bytearray((folder / "part-0.parquet").read_bytes())
    whole[4:2000] = b"\xff" * 1996
    (folder / "part-0.parquet").write_bytes(bytes(whole))
    with pytest.raises(InputError, match=r"part-0.parquet: not a readable Parquet") as caught:
        profile_dataset(str(folder))
    assert "\n" not in str(caught.value)


def test_profiles_of_earlier_versions_are_read() -> None:
    old = DatasetProfile.model_validate_json(OLD_PROFILE)
    assert (old.rows, old.columns[0].distinct) == (10, 10)
    assert (old.largest_share, old.depth, old.table_count) == (1.0, 0, 1)
    assert (old.compression_ratio, old.tables, old.cautions) == (None, (), ())
    assert DatasetProfile.model_validate_json(old.model_dump_json()) == old


def test_the_verb_takes_several_paths_and_limits(tmp_path: Path, autotune: Command) -> None:
    facts, cities = table(tmp_path / "facts", 500), table(tmp_path / "cities", 10)
    ran = autotune(
        "profile",
        str(facts),
        str(cities),
        "--max-files",
        "5",
        "--column",
        "id",
        "--format",
        "json",
    )
    assert (ran.code, ran.err) == (0, "")
    profile = DatasetProfile.model_validate_json(ran.out)
    assert (profile.rows, profile.table_count) == (510, 2)
    shown = autotune("profile", str(facts), str(cities)).out
    assert "facts (500 rows" in shown


def test_a_wrong_column_ends_the_verb_with_one_line(tmp_path: Path, autotune: Command) -> None:
    ran = autotune("profile", str(table(tmp_path / "facts", 5)), "--column", "nope")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "has no column 'nope'; name one of id" in ran.err


def test_links_to_folders_are_followed_and_none_that_leads_back(tmp_path: Path) -> None:
    table(tmp_path / "t" / "day=1", 300)
    elsewhere = table(tmp_path / "elsewhere", 100)
    (tmp_path / "t" / "day=2").symlink_to(elsewhere)
    (tmp_path / "t" / "day=1" / "back").symlink_to(tmp_path / "t")
    (elsewhere / "again").symlink_to(tmp_path / "t")
    profile = profile_dataset(str(tmp_path / "t"))
    assert (profile.rows, profile.files, profile.partition_folders) == (400, 2, 2)


def test_first_lines_of_parts_that_differ_are_rows(tmp_path: Path) -> None:
    # As Spark writes CSV unless it is told otherwise.
    (tmp_path / "part-00000-x.csv").write_text("Alice,Paris\nAnn,Rome\n")
    (tmp_path / "part-00001-x.csv").write_text("Bob,Rome\nBea,Oslo\n")
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.table_count) == (4, 1)
    assert [column.name for column in profile.columns] == ["_c0", "_c1"]
    (tmp_path / "part-00000-x.csv").rename(tmp_path / "customers.csv")
    assert profile_dataset(str(tmp_path)).table_count == 2, "names of tables, and of columns"


def test_orc_with_as_many_rows_as_are_sampled_is_looked_at_whole(tmp_path: Path) -> None:
    orc.write_table(pa.table({"id": np.arange(1000)}), tmp_path / "t.orc")
    profile = profile_dataset(str(tmp_path), sample_rows=1000)
    assert (profile.columns[0].distinct, profile.estimated) == (1000, ())


def test_partition_columns_may_be_named_and_their_shares_are_of_bytes(tmp_path: Path) -> None:
    table(tmp_path / "day=1", 100)
    table(tmp_path / "day=__HIVE_DEFAULT_PARTITION__", 100)
    profile = profile_dataset(str(tmp_path), columns=["day"])
    assert {column.name for column in profile.columns} >= {"day"}
    assert "null_share" in profile.estimated
    with pytest.raises(InputError, match="no column 'dag'"):
        profile_dataset(str(tmp_path), columns=["dag"])


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="two columns 'a'"):
        profile_dataset(str(tmp_path))


def test_nobodys_home_is_told() -> None:
    with pytest.raises(InputError, match="nobody's home is known by '~no-such-user'"):
        profile_dataset("~no-such-user/t")


def test_what_a_job_reads_need_not_be_readable_for_us(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "events.avro").write_bytes(b"Obj\x01\x00")
    assert profile_if_readable(str(tmp_path), said.append) is None
    assert "unknown format" in said[0]
    assert profile_if_readable("s3://bucket/t", said.append) is None
    assert profile_if_readable(None, said.append) is None
    assert len(said) == 1
    with pytest.raises(InputError, match="no such file"):
        profile_if_readable(str(tmp_path / "nowhere"), said.append)


def test_the_text_that_is_counted_is_bounded_for_all_tables_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.csv").write_text("x,y\n" + "1,2\n" * 100_000)
    assert "rows" not in profile_dataset(str(tmp_path)).estimated
    monkeypatch.setattr("autotune.dataset.MAX_COUNTED_BYTES", 900_000)
    bounded = profile_dataset(str(tmp_path), sample_rows=1000)
    assert "rows" in bounded.estimated
    assert bounded.rows == pytest.approx(300_000, rel=0.02)


def test_a_job_with_several_inputs_can_be_asked_about(autotune: Command, tmp_path: Path) -> None:
    one, other = table(tmp_path / "facts", 5000), table(tmp_path / "cities", 100)
    asked = ("recommend", "--data", str(one), "--data", str(other), "--master", "local[2]")
    answer = autotune(*asked, "--format", "json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["profile"]["rows"], found["profile"]["table_count"]) == (5100, 2)
    (tmp_path / "q").mkdir()
    refused = autotune(*asked, "--sql", str(tmp_path / "q"))
    assert (refused.code, "one folder" in refused.err) == (2, True)
