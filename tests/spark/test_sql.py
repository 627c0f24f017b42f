from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from pyarrow import csv, orc

from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.errors import InputError
from autotune.spark.explain import explain_queries
from autotune.spark.installation import find_installation
from commands import Command
from plainly import submit

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    (folder / "d").mkdir(parents=True)
    table = pa.table({"k": [1, 2, 3], "v": [10, 20, 30]})
    parquet.write_table(table, folder / "a.parquet")
    csv.write_csv(table, folder / "b.csv")
    (folder / "c.json").write_text('{"k": 1, "v": 10}\n{"k": 2, "v": 20}\n')
    orc.write_table(table, folder / "d" / "part-0.orc")
    return folder


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def test_every_format_statement_and_column_name(tables: Path, tmp_path: Path) -> None:
    queries = write(
        tmp_path / "queries",
        q1="""SELECT sum(a.v + b.v + c.v + d.v) AS v
            FROM a JOIN b USING (k) JOIN c USING (k) JOIN d USING (k)""",
        q2="""CREATE TEMPORARY VIEW seen AS SELECT ';' AS semicolon, * FROM a; -- one; two
            SELECT 'never written';
            SELECT k, k, K, v + 1, count(*) AS `a b`, null AS `null`, ';' AS s FROM seen
            GROUP BY k, v;""",
        q3="SELECT max(semicolon) AS s FROM seen",
        q4="SET spark.sql.shuffle.partitions=3; CREATE TEMPORARY VIEW last AS SELECT 1",
    )
    done = submit("sql.py", "--tables", tables, "--queries", queries, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["q1", "q2", "q3"]
    assert parquet.read_table(tmp_path / "out/q1").to_pydict() == {"v": [4 * 30]}
    answer = parquet.read_table(tmp_path / "out/q2")
    assert answer.column_names == ["k", "k_2", "K_3", "v_1", "a_b", "null", "s"]
    assert answer.num_rows == 3
    assert parquet.read_table(tmp_path / "out/q3").to_pydict() == {"s": [";"]}


def test_a_query_that_fails_ends_the_application_and_is_named(
    tables: Path, tmp_path: Path
) -> None:
    queries = write(tmp_path / "queries", q1="SELECT 1", q2="SELECT nothing FROM a", q3="SELECT 3")
    done = submit("sql.py", "--tables", tables, "--queries", queries, "--output", tmp_path / "out")
    assert done.returncode != 0
    assert "q2.sql: " in done.stdout  # where PySpark sends what Python says
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["q1"]


def test_a_folder_of_queries_is_planned_without_being_executed(
    tables: Path, tmp_path: Path, autotune: Command
) -> None:
    for day in (1, 2):
        (tables / "e" / f"day={day}").mkdir(parents=True)
        (tables / "e" / f"day={day}" / "part-0.csv").write_text("x,y\n" + "1,2\n" * day)
    queries = write(
        tmp_path / "queries",
        a="CREATE TEMPORARY VIEW few AS SELECT * FROM a WHERE k < 3;\n"
        "SELECT f.k, count(*) FROM few f JOIN a ON f.k = a.k GROUP BY f.k ORDER BY 1",
        b="-- no table may appear\nCREATE TABLE made USING parquet AS SELECT 1 AS one;\n"
        "CACHE TABLE kept AS SELECT one FROM made; SELECT one FROM kept",
        c="SELECT nothing FROM nowhere",
        d="SELECT day + x AS columns_and_folders FROM e",
    )
    around = {path.name for path in tmp_path.iterdir()}
    asked = ("--sql", str(queries), "--data", str(tables), "--format", "json")
    answer = autotune("recommend", *asked)
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    (said,) = (caution for caution in told["cautions"] if "planned" in caution)
    assert said.startswith("1 of 6 queries can't be planned, and are left out (c.sql: ")
    assert "TABLE_OR_VIEW_NOT_FOUND" in said
    found = WorkloadProfile.model_validate(told["job"])
    assert found.source is ProfileSource.PLANS
    assert found.queries == 5
    assert found.operators[Operator.BROADCAST_JOIN] == 1
    assert found.operators[Operator.HASH_AGGREGATE] == 2
    assert found.operators[Operator.SORT] == 1
    assert found.tasks is None
    assert {path.name for path in tmp_path.iterdir()} == around
    assert not Path("spark-warehouse").exists()


def test_queries_that_can_not_be_planned_are_told_with_the_tables(
    tables: Path, tmp_path: Path
) -> None:
    queries = write(tmp_path / "queries", a="SELEC 1", b="SELECT nothing FROM nowhere")
    said = r"none can be planned over the tables a, b, c, d \(a.sql: .*SYNTAX_ERROR"
    with pytest.raises(InputError, match=said):
        explain_queries(find_installation(), queries=queries, tables=tables)


def test_files_without_a_query_are_told(tables: Path, tmp_path: Path) -> None:
    nothing = write(tmp_path / "queries", a="-- later", b="SET spark.x=1")
    with pytest.raises(InputError, match="no query; name queries"):
        explain_queries(find_installation(), queries=nothing, tables=tables)
