from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autotune import builtin, datagen, tpch
from autotune.builtin import Size
from autotune.datagen import make_data
from autotune.draft import DataDraft
from autotune.errors import EnvironmentFault, InputError
from autotune.plan import read_experiment
from autotune.workloads import edges_data, ratings_data, sql, taxi_data

DOCS = Path(__file__).parents[1] / "docs"


def test_what_may_be_set_of_data_is_an_option_of_its_generator() -> None:
    for found in builtin.BUILTINS:
        assert found.dataset is not None
        program = found.dataset.program.read_text(encoding="utf-8")
        for name in (*found.dataset.options, *found.dataset.settable):
            assert f'"--{name}"' in program, (found.name, name)


def test_builtin_programs_are_there_and_need_no_pyspark() -> None:
    for found in (*builtin.BUILTINS, builtin.sql_program(Path("queries"))):
        assert found.path.is_file()
        assert "{data}" in found.arguments
        assert "{output}" in found.arguments
    code = "import sys, autotune.builtin, autotune.datagen; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("found", builtin.BUILTINS, ids=lambda found: found.name)
def test_every_builtin_has_data_an_experiment_and_a_page(found: builtin.Builtin) -> None:
    assert found.dataset is not None
    assert found.dataset.program.is_file()
    assert list(found.rows) == list(builtin.Size)
    assert list(found.rows.values()) == sorted(set(found.rows.values()))
    draft = read_experiment(found.name)
    assert draft.workload.builtin == found.name
    assert isinstance(draft.data, DataDraft)
    assert draft.data.make == found.name
    listed = (DOCS / "workloads.md").read_text(encoding="utf-8")
    assert f"`{found.name}`" in listed
    assert ", ".join(f"{rows:,}" for rows in found.rows.values()) in listed
    assert found.stresses in listed
    assert found.name == "taxi" or (DOCS / "workloads" / f"{found.name}.md").is_file()


def test_an_unknown_builtin_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'taxis' is not built in; choose one of: taxi"):
        builtin.find("taxis")


def test_statements_end_at_semicolons_outside_of_strings_and_comments() -> None:
    text = """-- one; two
    SELECT ';', "a;b", `c;d`, 'it''s; \\'so;' /* no; */ ; ; -- end;
    SELECT 2 /* ; */"""
    first, second = sql.statements(text)
    assert first.endswith("/* no; */ ")
    assert second.split() == ["--", "end;", "SELECT", "2", "/*", ";", "*/"]
    assert list(sql.statements("-- nothing;\n ; /* here; */")) == []


@given(st.lists(st.sampled_from(["';'", '";"', "`;`", "/* ; */", "x ", "-- ;\n", "1 - 2 / 3 "])))
def test_no_quoted_semicolon_ever_splits(parts: list[str]) -> None:
    text = "SELECT " + "".join(parts)
    assert list(sql.statements(f"{text};SELECT 1")) == [text, "SELECT 1"]


