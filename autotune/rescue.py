"""What to do about a config that ran out of heap: the next step of memory, if there is room."""

from __future__ import annotations

import re

from autotune.domain import Config
from autotune.record import Cause, Execution
from autotune.space import BoundSpace

STEP = 1.5
"""By how much a heap grows: enough to matter, and a 24 GiB machine is not used up at once."""
HEAPS = ("spark.executor.memory", "spark.driver.memory")
_HEAP = re.compile(
    r"Java heap space|GC overhead limit|OutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY"
    r"|Unable to acquire \d+ bytes|Not enough memory to build|exit code 52"
)
_ELSEWHERE = re.compile(
    r"maxResultSize|Direct buffer|DirectMemory|unable to create (?:new )?native thread|Metaspace"
    r"|memory ceiling"
)


def lacks_heap(execution: Execution) -> bool:
    """Say whether an execution failed for want of heap, which more of it may cure."""
    said = execution.error or ""
    of_memory = execution.cause is Cause.OUT_OF_MEMORY
    return of_memory and _HEAP.search(said) is not None and _ELSEWHERE.search(said) is None


def more_memory(bound: BoundSpace, config: Config) -> Config | None:
    """Return the config with the next step of heap; ``None``: no room, or not in the space."""
    choices = dict(bound.encode(config))
    grown = False
    for name in HEAPS:
        position = choices.get(name)
        if isinstance(position, int | float) and not isinstance(position, bool):
            choices[name] = position * STEP
            grown = True
    if not grown:
        return None
    found = bound.decode(choices)
    more = any((bound.number(n, found) or 0) > (bound.number(n, config) or 0) for n in HEAPS)
    return found if more else None
