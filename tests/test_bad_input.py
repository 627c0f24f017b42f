"""Wrong input: one clear line, exit code 2, nothing half written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from commands import Command

EXPERIMENT = """
name: good
workload: {application: job.py}
master: local[1]
"""


def file(name: str, text: str | bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return make


def experiment(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "job.py").write_text("print('never executed')\n")
        (folder / "x.yaml").write_text(text)

    return make


def space_of(parameter: str) -> Callable[[Path], None]:
    return file("s.yaml", f"name: s\ndescription: d\nparameters:\n  {parameter}\n")


def nothing(folder: Path) -> None:
    """Leave the folder empty."""


def job(folder: Path) -> None:
    (folder / "job.py").write_text("print('never executed')\n")


def table(folder: Path) -> None:
    folder.mkdir()
    (folder / "t.csv").write_text("a\n1\n")


class Case(NamedTuple):
    name: str
    words: str
    told: str
    made: Callable[[Path], None] = nothing


def wrong(name: str, text: str, told: str) -> Case:
    return Case(f"experiment: {name}", "tune x.yaml", told, experiment(text))


def wrong_space(name: str, parameter: str, told: str) -> Case:
    return Case(f"space: {name}", "space check s.yaml", told, space_of(parameter))


PARTITIONS = "spark.sql.shuffle.partitions"

CASES = [
    # the command line itself
    Case("no such verb", "tuna", "No such command"),
    Case("no such flag", "tune --trails 3", "--trails"),
    Case("no job", "tune", "no job named"),
    Case("zero trials", "tune --trials 0 x.yaml", "--trials"),
    Case("trials in words", "tune --trials many x.yaml", "--trials"),
    Case("no such objective", "tune --objective speed x.yaml", "--objective"),
    Case("no such sampler", "tune --sampler magic x.yaml", "--sampler"),
    Case("two jobs", "tune --builtin taxi --sql q", "name one job"),
    Case("no such format", "list --format xml", "--format"),
    Case("data without a folder", "data taxi", "--to"),
    Case("no such generator", "data texi --rows 10 --to d", "texi"),
    Case("a size that there is not", "data joins --size XL --to d", "--size"),
    Case("an option without a value", "data skew --set hot-share --to d", "--set"),
    Case("an option of no generator", "data joins --set hot-share=1 --to d", "'hot-share'"),
    Case("rows for tpch", "data tpch --rows 5 --to d", "scale"),
    Case("no such log", "recommend --eventlog nowhere", "nowhere"),
    Case("a log and queries", "recommend --eventlog l --sql q --data d", "leave one out"),
    Case("queries without tables", "recommend --sql q", "--data"),
    Case("no queries", "recommend --sql q --data d", "q", lambda folder: table(folder / "d")),
    Case("no rows", "data taxi --rows 0 --to d", "--rows"),
    Case("recommend without data", "recommend", "--data"),
    Case("port out of range", "ui --port 70000", "--port"),
    Case("bad conf flag", "tune --conf spark.x x.yaml", "key=value", experiment(EXPERIMENT)),
    Case("bad timeout", "tune --timeout soon x.yaml", "soon", experiment(EXPERIMENT)),
    # a pasted command
    Case("python instead of spark-submit", "tune -- python job.py", "spark-submit"),
    Case("cluster mode", "tune -- spark-submit --deploy-mode cluster job.py", "client", job),
    Case("no job in the command", "tune -- spark-submit", "no job named"),
    Case("no such job", "tune -- spark-submit none.py", "none.py"),
    Case("yarn", "tune -- spark-submit --master yarn job.py", "yarn", job),
    Case("kubernetes", "tune -- spark-submit --master k8s://x job.py", "k8s", job),
    Case("connect", "tune -- spark-submit --remote sc://x job.py", "Connect", job),
    Case("broken master", "tune -- spark-submit --master local[x] job.py", "local[x]", job),
    Case("no such option", "tune -- spark-submit --cores 2 job.py", "--cores", job),
    Case("conf without value", "tune -- spark-submit --conf a job.py", "key=value", job),
    Case("no properties file", "tune -- spark-submit --properties-file p job.py", "p", job),
    Case("a jar without class", "tune -- spark-submit a.jar", "--class"),
    Case("neither py nor jar", "tune -- spark-submit job.rb", ".py"),
    # experiment files
    Case("no such experiment", "tune none.yaml", "none.yaml"),
    Case("an empty file", "tune x.yaml", "x.yaml", file("x.yaml", "")),
    Case("no YAML", "tune x.yaml", "x.yaml", file("x.yaml", "a: [1,")),
    Case("a list", "tune x.yaml", "x.yaml", file("x.yaml", "- a\n")),
    Case("binary", "tune x.yaml", "x.yaml", file("x.yaml", bytes(range(256)))),
    Case("code", "tune x.yaml", "x.yaml", file("x.yaml", "!!python/object/apply:os.getcwd []")),
    wrong("no workload", "name: x\n", "workload"),
    wrong("unknown key", EXPERIMENT + "trails: 3\n", "trails"),
    wrong("unknown nested key", EXPERIMENT + "budget: {trails: 3}\n", "trails"),
    wrong("trials in words", EXPERIMENT + "budget: {trials: many}\n", "trials"),
    wrong("negative trials", EXPERIMENT + "budget: {trials: -1}\n", "trials"),
    wrong("bad duration", EXPERIMENT + "budget: {timeout: soon}\n", "timeout"),
    wrong("bad size", EXPERIMENT + "budget: {execution_disk: lots}\n", "execution_disk"),
    wrong("no such objective", EXPERIMENT + "objective: speed\n", "objective"),
    wrong("no such sampler", EXPERIMENT + "sampler: magic\n", "sampler"),
    wrong("no such space", EXPERIMENT + "space: nowhere\n", "nowhere"),
    wrong("no such data", EXPERIMENT + "data: nowhere/table\n", "nowhere/table"),
    wrong("no such job", "workload: {application: none.py}\n", "none.py"),
    wrong("no such built-in", "workload: {builtin: texi}\ndata: job.py\n", "texi"),
    wrong("built-in without data", "workload: {builtin: taxi}\n", "data"),
    wrong("two ways at once", "workload: {builtin: taxi, sql: q}\n", "exactly one"),
    wrong("no SQL files", "workload: {sql: nowhere}\ndata: job.py\n", "nowhere"),
    wrong("duplicate key", EXPERIMENT + "seed: 1\nseed: 2\n", "seed"),
    wrong("no such space file", EXPERIMENT + "space: s.yaml\n", "s.yaml"),
    wrong("a rule without its place", EXPERIMENT + "conf: {enforced: [a]}\n", "enforced"),
    wrong("no such Spark", EXPERIMENT + "spark_home: /nowhere\n", "/nowhere"),
    # spaces
    wrong("a start out of the space", EXPERIMENT + "starts: [{spark.x: 1}]\n", "'spark.x'"),
    wrong(
        "a start that is no value", EXPERIMENT + f"starts: [{{{PARTITIONS}: many}}]\n", "'many'"
    ),
    Case("no such space", "space show nowhere", "nowhere"),
    Case("no such space file", "space check nowhere.yaml", "nowhere.yaml"),
    wrong_space("no range", f"{PARTITIONS}: {{type: int, applies: session, why: w}}", "low"),
    wrong_space(
        "reversed range",
        f"{PARTITIONS}: {{type: int, low: 9, high: 2, applies: session, why: w}}",
        PARTITIONS,
    ),
    wrong_space(
        "no such type",
        f"{PARTITIONS}: {{type: whole, low: 1, high: 2, applies: session, why: w}}",
        "type",
    ),
    wrong_space(
        "no such property",
        "spark.sql.shuffle.portions: {type: int, low: 1, high: 2, applies: session, why: w}",
        "spark.sql.shuffle.portions",
    ),
    wrong_space(
        "static as session",
        "spark.driver.memory: {type: bytes, low: 1g, high: 2g, applies: session, why: w}",
        "spark.driver.memory",
    ),
    wrong_space(
        "no why", f"{PARTITIONS}: {{type: int, low: 1, high: 2, applies: session}}", "why"
    ),
    wrong_space(
        "changes results",
        "spark.sql.ansi.enabled: {type: bool, applies: session, why: w}",
        "spark.sql.ansi.enabled",
    ),
    wrong_space(
        "condition on an unknown parameter",
        f"{PARTITIONS}: {{type: int, low: 1, high: 2, applies: session, why: w,"
        " when: {spark.none: true}}",
        "spark.none",
    ),
    wrong_space(
        "bad size",
        "spark.driver.memory: {type: bytes, low: much, high: 2g, applies: application, why: w}",
        "much",
    ),
    wrong_space(
        "log from zero",
        f"{PARTITIONS}: {{type: int, low: 0, high: 9, log: true, applies: session, why: w}}",
        PARTITIONS,
    ),
    # data
    Case("no such table", "profile nowhere", "nowhere"),
    Case("an empty folder", "profile d", "d", lambda folder: (folder / "d").mkdir()),
    Case("a table of no bytes", "profile t.csv", "t.csv", file("t.csv", "")),
    Case("a table of no rows", "profile t.csv", "t.csv", file("t.csv", "a,b\n")),
    Case("no Parquet", "profile t.parquet", "t.parquet", file("t.parquet", "PAR1 or not")),
    Case("no table at all", "profile t.xyz", "t.xyz", file("t.xyz", b"\x00\x01\x02")),
    Case("broken JSON", "profile t.json", "t.json", file("t.json", '{"a": 1}\n{"a": \n')),
    Case("no such table to ask about", "recommend --data nowhere", "nowhere"),
    # stores
    Case("storage of another kind", "list --storage mongodb://x", "mongodb"),
    Case("no URL", "list --storage nonsense", "nonsense"),
    Case("no such study", "show none", "none"),
    Case("no study to export", "export none", "none"),
    Case(
        "a storage that is no database",
        "list --storage sqlite:///t.db",
        "t.db",
        file("t.db", "this is not a database, but long enough to be looked at" * 20),
    ),
    Case("a tracking folder", "train --tracking-uri ./files", "./files"),
    Case("a space for no Spark", "space show sql --spark-home /nowhere", "/nowhere"),
    Case("a study below a file", "show x --storage sqlite:///f/t.db", "x", file("f", "x")),
    Case("a ledger below a file", "train --tracking-uri sqlite:///f/t.db", "f", file("f", "x")),
]


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_line_exit_two_and_nothing_written(
    case: Case, autotune: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_HOME", raising=False)
    case.made(folder)
    before = contents(folder)
    answer = autotune(*case.words.split())
    assert answer.code == 2, answer
    assert case.told in answer.err
    assert answer.err.startswith("autotune: ")
    assert answer.err.count("\n") == 1, answer.err
    assert answer.out == ""
    assert contents(folder) == before


def test_there_are_sixty_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told(autotune: Command, folder: Path) -> None:
    folder.chmod(0o500)
    answer = autotune("list", "--storage", "sqlite:///sub/t.db")
    assert answer.code == 2
    assert "sub" in answer.err


def test_a_space_of_which_nothing_is_left_is_told(autotune: Command, folder: Path) -> None:
    job(folder)
    space_of(
        "spark.sql.shuffle.partitions: {type: int, low: 1, high: 2, applies: session, why: w}"
    )(folder)
    words = "tune --space s.yaml --preserve spark.sql.shuffle.partitions -- spark-submit job.py"
    answer = autotune(*words.split())
    assert answer.code == 2
    assert answer.err == (
        "autotune: space 's.yaml': conf leaves no parameter to search; exclude fewer\n"
    )


def test_missing_java_is_told(
    autotune: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    job(folder)
    answer = autotune("tune", "--", "spark-submit", "job.py")
    assert answer.code == 2
    assert "Java" in answer.err
    assert answer.err.count("\n") == 1
