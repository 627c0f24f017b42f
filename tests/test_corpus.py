from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from autotune.corpus import read_corpus, write_corpus
from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.errors import InputError
from autotune.record import Cause, PastTrial, Purpose, Status, StudyHistory
from past_studies import GB, config, study


def known() -> list[StudyHistory]:
    job = WorkloadProfile(
        source=ProfileSource.EVENT_LOG, operators={Operator.SORT: 2}, tasks=4, gc_share=0.1
    )
    failed = PastTrial(
        config=config(7, "2g", codec=None),
        purpose=Purpose.SEARCH,
        status=Status.FAILED,
        duration_s=None,
        cause=Cause.OUT_OF_MEMORY,
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    first = study("one", GB, workload="b")
    return [
        first.model_copy(update={"job": job, "trials": (*first.trials, failed)}),
        study("two", GB // 10, workload="a").model_copy(update={"profile": None}),
    ]


def test_a_corpus_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_corpus(known(), tmp_path)
    assert read_corpus(tmp_path) == (known()[1], known()[0])


def test_the_same_studies_give_the_same_files(tmp_path: Path) -> None:
    for name, histories in (("x", known()), ("y", known()[::-1])):
        (tmp_path / name).mkdir()
        write_corpus(histories, tmp_path / name)
    for file in ("studies.parquet", "trials.parquet"):
        assert (tmp_path / "x" / file).read_bytes() == (tmp_path / "y" / file).read_bytes()


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't be read .*; install autotune again"):
        read_corpus(tmp_path)
    write_corpus(known(), tmp_path)
    (tmp_path / "trials.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(InputError, match="can't be read"):
        read_corpus(tmp_path)
