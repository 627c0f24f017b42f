"""Folders that files wait in until MLflow has them; what a killed process left is removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "autotune-publish-"


@contextmanager
def staging_folder() -> Iterator[Path]:
    """Give an empty folder for as long as the context lasts.

    The folder is locked while it is in use, and the lock dies with its owner: so whatever is there
    without a lock was left by a process that was killed, and is removed first.

    Raises:
        OSError: no temporary folder can be made.
    """
    _sweep(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        handle = _locked(folder)
        if handle is not None:
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*"):
        handle = _locked(folder)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def _locked(folder: Path) -> int | None:
    """Lock a folder of ours; ``None``: somebody else has it, or it is gone by now."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.fstat(handle)
        if mine.st_uid == os.getuid() and os.path.samestat(mine, folder.lstat()):
            return handle
    os.close(handle)
    return None
