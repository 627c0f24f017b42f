"""What somebody who knows Spark would set, for this machine and this data, without trying.

The rules are those of Spark's own tuning guides (``tuning.html``, ``sql-performance-tuning.html``,
``hardware-provisioning.html``), each with its reason. The result is one strong start of a search
and one candidate of a recommendation; it is measured like any other.
"""

from __future__ import annotations

import math

from autotune.domain import Config, DatasetProfile, Value
from autotune.space import BoundSpace, Mode, mode_of

_MIB = 1 << 20
_TASKS_PER_SLOT = 3
_TARGET_PARTITION = 128 * _MIB
_CORES_AT_MOST = 5
_FEW_SLOTS = 8


class ExpertRule(Value):
    """One property that the expert sets, and why."""

    property: str
    value: str
    reason: str


def expert_rules(bound: BoundSpace, profile: DatasetProfile | None) -> tuple[ExpertRule, ...]:
    """Return what the expert would set, in Spark's words.

    Args:
        bound: A space with its machine; only its parameters that have an effect are spoken of.
        profile: Numbers about the data, where they are known.
    """
    wanted = [
        *_parallelism(bound, profile),
        *_joins(bound),
        *_memory(bound),
        *_jvm(bound),
    ]
    return tuple(rule for rule in wanted if rule.property in bound.free)


def expert_config(bound: BoundSpace, profile: DatasetProfile | None) -> Config:
    """Return the person's own config with the expert's values, feasible on this machine.

    Args:
        bound: A space with its machine.
        profile: Numbers about the data, where they are known.
    """
    rules = expert_rules(bound, profile)
    return bound.adjusted({rule.property: rule.value for rule in rules})


def _parallelism(bound: BoundSpace, profile: DatasetProfile | None) -> list[ExpertRule]:
    slots = bound.machine.slots
    tasks = slots * _TASKS_PER_SLOT
    by_size = math.ceil(profile.bytes / _TARGET_PARTITION) if profile else 0
    rules = [
        ExpertRule(
            property="spark.sql.adaptive.enabled",
            value="true",
            reason="re-planning from real sizes repairs most bad guesses",
        ),
        ExpertRule(
            property="spark.sql.shuffle.partitions",
            value=str(max(tasks, by_size)),
            reason=f"{_TASKS_PER_SLOT} tasks a core, and none above 128 MiB",
        ),
        ExpertRule(
            property="spark.default.parallelism",
            value=str(slots * 2),
            reason="two to three tasks a core keep all of them busy to the end",
        ),
    ]
    if profile and profile.bytes:
        size = min(_TARGET_PARTITION, max(8 * _MIB, profile.bytes // tasks))
        reason = f"the data make about {_TASKS_PER_SLOT} scan tasks a core"
        rules.append(
            ExpertRule(
                property="spark.sql.files.maxPartitionBytes",
                value=f"{size // _MIB}m",
                reason=reason,
            )
        )
    return rules


def _joins(bound: BoundSpace) -> list[ExpertRule]:
    heap = bound.machine.memory_bytes // 2
    threshold = min(64 * _MIB, max(10 * _MIB, heap // 100))
    return [
        ExpertRule(
            property="spark.sql.autoBroadcastJoinThreshold",
            value=f"{threshold // _MIB}m",
            reason="a table of 1 % of the heap can be sent to all, and saves a shuffle",
        ),
        ExpertRule(
            property="spark.sql.adaptive.maxShuffledHashJoinLocalMapThreshold",
            value="64m",
            reason="partitions that fit into memory need no sort to be joined",
        ),
    ]


def _memory(bound: BoundSpace) -> list[ExpertRule]:
    machine = bound.machine
    cores = min(_CORES_AT_MOST, machine.cores_per_executor)
    heap = machine.memory_bytes * 6 // 10
    share = heap * cores // machine.cores_per_executor
    return [
        ExpertRule(
            property="spark.driver.memory",
            value=f"{max(512 * _MIB, machine.memory_bytes // 2) // _MIB}m",
            reason="half of the memory; the rest is for Python, the system and its file cache",
        ),
        ExpertRule(
            property="spark.executor.cores",
            value=str(cores),
            reason="up to five cores share broadcasts and still collect garbage quickly",
        ),
        ExpertRule(
            property="spark.executor.memory",
            value=f"{max(512 * _MIB, share) // _MIB}m",
            reason="60 % of the memory that belongs to its cores; the rest is overhead",
        ),
    ]


def _jvm(bound: BoundSpace) -> list[ExpertRule]:
    kryo = ExpertRule(
        property="spark.serializer",
        value="org.apache.spark.serializer.KryoSerializer",
        reason="faster and smaller than Java's, as the tuning guide advises",
    )
    room = ExpertRule(
        property="spark.kryoserializer.buffer.max",
        value="128m",
        reason="room for the largest object that is sent at once",
    )
    local = mode_of(bound.machine.master) is Mode.LOCAL
    cores = bound.machine.slots if local else bound.machine.cores_per_executor
    if cores > _FEW_SLOTS:
        return [kryo, room]
    collector = ExpertRule(
        property=f"spark.{'driver' if local else 'executor'}.extraJavaOptions",
        value="-XX:+UseParallelGC",
        reason="on few cores the parallel collector leaves most time to the tasks",
    )
    return [kryo, room, collector]
