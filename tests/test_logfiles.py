"""Event logs in every form, and damaged ones."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.errors import InputError
from autotune.spark.eventlog import EventLogReader, LogSummary, summarise
from autotune.spark.logfiles import Line, LineSplitter, lines, parts
from autotune.spark.logsteps import MOST_OPEN
from recorded_logs import LOGS, ROLLED, plain, recorded


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
        assert (len(list(lines(path))) > 0) == (share > 0.1)  # blocks of lz4 and snappy are small

    @pytest.mark.parametrize("form", ["gz", "zstd"])
    def test_nearly_all_of_a_log_whose_last_bytes_are_missing(
        self, tmp_path: Path, form: str
    ) -> None:
        data = encoded(recorded("rdd-3.5"), form)
        whole = recorded("rdd-3.5").splitlines()
        found = list(lines(plain(tmp_path, data[:-5], f"local-1.{form}")))
        assert len(found) > 0.9 * len(whole)
        assert [line.text for line in found[:-1]] == whole[: len(found) - 1]

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


START = {"Event": "SparkListenerApplicationStart", "Timestamp": 1000, "App Name": "n"}
END = {"Event": "SparkListenerApplicationEnd", "Timestamp": 3000}


def log_of(tmp_path: Path, *events: dict[str, object]) -> LogSummary:
    lines = [json.dumps(event) for event in (START, *events, END)]
    summary = summarise(plain(tmp_path, "\n".join(lines).encode()))
    assert summary.duration_s == 2.0
    return summary


@pytest.mark.parametrize("wrong", [1e999, -1e999, float("nan"), 10**400, "x", None, [], {}])
class TestNumbersThatAreNone:
    def test_of_executors(self, tmp_path: Path, wrong: object) -> None:
        profile = {
            "Event": "SparkListenerResourceProfileAdded",
            "Resource Profile Id": 0,
            "Executor Resource Requests": {"memory": {"Amount": wrong}},
        }
        added = {
            "Event": "SparkListenerExecutorAdded",
            "Timestamp": wrong,
            "Executor ID": "1",
            "Executor Info": {"Total Cores": 4},
        }
        blocks = {
            "Event": "SparkListenerBlockManagerAdded",
            "Block Manager ID": {"Executor ID": "driver"},
            "Maximum Onheap Memory": wrong,
        }
        summary = log_of(tmp_path, profile, added, blocks)
        assert summary.ignored_lines == 3
        assert summary.metrics.core_seconds == 0

    def test_of_tasks_leave_nothing_behind(self, tmp_path: Path, wrong: object) -> None:
        events = [json.loads(line) for line in recorded("rdd-4.3").splitlines()]
        task = next(event for event in events if event["Event"] == "SparkListenerTaskEnd")
        task["Task Metrics"]["Disk Bytes Spilled"] = wrong
        summary = log_of(tmp_path, task)
        assert summary.ignored_lines == 1
        assert summary.metrics == LogSummary().metrics

    def test_of_jobs_and_names(self, tmp_path: Path, wrong: object) -> None:
        job = {"Event": "SparkListenerJobStart", "Job ID": wrong, "Submission Time": 1}
        environment = {
            "Event": "SparkListenerEnvironmentUpdate",
            "Spark Properties": {"spark.memory.fraction": wrong},
        }
        named = {**START, "App ID": wrong, "App Name": wrong}
        assert log_of(tmp_path, job, environment, named).ignored_lines == 1


def test_half_characters_are_replaced(tmp_path: Path) -> None:
    named = {**START, "App ID": "a\ud800b", "App Name": "\U0001f600"}
    summary = log_of(tmp_path, named)
    assert summary.application_id == "a\ufffdb"
    assert summary.application_name == "\U0001f600"
    assert summary.ignored_lines == 0


def test_a_redacted_property_is_not_known(tmp_path: Path) -> None:
    properties = {"spark.a.password": "*********(redacted)", "spark.b": "2"}
    event = {"Event": "SparkListenerEnvironmentUpdate", "Spark Properties": properties}
    assert log_of(tmp_path, event).effective == {"spark.b": "2"}


def test_what_a_log_makes_us_keep_is_bounded(tmp_path: Path) -> None:
    start = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"
    jobs = [
        {"Event": "SparkListenerJobStart", "Job ID": n, "Submission Time": 1}
        for n in range(MOST_OPEN + 100)
    ]
    node = {"nodeName": "Execute X" + "y" * 100_000, "simpleString": "Execute X"}
    plan = {
        "Event": start, "executionId": 1, "time": 1,
        "sparkPlanInfo": {"nodeName": "Range", "children": [node] * 3},
        "modifiedConfigs": {f"spark.{number}": "x" * 5000 for number in range(800)},
    }  # fmt: skip
    summary = log_of(tmp_path, *jobs, plan)
    assert max(map(len, summary.writes)) < 5000
    assert 0 < len(summary.effective) <= 500
    assert max(map(len, summary.effective.values())) <= 1000


def test_a_plan_of_many_commands_is_not_taken_apart_for_ever(tmp_path: Path) -> None:
    node = {"nodeName": "Execute X", "simpleString": "Execute X"}
    plan = {
        "Event": "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart",
        "executionId": 1, "time": 1, "physicalPlanDescription": "x" * 4_000_000,
        "sparkPlanInfo": {"nodeName": "Range", "children": [node] * 100_000},
    }  # fmt: skip
    assert "unknown path (and more places)" in log_of(tmp_path, plan).writes


def test_a_line_of_endless_values_is_not_parsed(tmp_path: Path) -> None:
    plan = b'{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart","x":['
    path = plain(tmp_path, plan + b"[]," * 1_500_000 + b"[]]}")
    summary = summarise(path)
    assert summary.ignored_lines == 1
    assert summary.writes == ("unknown path (a plan that is too large to read)",)


def test_what_only_begins_like_a_compressed_log_is_read_as_it_is(tmp_path: Path) -> None:
    for magic in (b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"LZ4Block", b"\x82SNAPPY\x00"):
        path = plain(tmp_path, magic + b"\n" + json.dumps(START).encode())
        assert summarise(path).application_name == "n"


def test_a_damaged_gzip_ends_where_it_can_not_be_decoded(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(recorded("rdd-3.5")))
    data[len(data) // 2 :] = b"\xff" * (len(data) // 2)
    assert not summarise(plain(tmp_path, bytes(data), "local-1.gz")).ended


def test_a_block_that_claims_gigabytes_is_not_believed(tmp_path: Path) -> None:
    frame = b"LZ4Block" + struct.pack("<BIII", 0x25, 4, 0xF0000000, 0) + b"abcd"
    assert summarise(plain(tmp_path, frame, "local-1.lz4")) == LogSummary()


def test_a_pipe_is_no_event_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "local-1")
    with pytest.raises(InputError, match="not a file"):
        summarise(tmp_path / "local-1")
