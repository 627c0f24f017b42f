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
