"""Whatever a file from outside holds, it is read, or refused in one clear line."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import malformed
from autotune.errors import AutotuneError
from untrusted import (
    Reader,
    follow_log,
    prepare_folder,
    read_an_experiment,
    read_space,
    read_whole_log,
)

QUICK = settings(max_examples=200, derandomize=True, deadline=None)
SEEDS = st.integers(0, 2**32)
SMALL_BYTES = 100_000


@pytest.fixture(scope="module", autouse=True)
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A current folder with what the valid documents name."""
    folder, before = tmp_path_factory.mktemp("documents"), Path.cwd()
    prepare_folder(folder)
    os.chdir(folder)
    yield
    os.chdir(before)


def feed(read: Reader, document: bytes) -> None:
    path = Path("document")
    path.write_bytes(document)
    try:
        read(path)
    except AutotuneError as error:
        text = str(error)
        assert text.isprintable()
        assert 0 < len(text) <= 1000


def drawn(make: Callable[[random.Random], bytes], seed: int) -> bytes:
    return make(random.Random(seed))


@QUICK
@given(SEEDS)
def test_spaces(seed: int) -> None:
    feed(read_space, drawn(malformed.space, seed))


@QUICK
@given(SEEDS)
def test_experiments(seed: int) -> None:
    feed(read_an_experiment, drawn(malformed.experiment, seed))


@QUICK
@given(SEEDS)
def test_event_logs(seed: int) -> None:
    log = drawn(malformed.event_log, seed)
    feed(read_whole_log, log)
    feed(follow_log, log)


def test_known_tricks() -> None:
    tricks = [trick for trick in malformed.special_yaml() if len(trick) < SMALL_BYTES]
    assert len(tricks) > 30
    for trick in tricks:
        feed(read_space, trick)
        feed(read_an_experiment, trick)
    for trick in malformed.special_logs():
        feed(read_whole_log, trick)
        feed(follow_log, trick)
