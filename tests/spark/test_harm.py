"""`autotune tune` on jobs that do harm: the cause is named, and nothing of them is left."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autotune.ledger import Ledger
from autotune.tuning import Places
from commands import Answer, Command
from executions import PROGRAMS, leftovers

# Shared memory is everybody's: what others leave there would be taken for ours.
pytestmark = [pytest.mark.spark, pytest.mark.alone]
HEAP = "spark.driver.memory"
RESULT_SIZE = "spark.driver.maxResultSize"
SPACE = f"""
name: heap
parameters:
  {HEAP}:
    type: bytes
    low: 600m
    high: 1200m
    step: 300m
    applies: application
    why: What all tasks share.
"""
OTHER_SPACE = """
name: partitions
parameters:
  spark.sql.shuffle.partitions:
    type: int
    low: 2
    high: 4
    applies: session
    why: Tasks after a shuffle.
"""
SMALL_FIRST = ("--seed", "2")
"""With this seed the first proposal is the smallest heap."""

Tune = Callable[..., Answer]


@pytest.fixture
def tuned(
    places: Places, autotune: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Tune:
    """Tune a program of ours with few, short executions; afterwards nothing may be left."""
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    shared = shared_memory()

    def run(
        program: str,
        *arguments: str,
        flags: tuple[str, ...] = (),
        space: str = OTHER_SPACE,
        heap: str = "600m",
        **own: str,
    ) -> Answer:
        Path("space.yaml").write_text(space)
        answer = autotune(
            *("tune", "--trials", "1", "--baseline-repeats", "1", "--confirm-blocks", "0"),
            *("--space", "space.yaml", "--name", "harm", "--format", "json", *flags, "--"),
            *("spark-submit", "--master", "local[2]", "--conf", f"{HEAP}={heap}"),
            *("--conf", "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"),
            *("--conf", "spark.sql.shuffle.partitions=2"),
            *(word for key, value in own.items() for word in ("--conf", f"{key}={value}")),
            *(str(PROGRAMS / f"{program}.py"), *arguments),
        )
        assert leftovers() == []
        assert list(temporary.iterdir()) == []
        assert shared_memory() == shared
        return answer

    return run


def shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def shown(autotune: Command) -> dict[str, object]:
    """Return what `show` says of the study, a failed one too."""
    answer = autotune("show", "harm", "--format", "json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert isinstance(said, dict)
    return said


def published() -> list[str | None]:
    """Return the causes of all trials as MLflow has them."""
    (study,) = Ledger(Places().tracking_uri or "").history()
    return [trial.cause for trial in study.trials]


@pytest.mark.parametrize(
    ("command", "flags", "cause", "words"),
    [
        (("hoarding", "worker"), ("--execution-memory", "1000m"), "out_of_memory", "its ceiling"),
        (("filling",), ("--execution-disk", "200m"), "out_of_disk", "--execution-disk"),
        (("sleeping",), ("--execution-limit", "7s"), "timed_out", "its limit"),
    ],
)
def test_a_job_that_always_does_harm(
    command: tuple[str, ...],
    flags: tuple[str, ...],
    cause: str,
    words: str,
    tuned: Tune,
    autotune: Command,
) -> None:
    answer = tuned(*command, flags=flags)
    assert answer.code == 1
    assert cause.replace("_", " ") in answer.err
    assert words in answer.err.splitlines()[-1]
    assert "Traceback" not in answer.err
    said = shown(autotune)
    assert said["causes"] == {cause: 1}
    assert [row["cause"] for row in said["trial_list"]] == [cause]  # type: ignore[attr-defined]
    assert published() == [cause]


def test_a_job_that_leaves_a_daemon(tuned: Tune) -> None:
    answer = tuned("detaching", str(Path("daemon").absolute()))
    assert answer.code == 0, answer.err
    assert not psutil.pid_exists(int(Path("daemon").read_text()))


def test_a_configuration_that_needs_more_heap_gets_it(tuned: Tune) -> None:
    answer = tuned("holding", "640", space=SPACE, flags=("--trials", "2"))
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert said["verdict"] == "works"
    assert "your configuration fails (out of memory)" in said["reason"]
    assert said["baseline_s"] is None
    assert said["config"][HEAP] == "900m"
    assert said["causes"] == {"out_of_memory": 1}
    assert published()[:2] == ["out_of_memory", None]


def test_a_proposal_that_lacks_heap_is_tried_once_more_with_the_next_step(
    tuned: Tune, autotune: Command
) -> None:
    answer = tuned(
        "holding", "640", space=SPACE, flags=("--trials", "2", *SMALL_FIRST), heap="1200m"
    )
    assert answer.code == 0, answer.err
    assert (
        f"trial-001 ran out of memory: trial-002 is the same with {HEAP} 600m → 900m" in answer.err
    )
    said = shown(autotune)
    rows = said["trial_list"]
    assert isinstance(rows, list)
    assert [row["cause"] for row in rows] == [None, "out_of_memory", None]
    assert [row["origin"] for row in rows] == ["baseline", "sampler", "rescue"]
    assert "your configuration fails" not in str(said["reason"])


def test_a_job_that_brings_too_much_to_its_driver_gets_a_higher_limit(tuned: Tune) -> None:
    answer = tuned("collecting", **{RESULT_SIZE: "4m"})
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert "your configuration fails (out of memory)" in said["reason"]
    assert said["config"][RESULT_SIZE] == "8m"
    assert said["causes"] == {"out_of_memory": 1}
