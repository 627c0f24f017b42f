"""What a recommendation is asked about, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autotune import inquiry
from autotune.domain import DatasetProfile
from autotune.errors import InputError
from autotune.inquiry import inquire
from autotune.spark.eventlog import LogSummary, summarise
from commands import Command
from recorded_logs import LOGS, ROLLED, plain, recorded

MEMORY = "spark.driver.memory"


@pytest.mark.parametrize("log", ["rdd-4.3.zstd", "rdd-3.5.zstd", "fail-4.3.gz", ROLLED.name])
def test_a_log_is_answered_for_what_it_ran_with(autotune: Command, folder: Path, log: str) -> None:
    answer = autotune("recommend", "--eventlog", str(LOGS / log), "--format", "json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["baseline_from"] == "what the execution of the log ran with"
    assert found["baseline"]["properties"][MEMORY] == "1g"
    assert found["job"]["source"] == "event_log"
    assert any("the data is not known" in said for said in found["cautions"])
    assert not any("--eventlog" in said for said in found["cautions"])
    assert list(folder.iterdir()) == []


def test_what_spark_puts_before_a_persons_options_is_not_theirs(tmp_path: Path) -> None:
    own = "--add-exports java.base/sun.nio.ch=ALL-UNNAMED -XX:+UseParallelGC -Dmine=1"
    assert inquire(eventlog=str(LOGS / "rdd-4.3.zstd")).logged == {MEMORY: "1g"}
    data = recorded("rdd-4.3").replace(
        b"--enable-native-access=ALL-UNNAMED",
        b"--enable-native-access=ALL-UNNAMED " + own.encode(),
    )
    asked = inquire(eventlog=str(plain(tmp_path, data)))
    assert asked.logged is not None
    assert asked.logged["spark.driver.extraJavaOptions"] == own


def test_what_a_person_says_goes_over_what_the_log_says(autotune: Command, folder: Path) -> None:
    log = str(LOGS / "sql-4.3.zstd")
    asked = ("recommend", "--eventlog", log, "--format", "json")
    own = json.loads(autotune(*asked, "--conf", f"{MEMORY}=2g").out)
    assert own["baseline_from"] == "your configuration"
    assert own["baseline"]["properties"][MEMORY] == "2g"
    assert own["baseline"]["properties"]["spark.sql.shuffle.partitions"] == "3"


def test_a_log_that_tells_of_a_part_says_so(tmp_path: Path) -> None:
    (failed,) = inquire(eventlog=str(LOGS / "fail-4.3.gz")).cautions
    assert failed.startswith("the execution of the log failed (")
    lines = recorded("rdd-4.3").splitlines(keepends=True)
    cut = plain(tmp_path, b"".join([*lines[:-1], b'{"Event": "Spark']), "cut")
    assert inquire(eventlog=str(cut)).cautions == (
        "the log has no end, so it tells of a part of the job",
        f"1 of {len(lines)} lines of the log could not be read",
    )
    elsewhere = plain(tmp_path, recorded("rdd-4.3").replace(b'"local[2]"', b'"yarn"'), "away")
    (other,) = inquire(eventlog=str(elsewhere), master="local[2]").cautions
    assert other == "the log is of yarn, and this is about local[2]: see --master"
    (larger,) = inquire(eventlog=str(LOGS / "rdd-4.3.zstd"), master="local[3]").cautions
    assert larger == "the log is of local[2], and this is about local[3]: see --master"


def test_what_a_larger_machine_had_is_no_start_here(tmp_path: Path) -> None:
    much = recorded("rdd-4.3").replace(
        b'"spark.driver.memory":"1g"', b'"spark.driver.memory":"900t"'
    )
    found = inquire(eventlog=str(plain(tmp_path, much)))
    assert found.logged == {}
    assert found.cautions == ("spark.driver.memory is 900t in the log, more than there is here",)


@pytest.mark.parametrize(
    ("read", "scans", "data", "other"),
    [
        (3 << 30, 1, 10 << 20, "3.0 GiB, and the data have 10.0 MiB"),
        (3 << 20, 1, 10 << 30, "3.0 MiB, and the data have 10.0 GiB"),
        (39 << 20, 1, 10 << 20, None),
        (41 << 20, 1, 10 << 20, "41.0 MiB, and the data have 10.0 MiB"),
        (90 << 20, 9, 10 << 20, None),  # each query reads them again
        (11 << 20, 1, 1 << 30, None),  # a hundredth: few columns of many
        (0, 1, 10 << 30, None),  # not every source counts
    ],
)
def test_a_log_of_other_data_is_told(
    monkeypatch: pytest.MonkeyPatch, read: int, scans: int, data: int, other: str | None
) -> None:
    def summarised(path: Path) -> LogSummary:
        log = summarise(path)
        assert log.profile is not None
        change = {"input_bytes": read, "operators": {"scan": scans}, "rdd_jobs": 0}
        profile = log.profile.model_copy(update=change)
        return log.model_copy(update={"profile": profile})

    monkeypatch.setattr(inquiry, "summarise", summarised)
    of_data = DatasetProfile(path="/t", format="parquet", rows=1, bytes=data, files=1)
    log, master = str(LOGS / "rdd-4.3.zstd"), "local[2]"
    cautions = inquire(of_data, eventlog=log, master=master).cautions
    said = f"the log read {other}, so it may be of other data"
    assert cautions == ((said,) if other else ())
    assert inquire(eventlog=log, master=master).cautions == (), "without data nothing is compared"


def test_a_log_without_a_task_or_of_something_else_is_refused(tmp_path: Path) -> None:
    start = recorded("rdd-4.3").splitlines(keepends=True)[0]
    with pytest.raises(InputError, match="no task ended in it; name the log of a whole execution"):
        inquire(eventlog=str(plain(tmp_path, start)))
    with pytest.raises(InputError, match="no task ended in it"):
        inquire(eventlog=str(plain(tmp_path, b"dear diary\n" * 100, "diary")))


def test_the_master_is_what_is_set_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = str(LOGS / "rdd-4.3.zstd")
    assert inquire(eventlog=log).machine.master == "local[*]"
    (tmp_path / "spark-defaults.conf").write_text("spark.master local[3]\n")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert inquire(eventlog=log).machine.master == "local[3]"
    assert inquire(eventlog=log, master="local[2]").machine.master == "local[2]"
    said = inquire(eventlog=log, conf={"spark.master": "local[4]", "spark.x": "1"})
    assert (said.machine.master, said.conf) == ("local[4]", {"spark.x": "1"})
    assert inquire(eventlog=log, conf={"spark.master": "local[4]"}).conf == {}
    assert inquire(eventlog=log).conf is None
    (tmp_path / "spark-defaults.conf").write_text("spark.master yarn\n")
    away = inquire(eventlog=log)
    assert away.machine.master == "local[*]"
    assert any("spark-defaults.conf says master 'yarn': not supported" in s for s in away.cautions)
    with pytest.raises(InputError, match="'yarn': not supported yet"):
        inquire(eventlog=log, master="yarn")


def test_the_tables_of_queries_are_in_a_folder(folder: Path, autotune: Command) -> None:
    Path("q").mkdir()
    Path("q/a.sql").write_text("SELECT 1")
    Path("t.csv").write_text("a,b\n1,2\n")
    refused = autotune("recommend", "--sql", "q", "--data", "t.csv")
    assert refused.code == 2
    assert "is a file; name the folder that the tables are in" in refused.err
    assert len(refused.err.splitlines()) == 1


def test_the_effort_for_the_data_can_be_chosen(folder: Path, autotune: Command) -> None:
    Path("t.csv").write_text("a,b\n" + "1,2\n" * 1000)
    asked = ("recommend", "--data", "t.csv", "--format", "json")
    found = json.loads(autotune(*asked, "--column", "b", "--sample-rows", "100").out)
    looked = [column["name"] for column in found["profile"]["columns"] if column["distinct"]]
    assert looked == ["b"]
    refused = autotune(*asked, "--column", "c")
    assert (refused.code, "no column 'c'" in refused.err) == (2, True)
