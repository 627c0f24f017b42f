"""What to do about a config that failed: the next step of memory, if there is room, or advice.

Where memory ran out, three things help: a larger heap; a larger ``spark.driver.maxResultSize``,
which is only a limit; nothing at all where the memory was outside of every heap. No overhead is
ever raised: Spark asks for it where a resource manager counts it (YARN, Kubernetes), and none of
the masters that can be measured does. There the ceiling of the whole process tree is what ends an
execution, and that is the machine's, not the configuration's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autotune.domain import Config
from autotune.record import Cause, Execution, Trial
from autotune.space import BoundSpace, Mode, mode_of, same_value
from autotune.spark.logcost import size_bytes

STEP = 1.5
"""By how much a heap grows: enough to matter, and a 24 GiB machine is not used up at once."""
RESULT_STEP = 2
"""By how much the limit of the driver's results grows: it takes no memory by itself."""
MEMORY_SHARE = 0.7
"""So much of the machine may become the heap where the space says nothing of it."""
HEAPS = ("spark.executor.memory", "spark.driver.memory")
RESULT_SIZE = "spark.driver.maxResultSize"
WHY = {
    "spark.driver.memory": "The job ran out of heap with less.",
    RESULT_SIZE: "What the job brings to its driver is larger than less of it allows.",
}
"""Why a property was set that is not in the space."""
_HEAP = re.compile(
    r"Java heap space|GC overhead limit|OutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY"
    r"|Unable to acquire \d+ bytes|Not enough memory to build|exit code 52"
)
_ELSEWHERE = re.compile(
    r"maxResultSize|Direct buffer|DirectMemory|unable to create (?:new )?native thread|Metaspace"
    r"|memory ceiling"
)
_MIB = 1 << 20
_DEFAULT = f"{1 << 10}m"
"""Spark's own value, of a heap and of the limit of results."""


def rescued(bound: BoundSpace, config: Config, execution: Execution) -> Config | None:
    """Return the config with what its execution lacked; ``None``: that would not help.

    What is not in the space is set beside it, as the person might. A property that the job sets
    by itself is left alone.
    """
    if lacks_heap(execution):
        if any(name in bound.free for name in HEAPS):
            return more_memory(bound, config)
        if mode_of(bound.machine.master) is not Mode.LOCAL:
            return None
        most = int(bound.machine.memory_bytes * MEMORY_SHARE)
        return _larger(bound, config, execution, HEAPS[1], times=STEP, most_bytes=most)
    if execution.cause is Cause.OUT_OF_MEMORY and RESULT_SIZE in (execution.error or ""):
        most = bound.machine.memory_bytes
        return _larger(bound, config, execution, RESULT_SIZE, times=RESULT_STEP, most_bytes=most)
    return None


def lacks_heap(execution: Execution) -> bool:
    """Say whether an execution failed for want of heap, which more of it may cure."""
    said = execution.error or ""
    of_memory = execution.cause is Cause.OUT_OF_MEMORY
    return of_memory and _HEAP.search(said) is not None and _ELSEWHERE.search(said) is None


def more_memory(bound: BoundSpace, config: Config) -> Config | None:
    """Return the config with the next step of heap; ``None``: no room, or not in the space."""
    return _stepped(bound, config, HEAPS, STEP)


def _stepped(
    bound: BoundSpace, config: Config, names: tuple[str, ...], times: float
) -> Config | None:
    """Return the config with the next step of some parameters of the space."""
    choices = dict(bound.encode(config))
    grown = False
    for name in names:
        position = choices.get(name)
        if isinstance(position, int | float) and not isinstance(position, bool):
            choices[name] = position * times
            grown = True
    if not grown:
        return None
    found = bound.decode(choices)
    more = any((bound.number(n, found) or 0) > (bound.number(n, config) or 0) for n in names)
    return beside(found, config) if more else None


def beside(found: Config, config: Config) -> Config:
    """Return *found* with what *config* sets that *found* says nothing of."""
    return found.model_copy(update={"properties": {**config.properties, **found.properties}})


def _larger(
    bound: BoundSpace,
    config: Config,
    execution: Execution,
    name: str,
    *,
    times: float,
    most_bytes: int,
) -> Config | None:
    """Return the config with more of one property, whether or not it is in the space."""
    if name in bound.bound:
        return _stepped(bound, config, (name,), times)
    had = execution.effective.get(name)
    asked = config.properties.get(name)
    if asked is not None and had is not None and not same_value(asked, had):
        return None  # the job sets it by itself
    size = size_bytes(had or asked or _DEFAULT, "m" if name in HEAPS else "")
    more_bytes = int((size or 0) * times) // _MIB * _MIB
    if not size or not size < more_bytes <= most_bytes:
        return None
    properties = {**config.properties, name: f"{more_bytes // _MIB}m"}
    return config.model_copy(update={"properties": properties})


_MEND = "make it run once with spark-submit"
_TO_DO = {
    Cause.TIMED_OUT.value: "allow it more time (--execution-limit)",
    Cause.OUT_OF_DISK.value: "let it write less, or allow it more disk (--execution-disk)",
    Cause.OUT_OF_MEMORY.value: f"{_MEND}, with more memory",
    Cause.LOST.value: "see to it that nothing ends it from outside",
}


def failure_text(trials: Sequence[Trial]) -> str:
    """Say that the person's own configuration never ran to its end, why, and what to do.

    Args:
        trials: of a study in which nothing succeeded, the baseline first.
    """
    first = f"{failure_reason(trials)}; {failure_advice(trials)}"
    error = trials[0].execution.error
    return f"{first}:\n{error}" if error else first


def failure_reason(trials: Sequence[Trial]) -> str:
    """Say why nothing succeeded, in part of a sentence; *trials* as in :func:`failure_text`."""
    cause, steps = _cause(trials).replace("_", " "), len(trials) - 1
    more = f", and with {steps} step{'s' * (steps > 1)} of more memory" if steps else ""
    return (
        f"the job fails with your own configuration ({cause}){more}, so there is nothing to"
        " compare with"
    )


def failure_advice(trials: Sequence[Trial]) -> str:
    """Say what to do when nothing succeeded; *trials* as in :func:`failure_text`."""
    to_do = _TO_DO.get(_cause(trials), _MEND)
    return f"{to_do}, then give the same command with --new"


def _cause(trials: Sequence[Trial]) -> str:
    execution = trials[0].execution
    return execution.shown_cause or execution.status.value
