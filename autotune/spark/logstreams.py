"""What the streaming queries of an application did: micro-batches, rows, and how long they took.

Spark reports every micro-batch to its listeners, and so to the event log. Times are kept as a
uniform sample (Vitter's algorithm R, 1985) of which the first ten thousand are all; everything
else is a running sum.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from typing import Any

from autotune.spark.lognumbers import amount

Event = dict[str, Any]

SAMPLE = 10_000
_MILLION = 1_000_000


@dataclass(slots=True)
class StreamMeter:
    """Folds the progress of streaming queries, of all of them together."""

    _batches: int = 0
    _batches_with_rows: int = 0
    _rows: int = 0
    _time_s: float = 0.0
    _sample_s: list[float] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def progress(self, event: Event) -> None:
        """Take the progress of one query; a trigger that found nothing to do is no micro-batch.

        Raises:
            KeyError | TypeError | ValueError | AttributeError: It is not what Spark writes.
        """
        progress = event["progress"]
        durations = progress["durationMs"]
        if "addBatch" not in durations:
            return
        seconds = amount(durations["triggerExecution"]) / 1000
        rows = int(sum(amount(source["numInputRows"]) for source in progress["sources"]))
        # Nothing of an event counts before all of it was understood.
        self._batches += 1
        self._time_s += seconds
        if rows:
            self._rows += rows
            self._keep(seconds)

    def metrics(self) -> dict[str, float | int]:
        """Return the fields of :class:`Metrics` about streams; none where nothing was streamed."""
        if not self._batches:
            return {}
        found: dict[str, float | int] = {
            "microbatches": self._batches,
            "microbatch_time_s": self._time_s,
            "streamed_rows": self._rows,
        }
        if self._rows:
            found["microbatch_p95_s"] = _percentile_95(self._sample_s)
            found["seconds_per_million_rows"] = self._time_s * _MILLION / self._rows
        return found

    def _keep(self, seconds: float) -> None:
        self._batches_with_rows += 1
        if len(self._sample_s) < SAMPLE:
            self._sample_s.append(seconds)
        elif (place := self._random.randrange(self._batches_with_rows)) < SAMPLE:
            self._sample_s[place] = seconds


def _percentile_95(values: list[float]) -> float:
    """Return the 95th percentile, interpolated between the two values next to it."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
