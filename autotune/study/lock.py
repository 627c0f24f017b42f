"""One tuner per study: a lock that dies with its owner, however it dies."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from optuna.storages import RDBStorage
from sqlalchemy import URL, Connection, text

from autotune.errors import EnvironmentFault, StudyConflict
from autotune.pathtext import bounded_name
from autotune.study.storage import faults, sqlite_file

_HOLDER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = :key"
)


@contextmanager
def study_lock(storage: RDBStorage, url: URL, name: str) -> Iterator[None]:
    """Hold the study *name* for this process alone, while the context lasts.

    Beside a SQLite file it is a lock file, which the kernel gives back when the process ends; in
    PostgreSQL it is an advisory lock of a connection, which the server gives back.

    Raises:
        StudyConflict: another tuner holds it; its process id is in the message.
    """
    file = sqlite_file(url)
    if file is not None:
        with _file_lock(lock_file(file, name), name):
            yield
        return
    with faults(url):
        connection = storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with faults(url):
            _advisory_lock(connection, name)
        yield
    finally:
        # The lock belongs to the session, which a pool would keep open.
        connection.invalidate()
        connection.close()


def lock_file(file: Path, name: str) -> Path:
    """Return the lock file of study *name* in the storage *file*."""
    return file.with_name(f"{file.name}.{bounded_name(quote(name, safe=''), name)}.lock")


@contextmanager
def _file_lock(path: Path, name: str) -> Iterator[None]:
    try:
        handle = path.open("a+", encoding="ascii")
    except OSError as error:
        raise EnvironmentFault(
            f"lock file {path} can't be made ({error.strerror}): name a storage in a folder that"
            " may be written to"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise EnvironmentFault(
                    f"lock file {path} can't be locked ({error.strerror}): name a storage on a"
                    " file system with locks"
                ) from error
            handle.seek(0)
            raise StudyConflict(_in_use(name, handle.read().strip())) from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield
        handle.truncate(0)


def _advisory_lock(connection: Connection, name: str) -> None:
    # 63 bits: the key is read back from two unsigned halves.
    key = int.from_bytes(hashlib.sha256(f"autotune/{name}".encode()).digest()[:8], "big") >> 1
    owner = f"autotune {os.getpid()} on {socket.gethostname()}"[:63]
    connection.execute(
        text("SELECT set_config('application_name', :owner, false)"), {"owner": owner}
    )
    if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
        holder = connection.execute(_HOLDER, {"key": key}).scalar() or ""
        raise StudyConflict(_in_use(name, str(holder).removeprefix("autotune ")))


def _in_use(name: str, owner: str) -> str:
    who = f"process {owner}" if owner else "another process"
    return f"study '{name}' is being tuned by {who}: wait for it, stop it, or use another --name"
