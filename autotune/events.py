"""What a running study tells whoever watches it."""

from __future__ import annotations

from enum import StrEnum

from autotune.domain import Value
from autotune.record import Trial


class EventKind(StrEnum):
    """What just happened."""

    NOTE = "note"
    """Something worth one line."""
    STARTED = "started"
    """An execution began."""
    RUNNING = "running"
    """An execution goes on; sent at every checkpoint."""
    FINISHED = "finished"
    """A trial was recorded."""


class Event(Value):
    """One piece of news, with where the study stands."""

    kind: EventKind
    text: str = ""
    name: str = ""
    """Of the trial, as people know it."""
    trial: Trial | None = None
    done: int = 0
    total: int = 0
    failed: int = 0
    out_of_memory: int = 0
    baseline: float | None = None
    """Objective of the baseline, in the objective's unit."""
    best: float | None = None
    running_s: float = 0.0
    left_s: float | None = None
    """Estimate of the time to the end of the study."""


def ignore(event: Event) -> None:
    """Watch nothing."""
