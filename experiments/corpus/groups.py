"""The plan of the corpus: which workloads are measured at which size on which machine shape.

A group is workload × size of its data × shape. In every group the same configurations are tried:
the same points of the unit cube, which each group's space turns into values for its machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from autotune.builtin import Size

WORKLOADS = (
    "partitions",
    "skew",
    "sort",
    "udf",
    "joins",
    "etl",
    "aggregations",
    "features-ml",
    "ingest",
    "rdd",
    "caching",
    "clicks",
    "als",
    "graph",
)
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

    @property
    def name(self) -> str:
        """The name of its study."""
        return f"corpus-{self.workload}-{self.size}-{self.shape.name}"


def groups() -> tuple[Group, ...]:
    """Return all groups, the most telling first: it is a plan that may end anywhere.

    Each round has every workload once. Sizes and shapes go round at different paces, so that the
    three groups of a workload have three sizes and three shapes, and each pair of size and shape
    occurs with several workloads.
    """
    sizes = tuple(Size)
    found = []
    for turn in range(3):
        for number, workload in enumerate(WORKLOADS):
            size = sizes[(number + turn) % len(sizes)]
            shape = SHAPES[(number // len(sizes) + turn) % len(SHAPES)]
            found.append(Group(workload, size, shape))
    found.insert(len(WORKLOADS), Group("tpch", Size.S, SHAPES[0]))
    return tuple(found)
