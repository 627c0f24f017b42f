"""Names from outside that become paths: they stay in their folder, and fit a file system."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune import plan
from autotune.datagen import make_data
from autotune.dataset import profile_dataset
from autotune.draft import Draft, with_flags
from autotune.errors import InputError
from autotune.experiment import Budget
from autotune.pathtext import bounded_name, check_name, file_name, path_of, plain_name
from autotune.spacefile import load_space
from autotune.study import list_studies, load_study
from autotune.study.lock import lock_file
from autotune.tuning import Places, tune
from commands import Command
from surfaces import Surface, bound_space, experiment
from untrusted import INSTALLATION

NASTY = [
    "../../escaped",
    "/tmp/escaped",
    "..",
    ".",
    "...",
    "a/b",
    "a b",
    "a\\b",
    "~root",
    "-rf",
    "con",
    "name\nwith a line",
    "nul\0here",
    "x" * 400,
    "数" * 120,
    'it\'s "a" tést 数据 {x} [1] *?',
    "\u202egnp.exe",
]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_becomes_one_file_in_its_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in (folder / file_name(name), lock_file(folder / "optuna.db", name)):
        path.mkdir()
        assert path.resolve().parent == folder.resolve()
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_names_get_different_files(one: str, other: str) -> None:
    if one != other:
        assert file_name(one) != file_name(other)
    for name in (file_name(one), bounded_name(one.replace("/", "_"), one)):
        assert name not in ("", ".", "..")
        assert "/" not in name
        assert len(name.encode(errors="surrogatepass")) <= 200


@pytest.mark.parametrize("name", ["taxi", "nightly-2026.01", "名前", "a_b"])
def test_a_plain_name_stands_for_itself(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "\x1b[31m", "x" * 201])
def test_a_study_can_not_be_called_so(name: str) -> None:
    with pytest.raises(InputError) as told:
        check_name(name, where="name")
    assert str(told.value).isprintable()
    assert plain_name(name).isprintable()


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * 256, "a/" * 3000])
def test_a_path_that_no_file_system_could_hold_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file or folder that can exist"):
        path_of(text, where="data")
    with pytest.raises(InputError):
        make_data("taxi", to=text)
    with pytest.raises(InputError):
        profile_dataset(text)
    for space in (text, f"{text}.yaml"):
        with pytest.raises(InputError):
            load_space(space)
    for key in ("application", "sql", "builtin", "command"):
        draft = Draft.model_validate({"workload": {key: text}, "data": text})
        with pytest.raises(InputError):
            plan.complete(draft, installation=INSTALLATION)
    with pytest.raises(InputError):
        plan.read_experiment(text)


def test_left_overs_of_another_folder_are_not_taken_for_ours(tmp_path: Path) -> None:
    other = tmp_path / ".other.making-999999"
    other.mkdir()
    with pytest.raises(InputError):
        make_data("tpch", to=tmp_path / "*", rows=5)
    from autotune.datagen import _make_room

    _make_room(tmp_path / "*")
    assert other.exists()


@pytest.mark.parametrize("name", ["../../escaped", 'it\'s "a" tést 数据', "x" * 200, "数" * 200])
def test_a_study_of_any_name_is_kept_published_shown_and_exported(
    name: str, places: Places, folder: Path, autotune: Command
) -> None:
    asked = experiment(name, budget=Budget(trials=1, confirm_blocks=0))
    job = asked.workload.model_copy(update={"name": name})
    around = {path.name for path in folder.parent.iterdir()}
    results = tune(
        asked.model_copy(update={"workload": job}),
        execute=Surface(bound_space(), crash=False),
        places=places,
    )
    assert load_study(places.storage_url, name).name == name
    assert [info.name for info in list_studies(places.storage_url)] == [name]
    for verb in ("show", "export"):
        assert autotune(verb, name).code == 0
    assert Path(results.report.artifacts["report.txt"]).is_file()
    assert {path.name for path in folder.iterdir()} == {"mlruns"}
    assert {path.name for path in folder.parent.iterdir()} == around
    assert list((folder / "mlruns" / "artifacts").rglob("trials.csv"))


def test_a_name_given_on_the_command_line_is_checked_too(folder: Path) -> None:
    Path("job.py").write_text("print()\n")
    draft = with_flags(plan.from_command(["spark-submit", "job.py"]), {"name": "a\nb"})
    with pytest.raises(InputError, match="printable"):
        plan.complete(draft, installation=INSTALLATION)


def test_a_program_with_a_line_break_in_its_name_makes_a_name_of_one_line(folder: Path) -> None:
    Path("odd\nname.py").write_text("print()\n")
    made = plan.complete(
        plan.from_command(["spark-submit", "odd\nname.py"]), installation=INSTALLATION
    )
    assert made.workload.application == "odd\nname.py"
    assert made.name == made.workload.name == "odd_name"
