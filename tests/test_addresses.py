"""``file:`` addresses and ``~`` name data, logs and queries as paths do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autotune import inquiry, plan
from autotune.dataset import profile_dataset, profile_if_readable
from autotune.draft import Draft
from autotune.errors import InputError
from autotune.inquiry import inquire
from autotune.pathtext import local_of, without_scheme
from recorded_logs import LOGS
from untrusted import INSTALLATION


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is somebody's home, with data, a log and queries in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my sales").mkdir()
    (tmp_path / "my sales" / "t.csv").write_text("a,b\n1,2\n")
    shutil.copy(LOGS / "rdd-4.3.zstd", tmp_path / "my log.zstd")
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "a.sql").write_text("SELECT 1\n")
    (tmp_path / "job.py").write_text("print()\n")
    return tmp_path


FORMS = [
    "{place}/{name}",
    "file:{place}/{name}",
    "file://{place}/{name}",
    "file://localhost{place}/{name}",
    "FILE:{place}/{name}",
    "~/{name}",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("blank", [" ", "%20"])
def test_an_address_names_data_and_logs(place: Path, form: str, blank: str) -> None:
    if blank == "%20" and "file" not in form.lower():
        return
    data = form.format(place=place, name=f"my{blank}sales")
    assert profile_dataset(data).path == str(place / "my sales")
    found = profile_if_readable(data)
    assert found is not None
    assert found.rows == 1
    log = form.format(place=place, name=f"my{blank}log.zstd")
    assert inquire(eventlog=log).job is not None


@pytest.mark.parametrize("form", FORMS)
def test_an_address_names_queries(place: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def planned(_: object, *, queries: Path, tables: Path) -> object:
        asked.extend([queries, tables])
        return None, ()

    monkeypatch.setattr(inquiry, "explain_queries", planned)
    sql, data = (form.format(place=place, name=name) for name in ("q", "my sales"))
    inquire([data], sql=sql)
    assert asked == [place / "q", place / "my sales"]
    made = plan.complete(
        Draft.model_validate({"workload": {"sql": sql}, "data": str(place / "my sales")}),
        installation=INSTALLATION,
    )
    assert str(place / "q") in made.workload.arguments


def test_a_study_on_an_address_has_a_profile_and_a_wrong_one_is_told(place: Path) -> None:
    draft = {"workload": {"application": str(place / "job.py")}}
    for form in FORMS[:5]:
        data = form.format(place=place, name="my sales")
        made = plan.complete(
            Draft.model_validate({**draft, "data": data}), installation=INSTALLATION
        )
        assert made.profile is not None
        assert made.workload.data == data, "the job is given what the person wrote"
    for data in ("file:///nope", "file:/nope"):
        with pytest.raises(InputError, match="no such file"):
            plan.complete(Draft.model_validate({**draft, "data": data}), installation=INSTALLATION)
        with pytest.raises(InputError, match="no such file"):
            profile_if_readable(data)
    assert profile_if_readable("s3://bucket/t") is None


def test_what_is_so_called_goes_before_what_is_meant(place: Path) -> None:
    (place / "my%20sales").mkdir()
    assert without_scheme(f"file://{place}/my%20sales") == f"{place}/my%20sales"
    assert without_scheme(f"{place}/q%20r") == f"{place}/q%20r", "no address"
    assert local_of("file:///a%20b", where="data") == Path("/a b")
    assert without_scheme("s3://bucket/a") == "s3://bucket/a"
    with pytest.raises(InputError, match="NUL"):
        local_of("file:///a%00b", where="data")


def test_other_data_at_an_address_are_another_study(place: Path) -> None:
    def made() -> str:
        draft = {"workload": {"application": str(place / "job.py")}}
        draft["data"] = f"file://{place}/my%20sales"  # type: ignore[assignment]
        experiment = plan.complete(Draft.model_validate(draft), installation=INSTALLATION)
        return plan.identity_of(experiment)["data"]

    before = made()
    (place / "my sales" / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert made() != before
