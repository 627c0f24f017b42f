"""The execution that was measured last, kept on disk until its trial is recorded.

Between the end of an execution and the record of its trial lie reading, comparing and a storage
that may be away. A tuner that is killed in between finds the execution here when it continues,
and asks for the same configuration again, so that nothing is executed twice.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Collection
from pathlib import Path

from autotune.domain import Config, Value
from autotune.record import Execution
from autotune.redaction import HIDDEN, Secrets


class Measurement(Value):
    """An execution, and where it was heading if it was stopped early."""

    execution: Execution
    extrapolated_s: float | None = None


class Kept(Value):
    """What the file holds."""

    study: str
    config_digest: str
    measurement: Measurement


class Pending(Value):
    """The place for one execution of one study."""

    path: Path
    study: str
    """Digest of what makes executions of the study comparable; others are not taken."""

    def keep(self, config: Config, measurement: Measurement, secrets: Secrets) -> None:
        """Write it durably: either whole or not at all. A disk that refuses costs the safety only.

        Args:
            config: what was executed.
            measurement: what came of it.
            secrets: what must not be quoted.
        """
        public = measurement.model_copy(
            update={"execution": public_execution(secrets, measurement.execution)}
        )
        kept = Kept(study=self.study, config_digest=config.digest, measurement=public)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            written = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}")
            try:
                with written.open("w", encoding="utf-8") as file:
                    file.write(kept.model_dump_json())
                    file.flush()
                    os.fsync(file.fileno())
                written.replace(self.path)
            finally:
                written.unlink(missing_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def take(self, config: Config) -> Measurement | None:
        """Return what is kept of *config*; ``None``: nothing, or nothing that can be read."""
        kept = self._kept()
        same = kept is not None and kept.config_digest == config.digest
        return kept.measurement if kept is not None and same else None

    def settle(self, recorded: Collection[Execution]) -> None:
        """Forget what is recorded: a tuner may have died in between."""
        kept = self._kept()
        began = {execution.started_at for execution in recorded}
        if kept is not None and kept.measurement.execution.started_at in began:
            self.clear()

    def clear(self) -> None:
        """Forget it: the trial is recorded, or the study begins again."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _kept(self) -> Kept | None:
        with contextlib.suppress(OSError, ValueError):
            kept = Kept.model_validate_json(self.path.read_bytes())
            return kept if kept.study == self.study else None
        return None


def public_execution(secrets: Secrets, execution: Execution) -> Execution:
    """Return what may be written of an execution: properties that hold a secret are left out."""
    data = secrets.scrubbed(execution.model_dump(mode="json"))
    effective = {name: value for name, value in data["effective"].items() if HIDDEN not in value}
    return Execution.model_validate({**data, "effective": effective})
