"""The plan of the corpus: which workloads are measured at which size on which machine shape.

A group is workload × size of its data × shape. In every group the same configurations are tried:
the same points of the unit cube, which each group's space turns into values for its machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from autotune.builtin import Size

HELD_OUT = ("taxi", "windows", "risk")
"""Never in the corpus: chosen before anything was learned, to be judged on at the end."""
SEED = 20_261_121
POINTS = 16


@dataclass(frozen=True)
class Shape:
    """A machine, as far as the master and the properties can make one smaller."""

    name: str
    master: str
    memory: str | None = None
    """What Spark may use of the machine's; ``None``: what its workers have."""


SHAPES = (
    Shape("two-cores", "local[2]", "6g"),
    Shape("one-core", "local[1]", "3g"),
    Shape("two-workers", "local-cluster[2,1,2048]"),
)


@dataclass(frozen=True)
class Group:
    """What is measured under the same conditions."""

    workload: str
    size: Size
    shape: Shape
    search: int = 0
    """So many more configurations are what a study would try next, given all before."""

    @property
    def name(self) -> str:
        """The name of its study."""
        return f"corpus-{self.workload}-{self.size}-{self.shape.name}"


PLAN = """
partitions-S-two-cores+8  skew-M-two-cores          udf-S-one-core
rdd-S-two-cores           ingest-S-two-cores        clicks-S-two-cores
joins-S-two-cores+8       sort-S-one-core+8         graph-S-two-cores
features-ml-S-one-core    als-S-one-core            aggregations-S-two-cores
etl-S-two-workers         caching-M-two-cores       tpch-S-two-cores

partitions-M-one-core     skew-S-two-workers        udf-M-two-cores
rdd-M-one-core            ingest-M-one-core         clicks-M-two-workers
joins-M-one-core          sort-M-two-workers        graph-M-one-core
features-ml-M-two-cores   als-M-two-cores           aggregations-M-one-core
etl-M-two-cores           caching-S-two-workers

partitions-L-two-cores    skew-L-one-core           udf-L-two-cores
rdd-L-two-cores           ingest-L-two-cores        clicks-L-one-core
joins-L-two-cores         sort-L-two-cores          graph-L-two-workers
features-ml-L-two-workers als-L-two-cores           aggregations-L-two-cores
etl-L-one-core            caching-L-one-core
"""
"""The most telling first: it may end anywhere. Each part has every workload once, and the three
groups of a workload have three sizes; what is slow on few cores comes late. ``+8``: a real study
of so many trials on top."""


def groups() -> tuple[Group, ...]:
    """Return all groups of the plan, in its order."""
    shapes = {shape.name: shape for shape in SHAPES}
    found = []
    for word in PLAN.split():
        text, _, search = word.partition("+")
        size = next(size for size in Size if f"-{size}-" in text)
        workload, shape = text.split(f"-{size}-")
        found.append(Group(workload, size, shapes[shape], int(search or 0)))
    return tuple(found)
