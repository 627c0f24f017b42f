from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autotune.domain import Config, Limits, PropertyFact, Workload
from autotune.measure import measure, merged_properties, overrides
from autotune.record import (
    Checkpoint,
    Execute,
    Execution,
    Origin,
    Purpose,
    Status,
    Step,
    StepKind,
    Trial,
)

PARTITIONS = "spark.sql.shuffle.partitions"
MEMORY = "spark.driver.memory"
OPTIONS = "spark.driver.extraJavaOptions"
FACTS = {
    PARTITIONS: PropertyFact(name=PARTITIONS, default="200", session=True),
    MEMORY: PropertyFact(name=MEMORY, default="1g", session=False),
}
JOB = Workload(name="job", application="job.py", properties={"spark.x": "1"})


def steps(*seconds: float) -> tuple[Step, ...]:
    return tuple(
        Step(name=f"q{n}", kind=StepKind.SQL, start_s=sum(seconds[:n]), duration_s=s)
        for n, s in enumerate(seconds)
    )


def execution(status: Status = Status.SUCCEEDED, **fields: object) -> Execution:
    return Execution.model_validate(
        {"status": status, "started_at": datetime(2026, 1, 1, tzinfo=UTC), "wall_s": 1.0, **fields}
    )


def running(*checkpoints: tuple[Step, ...]) -> Execute:
    """A fake execution that reports the given steps, one checkpoint after the other."""

    def execute(workload, config, limits, on_checkpoint) -> Execution:
        for done in checkpoints:
            if on_checkpoint(Checkpoint(elapsed_s=1.0, steps=done)):
                return execution(Status.STOPPED_EARLY)
        return execution(duration_s=1.0)

    return execute


def race(incumbent: tuple[Step, ...], *checkpoints: tuple[Step, ...]):
    return measure(JOB, Config(), Limits(), execute=running(*checkpoints), incumbent=incumbent)


def test_a_hopeless_execution_is_stopped_with_where_it_was_heading() -> None:
    measured = race(steps(10, 10, 10, 10), steps(15), steps(15, 20))
    assert measured.execution.status is Status.STOPPED_EARLY
    assert measured.extrapolated_s == pytest.approx(40 * 35 / 20)


def test_a_slow_start_alone_is_not_hopeless() -> None:
    measured = race(steps(1, 20, 20), steps(9), steps(9, 20), steps(9, 20, 20))
    assert measured.execution.status is Status.SUCCEEDED
    assert measured.extrapolated_s is None


def test_steps_that_the_incumbent_does_not_have_do_not_count() -> None:
    other = (Step(name="other", kind=StepKind.JOB, start_s=0, duration_s=900),)
    assert race(steps(10, 10), other).execution.status is Status.SUCCEEDED


def test_without_an_incumbent_nothing_is_stopped() -> None:
    assert race((), steps(900)).execution.status is Status.SUCCEEDED


def trial(asked: str | None, effective: dict[str, str], name: str = PARTITIONS) -> Trial:
    return Trial(
        number=0,
        purpose=Purpose.BASELINE,
        origin=Origin.BASELINE,
        config=Config(properties={name: asked}),
        execution=execution(effective=effective),
    )


@pytest.mark.parametrize(
    ("name", "asked", "effective"),
    [
        (PARTITIONS, "64", "64"),
        (PARTITIONS, None, "200"),
        (MEMORY, "1024m", "1g"),
        (MEMORY, None, "1g"),
        (OPTIONS, "-XX:+UseParallelGC", "--add-opens=x -XX:+UseParallelGC"),
        (
            OPTIONS,
            None,
            "-Djava.net.preferIPv6Addresses=false -XX:+IgnoreUnrecognizedVMOptions"
            " --add-opens=java.base/a=b -Dio.netty.allocator.type=pooled"
            " --sun-misc-unsafe-memory-access=allow",
        ),
    ],
)
def test_what_applied_is_no_override(name: str, asked: str | None, effective: str) -> None:
    assert overrides(JOB, [trial(asked, {name: effective}, name)], FACTS) == {}


@pytest.mark.parametrize(
    ("name", "asked", "effective"),
    [
        (PARTITIONS, "64", "10"),
        (PARTITIONS, None, "10"),
        (MEMORY, "4g", "1g"),
        (OPTIONS, "-XX:+UseParallelGC", "-XX:+UseG1GC"),
        (OPTIONS, None, "--add-opens=java.base/a=b -XX:+UseSerialGC"),
    ],
)
def test_what_the_job_sets_by_itself_is_found(
    name: str, asked: str | None, effective: str
) -> None:
    found = overrides(JOB, [trial(asked, {name: effective}, name)], FACTS)
    assert found[name].effective == effective
    assert found[name].requested == asked


def test_an_override_is_found_at_any_trial() -> None:
    trials = [trial(None, {PARTITIONS: "200"}), trial("64", {PARTITIONS: "200"})]
    assert set(overrides(JOB, trials, FACTS)) == {PARTITIONS}


def test_an_execution_that_told_nothing_shows_no_override() -> None:
    assert overrides(JOB, [trial("64", {})], FACTS) == {}


def test_a_config_overlays_the_persons_properties() -> None:
    config = Config(properties={"spark.x": None, "spark.y": "2"})
    assert merged_properties(JOB, config) == {"spark.y": "2"}
