"""Open the database that studies are kept in, and say in one line why it can't be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autotune.errors import AutotuneError, EnvironmentFault, InputError
from autotune.redaction import without_login

BUSY_TIMEOUT_S = 30
_FORMS = "use sqlite:///mlruns/optuna.db or postgresql://user@host/database"


def parse_url(storage_url: str) -> URL:
    """Return *storage_url* checked, with the driver that autotune installs.

    Raises:
        InputError: it is not the URL of a SQLite file or a PostgreSQL database.
    """
    try:
        url = make_url(storage_url)
    except (ArgumentError, ValueError):
        raise InputError(
            f"storage '{without_login(storage_url)}' is not a URL: {_FORMS}"
        ) from None
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise InputError(f"storage '{shown(url)}': {kind} is not supported, {_FORMS}")
    if kind == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError(f"storage '{shown(url)}' names no file: {_FORMS}")
    if kind == "sqlite" and set("{}") & set(url.database or ""):
        raise InputError(f"storage '{shown(url)}': a path with braces is not supported, rename it")
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg2")
    return url


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite storage; ``None`` for a server."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database)


def open_storage(url: URL, *, create: bool) -> RDBStorage | None:
    """Open the storage; ``None`` where there is none and *create* is false.

    SQLite is set to its write-ahead log: readers (the dashboard) and the tuner don't wait for
    each other. A commit that was returned is on the disk: it survives the death of the process
    and a loss of power.

    Raises:
        InputError: the file is something else.
        EnvironmentFault: it can't be made, read or written, or a driver is missing.
    """
    file = sqlite_file(url)
    if file is not None and not _prepare(file, create=create):
        return None
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # what it says of errors, `faults` says
    arguments = {"timeout": BUSY_TIMEOUT_S} if file is not None else {"connect_timeout": 10}
    with faults(url):
        storage = RDBStorage(
            url.render_as_string(hide_password=False), engine_kwargs={"connect_args": arguments}
        )
        if file is not None:
            event.listen(storage.engine, "connect", _write_ahead)
            storage.engine.dispose()
        return storage


def close_storage(storage: RDBStorage) -> None:
    """Give all connections back, so that SQLite folds its log into the file."""
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def faults(url: URL) -> Iterator[None]:
    """Turn what a database says into one line of our own."""
    try:
        yield
    except AutotuneError:
        raise
    except ImportError:
        raise EnvironmentFault(
            f"storage '{shown(url)}' needs a driver: pip install 'spark-autotune[postgres]'"
        ) from None
    except RuntimeError as error:
        raise EnvironmentFault(
            f"storage '{shown(url)}' belongs to another version of Optuna ({_line(error)}):"
            " upgrade it with 'optuna storage upgrade', or name another"
        ) from error
    except (SQLAlchemyError, StorageInternalError, OSError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        reason = _line(getattr(cause, "orig", None) or cause or error)
        raise EnvironmentFault(
            f"storage '{shown(url)}' refuses ({reason}): check that it exists, may be written to"
            " and has space left"
        ) from error


def _prepare(file: Path, *, create: bool) -> bool:
    try:
        if not file.exists():
            if create:
                file.parent.mkdir(parents=True, exist_ok=True)
            return create
        if file.stat().st_size == 0:
            return create
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as found:
            tables = found.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall()
    except (OSError, sqlite3.OperationalError) as error:
        raise EnvironmentFault(
            f"storage file {file} can't be used ({_line(error)}): name another, or mend its"
            " permissions"
        ) from error
    except sqlite3.DatabaseError as error:
        raise InputError(f"storage file {file} is not a database: name another") from error
    if tables and ("studies",) not in tables:
        raise InputError(
            f"storage file {file} holds something else than studies: name another, such as"
            " sqlite:///mlruns/optuna.db"
        )
    return True


def _write_ahead(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    with suppress(sqlite3.OperationalError):  # some network file systems have no such log
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def shown(url: URL) -> str:
    """Return the address of a storage without its password."""
    return without_login(url.render_as_string(hide_password=True))


def _line(error: BaseException) -> str:
    return without_login(next(iter(str(error).strip().splitlines()), type(error).__name__))
