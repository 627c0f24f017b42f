"""Past studies as MLflow would give them back, of a job whose time is a known function."""

from __future__ import annotations

import math
import random

from autotune.domain import ColumnProfile, Config, DatasetProfile, Machine, PropertyFact
from autotune.record import Cause, PastTrial, Purpose, Status, StudyHistory

GB = 1 << 30
PARTITIONS = "spark.sql.shuffle.partitions"
MEMORY = "spark.driver.memory"
CODEC = "spark.io.compression.codec"
AQE = "spark.sql.adaptive.enabled"
FACTS = {
    name: PropertyFact(name=name, default=default, session=True)
    for name, default in [(PARTITIONS, "200"), (MEMORY, "1g"), (CODEC, "lz4"), (AQE, "true")]
}


def facts_of(version: str | None) -> dict[str, PropertyFact]:
    return FACTS


def machine(slots: int = 4, memory: int = 8 * GB) -> Machine:
    return Machine(
        master=f"local[{slots}]", slots=slots, cores_per_executor=slots, memory_bytes=memory
    )


def profile(size: int, path: str = "/t") -> DatasetProfile:
    return DatasetProfile(
        path=path, format="parquet", rows=size // 50, bytes=size, files=8, row_width_bytes=50,
        columns=(ColumnProfile(name="k", type="bigint"),),
    )  # fmt: skip


def config(partitions: int | None = None, memory: str | None = None, **rest: str | None) -> Config:
    return Config(
        properties={
            PARTITIONS: None if partitions is None else str(partitions),
            MEMORY: memory,
            CODEC: rest.get("codec"),
            AQE: rest.get("aqe"),
        }
    )


def seconds(chosen: Config, data: DatasetProfile, where: Machine) -> float:
    """A small table drowns in partitions; the codec is worth ten per cent."""
    count = int(chosen.properties[PARTITIONS] or 200)
    scheduling = 0.01 * count / where.slots
    spill = max(0.0, data.bytes / count / (64 << 20) - 1)
    codec = 0.9 if chosen.properties[CODEC] == "zstd" else 1.0
    return (5 + data.bytes / GB + scheduling + 3 * spill) * codec


def study(
    name: str,
    size: int,
    *,
    workload: str = "w",
    trials: int = 12,
    baseline: Config | None = None,
    where: Machine | None = None,
    seed: int = 0,
    noise: float = 0.02,
) -> StudyHistory:
    rng = random.Random(f"{name}{seed}")
    where = where or machine()
    data = profile(size, f"/{name}")
    base = baseline or config(2000)
    past = []

    def run(chosen: Config, purpose: Purpose) -> None:
        memory = chosen.properties[MEMORY] or "1g"
        failed = memory == "512m"
        took = seconds(chosen, data, where) * math.exp(rng.gauss(0, noise))
        past.append(
            PastTrial(
                config=chosen,
                purpose=purpose,
                status=Status.FAILED if failed else Status.SUCCEEDED,
                duration_s=None if failed else took,
                cause=Cause.OUT_OF_MEMORY if failed else None,
            )
        )

    run(base, Purpose.BASELINE)
    run(base, Purpose.BASELINE)
    for _ in range(trials):
        chosen = config(
            round(2 ** rng.uniform(1, 11)),
            rng.choice(["512m", "1g", "2g", "4g"]),
            codec=rng.choice(["lz4", "zstd"]),
        )
        run(chosen, Purpose.SEARCH)
    return StudyHistory(study=name, workload=workload, machine=where, profile=data, trials=past)
