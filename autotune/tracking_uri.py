"""Where published studies are kept: one form of a tracking URI, whatever folder we stand in."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from autotune.errors import EnvironmentFault, InputError
from autotune.pathtext import at_home
from autotune.redaction import without_login

DEFAULT_TRACKING_URI = "sqlite:///mlruns/mlflow.db"
DEFAULT_ARTIFACT_ROOT = Path("mlruns/artifacts")

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SQLITE = "sqlite:///"


def is_server(uri: str) -> bool:
    """Say whether *uri* is a tracking server that keeps its own artifacts."""
    return urlsplit(uri).scheme.partition("+")[0] not in _DATABASES


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI, or ``None`` for any other."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def resolve_tracking_uri(uri: str) -> str:
    """Return *uri* so that it means the same from every folder, after checking its kind.

    Raises:
        InputError: it is a folder or something else that MLflow can't keep runs in.
    """
    scheme = urlsplit(uri).scheme
    kind = scheme.partition("+")[0]
    path = sqlite_path(uri)
    if path is not None and str(path) not in ("", "."):
        return f"{_SQLITE}{at_home(path).resolve()}"
    if kind in ("http", "https") and urlsplit(uri).hostname:
        return uri.rstrip("/")
    if kind in _DATABASES[1:] or kind == "databricks" or uri == "databricks":
        return uri
    raise InputError(
        f"tracking URI {without_login(uri)!r}: MLflow no longer keeps runs in such a place: name a"
        " database (sqlite:///mlruns/mlflow.db, postgresql://…) or a server (http://host:5000)"
    )


def make_parent_folder(path: Path) -> None:
    """Make the folder that a file is about to be written to.

    Raises:
        EnvironmentFault: the folder can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"{path.parent}: can't make this folder ({error.strerror}): choose another place"
        ) from error
