"""What Spark itself writes: dealt out differently it is the same answer, changed it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotune.digests import compare
from autotune.outputs import digest_outputs
from plainly import submit

pytestmark = pytest.mark.spark

PROGRAM = Path(__file__).parent / "programs" / "every_format.py"
TABLES = ["csv", "headed", "json", "lines", "orc", "parquet", "partitioned", "text"]


def test_the_same_answer_in_every_format(tmp_path: Path) -> None:
    done = submit(str(PROGRAM), tmp_path)
    assert done.returncode == 0, done.stderr
    one, five, changed = (digest_outputs(tmp_path / name) for name in ("one", "five", "changed"))
    assert [table.name for table in one] == TABLES
    assert {table.whole.rows - (table.name == "headed") for table in one} == {37}
    assert len(list((tmp_path / "five" / "headed").glob("*.csv.gz"))) == 5
    assert compare(one, five) == ()
    differences = compare(one, changed)
    assert sorted({difference.table for difference in differences}) == TABLES
    assert "parquet: column n differs" in [difference.text for difference in differences]
