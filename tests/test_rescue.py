"""The next step of memory, by what was lacking."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from autotune.domain import Config, Machine
from autotune.record import Cause, Execution, Status
from autotune.rescue import RESULT_SIZE, rescued
from autotune.space import BoundSpace, bind
from autotune.spacefile import load_space

HEAP = "spark.driver.memory"
MACHINE = Machine(master="local[2]", slots=2, cores_per_executor=2, memory_bytes=4 << 30)
NO_HEAP = "java.lang.OutOfMemoryError: Java heap space"
RESULTS = (
    "Total size of serialized results of 2 tasks (1200.0 MiB) is bigger than"
    " spark.driver.maxResultSize (1024.0 MiB)"
)


def space(text: str, master: str = "local[2]", **own: str) -> BoundSpace:
    path = Path("space.yaml")
    path.write_text(f"name: small\ndescription: small\nspark: '>=3.5'\nparameters:\n{text}")
    found = load_space(str(path), spark_version="4.0.0")
    machine = MACHINE.model_copy(update={"master": master})
    return bind(found, machine=machine, baseline=own, facts={})


def parameter(name: str) -> str:
    return (
        f"  {name}:\n    type: bytes\n    low: 512m\n    high: 2g\n    unit: m\n"
        "    unset_as: 1g\n    applies: application\n    why: It matters.\n"
    )


OTHER = "  spark.sql.adaptive.enabled: {type: bool, applies: session, why: It matters.}\n"


def execution(error: str, cause: Cause = Cause.OUT_OF_MEMORY, **effective: str) -> Execution:
    return Execution(
        status=Status.FAILED,
        cause=cause,
        error=error,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        wall_s=1.0,
        effective={name.replace("_", "."): value for name, value in effective.items()},
    )


def steps(bound: BoundSpace, error: str, name: str, own: str | None = None) -> list[str | None]:
    """Return the values of a property, from step to step until none follows."""
    config = bound.baseline
    found: list[str | None] = []
    while len(found) < 10:
        had = config.properties.get(name) or own
        grown = rescued(
            bound,
            config,
            execution(error).model_copy(update={"effective": {name: had} if had else {}}),
        )
        if grown is None:
            return found
        config = grown
        found.append(config.properties[name])
    return found


@pytest.mark.usefixtures("folder")
def test_a_heap_of_the_space_grows_to_the_end_of_its_range() -> None:
    assert steps(space(parameter(HEAP)), NO_HEAP, HEAP) == ["1536m", "2g"]


@pytest.mark.usefixtures("folder")
def test_a_heap_beside_the_space_grows_while_the_machine_has_room() -> None:
    assert steps(space(OTHER), NO_HEAP, HEAP) == ["1536m", "2304m"]
    assert steps(space(OTHER), NO_HEAP, HEAP, own="600m") == ["900m", "1350m", "2025m"]


@pytest.mark.usefixtures("folder")
def test_a_heap_beside_the_space_is_left_alone_on_a_cluster() -> None:
    assert steps(space(OTHER, "spark://host:7077"), NO_HEAP, HEAP) == []


@pytest.mark.usefixtures("folder")
def test_the_limit_of_results_is_doubled_in_the_space_and_beside_it() -> None:
    assert steps(space(OTHER), RESULTS, RESULT_SIZE) == ["2048m", "4096m"]
    assert steps(space(OTHER), RESULTS, RESULT_SIZE, own="1m")[:3] == ["2m", "4m", "8m"]
    assert steps(space(parameter(RESULT_SIZE)), RESULTS, RESULT_SIZE) == ["2g"]


@pytest.mark.usefixtures("folder")
def test_steps_of_two_kinds_are_kept_together() -> None:
    bound = space(parameter(HEAP))
    first = rescued(bound, bound.baseline, execution(RESULTS))
    assert first is not None
    second = rescued(bound, first, execution(NO_HEAP))
    assert second is not None
    assert second.properties == {HEAP: "1536m", RESULT_SIZE: "2048m"}


@pytest.mark.usefixtures("folder")
def test_what_the_job_sets_by_itself_is_not_tried_again() -> None:
    bound = space(OTHER)
    asked = Config(properties={**bound.baseline.properties, RESULT_SIZE: "2m"})
    assert rescued(bound, asked, execution(RESULTS, spark_driver_maxResultSize="1m")) is None


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("java.lang.OutOfMemoryError: Metaspace", Cause.OUT_OF_MEMORY),
        ("ended: its processes used 9.0 GiB, its ceiling is 8.0 GiB", Cause.OUT_OF_MEMORY),
        (NO_HEAP, Cause.APP_ERROR),
        (RESULTS, Cause.BAD_CONFIG),
    ],
)
def test_what_more_of_it_would_not_cure_is_left_alone(error: str, cause: Cause) -> None:
    bound = space(parameter(HEAP) + OTHER)
    assert rescued(bound, bound.baseline, execution(error, cause)) is None
