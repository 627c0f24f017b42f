from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotune.dataset import profile_dataset
from autotune.dataset.formats import readable
from autotune.domain import DatasetProfile
from autotune.errors import InputError


def column(profile: DatasetProfile, name: str):
    return next(column for column in profile.columns if column.name == name)


def trips(rows: int, *, seed: int = 0) -> pa.Table:
    """80 % of the rows on one of 100 zones, a tenth of the tips missing."""
    random = np.random.default_rng(seed)
    zone = np.where(random.random(rows) < 0.8, 7, random.integers(0, 100, rows))
    tip = pa.array(random.normal(size=rows), mask=random.random(rows) < 0.1)
    return pa.table(
        {
            "id": np.arange(rows),
            "zone": zone,
            "paid": pa.array(["card" if z % 2 else "cash" for z in zone]),
            "tip": tip,
        }
    )


def check_trips(profile: DatasetProfile, rows: int) -> None:
    assert profile.rows == rows
    assert column(profile, "id").distinct == pytest.approx(rows, rel=0.02)
    assert column(profile, "zone").distinct == pytest.approx(100, rel=0.1)
    assert column(profile, "zone").top_share == pytest.approx(0.8, abs=0.03)
    assert column(profile, "paid").distinct == 2
    assert column(profile, "tip").null_share == pytest.approx(0.1, abs=0.02)
    assert profile.key_skew == pytest.approx(0.8, abs=0.03)
    assert profile.null_share == pytest.approx(0.025, abs=0.005)
    assert [c.type for c in profile.columns] == ["bigint", "bigint", "string", "double"]


def write_csv(table: pa.Table, path: Path, delimiter: str = ",", header: bool = True) -> None:
    import pyarrow.csv as pacsv

    options = pacsv.WriteOptions(delimiter=delimiter, include_header=header)
    pacsv.write_csv(table, path, options)


def write_json(table: pa.Table, path: Path) -> None:
    table.to_pandas().to_json(path, orient="records", lines=True)


