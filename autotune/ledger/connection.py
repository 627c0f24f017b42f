"""One MLflow client per ledger: quiet, without telemetry, and quick to say that nobody answers."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from sqlalchemy import make_url

from autotune.errors import EnvironmentFault
from autotune.pathtext import at_home, bounded_name
from autotune.redaction import without_login
from autotune.tracking_uri import (
    is_server,
    make_parent_folder,
    resolve_tracking_uri,
    sqlite_path,
)

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read by MLflow while it is imported
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of MLflow's own use of SQLAlchemy and pydantic
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

for _noisy in ("mlflow.store.db", "mlflow.tracking", "mlflow.store.model_registry", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.WARNING)
# A fault is told in one line, not by a traceback.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Else a server that is busy may make us wait for hours.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_CONNECT_TIMEOUT_S = 3.0


class _Impatience:
    """MLflow's default is to try for minutes; a tuner that can catch up later need not wait.

    The settings are environment variables, and only in force while we ask: the jobs that are
    tuned inherit our environment, and their own use of MLflow is none of our business.
    """

    _lock: ClassVar = threading.Lock()
    _users: ClassVar = 0
    _ours: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @contextmanager
    def in_force(cls) -> Iterator[None]:
        with cls._lock:
            if cls._users == 0:
                cls._ours = tuple(name for name in _PATIENCE if name not in os.environ)
                os.environ.update({name: _PATIENCE[name] for name in cls._ours})
            cls._users += 1
        try:
            yield
        finally:
            with cls._lock:
                cls._users -= 1
                if cls._users == 0:
                    for name in cls._ours:
                        os.environ.pop(name, None)


class Connection:
    """The way to one tracking store; opened at the first question, safe to share by threads."""

    _opening: ClassVar = threading.Lock()

    def __init__(self, tracking_uri: str, artifact_root: Path) -> None:
        self.uri = resolve_tracking_uri(tracking_uri)
        self._artifact_root = at_home(artifact_root).resolve()
        self._client: MlflowClient | None = None

    @contextmanager
    def asking(self) -> Iterator[MlflowClient]:
        """Lend the client; whatever it raises becomes one line.

        Raises:
            EnvironmentFault: the store does not answer, refuses, or can't be written.
        """
        with _Impatience.in_force():
            try:
                self._reach()
                yield self._open()
            except (MlflowException, OSError) as error:
                raise self._fault(error) from error
            except Exception as error:
                # SQLAlchemy's own errors leave MLflow unwrapped when the database is torn.
                if type(error).__module__.startswith("sqlalchemy"):
                    raise self._fault(error) from error
                raise

    def experiment_id(self, client: MlflowClient, name: str) -> str:
        """Return the id of MLflow's experiment *name*, made if it is not there yet."""
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return client.create_experiment(name, self._artifact_location(name))
            except MlflowException as error:
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise error from None  # it was no race with another tuner
        if found.lifecycle_stage == "deleted":
            raise EnvironmentFault(
                f"MLflow experiment {name} is in the bin: bring it back with `mlflow experiments"
                f" restore --experiment-id {found.experiment_id}`, or empty it with `mlflow gc`"
            )
        return str(found.experiment_id)

    def _artifact_location(self, name: str) -> str | None:
        if is_server(self.uri):
            return None
        safe = "".join(char if char.isalnum() or char in "-_." else "-" for char in name)
        return (self._artifact_root / bounded_name(safe.strip("."), name)).as_uri()

    def _reach(self) -> None:
        """Knock at a database server: MLflow itself would try for minutes."""
        parts = urlsplit(self.uri)
        port = _PORTS.get(parts.scheme.partition("+")[0])
        if port and parts.hostname:
            with socket.create_connection(
                (parts.hostname, parts.port or port), _CONNECT_TIMEOUT_S
            ):
                pass

    def _open(self) -> MlflowClient:
        with Connection._opening:
            if self._client is None:
                path = sqlite_path(self.uri)
                if path is None:
                    self._client = MlflowClient(self.uri, self.uri)
                else:
                    make_parent_folder(path)
                    with _alone(path.parent):
                        _make_tables(self.uri, self._artifact_root)
                        self._client = MlflowClient(self.uri, self.uri)
            return self._client

    def _fault(self, error: Exception) -> EnvironmentFault:
        reason = without_login(" ".join(str(error).split()))
        shown = f"{reason[:300]}…" if len(reason) > 300 else reason
        return EnvironmentFault(
            f"MLflow at {without_login(self.uri)} can't be used: {shown.rstrip('.: ')}: put that"
            " right; what is missing there is published by the next run of the same command"
        )


def _make_tables(uri: str, artifact_root: Path) -> None:
    """Let MLflow make its tables, with a place for files that it can put into its SQL.

    Else it takes the current folder as it is called, and an apostrophe in it ends the statement.
    They are made in a file beside and moved into place when whole: MLflow makes them one by one,
    and never gets over having been cut off.
    """
    path = Path(str(make_url(uri).database))
    if path.exists() and path.stat().st_size > 0:
        return
    for left in path.parent.glob(f"{escape(path.name)}.making-*"):
        left.unlink(missing_ok=True)
    ending = f".making-{uuid.uuid4().hex}"
    making = path.with_name(path.name + ending)
    try:
        # Not put together anew from its parts: MLflow makes the folder that the text names.
        beside, mark, query = uri.partition("?")
        new = f"{beside}{ending}{mark}{query}"
        store = SqlAlchemyStore(new, artifact_root.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time create the tables: MLflow's migrations race with each other."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
