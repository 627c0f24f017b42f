"""Spaces, quotes, line breaks and every script in what is named: nothing starts here."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from autotune import plan
from autotune.domain import Config, Workload
from autotune.draft import Draft
from autotune.errors import EnvironmentFault
from autotune.ledger import Ledger
from autotune.spark.command import final_properties, make_scratch, submit_command
from autotune.spark.eventlog import EventLogReader, summarise
from autotune.spark.process import SupervisedProcess
from autotune.spark.propertyfile import read_properties
from autotune.workloads import sql
from recorded_logs import plain, recorded
from untrusted import INSTALLATION, SMALL

ODD = [
    'it\'s "a" tést 数据',
    "two\nlines",
    "$HOME `id` $(id) %s {x}",
    "back\\slash [1] *? ~",
    "-rf --conf",
    "\u202ertl\u200b",
]


@pytest.fixture(params=ODD, ids=lambda name: ascii(name)[:12])
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A current folder of an odd name, with files of odd names in it; the name."""
    name = str(request.param)
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path(f"{name}.py").write_text("print()\n")
    Path(f"{name}.csv").write_text("a,b\n1,2\n")
    Path(f"{name}.yaml").write_text(SMALL)
    Path(name).mkdir()
    Path(name, f"{name}.sql").write_text("select 1\n")
    return name


def test_an_experiment_and_all_that_it_names(odd: str) -> None:
    drafts = [
        {"application": f"{odd}.py", "arguments": [odd, "{data}"]},
        {"command": shlex.join(["spark-submit", "--conf", f"spark.x={odd}", f"./{odd}.py", odd])},
        {"sql": odd},
    ]
    # What can't be printed is refused of data: a profile names it in a line.
    table = f"{odd}.csv" if odd.isprintable() else "plain.csv"
    Path(table).write_text("a,b\n1,2\n")
    for job in drafts:
        data = {"workload": job, "data": table, "space": f"{odd}.yaml"}
        made = plan.complete(Draft.model_validate(data), installation=INSTALLATION)
        assert made.workload.data == table
        assert made.profile is not None
        assert made.profile.rows == 1
        assert made.name.isprintable()
        if "sql" not in job:
            assert odd in made.workload.arguments
            assert Path(made.workload.application).is_file()
    assert made.workload.arguments[3] == str(Path(odd).absolute())


def test_data_that_can_not_be_profiled_are_told_and_tuned_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.py").write_text("print()\n")
    Path("events.avro").write_bytes(b"Obj\x01\x00")
    draft = {"workload": {"application": "job.py"}, "data": "events.avro"}
    said: list[str] = []
    made = plan.complete(Draft.model_validate(draft), installation=INSTALLATION, tell=said.append)
    assert made.profile is None
    assert len(said) == 1
    assert "events.avro" in said[0]


def test_the_command_the_properties_and_the_scratch_folder(odd: str, tmp_path: Path) -> None:
    scratch = make_scratch(Path("scratch"), {})
    job = Workload(
        name="job",
        application=f"{odd}.py",
        arguments=("{data}", "{output}", odd),
        properties={"spark.x": odd},
        data=f"{odd}.csv",
    )
    command = submit_command(INSTALLATION, job, Config(), scratch)
    assert command[-4:] == [f"{odd}.py", f"{odd}.csv", str(scratch.output), odd]
    written = read_properties(Path(command[command.index("--properties-file") + 1]))
    assert written["spark.x"] == odd
    assert written == final_properties(job, Config(), scratch)
    assert written["spark.sql.warehouse.dir"] == f"file:{scratch.root / 'work'}"
    scratch.remove()
    assert list(Path("scratch").iterdir()) == []


def test_a_supervised_process_is_given_the_words_as_they_are(odd: str) -> None:
    folder = Path(f"{odd} of the process")
    folder.mkdir()
    words = ["/bin/echo", odd, f"{odd}.py"]
    with SupervisedProcess(
        words, environment={"PATH": "/bin"}, log=folder / odd, folders=(folder,)
    ) as process:
        assert process.wait(30)
    assert process.exit_status == 0
    assert process.last_words() == f"{odd} {odd}.py\n"


@pytest.mark.parametrize("odd", ODD[:1], indirect=True)
def test_a_ledger_is_made_where_it_is_named_alone(odd: str, tmp_path: Path) -> None:
    assert Ledger("sqlite:///mlruns/mlflow.db").history() == ()
    assert Path("mlruns/mlflow.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [odd]


def test_an_event_log(odd: str) -> None:
    Path("logs").mkdir()
    path = plain(Path("logs"), recorded("rdd-4.3"), odd.replace(".", "_"))
    assert summarise(path).ended
    reader = EventLogReader.follow(Path("logs"))
    reader.poll()
    assert reader.ended
    reader.close()


def test_queries_and_tables(odd: str) -> None:
    assert [file.stem for file in sql.find_queries(Path(odd))] == [odd]
    tables = sql.find_tables(Path())
    (path, form) = tables[odd.split(".")[0]]
    assert form == "csv"
    assert path.name == f"{odd}.csv"
    assert sql.address_of(Path("/a b/[1]*{x}?\\")) == "file:/a b/\\[1\\]\\*\\{x\\}\\?\\\\"


def test_a_query_can_not_write_above_the_output(tmp_path: Path) -> None:
    for name in ("...sql", "..sql", ".sql", ".hidden.sql", "q.sql"):
        (tmp_path / name).write_text("select 1")
    assert [file.name for file in sql.find_queries(tmp_path)] == ["q.sql"]


def test_a_scratch_folder_with_a_comma_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="comma"):
        make_scratch(tmp_path / "a,b", {})
    assert list(tmp_path.iterdir()) == []
