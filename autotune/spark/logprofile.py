"""What a job does, from the plans, jobs and tasks in its event log: a :class:`WorkloadProfile`.

Operators are counted in the plans as they were first made, before adaptive execution changed
them, so that a log and the plans of ``EXPLAIN`` tell the same. Nothing of a plan is kept but how
often each family of operators occurs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.record import Metrics
from autotune.spark.lognumbers import identifier
from autotune.spark.logtasks import TaskSpread

Event = dict[str, Any]

_MOST_NODES = 50_000
_FAMILIES: tuple[tuple[str, Operator | None], ...] = (
    (r"InMemory|Scan In-memory", Operator.CACHE),
    (r".*(Python|Pandas|InArrow|ArrowEval|MapInArrow)", Operator.PYTHON),
    (
        r"(File|Batch|LocalTable|HiveTable|Native|ExistingRDD|RDD)?Scan\b|Range$|MicroBatchScan",
        Operator.SCAN,
    ),
    (r"BroadcastExchange", Operator.BROADCAST_EXCHANGE),
    (r"ReusedExchange", Operator.REUSED_EXCHANGE),
    (r"ShuffleExchangeSource", None),
    (r"(Shuffle)?Exchange|CollectLimit|TableCacheQueryStage", Operator.EXCHANGE),
    (r"SortMergeJoin", Operator.SORT_MERGE_JOIN),
    (r"(Shuffled)?HashJoin", Operator.SHUFFLED_HASH_JOIN),
    (r"BroadcastHashJoin|BroadcastNestedLoopJoin", Operator.BROADCAST_JOIN),
    (r"CartesianProduct|StreamingSymmetricHashJoin", Operator.OTHER_JOIN),
    (r"HashAggregate|GroupingAgg", Operator.HASH_AGGREGATE),
    (r"(Object\w*|Sort|MergingSession\w*|UpdatingSession\w*)Aggregate", Operator.OTHER_AGGREGATE),
    (r"Sort$|TakeOrdered", Operator.SORT),
    (r"Window", Operator.WINDOW),
    (r"Expand", Operator.EXPAND),
    (r"Generate", Operator.GENERATE),
    (r"Union", Operator.UNION),
    (r"(SessionWindow)?StateStore|StreamingDeduplicate", Operator.STATE),
    (r"FlatMapGroupsWithState|TransformWithState", Operator.STATE),
    (r"MapElements|MapPartitions|SerializeFromObject|DeserializeToObject", Operator.OBJECTS),
    (r"Filter", Operator.FILTER),
    (r"Project", Operator.PROJECT),
    (r"Execute (InsertInto|Save|Create\w*AsSelect)|AppendData|Overwrite", Operator.WRITE),
    (r"Execute (Merge|Update|Delete)", Operator.WRITE),
)
_PATTERNS = tuple((re.compile(pattern), family) for pattern, family in _FAMILIES)
_ENGINE = re.compile(r"(Photon|Gpu|Comet|Velox)?(Columnar(?!ToRow))?")
"""Engines that replace Spark's own write their names before its operators'."""
_TREE_LINE = re.compile(r"^[\s:+\-|]*(?:\*\(\d+\) |\* )?([A-Z]\w*(?: [A-Z]\w+)?)")


def family_of(node: str) -> Operator | None:
    """Return the family of an operator of a physical plan, or ``None`` for one of no interest."""
    name = _ENGINE.sub("", node.strip(), count=1)
    return next((family for pattern, family in _PATTERNS if pattern.match(name)), None)


def operators_of_text(plan: str) -> Counter[Operator]:
    """Count the operators in the text of a physical plan, as ``EXPLAIN`` prints it."""
    lines = (_TREE_LINE.match(line) for line in plan.splitlines()[:_MOST_NODES])
    return _counted(line[1] for line in lines if line)


def _counted(names: Iterable[str]) -> Counter[Operator]:
    return Counter(family for name in names if (family := family_of(name)) is not None)


def _node_names(plan: Event) -> Iterator[str]:
    waiting, nodes = [plan], 0
    while waiting and nodes < _MOST_NODES:
        node = waiting.pop()
        nodes += 1
        yield str(node["nodeName"])[:200]
        waiting.extend(node.get("children") or ())


@dataclass(slots=True)
class ProfileMeter:
    """Folds plans and jobs into what a job does."""

    _operators: Counter[Operator] = field(default_factory=Counter)
    _queries: int = 0
    _rdd_jobs: int = 0
    _python_stages: int = 0
    _cached: set[int] = field(default_factory=set)

    def plan(self, event: Event) -> None:
        """Take the start of a SQL execution."""
        found = _counted(_node_names(event["sparkPlanInfo"]))
        self._queries += 1
        self._operators += found

    def job(self, event: Event) -> None:
        """Take the start of a job."""
        properties = event.get("Properties") or {}
        if properties.get("spark.sql.execution.id") is None:
            self._rdd_jobs += 1
        for stage in event.get("Stage Infos") or ():
            rdds = stage.get("RDD Info") or ()
            self._python_stages += any(str(r.get("Name", "")).startswith("Python") for r in rdds)
            for rdd in rdds:
                level = rdd.get("Storage Level") or {}
                if (level.get("Use Memory") or level.get("Use Disk")) and len(self._cached) < 1000:
                    self._cached.add(identifier(rdd["RDD ID"]))

    def profile(
        self, metrics: Metrics, spread: TaskSpread, *, steps: int, duration_s: float | None
    ) -> WorkloadProfile | None:
        """Return the profile, or ``None`` of an application in which nothing ran.

        Args:
            metrics: sums over all tasks.
            spread: how task times are spread.
            steps: how many steps the application had.
            duration_s: of the application; ``None`` where the log has no end.
        """
        if not metrics.tasks:
            return None
        busy_s = max(metrics.executor_run_time_s, 1e-9)
        return WorkloadProfile(
            source=ProfileSource.EVENT_LOG,
            operators=dict(sorted(self._operators.items())),
            queries=self._queries,
            rdd_jobs=self._rdd_jobs,
            python_stages=self._python_stages,
            cached=len(self._cached),
            steps=steps,
            jobs=metrics.jobs,
            stages=metrics.stages,
            tasks=metrics.tasks,
            duration_s=duration_s,
            task_time_s=metrics.executor_run_time_s,
            slot_use=min(1.0, busy_s / metrics.core_seconds) if metrics.core_seconds else None,
            cpu_share=min(1.0, metrics.executor_cpu_time_s / busy_s),
            gc_share=min(1.0, metrics.jvm_gc_time_s / busy_s),
            median_task_s=spread.median_s,
            longest_task_s=spread.longest_s,
            heaviest_stage_share=min(1.0, spread.heaviest_stage_s / busy_s),
            task_skew=metrics.task_skew,
            input_bytes=metrics.input_bytes,
            input_rows=metrics.input_rows,
            shuffle_bytes=metrics.shuffle_write_bytes,
            spilled_bytes=metrics.disk_spilled_bytes,
            output_bytes=metrics.output_bytes,
        )
