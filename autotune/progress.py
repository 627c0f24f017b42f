"""Show a running study on stderr: a live line on a terminal, else one plain line a trial."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status as Spinner

from autotune.events import Event, EventKind
from autotune.record import Status, Trial
from autotune.units import format_duration

Watch = Callable[[Event], None]


@contextmanager
def watching(resume_command: str) -> Iterator[Watch]:
    """Give a callable that shows events; after Ctrl-C print the command that resumes.

    Args:
        resume_command: what to type to go on.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    seen = False
    try:
        if console.is_terminal:
            with console.status("starting") as spinner:

                def show(event: Event) -> None:
                    nonlocal seen
                    seen = seen or event.kind is not EventKind.NOTE
                    _show_live(console, spinner, event)

                yield show
        else:

            def show_plain(event: Event) -> None:
                nonlocal seen
                seen = seen or event.kind is not EventKind.NOTE
                for line in plain_lines(event):
                    print(line, file=sys.stderr, flush=True)  # noqa: T201

            yield show_plain
    except KeyboardInterrupt:
        if seen:
            console.print(
                f"interrupted; nothing that was measured is lost. Go on with:\n  {resume_command}"
            )
        raise


def plain_lines(event: Event) -> tuple[str, ...]:
    """Return what an event is worth outside a terminal."""
    if event.kind is EventKind.NOTE:
        return (event.text,)
    if event.kind is EventKind.FINISHED and event.trial is not None:
        return (f"{trial_line(event)} · {standing(event)}",)
    return ()


def trial_line(event: Event) -> str:
    """Say what came of one trial: ``trial-007 41.2 s``, ``trial-008 failed (out of memory)``."""
    trial = event.trial
    return f"{event.name} {_outcome(trial)}" if trial is not None else event.name


def standing(event: Event) -> str:
    """Say where the study stands, in one line.

    For example ``7/30 · best 41.2 s (-34 % vs baseline 62.4 s) · 2 failed · ~9 min left``.
    """
    parts = [f"{event.done}/{event.total}"]
    if event.best is not None and event.baseline is not None:
        change = (event.best / event.baseline - 1) * 100
        best, baseline = _short(event.best), _short(event.baseline)
        parts.append(f"best {best} ({change:+.0f} % vs baseline {baseline})")
    if event.failed:
        memory = f" ({event.out_of_memory} out of memory)" if event.out_of_memory else ""
        parts.append(f"{event.failed} not succeeded{memory}")
    if event.left_s and event.done < event.total:
        parts.append(f"~{format_duration(event.left_s)} left")
    return " · ".join(parts)


def _short(value: float) -> str:
    """Return an objective: seconds of a job have one decimal, those of a micro-batch need more."""
    return f"{value:.1f}" if value >= 1 else f"{value:.3g}"


def _show_live(console: Console, spinner: Spinner, event: Event) -> None:
    for line in (
        (event.text,)
        if event.kind is EventKind.NOTE
        else (trial_line(event),)
        if event.kind is EventKind.FINISHED
        else ()
    ):
        console.print(line, markup=False)
    running = f" · running {format_duration(event.running_s)}" if event.running_s else ""
    spinner.update(f"trial {standing(event)}{running}")


def _outcome(trial: Trial) -> str:
    execution = trial.execution
    if execution.status is Status.SUCCEEDED and execution.duration_s is not None:
        return format_duration(execution.duration_s)
    status = execution.status.value.replace("_", " ")
    cause = f" ({execution.cause.value.replace('_', ' ')})" if execution.cause else ""
    return f"{status}{cause} after {format_duration(execution.wall_s)}"
