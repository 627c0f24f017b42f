"""What a profile says of values: frequencies, order, lengths, depth, ranges."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.dataset import profile_dataset
from autotune.dataset.frequencies import distinct_values
from autotune.dataset.sampling import Piece
from autotune.domain import ColumnProfile, DatasetProfile
from autotune.errors import InputError

ROWS = 400_000


def column(profile: DatasetProfile, name: str) -> ColumnProfile:
    return next(column for column in profile.columns if column.name == name)


def write(path: Path, **columns: object) -> DatasetProfile:
    pq.write_table(pa.table(columns), path / "t.parquet", row_group_size=50_000)
    return profile_dataset(str(path))


def test_frequencies_of_a_whole_table_are_counted(tmp_path: Path) -> None:
    keys = np.repeat(np.arange(200), [5000] + [10] * 199)
    found = column(write(tmp_path, key=keys), "key")
    assert found.distinct == 200
    assert found.top_share == pytest.approx(5000 / len(keys), abs=1e-6)
    assert found.top10_share == pytest.approx(5090 / len(keys), abs=1e-6)
    assert found.p99_to_median == 1.0
    even = column(write(tmp_path, key=np.repeat(np.arange(100), [400] * 2 + [10] * 98)), "key")
    assert even.p99_to_median == 40.0


def populations(rows: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(5)
    hot = draw.random(rows) < 0.8
    return {
        "few": draw.integers(0, 300, rows),
        "many": draw.integers(0, 100_000, rows),
        "own": np.arange(rows),
        "hot, else own": np.where(hot, -1, np.arange(rows)),
        "hundred hot": np.where(hot, draw.integers(0, 100, rows), draw.integers(0, rows, rows)),
        "power law": draw.zipf(1.3, rows) % 1_000_000,
    }


@pytest.mark.parametrize("name", populations(1))
def test_distinct_values_are_guessed_within_a_factor_of_five(name: str) -> None:
    values = populations(2_000_000)[name]
    sample = np.random.default_rng(1).choice(values, 50_000, replace=False)
    counts = np.unique(sample, return_counts=True)[1]
    truth = len(np.unique(values))
    assert truth / 5 <= distinct_values(counts, len(values)) <= truth * 5


@given(
    counts=st.lists(st.integers(1, 1000), min_size=1, max_size=200),
    more=st.integers(0, 10**9),
)
def test_guessed_distinct_values_stay_between_what_was_seen_and_could_be(
    counts: list[int], more: int
) -> None:
    rows = sum(counts) + more
    found = distinct_values(np.array(counts), rows)
    assert len(counts) <= found <= rows
    assert not (more == 0 and found > len(counts))


def test_one_row_of_a_kind_makes_no_heavy_hitter(tmp_path: Path) -> None:
    found = column(write(tmp_path, key=np.random.default_rng(0).permutation(ROWS)), "key")
    assert found.distinct == pytest.approx(ROWS, rel=0.05)
    assert found.top_share == pytest.approx(1 / ROWS, abs=1e-5)


@pytest.mark.parametrize("each", [1, 4, 100])
def test_a_column_in_order_has_as_many_values_as_changes(tmp_path: Path, each: int) -> None:
    text = pa.array([f"{i:08d}" for i in np.arange(ROWS) // each])
    found = column(write(tmp_path, key=text), "key")
    assert found.sortedness == 1.0
    assert found.distinct == pytest.approx(ROWS / each, rel=0.25)


def test_sortedness_tells_rising_falling_and_mixed(tmp_path: Path) -> None:
    order = np.arange(ROWS)
    profile = write(
        tmp_path, up=order, down=order[::-1], mixed=np.random.default_rng(0).permutation(ROWS)
    )
    assert column(profile, "up").sortedness == 1.0
    assert column(profile, "down").sortedness == 0.0
    assert column(profile, "down").distinct == ROWS
    assert column(profile, "mixed").sortedness == pytest.approx(0.5, abs=0.02)
    assert profile.sortedness == 1.0
    assert "sortedness" in profile.estimated


def test_columns_that_repeat_themselves_are_not_met_in_step(tmp_path: Path) -> None:
    profile = write(
        tmp_path, key=np.arange(ROWS) % 64, other=pa.array([str(i % 8) for i in range(ROWS)])
    )
    assert column(profile, "key").distinct == 64
    assert column(profile, "other").distinct == 8
    assert column(profile, "other").top_share == pytest.approx(1 / 8, abs=0.02)


def test_lengths_are_those_of_bytes(tmp_path: Path) -> None:
    words = pa.array(["a", "ää", None, "abcdefg"])
    profile = write(tmp_path, text=words, packed=words.dictionary_encode(), number=[1, 2, 3, 4])
    for name in ("text", "packed"):
        assert column(profile, name).mean_bytes == 4.0
        assert column(profile, name).max_bytes == 7
    assert column(profile, "number").mean_bytes is None


def test_depth_counts_what_lies_around_the_innermost_values(tmp_path: Path) -> None:
    profile = write(
        tmp_path,
        flat=[1],
        listed=[[1]],
        deep=[{"a": [{"b": 1}], "c": 2}],
        mapped=pa.array([[("k", [1])]], pa.map_(pa.string(), pa.list_(pa.int64()))),
    )
    assert [c.depth for c in profile.columns] == [0, 1, 3, 3]
    assert profile.depth == 3


def test_ranges_are_told_as_a_power_of_two_and_no_value_is(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    salary = draw.integers(1_234_567, 98_765_432, ROWS)
    day = dt.date(1987, 6, 5)
    profile = write(
        tmp_path,
        dense=draw.integers(5000, 6000, ROWS),
        salary=salary,
        day=[day] * ROWS,
        name=pa.array(["Somebody's name"] * ROWS),
    )
    assert column(profile, "dense").spread_bits == 0
    assert column(profile, "salary").spread_bits == pytest.approx(8, abs=1)
    assert column(profile, "name").spread_bits is None
    text = profile.model_dump_json()
    for value in (salary.min(), salary.max(), int(salary.max() - salary.min()), day, "Somebody"):
        assert str(value) not in text


def test_distinct_whole_numbers_are_no_more_than_their_range_holds(tmp_path: Path) -> None:
    keys = np.concatenate([np.arange(30_000), np.zeros(ROWS - 30_000, int)])
    found = column(write(tmp_path, key=np.random.default_rng(0).permutation(keys)), "key")
    assert found.distinct is not None
    assert found.distinct <= 30_000


def test_groups_codec_and_compression_come_from_footers(tmp_path: Path) -> None:
    table = pa.table({"a": np.zeros(100_000), "b": pa.array(["same text"] * 100_000)})
    pq.write_table(
        table,
        tmp_path / "t.parquet",
        compression="zstd",
        row_group_size=10_000,
        use_dictionary=False,
    )
    profile = profile_dataset(str(tmp_path))
    assert (profile.row_groups, profile.codec, profile.inspected_files) == (10, "zstd", 1)
    assert profile.compression_ratio is not None
    assert profile.compression_ratio > 10
    pq.write_table(table, tmp_path / "t.parquet", compression="none")
    assert profile_dataset(str(tmp_path)).codec == "none"


def test_stripes_and_codec_of_orc(tmp_path: Path) -> None:
    orc.write_table(pa.table({"a": np.arange(1000)}), tmp_path / "t.orc", compression="zlib")
    profile = profile_dataset(str(tmp_path))
    assert (profile.row_groups, profile.codec, profile.compression_ratio) == (1, "zlib", None)


def test_large_stripes_are_read_from_their_beginnings(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    table = pa.table({"a": draw.normal(size=3_000_000), "b": np.arange(3_000_000) % 50})
    orc.write_table(table, tmp_path / "t.orc", stripe_size=256 << 20)
    profile = profile_dataset(str(tmp_path), sample_rows=10_000)
    assert profile.rows == 3_000_000
    assert column(profile, "b").distinct == 50
    assert profile.sampled_rows == pytest.approx(10_000, rel=0.1)


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_text_says_the_same_of_values(tmp_path: Path, ending: str) -> None:
    frame = pa.table(
        {"id": np.arange(60_000), "word": [f"w{i % 40}" for i in range(60_000)]}
    ).to_pandas()
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    for rows in (100_000, 5000):
        profile = profile_dataset(str(path), sample_rows=rows)
        assert profile.rows == 60_000
        assert column(profile, "id").sortedness == 1.0
        assert column(profile, "id").distinct == pytest.approx(60_000, rel=0.05)
        assert column(profile, "word").distinct == 40
        assert column(profile, "word").max_bytes == 3
        assert profile.codec == "none"


def test_only_named_columns_are_looked_at(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [1, 2], "city": ["a", "b"]}), tmp_path / "t.parquet")
    profile = profile_dataset(str(tmp_path), columns=["city"])
    assert column(profile, "city").distinct == 2
    assert column(profile, "user").distinct is None
    assert len(profile.columns) == 2


@pytest.mark.parametrize("ending", ["parquet", "csv", "orc"])
def test_a_column_that_is_not_there_is_one_line(tmp_path: Path, ending: str) -> None:
    table, path = pa.table({"user": [1, 2], "city": ["a", "b"]}), tmp_path / f"t.{ending}"
    if ending == "parquet":
        pq.write_table(table, path)
    elif ending == "orc":
        orc.write_table(table, path)
    else:
        table.to_pandas().to_csv(path, index=False)
    with pytest.raises(InputError, match=r"no column 'cty'; name one of city, …"):
        profile_dataset(str(tmp_path), columns=["cty"])


@settings(max_examples=60)
@given(rows=st.integers(1, 500), most=st.integers(1, 600))
def test_pairs_are_neighbours_and_in_order(rows: int, most: int) -> None:
    piece = Piece.pairs(pa.table({"at": np.arange(rows)}), most, random.Random(most))
    at = piece.rows.column("at").to_numpy()
    assert len(at) == min(rows, 2 * -(-most // 2))
    assert (np.diff(at) >= 0).all()
    assert (np.diff(at)[piece.follows[1:]] == 1).all()
    assert piece.counts.any()


def test_views_are_texts_like_others(tmp_path: Path) -> None:
    """As DuckDB and Polars write them; Arrow can't slice them, so a row group at a time."""
    found = {}
    for kind in (pa.string(), pa.string_view()):
        fields = {"k": kind, "few": pa.list_(kind), "row": pa.struct([("n", kind)])}
        path = tmp_path / str(kind)
        with pq.ParquetWriter(path, pa.schema(fields)) as writer:
            for start in range(0, 20_000, 500):
                names = [f"name {i % 97}" for i in range(start, start + 500)]
                columns = {
                    "k": names,
                    "few": [[n] for n in names],
                    "row": [{"n": n} for n in names],
                }
                writer.write_table(pa.table(columns, schema=pa.schema(fields)))
        found[kind] = profile_dataset(str(path), sample_rows=2_000)
    assert pq.read_schema(path).field("k").type == pa.string_view()
    plain, viewed = found.values()
    assert viewed.columns == plain.columns
    assert column(viewed, "k").top_share == pytest.approx(1 / 97, rel=0.9)
