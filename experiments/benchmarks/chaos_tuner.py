"""The tuner that ``chaos.py`` kills: a real one in its own process, that says what it does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from ctypes import c_int
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "spark")]

from sqlalchemy import Engine, event  # noqa: E402

from autotune.domain import Config, Limits, Workload  # noqa: E402
from autotune.experiment import Budget, Experiment, Sampler  # noqa: E402
from autotune.ledger import Ledger  # noqa: E402
from autotune.pending import Kept  # noqa: E402
from autotune.record import Checkpoint, Execution  # noqa: E402
from autotune.study import Study  # noqa: E402
from autotune.study.listing import list_studies, load_study  # noqa: E402
from autotune.tuning import Places, tune  # noqa: E402
from surfaces import Surface, bound_space, experiment  # noqa: E402

NAME = "chaos"
BUDGET = Budget(trials=5, baseline_repeats=2, confirm_blocks=1)
PHASES = ("starting", "between", "claiming", "executing", "recording", "publishing", "finishing")
UNRECORDED = Path("studies") / NAME / "unrecorded.json"
CHECKPOINT_S = 0.03
"""Real seconds between the checkpoints of a simulated execution, of which there are five."""


def asked(seed: int, sampler: str) -> Experiment:
    """Return what is tuned on the simulated Spark."""
    return experiment(NAME, budget=BUDGET, seed=seed, sampler=Sampler(sampler))


def places_in(folder: Path) -> Places:
    """Return the stores of one study."""
    return Places(
        storage_url=f"sqlite:///{folder}/optuna.db",
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
        folder=folder / "studies",
    )


class Logged:
    """Executes on a surface in a little real time; notes durably what began and what ended."""

    log: ClassVar[str] = "executions.jsonl"

    def __init__(self, folder: Path, seed: int) -> None:
        url = places_in(folder).storage_url
        known = [info.name for info in list_studies(url) if info.trials]
        trials = load_study(url, NAME).trials if NAME in known else ()
        executions = [trial.execution for trial in trials]
        with contextlib.suppress(OSError):
            kept = Kept.model_validate_json((folder / UNRECORDED).read_bytes())
            if kept.measurement.execution not in executions:
                executions.append(kept.measurement.execution)
        # The surface's noise follows the count, so a continued study sees what a whole one sees.
        self._surface = Surface(bound_space(), seed=seed, executed=len(executions))
        self._surface.elapsed_s = sum(execution.wall_s for execution in executions)
        self._log = folder / self.log

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        """Execute, and note it."""

        def slowly(checkpoint: Checkpoint) -> bool:
            time.sleep(CHECKPOINT_S)
            return on_checkpoint(checkpoint)

        number = self._surface.executed
        self._note("began", number, config)
        execution = self._surface(workload, config, limits, slowly)
        self._note("ended", number, config)
        return execution

    def _note(self, what: str, number: int, config: Config) -> None:
        with self._log.open("a") as file:
            file.write(
                json.dumps({"what": what, "number": number, "config": config.digest}) + "\n"
            )
            file.flush()
            os.fsync(file.fileno())


def run_simulated(
    folder: str, seed: int, sampler: str, phase: c_int | None = None, statement: int = 0
) -> None:
    """Tune to the end.

    Args:
        folder: of the study.
        seed: of the study and of the surface.
        sampler: how the search proposes.
        phase: where to say what is being done, as an index of ``PHASES``.
        statement: die by SIGKILL before this SQL statement of the process; 0: never.
    """
    os.setsid()
    place = Path(folder)
    os.environ["TMPDIR"] = str(temporary(place))
    os.environ[MARKER_OF_CHAOS] = folder
    with (place / "errors.txt").open("a") as errors:
        os.dup2(errors.fileno(), 2)
    if phase is not None:
        tell_phases(phase)
    if statement:
        die_before(statement)
    os.chdir(place)
    tune(asked(seed, sampler), execute=Logged(place, seed), places=places_in(place))


MARKER_OF_CHAOS = "AUTOTUNE_CHAOS"


def temporary(folder: Path) -> Path:
    """Return the folder for temporary files of one tuner, made if it is not there."""
    path = folder / "tmp"
    path.mkdir(exist_ok=True)
    return path


def tell_phases(phase: c_int) -> None:
    """Say in shared memory what the tuner does, from now on."""

    def within(owner: type, method: str, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, method)

        @wraps(original)
        def told(*args: Any, **kwargs: Any) -> Any:
            before, phase.value = phase.value, PHASES.index(name)
            try:
                return original(*args, **kwargs)
            finally:
                phase.value = before or PHASES.index("between")

        setattr(owner, method, told)

    within(Study, "claim", "claiming")
    within(Study, "add", "recording")
    within(Logged, "__call__", "executing")
    within(Ledger, "publish", "publishing")
    within(Ledger, "finish", "finishing")


def die_before(statement: int) -> None:
    """End this process by SIGKILL before it sends its SQL statement of that number."""
    left = statement

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
