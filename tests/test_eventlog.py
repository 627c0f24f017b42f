"""Event logs that Spark 4.3 and 3.5 really wrote, whole and damaged, followed and summarised."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.errors import InputError
from autotune.record import StepKind
from autotune.spark.eventlog import EventLogReader, LogSummary, summarise
from autotune.spark.logfiles import Line, LineSplitter, lines, parts
from autotune.spark.logwrites import plan_writes

LOGS = Path(__file__).parent / "data" / "eventlogs"
ROLLED = LOGS / "eventlog_v2_local-1"
VERSIONS = ("4.3", "3.5")


def recorded(name: str) -> bytes:
    suffix = ".gz" if name.startswith("fail") else ".zstd"
    return b"".join(line.text + b"\n" for line in lines(LOGS / f"{name}{suffix}"))


@pytest.fixture(scope="module", params=VERSIONS)
def sql(request: pytest.FixtureRequest) -> LogSummary:
    return summarise(LOGS / f"sql-{request.param}.zstd")


def plain(tmp_path: Path, data: bytes, name: str = "local-1") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


class TestSummary:
    def test_what_the_log_says_of_the_application(self) -> None:
        summary = summarise(LOGS / "sql-4.3.zstd")
        assert summary.application_id == "local-1795260120312"
        assert summary.application_name == "sql job"
        assert summary.spark_version == "4.3.0"
        assert summary.duration_s == pytest.approx(25.334)
        assert summary.ended
        assert (summary.lines, summary.ignored_lines) == (528, 0)

    def test_sums_over_tasks_agree_with_the_events(self) -> None:
        summary = summarise(LOGS / "sql-4.3.zstd")
        events = [json.loads(line) for line in recorded("sql-4.3").splitlines()]
        tasks = [event for event in events if event["Event"] == "SparkListenerTaskEnd"]
        metrics = [task["Task Metrics"] for task in tasks if task.get("Task Metrics")]
        assert summary.metrics.tasks == len(tasks) == 71
        assert summary.metrics.failed_tasks == 2
        assert summary.metrics.jobs == summary.metrics.stages == 46
        assert summary.metrics.executor_run_time_s == pytest.approx(
            sum(metric["Executor Run Time"] for metric in metrics) / 1000
        )
        assert summary.metrics.output_rows == sum(
            metric["Output Metrics"]["Records Written"] for metric in metrics
        )
        assert summary.metrics.shuffle_write_bytes == 48593
        assert summary.metrics.peak_execution_memory_bytes == 33816616
        assert summary.metrics.task_skew >= 1

    def test_local_mode_costs_the_cores_and_the_heap_of_the_driver(self, sql: LogSummary) -> None:
        assert sql.duration_s is not None
        assert sql.metrics.core_seconds == pytest.approx(2 * sql.duration_s)
        assert sql.metrics.gb_seconds == pytest.approx(sql.duration_s)

    def test_heap_of_the_driver_is_what_the_jvm_has(self, sql: LogSummary) -> None:
        assert sql.driver_heap_bytes == pytest.approx(1 << 30, rel=1e-3)

    def test_what_the_session_changed_is_effective(self, sql: LogSummary) -> None:
        assert sql.effective["spark.driver.memory"] == "1g"
        assert sql.effective["spark.sql.shuffle.partitions"] == "3"
        assert "spark.sql.streaming.internal.stateStore.partitions" not in sql.effective

    def test_a_failed_application(self) -> None:
        for version in VERSIONS:
            summary = summarise(LOGS / f"fail-{version}.gz")
            assert summary.ended
            assert summary.failure is not None
            assert "ValueError: no such thing" in summary.failure
            assert [step.succeeded for step in summary.steps] == [True, False]

    def test_skew_is_longest_to_median_in_the_heaviest_stage(self, tmp_path: Path) -> None:
        def task(stage: int, seconds: float) -> bytes:
            return json.dumps(
                {
                    "Event": "SparkListenerTaskEnd",
                    "Stage ID": stage,
                    "Stage Attempt ID": 0,
                    "Task End Reason": {"Reason": "Success"},
                    "Task Info": {
                        "Executor ID": "1",
                        "Launch Time": 1000,
                        "Finish Time": 1000 + seconds * 1000,
                    },
                }
            ).encode()

        log = [task(1, 1.0)] * 9 + [task(1, 5.0)] + [task(2, 0.1), task(2, 9.0)]
        assert summarise(plain(tmp_path, b"\n".join(log))).metrics.task_skew == pytest.approx(5.0)


class TestSteps:
    def test_same_names_in_both_versions(self) -> None:
        new, old = (summarise(LOGS / f"sql-{version}.zstd").steps for version in VERSIONS)
        assert [step.name for step in new] == [step.name for step in old]

    def test_names_have_no_paths_ids_or_addresses(self, sql: LogSummary) -> None:
        for step in sql.steps:
            assert "/" not in step.name
            assert "Native" not in step.name
            assert "-" not in step.name

    def test_repeated_call_sites_are_numbered(self, sql: LogSummary) -> None:
        names = [step.name for step in sql.steps]
        assert len(set(names)) == len(names)
        assert [name for name in names if name.startswith("collect at sqljob.py:13")] == [
            "collect at sqljob.py:13",
            "collect at sqljob.py:13 #2",
            "collect at sqljob.py:13 #3",
        ]

    def test_one_description_is_one_step(self, sql: LogSummary) -> None:
        (step,) = [step for step in sql.steps if step.name == "query 7"]
        assert step.kind is StepKind.SQL
        assert 0.3 < step.duration_s < 2

    def test_nested_executions_count_once(self, sql: LogSummary) -> None:
        assert sum(step.name.startswith("saveAsTable") for step in sql.steps) == 1
        assert sql.duration_s is not None
        assert sum(step.duration_s for step in sql.steps) <= sql.duration_s

    def test_jobs_outside_of_sql(self) -> None:
        for version in VERSIONS:
            steps = summarise(LOGS / f"rdd-{version}.zstd").steps
            assert {step.kind for step in steps} == {StepKind.JOB}
            assert [step.name for step in steps][:2] == ["saveAsTextFile", "saveAsObjectFile"]
            assert "count at rddjob.py:12 #3" in [step.name for step in steps]

    def test_endless_jobs_do_not_make_endless_steps(self, tmp_path: Path) -> None:
        log = []
        for number in range(2500):
            start = {"Event": "SparkListenerJobStart", "Job ID": number, "Submission Time": number}
            start["Stage Infos"] = [
                {"Stage ID": number, "Stage Name": f"count at job.py:{number}"}
            ]
            end = {"Event": "SparkListenerJobEnd", "Job ID": number, "Completion Time": number + 1}
            end["Job Result"] = {"Result": "JobSucceeded"}
            log += [json.dumps(start), json.dumps(end)]
        log.append('{"Event":"SparkListenerApplicationEnd","Timestamp":2500}')
        steps = summarise(plain(tmp_path, "\n".join(log).encode())).steps
        assert len(steps) == 2001
        assert steps[-1].name == "(later steps)"
        assert steps[-1].duration_s == pytest.approx(0.5)


class TestFollow:
    @pytest.mark.parametrize("chunk", [997, 65536, 10_000_000])
    def test_a_growing_log_gives_the_same_steps(self, tmp_path: Path, chunk: int) -> None:
        data = recorded("rdd-4.3")
        path = tmp_path / "local-1.inprogress"
        reader = EventLogReader.follow(tmp_path / "local-1")
        assert reader.poll() == ()
        counts = []
        with path.open("wb") as out:
            for start in range(0, len(data), chunk):
                out.write(data[start : start + chunk])
                out.flush()
                counts.append(len(reader.poll()))
        path.rename(tmp_path / "local-1")
        assert reader.ended
        assert reader.poll() == summarise(LOGS / "rdd-4.3.zstd").steps
        assert counts == sorted(counts)
        reader.close()

    def test_a_poll_reads_a_bounded_piece(self, tmp_path: Path) -> None:
        path = plain(tmp_path, recorded("sql-4.3"))
        reader = EventLogReader.follow(path)
        reader.poll(1000)
        assert not reader.ended
        reader.poll()
        assert reader.ended
        reader.close()

    def test_a_folder_where_the_log_appears(self, tmp_path: Path) -> None:
        reader = EventLogReader.follow(tmp_path)
        assert reader.poll() == ()
        plain(tmp_path, recorded("fail-4.3"), "local-1.inprogress")
        assert len(reader.poll()) == 2
        reader.close()

    def test_a_described_step_ends_when_the_program_goes_on(self, tmp_path: Path) -> None:
        data = recorded("sql-4.3")
        cut = data.index(b"SparkListenerSQLExecutionEnd", data.index(b'"description":"query 7"'))
        path = plain(tmp_path, data[: data.index(b"\n", cut) + 1])
        reader = EventLogReader.follow(path)
        assert "query 7" not in [step.name for step in reader.poll()]
        with path.open("ab") as out:
            out.write(data[data.index(b"\n", cut) + 1 :])
        assert "query 7" in [step.name for step in reader.poll()]
        reader.close()


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


class TestForms:
    def test_rolling_and_compressed(self) -> None:
        summary = summarise(ROLLED)
        assert summary.application_name == "small job"
        assert summary.ended
        assert summary.writes == ("/srv/out/small",)

    def test_several_parts_are_read_in_order(self, tmp_path: Path) -> None:
        data = recorded("rdd-4.3").splitlines(keepends=True)
        folder = tmp_path / "eventlog_v2_local-1"
        folder.mkdir()
        for index in range(12):
            part = b"".join(data[index * 14 : (index + 1) * 14])
            plain(folder, part, f"events_{index + 1}_local-1")
        plain(folder, b"", "appstatus_local-1")
        assert summarise(folder) == summarise(LOGS / "rdd-4.3.zstd")
        assert summarise(tmp_path) == summarise(folder)

    def test_a_compacted_part_stands_for_those_before(self, tmp_path: Path) -> None:
        folder = tmp_path / "eventlog_v2_local-1"
        folder.mkdir()
        names = ("events_1_a", "events_2_a", "events_2_a.compact", "events_3_a", "events_10_a")
        for name in names:
            plain(folder, b"", name)
        assert [part.name for part in parts(folder)] == list(names[2:])

    @pytest.mark.parametrize("form", ["plain", "gz", "zstd", "lz4", "snappy", "no suffix"])
    def test_every_codec(self, tmp_path: Path, form: str) -> None:
        data = recorded("rdd-3.5")
        suffix = "" if form in ("plain", "no suffix") else f".{form}"
        path = plain(tmp_path, encoded(data, form), f"local-1{suffix}")
        assert summarise(path) == summarise(LOGS / "rdd-3.5.zstd")

    @pytest.mark.parametrize("form", ["gz", "zstd", "lz4", "snappy"])
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.95])
    def test_a_compressed_log_that_was_cut(self, tmp_path: Path, form: str, share: float) -> None:
        data = encoded(recorded("rdd-3.5"), form)
        path = plain(tmp_path, data[: int(len(data) * share)], f"local-1.{form}")
        summary = summarise(path)
        assert not summary.ended
        assert summary.duration_s is None

    def test_lzf_is_refused_in_words(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="codec=zstd"):
            summarise(plain(tmp_path, b"ZV", "local-1.lzf"))

    def test_no_log(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such event log"):
            summarise(tmp_path / "nothing")

    def test_several_logs_in_a_folder(self, tmp_path: Path) -> None:
        plain(tmp_path, b"", "local-1")
        plain(tmp_path, b"", "local-2")
        with pytest.raises(InputError, match="holds 2 event logs"):
            summarise(tmp_path)

    def test_an_empty_rolling_folder(self, tmp_path: Path) -> None:
        (tmp_path / "eventlog_v2_x").mkdir()
        with pytest.raises(InputError, match="without any events_"):
            summarise(tmp_path / "eventlog_v2_x")


def encoded(data: bytes, form: str) -> bytes:
    blocks = [data[start : start + 32768] for start in range(0, len(data), 32768)]
    if form == "gz":
        return gzip.compress(data)
    if form in ("zstd", "no suffix"):
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, "zstd") as stream:
            for block in blocks:
                stream.write(block)
                stream.flush()
        return out.getvalue().to_pybytes()
    if form == "lz4":
        codec = pa.Codec("lz4_raw")
        packed = [codec.compress(block, asbytes=True) for block in blocks]
        frames = [
            b"LZ4Block" + struct.pack("<BIII", 0x25, len(small), len(block), 0) + small
            for small, block in zip(packed, blocks, strict=True)
        ]
        return b"".join(frames) + b"LZ4Block" + struct.pack("<BIII", 0x15, 0, 0, 0)
    if form == "snappy":
        small = [pa.Codec("snappy").compress(block, asbytes=True) for block in blocks]
        head = b"\x82SNAPPY\x00" + struct.pack(">II", 1, 1)
        return head + b"".join(struct.pack(">I", len(block)) + block for block in small)
    return data


class TestDamage:
    def test_a_cut_log_has_no_duration_but_keeps_its_steps(self, tmp_path: Path) -> None:
        data = recorded("sql-4.3")
        summary = summarise(plain(tmp_path, data[: len(data) // 2]))
        assert not summary.ended
        assert summary.duration_s is None
        assert summary.last_event_s > 0
        assert summary.metrics.core_seconds == pytest.approx(2 * summary.last_event_s)
        assert summary.ignored_lines == 1
        assert summary.steps

    def test_bad_lines_are_counted(self, tmp_path: Path) -> None:
        bad = [
            b"not json",
            b'{"Event":"SparkListenerTaskEnd"}',
            b'{"Event":"SparkListenerJobStart","Job ID":{}}',
            b'{"Event":"SparkListenerApplicationStart","Timestamp":[]}',
            b"\x00\xff\xfe",
            b"[" * 100_000,
            b"17",
        ]
        good = recorded("rdd-4.3").splitlines()
        summary = summarise(plain(tmp_path, b"\n".join([*bad, *good])))
        assert summary.ignored_lines == len(bad)
        assert summary.steps == summarise(LOGS / "rdd-4.3.zstd").steps

    def test_unknown_events_are_not_damage(self, tmp_path: Path) -> None:
        log = [
            b'{"Event":"com.example.Own","x":1}',
            b'{"Spark Version":"4.3.0","Event":"SparkListenerLogStart"}',
        ]
        summary = summarise(plain(tmp_path, b"\n".join(log)))
        assert summary.ignored_lines == 0
        assert summary.spark_version == "4.3.0"

    def test_an_empty_log(self, tmp_path: Path) -> None:
        assert summarise(plain(tmp_path, b"")) == LogSummary()

    @settings(max_examples=40, deadline=None)
    @given(st.binary(max_size=300), st.integers(0, 350_000))
    def test_no_damage_raises(
        self, tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
    ) -> None:
        data = bytearray(FAILED)
        at = at % len(data)
        data[at : at + len(junk)] = junk
        path = plain(tmp_path_factory.mktemp("log"), bytes(data))
        assert summarise(path).lines > 0
        reader = EventLogReader.follow(path)
        reader.poll()
        reader.close()
        shutil.rmtree(path.parent)

    def test_a_gigantic_line_is_skipped_and_its_plan_distrusted(self) -> None:
        splitter = LineSplitter(longest=1000)
        head = b'{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart",'
        found: list[Line] = list(splitter.feed(head))
        for _ in range(1000):
            found += splitter.feed(b"x" * 500)
            assert splitter.held_bytes <= 5000
        found += splitter.feed(b"\nshort\n")
        assert [line.complete for line in found] == [False, True]
        assert found[0].text.startswith(head)

    def test_a_plan_that_is_too_large_counts_as_a_write(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("autotune.spark.logfiles.LONGEST_LINE_BYTES", 8000)
        summary = summarise(LOGS / "fail-4.3.gz")
        assert summary.ignored_lines > 0
        assert summary.writes == ("unknown path (a plan that is too large to read)",)


FAILED = recorded("fail-3.5")


@given(
    st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"")), max_size=20),
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
)
def test_lines_do_not_depend_on_how_they_arrive(texts: list[bytes], sizes: list[int]) -> None:
    data = b"\n".join(texts)
    splitter, found, place = LineSplitter(), [], 0
    while place < len(data):
        size = sizes[place % len(sizes)]
        found += splitter.feed(data[place : place + size])
        place += size
    if (rest := splitter.rest()) is not None:
        found.append(rest)
    assert [line.text for line in found] == [text for text in texts if text]


def test_executors_of_a_cluster_cost_from_arrival_to_removal(tmp_path: Path) -> None:
    def executor(kind: str, name: str, time: int) -> dict[str, object]:
        info = {"Total Cores": 4, "Resource Profile Id": 0}
        event = {"Event": f"SparkListenerExecutor{kind}", "Timestamp": time, "Executor ID": name}
        return {**event, "Executor Info": info, "Removed Reason": "Executor idle for 60 s"}

    amounts = {
        "memory": {"Amount": 3072},
        "memoryOverhead": {"Amount": 1024},
        "cores": {"Amount": 4},
    }
    events = [
        {"Event": "SparkListenerApplicationStart", "Timestamp": 0, "App ID": "a", "App Name": "n"},
        {
            "Event": "SparkListenerResourceProfileAdded",
            "Resource Profile Id": 0,
            "Executor Resource Requests": amounts,
        },
        executor("Added", "1", 10_000),
        executor("Added", "2", 20_000),
        executor("Removed", "1", 40_000),
        {"Event": "SparkListenerApplicationEnd", "Timestamp": 100_000},
    ]
    summary = summarise(plain(tmp_path, "\n".join(map(json.dumps, events)).encode()))
    assert summary.metrics.core_seconds == pytest.approx(4 * (30 + 80))
    assert summary.metrics.gb_seconds == pytest.approx(4 * (30 + 80))
    assert summary.executor_losses == ()


@pytest.mark.parametrize(("values", "expected"), [
    (["8", "8", None], "8"),
    (["8", None, None], "200"),
    (["8", None], "8"),
    (["8", "16", "16"], "16"),
])  # fmt: skip
def test_effective_is_what_most_sql_executions_had(
    tmp_path: Path, values: list[str | None], expected: str
) -> None:
    key = "spark.sql.shuffle.partitions"
    events: list[dict[str, object]] = [
        {"Event": "SparkListenerEnvironmentUpdate", "Spark Properties": {key: "200"}}
    ]
    for number, value in enumerate(values):
        event = {"executionId": number, "time": number, "description": "x", "details": ""}
        event["Event"] = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"
        event["sparkPlanInfo"] = {"nodeName": "Range"}
        events.append({**event, "modifiedConfigs": {key: value} if value else {}})
    summary = summarise(plain(tmp_path, "\n".join(map(json.dumps, events)).encode()))
    assert summary.ignored_lines == 0
    assert summary.effective[key] == expected