def test_tables_are_files_and_folders_of_every_format(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.csv.gz", "c.json", "d.orc", "_e.csv", ".f.csv", "notes.txt"):
        (tmp_path / name).touch()
    for name in ("g/part-0.zstd.parquet", "h.csv/day=1/part-0.csv", "empty/_SUCCESS"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    found = {name: form for name, (_, form) in sql.find_tables(tmp_path).items()}
    assert found == {
        "a": "parquet",
        "b": "csv",
        "c": "json",
        "d": "orc",
        "g": "parquet",
        "h": "csv",
    }


def test_a_folder_named_tables_stands_for_the_one_around_it(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.csv").touch()
    (tmp_path / "other.csv").touch()
    assert list(sql.find_tables(tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("files", "message"),
    [((), "no table"), (("a.csv", "a.json"), "table a is there twice"), (("x.txt",), "no table")],
)
def test_folders_without_clear_tables_are_refused(
    tmp_path: Path, files: tuple[str, ...], message: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(SystemExit, match=message):
        sql.find_tables(tmp_path)


def test_queries_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("q10.sql", "q02.sql", "readme.md"):
        (tmp_path / name).touch()
    assert [file.name for file in sql.find_queries(tmp_path)] == ["q02.sql", "q10.sql"]
    with pytest.raises(SystemExit, match=r"no \*.sql file"):
        sql.find_queries(tmp_path / "missing")


def test_tpch_appears_whole_and_once(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "tpch"
    assert make_data("tpch", scale=0.001, to=place) == place
    assert len(list((place / "tables").glob("*.parquet"))) == 8
    assert len(list((place / "queries").glob("q??.sql"))) == 22
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    make_data("tpch", scale=0.001, to=place)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    assert [path.name for path in place.parent.iterdir()] == ["tpch"]


def test_data_that_stands_is_never_replaced(tmp_path: Path) -> None:
    made = tmp_path / "tpch"
    make_data("tpch", scale=0.001, to=made)
    with pytest.raises(InputError, match=r"holds other data \(name tpch, scale 0\.001"):
        make_data("tpch", scale=0.002, to=made)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").touch()
    (tmp_path / "file").touch()
    for name in ("own", "file"):
        with pytest.raises(InputError, match="did not make"):
            make_data("tpch", to=tmp_path / name)
    assert (tmp_path / "own" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("taxis", {}, "choose one of: aggregations, als"),
        ("taxi", {"scale": 1.0}, "given by rows"),
        ("taxi", {"size": Size.L, "rows": 10}, "size and rows both say how much"),
        ("tpch", {"size": Size.L, "scale": 0.01}, "size and scale both say how much"),
        ("tpch", {"rows": 10}, "given by scale"),
        ("taxi", {"rows": 0}, "rows must be more than 0"),
        ("tpch", {"options": {"hot-share": "1"}}, "leave options out"),
        ("joins", {"options": {"hot-share": "1"}}, "no option 'hot-share'; it has: promotions"),
        ("skew", {"options": {"hot": "1"}}, "no option 'hot'; it has: hot-share, hot-keys, keys"),
        ("tpch", {"scale": -1.0}, "scale must be more than 0"),
        ("tpch", {"scale": float("nan")}, "scale must be more than 0"),
    ],
)
def test_wrong_wishes_are_refused(
    tmp_path: Path, name: str, size: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_data(name, to=tmp_path / "x", **size)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("generator", "option", "message"),
    [
        (edges_data, "--degree=0", "--rows and --degree must be at least 1"),
        (edges_data, "--rows=0", "--rows and --degree must be at least 1"),
        (edges_data, "--tail=0", "--tail must be more than 0"),
        (edges_data, "--tail=nan", "--tail must be more than 0"),
        (ratings_data, "--per-user=0", "--rows, --per-user and --per-item must be at least 1"),
        (ratings_data, "--per-item=-1", "--rows, --per-user and --per-item must be at least 1"),
    ],
)
def test_generators_refuse_what_makes_no_data(
    generator: ModuleType,
    option: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--rows=10", "--to", str(tmp_path / "x"), option])
    with pytest.raises(SystemExit):
        generator.main()
    assert message in capsys.readouterr().err


def test_nothing_half_made_stays_when_the_generator_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "tpcgen-cli"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho x > $6/lineitem.parquet\necho 'disk is full' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken.parent / "python"))
    with pytest.raises(EnvironmentFault, match="tpcgen-cli: disk is full"):
        make_data("tpch", to=tmp_path / "data" / "x")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpch, "_EXTENSION", "duckdb_extension_of_nobody")
    with pytest.raises(EnvironmentFault, match=r"pip install 'spark-autotune\[bench\]'"):
        tpch.tpch_answers(0.01)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EnvironmentFault, match="can't be made"):
        make_data("tpch", to=tmp_path / "x")


def test_a_place_under_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="can't be made"):
        make_data("tpch", to=tmp_path / "file" / "x")


def test_leftovers_of_a_killed_generator_are_taken_away(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, alive = (tmp_path / f".x.making-{pid}" for pid in (ended.pid, os.getppid()))
    left.mkdir()
    alive.mkdir()
    make_data("tpch", scale=0.001, to=tmp_path / "x")
    assert not left.exists()
    assert alive.exists()
    assert json.loads((tmp_path / "x" / datagen.MARKER).read_text())["scale"] == 0.001


def test_every_hour_and_place_has_its_weight() -> None:
    assert len(taxi_data.HOUR_OF_WEEK) == 168
    assert len(taxi_data.MILES_PER_HOUR) == 24
    for column in (3, 4):
        assert sum(place[column] for place in taxi_data.PLACES) == 100


def test_the_cluster_is_published_to_this_machine_alone_and_watched() -> None:
    cluster = yaml.safe_load((Path(__file__).parent.parent / "docker-compose.yml").read_text())
    services = cluster["services"]
    assert sum("worker" in name for name in services) == 2
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert service["healthcheck"]["test"][0] == "CMD", name
        for other in service.get("depends_on", ()):
            assert other in services
            assert service["depends_on"][other] == {"condition": "service_healthy"}
        for volume in service.get("volumes", ()):
            if isinstance(volume, str):
                assert volume.split(":")[0] in cluster["volumes"], name


def test_no_file_of_a_task_takes_the_place_of_another(tmp_path: Path) -> None:
    random = "0f7e2d0c-2f0e-4f0a-9a45-0f7e2d0c1234"
    written = ("part-00000-{}-c000.snappy.parquet", "part-00000-{}-c001.snappy.parquet")
    for name in (*written, "part-00001-{}.csv"):
        (tmp_path / name.format(random)).touch()
    (tmp_path / "_SUCCESS").touch()
    datagen._name_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "part-00000-c001.snappy.parquet",
        "part-00000.snappy.parquet",
        "part-00001.csv",
    ]
