"""Tables of Delta, Iceberg and Hudi: what they have dropped is still there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autotune.dataset import profile_dataset
from autotune.errors import InputError

FILES = "files that the table has dropped are counted too, so rows are estimated"
ROWS = "rows that the table has dropped are counted too, so rows are estimated"


def parts(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"a": list(range(100))}), folder / name)


def commit(table: Path, version: int, *actions: object) -> Path:
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    file = log / f"{version:020}.json"
    file.write_text("".join(json.dumps(action) + "\n" for action in actions))
    return file


def add(path: str, **more: object) -> dict[str, object]:
    return {"add": {"path": path, "size": 1, "dataChange": True, **more}}


def remove(path: str) -> dict[str, object]:
    return {"remove": {"path": path, "deletionTimestamp": 1}}


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    """A table that was written, written over, and added to: two files of four are left."""
    table = tmp_path / "t"
    parts(table, "0.parquet", "1.parquet", "day=a%20b/2.parquet", "not-committed.parquet")
    commit(table, 0, {"commitInfo": {}}, {"metaData": {"id": "x"}}, add("0.parquet"))
    commit(table, 1, remove("0.parquet"), add("1.parquet"))
    commit(table, 2, add("day=a%2520b/2.parquet"))
    return table


def test_what_a_delta_table_dropped_is_not_counted(delta: Path) -> None:
    profile = profile_dataset(str(delta))
    assert (profile.rows, profile.files, profile.table_count) == (200, 2, 1)
    assert "rows" not in profile.estimated
    assert profile.cautions == ()
    assert profile_dataset(str(delta.parent)).rows == 200, "found below what is named, too"
    commit(delta, 3, remove("day=a%2520b/2.parquet"), remove("1.parquet"))
    with pytest.raises(InputError, match="empty"):
        profile_dataset(str(delta))


def test_rows_that_a_delta_table_marked_as_deleted_are_told(delta: Path) -> None:
    commit(delta, 3, add("1.parquet", deletionVector={"cardinality": 5}), remove("1.parquet"))
    profile = profile_dataset(str(delta))
    assert (profile.rows, profile.cautions) == (200, (ROWS,))
    assert "rows" in profile.estimated
    commit(delta, 4, add("0.parquet"), remove("1.parquet"))
    assert profile_dataset(str(delta)).cautions == ()


@pytest.mark.parametrize("wrong", ["gap", "start", "text", "list", "deep", "elsewhere", "size"])
def test_a_delta_log_that_does_not_tell_all_is_not_believed(
    delta: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = delta / "_delta_log"
    texts = {"text": "{", "list": '{"add": [1]}', "deep": "[" * 100_000}
    if wrong in ("gap", "start"):
        (log / f"{1 if wrong == 'gap' else 0:020}.json").unlink()
    elif wrong == "elsewhere":
        commit(delta, 3, add("file:///another/table/0.parquet"))
    elif wrong == "size":
        monkeypatch.setattr("autotune.dataset.lakes.MAX_LOG_BYTES", 10)
    else:
        (log / f"{3:020}.json").write_text(texts[wrong])
    profile = profile_dataset(str(delta))
    assert (profile.rows, profile.files) == (400, 4)
    assert "rows" in profile.estimated
    assert profile.cautions == (FILES,)


@pytest.mark.parametrize("indent", [None, 2])
def test_the_metadata_of_iceberg_are_no_table(tmp_path: Path, indent: int | None) -> None:
    parts(tmp_path / "t" / "data", "0.parquet", "1.parquet")
    (tmp_path / "t" / "metadata").mkdir()
    text = json.dumps({"format-version": 2, "snapshots": []}, indent=indent)
    (tmp_path / "t" / "metadata" / "v1.metadata.json").write_text(text)
    (tmp_path / "t" / "metadata" / "version-hint.text").write_text("1")
    profile = profile_dataset(str(tmp_path / "t"))
    assert (profile.rows, profile.table_count) == (200, 1)
    assert (profile.estimated, profile.cautions) == (("rows",), (FILES,))


def test_a_folder_called_metadata_is_data_elsewhere(tmp_path: Path) -> None:
    parts(tmp_path / "metadata", "0.parquet")
    parts(tmp_path / "facts", "0.parquet")
    profile = profile_dataset(str(tmp_path))
    assert (profile.rows, profile.table_count, profile.cautions) == (200, 2, ())


def test_a_table_of_hudi_is_told(tmp_path: Path) -> None:
    parts(tmp_path / "t", "day=1/0.parquet")
    (tmp_path / "t" / ".hoodie").mkdir()
    assert profile_dataset(str(tmp_path / "t")).cautions == (FILES,)
    parts(tmp_path / "plain", "0.parquet")
    assert profile_dataset(str(tmp_path / "plain")).cautions == ()