def test_parquet_rows_and_nulls_are_exact_and_values_sampled(tmp_path: Path) -> None:
    rows = 40_000
    for part in range(2):
        pq.write_table(
            trips(rows // 2, seed=part), tmp_path / f"part-{part}.parquet", row_group_size=5000
        )
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.parquet.crc").write_bytes(b"crc")
    (tmp_path / "part-1.parquet.crc").write_bytes(b"crc")
    whole = profile_dataset(str(tmp_path))
    assert (whole.format, whole.files) == ("parquet", 2)
    assert whole.bytes == sum(f.stat().st_size for f in tmp_path.glob("part-?.parquet"))
    assert whole.estimated == ()
    part = profile_dataset(str(tmp_path), sample_rows=8000)
    assert part.rows == rows
    assert "rows" not in part.estimated
    assert "null_share" not in part.estimated
    assert {"distinct", "top_share", "row_width_bytes"} <= set(part.estimated)
    assert column(part, "tip").null_share == column(whole, "tip").null_share
    assert column(part, "zone").top_share == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("kind", ["parquet", "orc", "csv", "json", "csv.gz"])
def test_every_format_tells_the_same(tmp_path: Path, kind: str) -> None:
    table, path = trips(6000), tmp_path / f"trips.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    elif kind == "orc":
        orc.write_table(table, path)
    elif kind == "json":
        write_json(table, path)
    else:
        write_csv(table, tmp_path / "plain.csv")
        data = (tmp_path / "plain.csv").read_bytes()
        (tmp_path / "plain.csv").unlink()
        path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    profile = profile_dataset(str(path))
    check_trips(profile, 6000)
    assert profile.format == kind.split(".")[0]
    assert profile.estimated == ()
    assert profile.row_width_bytes == pytest.approx(8 + 8 + 8 + 8, rel=0.15)


def test_a_large_csv_is_sampled_all_over(tmp_path: Path) -> None:
    rows = 200_000
    table = trips(rows).append_column("half", pa.array(np.arange(rows) >= rows // 2))
    write_csv(table, tmp_path / "trips.csv")
    profile = profile_dataset(str(tmp_path / "trips.csv"), sample_rows=10_000)
    assert profile.rows == rows
    assert "distinct" in profile.estimated
    assert column(profile, "half").top_share == pytest.approx(0.5, abs=0.1)
    assert column(profile, "zone").top_share == pytest.approx(0.8, abs=0.03)
    assert profile == profile_dataset(str(tmp_path / "trips.csv"), sample_rows=10_000)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_delimiters_and_headers_are_found(tmp_path: Path, delimiter: str, header: bool) -> None:
    write_csv(trips(500), tmp_path / "t.csv", delimiter, header)
    profile = profile_dataset(str(tmp_path))
    assert profile.rows == 500
    names = [c.name for c in profile.columns]
    assert names == (["id", "zone", "paid", "tip"] if header else ["_c0", "_c1", "_c2", "_c3"])


def test_partition_folders_are_columns(tmp_path: Path) -> None:
    for day, rows in (("1", 300), ("2", 100)):
        folder = tmp_path / f"day={day}" / "_city=Oslo%20S"
        folder.mkdir(parents=True)
        pq.write_table(trips(rows), folder / "a.parquet")
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.files) == (400, 2)
    assert column(profile, "day").type == "int"
    assert column(profile, "day").distinct == 2
    assert column(profile, "_city").type == "string"
    assert column(profile, "_city").distinct == 1
    one = profile_dataset(str(tmp_path / "day=2"))
    assert one.rows == 100


def test_a_folder_of_tables_is_summed_and_the_largest_tells_columns(tmp_path: Path) -> None:
    (tmp_path / "trips").mkdir()
    (tmp_path / "weather").mkdir()
    pq.write_table(trips(5000), tmp_path / "trips" / "part-0.parquet")
    (tmp_path / "weather" / "part-0.csv").write_text("hour,rain\n" + "1,0.5\n" * 20)
    profile = profile_dataset(str(tmp_path))
    assert (profile.format, profile.rows, profile.files) == ("parquet", 5020, 2)
    assert [c.name for c in profile.columns] == ["id", "zone", "paid", "tip"]


def test_one_file_a_table_is_told_from_one_folder_a_table(tmp_path: Path) -> None:
    pq.write_table(trips(1000), tmp_path / "lineitem.parquet")
    pq.write_table(pa.table({"key": [1, 2, 3]}), tmp_path / "nation.parquet")
    (tmp_path / "readme.md").write_text("made by hand")
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.files, len(profile.columns)) == (1003, 2, 4)


def test_nested_columns_and_odd_names(tmp_path: Path) -> None:
    table = pa.table(
        {
            "a.b": [1, 2, 3],
            "s": [{"x": 1}, {"x": 2}, None],
            "l": [[1], [2, 3], []],
            "d": pa.array(["u", "v", "u"]).dictionary_encode(),
            "n": pa.nulls(3),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    profile = profile_dataset(str(tmp_path))
    kinds = {c.name: c.type for c in profile.columns}
    assert kinds == {"a.b": "bigint", "s": "struct", "l": "array", "d": "string", "n": "void"}
    assert column(profile, "d").distinct == 2
    assert column(profile, "s").distinct is None


def test_json_lines_without_an_extension_and_text(tmp_path: Path) -> None:
    (tmp_path / "part-00000").write_text('{"a": 1}\n{"a": 2}')
    assert profile_dataset(str(tmp_path / "part-00000")).format == "json"
    (tmp_path / "words.txt").write_text("to be\nor not\n")
    words = profile_dataset(str(tmp_path / "words.txt"))
    assert (words.format, words.rows) == ("text", 2)


def test_many_tiny_files_stay_cheap(tmp_path: Path) -> None:
    pq.write_table(trips(10), tmp_path / "0.parquet")
    data = (tmp_path / "0.parquet").read_bytes()
    for number in range(1, 1500):
        (tmp_path / f"{number}.parquet").write_bytes(data)
    start = time.perf_counter()
    profile = profile_dataset(str(tmp_path))
    assert time.perf_counter() - start < 5
    assert (profile.rows, profile.files) == (15_000, 1500)
    assert "rows" in profile.estimated


def test_a_wide_table_is_answered(tmp_path: Path) -> None:
    pq.write_table(pa.table({f"c{i}": [i, i + 1] for i in range(3000)}), tmp_path / "w.parquet")
    profile = profile_dataset(str(tmp_path))
    assert len(profile.columns) == 3000
    assert profile.columns[0].distinct == 2
    assert profile.columns[2999].distinct is None


WRONG: dict[str, tuple[bytes | None, str]] = {
    "none.parquet": (None, "no such file"),
    "empty.csv": (b"", "empty"),
    "header.csv": (b"a,b,c\n", "no rows"),
    "bad.parquet": (b"PAR1 not really", "not a readable Parquet"),
    "bad.orc": (b"ORC not really", "not a readable ORC"),
    "image.csv": (b"\x89PNG\0\0\0" * 100, "binary"),
    "image": (b"\x89PNG\0\0\0" * 100, "unknown format"),
    "model.xlsx": (b"anything", "unknown format"),
    "array.json": (b'[{"a": 1}]', "not JSON lines"),
    "pretty.json": (b'{\n"a": 1\n}\n', "spans lines"),
    "mixed.json": (b'{"a": 1}\n{"a": "x"}\n', "not a readable JSON"),
    "half.csv.gz": (gzip.compress(os.urandom(90_000))[:40_000], "not a readable text file"),
    "not.csv.gz": (b"a,b\n1,2\n", "not a readable text file"),
    "x.csv.snappy": (b"abc", "can't be profiled"),
    "long.csv": (b"a" * (9 << 20), "more than 8 MB"),
    "cell.csv": (b"a" * 200_000 + b"\n1\n", "its first line is none of a table"),
    "long.json": (b'{"a": "' + b"b" * (9 << 20), "more than 8 MB"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_data_is_one_clear_line(tmp_path: Path, name: str) -> None:
    content, said = WRONG[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        profile_dataset(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_wrong_folders_and_addresses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        profile_dataset(str(tmp_path))
    (tmp_path / "_SUCCESS").write_text("done")
    with pytest.raises(InputError, match="empty"):
        profile_dataset(str(tmp_path))
    pq.write_table(trips(1).slice(0, 0), tmp_path / "none.parquet")
    with pytest.raises(InputError, match="no rows"):
        profile_dataset(str(tmp_path))
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="mixes csv and parquet"):
        profile_dataset(str(tmp_path))
    with pytest.raises(InputError, match="only local paths"):
        profile_dataset("s3://bucket/table")
    for path in ("", "a\0b", "a\nb"):
        with pytest.raises(InputError, match="no path of data"):
            profile_dataset(path)
    with pytest.raises(InputError, match="sample_rows"):
        profile_dataset(str(tmp_path), sample_rows=0)
    with pytest.raises(InputError, match="neither"):
        profile_dataset("/dev/null")


def test_notes_beside_a_table_are_no_table(tmp_path: Path) -> None:
    pq.write_table(trips(10), tmp_path / "part-0.parquet")
    (tmp_path / "README").write_text("Trips of a day.\nAsk before use.\n")
    (tmp_path / "notes.txt").write_text("none\n")
    assert (profile_dataset(str(tmp_path)).rows, profile_dataset(str(tmp_path)).files) == (10, 1)
    (tmp_path / "README").unlink()
    (tmp_path / "part-2").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="mixes csv and parquet"):
        profile_dataset(str(tmp_path))
    (tmp_path / "part-2").unlink()
    (tmp_path / "part-1").write_bytes((tmp_path / "part-0.parquet").read_bytes())
    assert profile_dataset(str(tmp_path)).rows == 20, "a table without an ending is one"


def test_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(InputError, match="may not be read"), readable(path):
        raise PermissionError(13, "Permission denied", str(path))
    path.write_text("a,b\n1,2\n")
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(InputError, match="may not be read"):
            profile_dataset(str(path))


def test_a_row_too_long_in_another_encoding_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n\x88,2,3\n3,4\n\xe9,5\n")
    profile = profile_dataset(str(path))
    assert [column.name for column in profile.columns] == ["a", "b"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=300), name=st.sampled_from(["t.csv", "t.json", "t", "t.txt", "t.orc"])
)
def test_any_bytes_give_a_profile_or_one_line(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    try:
        profile = profile_dataset(str(tmp_path / name))
    except InputError as error:
        profile, said = None, str(error)
    else:
        said = profile.path
    assert "\n" not in said
    if profile is not None:
        assert profile.rows > 0
        assert DatasetProfile.model_validate_json(profile.model_dump_json()) == profile


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.integers(1, 300),
    groups=st.integers(1, 80),
    sample=st.integers(1, 400),
)
def test_rows_are_exact_whatever_the_sample(
    tmp_path: Path, rows: int, groups: int, sample: int
) -> None:
    pq.write_table(
        pa.table({"k": np.arange(rows) % groups}), tmp_path / "t.parquet", row_group_size=groups
    )
    profile = profile_dataset(str(tmp_path), sample_rows=sample)
    assert profile.rows == rows
    assert 1 <= (profile.columns[0].distinct or 0) <= rows
    assert profile.columns[0].null_share == 0
