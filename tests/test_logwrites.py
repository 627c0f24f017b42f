"""What an application wrote to, found in recorded logs and in plans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autotune.spark.eventlog import LogSummary, summarise
from autotune.spark.logwrites import plan_writes
from recorded_logs import LOGS, VERSIONS, plain


@pytest.fixture(scope="module", params=VERSIONS)
def sql(request: pytest.FixtureRequest) -> LogSummary:
    return summarise(LOGS / f"sql-{request.param}.zstd")


class TestWrites:
    def test_every_write_of_sql(self, sql: LogSummary) -> None:
        assert sql.writes == (
            "/srv/out/in put/älpha",
            "/srv/out/joined out, [x]",
            "/srv/out/ware house/saved_tbl",
            "/srv/out/ware house/ctas_tbl",
            "/srv/out/ware house/plain_tbl",
            "/srv/out/ext tbl",
            "/srv/out/dir out",
            "/srv/out/part json",
            "unknown path (JDBC table T1)",
            "unknown path (JDBC table T2)",
            "/srv/out/v2 parquet",
            "/srv/out/stream out",
            "unknown path (streaming checkpoint)",
            "/srv/out/batch out",
        )

    def test_rdd_writes_have_no_path_in_the_log(self) -> None:
        for version in VERSIONS:
            assert summarise(LOGS / f"rdd-{version}.zstd").writes == (
                "unknown path (saveAsTextFile)",
                "unknown path (saveAsObjectFile)",
                "unknown path (saveAsHadoopFile)",
                "unknown path (saveAsNewAPIHadoopFile)",
            )

    def test_call_site_of_a_jvm_program_is_named(self, tmp_path: Path) -> None:
        details = (
            "org.apache.spark.internal.io.SparkHadoopWriter$.write(SparkHadoopWriter.scala:83)\n"
            "org.apache.spark.rdd.RDD.saveAsTextFile(RDD.scala:1620)\n"
            "com.example.Job$.main(Job.scala:12)"
        )
        stage = {"Stage ID": 0, "Stage Name": "runJob", "Details": details}
        event = {"Event": "SparkListenerJobStart", "Job ID": 0, "Submission Time": 1}
        path = plain(tmp_path, json.dumps({**event, "Stage Infos": [stage]}).encode())
        assert summarise(path).writes == ("unknown path (saveAsTextFile at Job.scala:12)",)

    def test_a_job_that_only_reads(self) -> None:
        assert summarise(LOGS / "fail-4.3.gz").writes == ()

    @pytest.mark.parametrize(
        ("node", "text", "expected"),
        [
            (
                "Execute InsertIntoHadoopFsRelationCommand",
                "Execute InsertIntoHadoopFsRelationCommand s3a://b/a, [day=1], false, [x#1], "
                "Parquet, [path=s3a://b/a], Overwrite, [x]",
                ["s3a://b/a"],
            ),
            (
                "Execute SaveIntoDataSourceCommand",
                "Execute SaveIntoDataSourceCommand org.x.DeltaDataSource@12ab34cd, "
                "[path=/data/my table, mergeSchema=true], Append",
                ["/data/my table"],
            ),
            (
                "Execute InsertIntoHiveTable",
                "Execute InsertIntoHiveTable `spark_catalog`.`sales`.`orders`, org.apache.x, true",
                ["table sales.orders"],
            ),
            (
                "AppendData",
                "AppendData org.x.Lambda$$Lambda$12/0x7f@3f2a, IcebergWrite(table=c.db.t)",
                ["unknown path (AppendData org.x.Lambda IcebergWrite(table=c.db.t))"],
            ),
            (
                "DropTable",
                "DropTable V2SessionCatalog(c), default.old, false",
                ["table default.old"],
            ),
            ("Execute TotallyNewCommand", "Execute TotallyNewCommand x", None),
            ("OverwriteByExpression noop-table", "OverwriteByExpression noop-table NoopWrite", []),
            ("Execute SetCommand", "Execute SetCommand (spark.x,Some(1))", []),
            ("Execute CreateViewCommand", "Execute CreateViewCommand `v`, LocalTempView", []),
            ("HashAggregate", "HashAggregate(keys=[], functions=[])", []),
        ],
    )
    def test_plans(self, node: str, text: str, expected: list[str] | None) -> None:
        plan = {"nodeName": "Root", "children": [{"nodeName": node, "simpleString": text}]}
        found = list(plan_writes(plan, ""))
        if expected is None:
            assert found == ["unknown path (TotallyNewCommand x)"]
        else:
            assert found == expected

    def test_credentials_are_not_repeated(self) -> None:
        text = "Execute NewCommand kafka://me:geheim@host/x?password=geheim"
        (write,) = plan_writes({"nodeName": "Execute NewCommand", "simpleString": text}, "")
        assert "geheim" not in write
