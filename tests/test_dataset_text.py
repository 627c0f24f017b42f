"""What lines tell: how many rows, under which names, whatever is odd about some of them."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from autotune.dataset import profile_dataset
from autotune.domain import ColumnProfile, DatasetProfile
from autotune.errors import InputError


def column(profile: DatasetProfile, name: str) -> ColumnProfile:
    return next(column for column in profile.columns if column.name == name)


def zstd(text: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("zst", zstd)]
)
def test_rows_of_compressed_text_are_about_right(tmp_path: Path, ending: str, pack) -> None:
    draw = np.random.default_rng(0)
    kinds = ("north of the river", "south of the river", "on an island")
    lines = [f"{i},{kinds[draw.integers(3)]},2024-01-01,1.50\n" for i in range(60_000)]
    text = ("id,place,day,price\n" + "".join(lines)).encode()
    packed = pack(text)
    for number in range(20):
        (tmp_path / f"{number}.csv.{ending}").write_bytes(packed)
    for rows in (100_000, 10_000):
        profile = profile_dataset(str(tmp_path), sample_rows=rows)
        assert profile.rows == pytest.approx(1_200_000, rel=0.15)
        assert profile.compression_ratio == pytest.approx(len(text) / len(packed), rel=0.15)
        assert {"rows", "compression_ratio"} <= set(profile.estimated)


@pytest.mark.parametrize("sample", [100_000, 300])
def test_lines_that_have_not_all_fields_are_rows_too(tmp_path: Path, sample: int) -> None:
    """As Spark reads them, whose fields that are missing are nulls."""
    lines = [f"{i},{i % 7}" + (",x\n" if i % 5 == 0 else "\n") for i in range(1000)]
    (tmp_path / "t.csv").write_text("id,group,word\n" + "".join(lines))
    profile = profile_dataset(str(tmp_path), sample_rows=sample)
    assert profile.rows == 1000
    assert "rows" not in profile.estimated
    assert "do not have the fields of the first" in profile.cautions[-1]
    assert "distinct" in profile.estimated


def test_a_stray_quote_does_not_swallow_the_rest(tmp_path: Path) -> None:
    lines = [f"{i},{i % 7},{'5' if i != 100 else chr(34) + '5 inch'}\n" for i in range(2000)]
    (tmp_path / "t.csv").write_text("id,group,size\n" + "".join(lines))
    profile = profile_dataset(str(tmp_path))
    assert profile.rows == 2000
    assert column(profile, "id").distinct == 2000
    assert profile.cautions == ()


def test_several_lines_in_the_last_field_are_no_stray_quotes(tmp_path: Path) -> None:
    """The first of them has all fields, as a line with a stray quote has."""
    draw = np.random.default_rng(0)
    rows = [f'{i},"one, of\nlines {draw.integers(9)}"\n' for i in range(20_000)]
    (tmp_path / "t.csv").write_text("id,note\n" + "".join(rows))
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.sampled_rows) == (40_000, 20_000)
    assert column(profile, "note").max_bytes == len("one, of\nlines 1")


def test_records_of_several_lines_count_as_spark_counts_them(tmp_path: Path) -> None:
    """Without ``multiLine`` each line is a row; and so it is for any sample."""
    (tmp_path / "t.csv").write_text(
        "id,note,n\n" + "".join(f'{i},"one\ntwo\nthree",{i}\n' for i in range(20_000))
    )
    for sample in (100_000, 1000):
        profile = profile_dataset(str(tmp_path), sample_rows=sample)
        assert profile.rows == 60_000
        assert "rows" not in profile.estimated
        assert "multiLine" in profile.cautions[-1]
    assert profile_dataset(str(tmp_path)).sampled_rows == 20_000


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_empty_lines_are_no_rows_whatever_the_sample(tmp_path: Path, ending: str) -> None:
    row = "1,2\n\n" if ending == "csv" else '{"a": 1}\n\n'
    (tmp_path / f"t.{ending}").write_text(("a,b\n" if ending == "csv" else "") + row * 50_000)
    whole = profile_dataset(str(tmp_path))
    assert (whole.rows, whole.estimated) == (50_000, ())
    part = profile_dataset(str(tmp_path), sample_rows=300)
    assert part.rows == pytest.approx(50_000, rel=0.01)
    assert "rows" in part.estimated


def test_a_field_in_quotes_that_holds_the_delimiter_is_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n" + "".join(f'{i},"a, b"\n' for i in range(100)))
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.estimated, profile.cautions) == (100, (), ())
    assert column(profile, "name").max_bytes == 4


def nested(depth: int, between: str = "") -> str:
    return f'{{"a":{between}' * depth + "1" + f"{between}}}" * depth


@pytest.mark.parametrize("between", ["", "\n"])
@pytest.mark.parametrize("depth", [201, 450, 3000])
def test_json_nested_too_deep_is_one_line(tmp_path: Path, depth: int, between: str) -> None:
    """Of 20,000 levels Arrow would end the process."""
    (tmp_path / "t.json").write_text('{"b": 1}\n' + nested(depth, between) + "\n")
    with pytest.raises(InputError, match=r"t\.json: nests brackets more than 200 deep") as caught:
        profile_dataset(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_json_as_deep_as_is_read_and_brackets_in_texts(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(nested(200) + "\n")
    assert profile_dataset(str(tmp_path)).depth == 199
    odd = '{"a": "' + "[" * 300 + '", "b": "\\"' + "{" * 300 + '\\\\"}\n'
    (tmp_path / "t.json").write_text(odd * 10)
    assert profile_dataset(str(tmp_path)).rows == 10


HEADERS: dict[str, tuple[str, list[str]]] = {
    "of an index": (",id,price\n0,7,1.5\n1,8,2.5\n", ["_c0", "id", "price"]),
    "with a name twice": ("id,x,x\n1,2,3\n4,5,6\n", ["id", "x1", "x2"]),
    "with a name that is taken": ("x,x,x1\n1,2,3\n4,5,6\n", ["x0", "x1", "x1_"]),
    "above something missing": ("a*,b*\nx,NA\ny,\nz,-1.5e3\n", ["a*", "b*"]),
    "with signs": (
        "@timestamp,price ($)\n2024-01-01,5\n2024-01-02,6\n",
        ["@timestamp", "price ($)"],
    ),
    "below an empty line": ("\n\r\na,b\n1,2\n", ["a", "b"]),
    "of figures": ("id,2023,2024\na,1,2\nb,3,4\n", ["_c0", "_c1", "_c2"]),
    "of words": ("name,town\nAnn,Rome\nBob,Oslo\n", ["name", "town"]),
    "none, of words and nothing": ("Ann,\nBob,Oslo\n", ["_c0", "_c1"]),
    "none, of words twice": ("Rome,Rome\nOslo,Rome\n", ["_c0", "_c1"]),
    "none, with a number": ("Ann,1\nBob,2\n", ["_c0", "_c1"]),
    "none, with a day": ("Ann,2024-01-02\nBob,2\n", ["_c0", "_c1"]),
    "none, with something missing": ("Ann,,x\nBob,2,y\n", ["_c0", "_c1", "_c2"]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_told_from_rows(tmp_path: Path, name: str) -> None:
    text, names = HEADERS[name]
    (tmp_path / "t.csv").write_text(text)
    profile = profile_dataset(str(tmp_path))
    assert [each.name for each in profile.columns] == names
    lines = len([line for line in text.splitlines() if line])
    assert profile.rows == lines - (names[-1] != f"_c{len(names) - 1}")


def test_columns_of_an_odd_header_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(HEADERS["of an index"][0])
    profile = profile_dataset(str(tmp_path), columns=["id"])
    assert column(profile, "id").distinct == 2


def test_only_an_empty_field_is_missing(tmp_path: Path) -> None:
    """As to Spark; NA may be Namibia."""
    rows = [f"{code},{number}" for code in ("NA", "DE", "null", "") for number in ("1.5", "NaN")]
    (tmp_path / "t.csv").write_text("country,number\n" + "\n".join([*rows, "DE,"]) + "\n")
    profile = profile_dataset(str(tmp_path))
    assert column(profile, "country").null_share == pytest.approx(2 / 9)
    assert column(profile, "country").distinct == 3
    assert column(profile, "number").null_share == pytest.approx(1 / 9)
    assert column(profile, "number").type == "double"


@pytest.mark.parametrize("sample", [100_000, 100])
@pytest.mark.parametrize("mark", ["\f", "\v", "\x85", "\u2028", "\x1c"])
def test_only_ends_of_lines_end_lines_of_text(tmp_path: Path, mark: str, sample: int) -> None:
    text = "".join(f"request {i}{mark}took{mark}long\n" for i in range(1000))
    (tmp_path / "t.log").write_text(text, encoding="utf-8")
    profile = profile_dataset(str(tmp_path), sample_rows=sample)
    assert profile.rows == 1000
    assert profile.columns[0].distinct == pytest.approx(1000, rel=0.2)
    assert (profile.columns[0].max_bytes or 0) > len("request 100")


def test_ends_of_lines_of_other_systems_are_none_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"ab\r\ncd\r\n\r\nabc")
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.columns[0].max_bytes) == (4, 3)


def test_json_lines_are_told_by_their_ends_alone(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"a": "x\u2028y"}\n{"a": "z\x85"}\n', encoding="utf-8")
    assert profile_dataset(str(tmp_path)).rows == 2


def test_text_as_hive_writes_it_is_divided_at_its_own_mark(tmp_path: Path) -> None:
    lines = [f"{i}\x01Rome, Italy, Europe, Earth\x01{i % 7}.5\n" for i in range(100)]
    (tmp_path / "000000_0").write_text("".join(lines))
    profile = profile_dataset(str(tmp_path))
    assert profile.rows == 100
    assert [each.type for each in profile.columns] == ["bigint", "string", "double"]
    assert column(profile, "_c1").distinct == 1
