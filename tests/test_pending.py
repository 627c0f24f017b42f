"""An execution that was measured and not yet recorded is kept, whole, for its own study alone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotune.domain import Config
from autotune.pending import Measurement, Pending
from autotune.redaction import Secrets
from surfaces import bound_space, measured

CONFIG = bound_space().baseline
MEASURED = Measurement(execution=measured(bound_space(), 0, CONFIG).execution, extrapolated_s=3.0)
NO_SECRETS = Secrets({}, ())


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    return Pending(path=tmp_path / "study" / "unrecorded.json", study="a")


def test_what_is_kept_is_taken_until_it_is_cleared(pending: Pending) -> None:
    assert pending.take(CONFIG) is None
    pending.keep(CONFIG, MEASURED, NO_SECRETS)
    assert pending.take(CONFIG) == MEASURED
    assert [path.name for path in pending.path.parent.iterdir()] == ["unrecorded.json"]
    pending.clear()
    pending.clear()
    assert pending.take(CONFIG) is None


def test_it_is_for_the_same_config_of_the_same_study(pending: Pending) -> None:
    pending.keep(CONFIG, MEASURED, NO_SECRETS)
    assert pending.take(Config(properties={"spark.sql.shuffle.partitions": "9"})) is None
    assert pending.model_copy(update={"study": "b"}).take(CONFIG) is None


def test_what_was_recorded_is_forgotten(pending: Pending) -> None:
    pending.keep(CONFIG, MEASURED, NO_SECRETS)
    other = MEASURED.execution.started_at + timedelta(seconds=1)
    pending.settle([MEASURED.execution.model_copy(update={"started_at": other})])
    assert pending.take(CONFIG) == MEASURED
    pending.settle([MEASURED.execution])
    assert not pending.path.exists()


def test_it_quotes_no_secret(pending: Pending) -> None:
    effective = {"spark.my.password": "open-sesame-1", "spark.app.name": "job"}
    execution = MEASURED.execution.model_copy(
        update={"effective": effective, "error": "login with open-sesame-1 failed"}
    )
    secrets = Secrets({"spark.my.password": "open-sesame-1"}, ())
    pending.keep(CONFIG, Measurement(execution=execution), secrets)
    assert "open-sesame-1" not in pending.path.read_text()
    taken = pending.take(CONFIG)
    assert taken is not None
    assert taken.execution.effective == {"spark.app.name": "job"}


def test_a_folder_that_refuses_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    pending = Pending(path=tmp_path / "file" / "unrecorded.json", study="a")
    pending.keep(CONFIG, MEASURED, NO_SECRETS)
    assert pending.take(CONFIG) is None
    pending.clear()


def test_a_write_that_is_cut_off_leaves_what_was_there(
    pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending.keep(CONFIG, MEASURED, NO_SECRETS)

    def power_fails(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", power_fails)
    pending.keep(CONFIG, MEASURED.model_copy(update={"extrapolated_s": 4.0}), NO_SECRETS)
    assert pending.take(CONFIG) == MEASURED
    assert len(list(pending.path.parent.iterdir())) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200) | st.from_regex(r"\{.*\}").map(str.encode))
def test_a_file_that_is_not_ours_is_nothing(pending: Pending, data: bytes) -> None:
    pending.path.parent.mkdir(exist_ok=True)
    pending.path.write_bytes(data)
    assert pending.take(CONFIG) is None
