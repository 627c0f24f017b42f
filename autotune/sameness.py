"""Is it the same answer? A configuration that changes what a job computes never wins.

The baseline's output is the measure. Where two executions of the baseline itself differ, the job
is not deterministic in these parts: that is told, and no configuration is blamed for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from autotune.digests import Part, TableDigest, compare, unstable_parts
from autotune.domain import Config, Value
from autotune.record import Cause, Execution, Status, Trial

_NAMED = 4


class Answer(Value):
    """What the baseline answers."""

    outputs: tuple[TableDigest, ...]
    unstable: frozenset[Part] = frozenset()
    """What differs between executions of the baseline itself."""
    wobbles: tuple[str, ...] = ()
    """The same in words."""


def expected_answer(trials: Sequence[Trial], baseline: Config, tolerance: float) -> Answer | None:
    """Return what a job should answer; ``None``: its output is not known.

    Args:
        trials: everything measured so far.
        baseline: whose answer is taken to be right.
        tolerance: of floating point sums, a fraction.
    """
    known = [
        trial.execution.outputs
        for trial in sorted(trials, key=lambda trial: trial.number)
        if trial.config.digest == baseline.digest and trial.succeeded
        if trial.execution.outputs is not None
    ]
    if not known:
        return None
    wobbles = [
        d.text for other in known[1:] for d in compare(known[0], other, tolerance=tolerance)
    ]
    return Answer(
        outputs=known[0],
        unstable=unstable_parts(known, tolerance),
        wobbles=tuple(dict.fromkeys(wobbles)),
    )


def checked(
    execution: Execution, answer: Answer | None, *, own: bool, tolerance: float
) -> tuple[Execution, bool | None]:
    """Compare an answer; return the execution as it counts, and whether the answer was the same.

    A wrong answer is a failed execution, whatever time it took. The digests of a right one are
    not kept: they are the baseline's.

    Args:
        execution: as it was measured.
        answer: the baseline's; ``None``: there is nothing to compare with.
        own: whether it is the baseline itself: kept, and never wrong.
        tolerance: of floating point sums, a fraction.
    """
    if own or answer is None or execution.status is not Status.SUCCEEDED:
        return execution, None
    if execution.outputs is None:
        texts = [execution.error or "the output is missing"]
    else:
        found = compare(
            answer.outputs, execution.outputs, tolerance=tolerance, unstable=answer.unstable
        )
        texts = [difference.text for difference in found]
    if not texts:
        return execution.model_copy(update={"outputs": None}), True
    more = f"; and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    wrong = {
        "status": Status.FAILED,
        "cause": Cause.OUTPUT_MISMATCH,
        "error": "; ".join(texts[:_NAMED]) + more,
        "duration_s": None,
        "outputs": None,
    }
    return execution.model_copy(update=wrong), False
