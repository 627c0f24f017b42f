from __future__ import annotations

from pathlib import Path

import pytest

from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.spark.eventlog import summarise
from autotune.spark.logprofile import family_of, operators_of_text
from recorded_logs import LOGS, recorded


def profile_of(name: str) -> WorkloadProfile:
    found = summarise(LOGS / name).profile
    assert found is not None
    return found


@pytest.mark.parametrize("version", ["3.5", "4.3"])
def test_a_log_tells_what_the_job_does(version: str) -> None:
    found = profile_of(f"sql-{version}.zstd")
    assert found.source is ProfileSource.EVENT_LOG
    assert found.operators[Operator.EXCHANGE] == 17
    assert found.operators[Operator.BROADCAST_JOIN] == 1
    assert found.operators[Operator.HASH_AGGREGATE] == 22
    assert Operator.PYTHON not in found.operators
    assert (found.rdd_jobs, found.cached, found.jobs, found.tasks) == (2, 1, 46, 71)
    assert found.input_rows == 40_031
    for share in (found.slot_use, found.cpu_share, found.gc_share, found.heaviest_stage_share):
        assert share is not None
        assert 0 < share < 1
    assert found.median_task_s is not None
    assert found.longest_task_s is not None
    assert 0 < found.median_task_s < found.longest_task_s


def test_python_is_seen_in_plans_and_in_rdds() -> None:
    assert profile_of("fail-4.3.gz").operators[Operator.PYTHON] == 1
    rdds = profile_of("rdd-4.3.zstd")
    assert rdds.operators == {}
    assert rdds.python_stages == 15
    assert rdds.rdd_jobs == rdds.jobs == 13


def test_an_application_in_which_nothing_ran_has_no_profile(tmp_path: Path) -> None:
    lines = recorded("sql-4.3").splitlines(keepends=True)
    log = tmp_path / "local-1"
    log.write_bytes(b"".join(line for line in lines if b"TaskEnd" not in line))
    assert summarise(log).profile is None


def test_a_profile_survives_the_way_through_json() -> None:
    found = profile_of("sql-4.3.zstd")
    assert WorkloadProfile.model_validate_json(found.model_dump_json(exclude_none=True)) == found


def test_the_text_of_a_plan_tells_the_same_families() -> None:
    plan = """== Physical Plan ==
AdaptiveSparkPlan isFinalPlan=false
+- Sort [n#3L DESC NULLS LAST], true, 0
   +- Exchange rangepartitioning(n#3L DESC NULLS LAST, 200), ENSURE_REQUIREMENTS
      +- HashAggregate(keys=[k#1], functions=[count(1)])
         +- Exchange hashpartitioning(k#1, 200), ENSURE_REQUIREMENTS
            +- *(2) HashAggregate(keys=[k#1], functions=[partial_count(1)])
               +- BroadcastHashJoin [a#1], [b#2], Inner, BuildRight, false
                  :- Filter isnotnull(a#1)
                  :  +- FileScan parquet [a#1] Batched: true, Format: Parquet
                  +- BroadcastExchange HashedRelationBroadcastMode(List(b#2))
                     +- BatchScan parquet file:/x[b#2] ParquetScan
"""
    assert operators_of_text(plan) == {
        Operator.SORT: 1,
        Operator.EXCHANGE: 2,
        Operator.HASH_AGGREGATE: 2,
        Operator.BROADCAST_JOIN: 1,
        Operator.BROADCAST_EXCHANGE: 1,
        Operator.FILTER: 1,
        Operator.SCAN: 2,
    }


@pytest.mark.parametrize(
    ("node", "family"),
    [
        ("Scan parquet ", Operator.SCAN),
        ("InMemoryTableScan", Operator.CACHE),
        ("MapInPandas", Operator.PYTHON),
        ("BatchEvalPython", Operator.PYTHON),
        ("FlatMapGroupsInPandas", Operator.PYTHON),
        ("ObjectHashAggregate", Operator.OTHER_AGGREGATE),
        ("SortAggregate", Operator.OTHER_AGGREGATE),
        ("SortMergeJoin", Operator.SORT_MERGE_JOIN),
        ("StateStoreSave", Operator.STATE),
        ("SessionWindowStateStoreRestore", Operator.STATE),
        ("StreamingDeduplicateWithinWatermark", Operator.STATE),
        ("Execute InsertIntoHadoopFsRelationCommand", Operator.WRITE),
        ("Execute MergeIntoCommand", Operator.WRITE),
        ("Scan In-memory table sales", Operator.CACHE),
        ("Scan hive default.sales", Operator.SCAN),
        ("HiveTableScan", Operator.SCAN),
        ("PhotonScan parquet sales", Operator.SCAN),
        ("PhotonGroupingAgg", Operator.HASH_AGGREGATE),
        ("PhotonBroadcastHashJoin", Operator.BROADCAST_JOIN),
        ("PhotonShuffleExchangeSink", Operator.EXCHANGE),
        ("PhotonShuffleExchangeSource", None),
        ("GpuHashAggregate", Operator.HASH_AGGREGATE),
        ("GpuColumnarExchange", Operator.EXCHANGE),
        ("CometSortMergeJoin", Operator.SORT_MERGE_JOIN),
        ("CometNativeScan parquet", Operator.SCAN),
        ("CometHashJoin", Operator.SHUFFLED_HASH_JOIN),
        ("ColumnarToRow", None),
        ("Execute CreateViewCommand", None),
        ("WholeStageCodegen (1)", None),
    ],
)
def test_operators_belong_to_families(node: str, family: Operator | None) -> None:
    assert family_of(node) is family
