"""Promises about the project itself: verbs, files, and what reaches people who install it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest
import yaml

import autotune
from autotune.cli import cli
from autotune.predict import shipped_files

ROOT = Path(__file__).parent.parent
VERBS = ("doctor", "data", "profile", "space", "tune", "list", "show", "export", "train",
         "recommend", "ui")  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_is_in_the_readme(verb: str) -> None:
    command = cli.commands[verb]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help or option.show_default, f"{verb} --{option.name}"
    assert f"autotune {verb}" in (ROOT / "README.md").read_text()


def test_no_module_is_long() -> None:
    lines = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in (ROOT / "autotune").rglob("*.py")
    }
    assert {path: count for path, count in lines.items() if count > 300} == {}


def test_help_imports_nothing_heavy() -> None:
    heavy = [
        "mlflow",
        "optuna",
        "pandas",
        "pyarrow",
        "scipy",
        "sklearn",
        "numpy",
        "pydantic",
        "rich",
    ]
    code = f"import sys, autotune.cli; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_the_public_functions_are_documented() -> None:
    for name in autotune.__all__:
        thing = getattr(autotune, name)
        assert isinstance(thing, str) or thing.__doc__


def test_spaces_and_experiments_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
             "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]  # fmt: skip
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("search_spaces", "experiments"):
        for path in (ROOT / folder).glob("*.yaml"):
            assert f"autotune/_shipped/{folder}/{path.name}" in names
    assert "autotune/py.typed" in names
    assert {f"autotune/predict/shipped/{name}" for name in shipped_files()} <= names
    for name in ("studies", "trials"):
        assert f"autotune/_shipped/experiments/corpus/{name}.parquet" in names
    assert not [name for name in names if "benchmarks" in name]


def test_the_compose_file_names_what_a_study_needs() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    images = [service.get("image", "") for service in services.values()]
    assert sum("apache/spark" in image for image in images) >= 3
    assert any("mlflow" in image for image in images)
    assert any("postgres" in image for image in images)
