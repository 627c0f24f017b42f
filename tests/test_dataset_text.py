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
