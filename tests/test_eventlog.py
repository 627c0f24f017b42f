"""Event logs that Spark 4.3 and 3.5 really wrote, followed and summarised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autotune.record import StepKind
from autotune.spark.eventlog import EventLogReader, LogSummary, summarise
from recorded_logs import LOGS, VERSIONS, plain, recorded


@pytest.fixture(scope="module", params=VERSIONS)
def sql(request: pytest.FixtureRequest) -> LogSummary:
    return summarise(LOGS / f"sql-{request.param}.zstd")


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
