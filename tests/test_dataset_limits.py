"""A profile costs little, however many files, columns and bytes there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autotune.dataset import profile_dataset
from autotune.dataset.effort import Effort
from autotune.dataset.formats import parquet_footer
from autotune.errors import InputError


def copies(source: Path, count: int, ending: str = ".parquet") -> None:
    """Give one file many names: what is listed and read is that of as many files."""
    for number in range(count):
        os.link(source, source.parent / f"copy-{number:06d}{ending}")


@pytest.fixture
def footers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Whose footers were asked for."""
    asked: list[Path] = []

    def counted(path: Path) -> object:
        asked.append(path)
        return parquet_footer(path)

    for module in ("files", "footers", "readers"):
        monkeypatch.setattr(f"autotune.dataset.{module}.parquet_footer", counted)
    return asked


def test_ten_thousand_tiny_files_are_bounded_and_said_to_be_tiny(
    tmp_path: Path, footers: list[Path]
) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "0.parquet")
    copies(tmp_path / "0.parquet", 9999)
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.files) == (30_000, 10_000)
    assert profile.inspected_files == 1000
    assert len(set(footers)) <= 1001
    assert "rows" in profile.estimated
    assert "10,000 files" in profile.cautions[0]
    assert "tiny" in profile.cautions[0]
    assert "1,000 of 10,000" in profile.cautions[1]


def test_the_limit_of_files_is_adjustable(tmp_path: Path, footers: list[Path]) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "0.parquet")
    copies(tmp_path / "0.parquet", 99)
    profile = profile_dataset(str(tmp_path), max_files=10)
    assert profile.inspected_files == 10
    assert len(set(footers)) <= 10
    assert profile.rows == 300
    exact = profile_dataset(str(tmp_path), max_files=100)
    assert exact.inspected_files == 100
    assert "rows" not in exact.estimated
    with pytest.raises(InputError, match="max_files"):
        profile_dataset(str(tmp_path), max_files=0)


@pytest.mark.parametrize("ending", [".csv", ".json", "", ".csv.gz"])
def test_tiny_text_files_are_not_all_opened(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    first = tmp_path / f"first{ending}"
    text = b'{"a": 1}\n{"a": 2}\n' if ending == ".json" else b"a,b\n1,2\n3,4\n"
    first.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    copies(first, 1999, ending)
    profile = profile_dataset(str(tmp_path), max_files=50)
    assert profile.files == 2000
    assert profile.inspected_files == 50
    assert profile.rows == pytest.approx(4000, rel=0.4)
    assert "rows" in profile.estimated


def test_many_small_tables_are_bounded(tmp_path: Path, footers: list[Path]) -> None:
    for number in range(60):
        folder = tmp_path / f"table_{number}"
        folder.mkdir()
        pq.write_table(pa.table({f"c{number}": np.arange(10)}), folder / "0.parquet")
    profile = profile_dataset(str(tmp_path), max_files=20)
    assert (profile.table_count, profile.rows, len(profile.tables)) == (60, 600, 50)
    assert profile.inspected_files == 20
    assert "rows" in profile.estimated


def test_five_thousand_columns_are_bounded_and_it_is_said_what_to_do(
    tmp_path: Path, footers: list[Path]
) -> None:
    table = pa.table({f"c{i}": [i, i + 1] for i in range(5000)})
    pq.write_table(table, tmp_path / "0.parquet")
    copies(tmp_path / "0.parquet", 99)
    profile = profile_dataset(str(tmp_path))
    assert len(profile.columns) == 5000
    assert profile.rows == 200
    assert len(set(footers)) < 60
    assert "first 256 were looked at" in profile.cautions[-1]
    assert "--column" in profile.cautions[-1]
    assert profile.row_width_bytes == pytest.approx(5000 * 8, rel=0.1)
    assert "row_width_bytes" in profile.estimated
    named = profile_dataset(str(tmp_path), columns=["c4999"])
    assert named.columns[4999].distinct == 2
    assert not any("256" in caution for caution in named.cautions)


def test_a_wide_csv_is_answered(tmp_path: Path) -> None:
    header = ",".join(f"column_{i}" for i in range(5000))
    (tmp_path / "t.csv").write_text(header + "\n" + ",".join("1" * 5000) + "\n")
    profile = profile_dataset(str(tmp_path))
    assert (len(profile.columns), profile.rows) == (5000, 1)
    assert profile.columns[0].distinct == 1
    assert profile.columns[4999].distinct is None


def test_a_struct_counts_with_what_is_in_it(tmp_path: Path) -> None:
    wide = pa.array([{f"x{i}": i for i in range(300)}])
    pq.write_table(pa.table({"a": [1], "wide": wide, "b": [1]}), tmp_path / "t.parquet")
    profile = profile_dataset(str(tmp_path))
    assert [c.distinct for c in profile.columns] == [1, None, None]


def test_long_values_are_not_decoded_beyond_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autotune.dataset import readers

    monkeypatch.setattr(readers, "MAX_DECODED_BYTES", 4 << 20)
    blob = np.random.default_rng(0).bytes(100_000)
    values = pa.array([blob[i:] for i in range(400)])
    pq.write_table(
        pa.table({"blob": values}),
        tmp_path / "t.parquet",
        use_dictionary=False,
        row_group_size=100,
    )
    profile = profile_dataset(str(tmp_path))
    assert profile.rows == 400
    assert 4 <= profile.sampled_rows <= 60
    assert profile.row_width_bytes == pytest.approx(100_000, rel=0.05)


def test_long_values_in_a_dictionary_are_decoded_within_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its footer counts each text once; rows in memory have one each."""
    from autotune.dataset import readers

    monkeypatch.setattr(readers, "MAX_DECODED_BYTES", 4 << 20)
    texts = [chr(97 + i) * 4096 for i in range(20)]
    values = pa.array([texts[i * 7 % 20] for i in range(20_000)])
    pq.write_table(pa.table({"text": values}), tmp_path / "t.parquet", row_group_size=5000)
    profile = profile_dataset(str(tmp_path))
    assert profile.rows == 20_000
    assert profile.row_width_bytes == pytest.approx(4096, rel=0.05)
    assert 900 <= profile.sampled_rows <= 1200
    assert profile.columns[0].distinct == 20
    assert "distinct" in profile.estimated


def test_an_effort_is_shared_by_size() -> None:
    effort = Effort(max_files=100)
    assert effort.share(10, 50, sample=True) == effort
    assert effort.share(500, 1000, sample=True).max_files == 50
    assert effort.share(1, 1000, sample=False) == Effort(0, 1)
    assert effort.files_of(1 << 30) == 16


def test_nothing_heavy_is_imported_for_a_parquet_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": np.arange(10_000), "b": ["x"] * 10_000}), tmp_path / "t.parquet")
    program = (
        "import sys; from autotune.dataset import profile_dataset\n"
        "profile_dataset(sys.argv[1], sample_rows=1000)\n"
        "print(*sorted({'pandas', 'pyspark', 'mlflow', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""
