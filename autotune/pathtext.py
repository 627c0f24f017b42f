"""Texts from outside that are about to become paths: refused where no file system could hold them.

Spaces, quotes, line breaks and every script are allowed, since folders do have such names. A NUL
ends a name early, half a surrogate pair can't be stored, and an overlong name is an error of the
system in the middle of something else.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote

from autotune.errors import InputError

MOST_NAME_BYTES = 255
MOST_NAME_CHARS = 200
MOST_PATH_BYTES = 4095
_SCHEME = re.compile(r"file:(?://(?:localhost(?=/))?)?", re.IGNORECASE)
_MOST_SAFE_BYTES = 150
"""Leaves room for what is put before and behind: ``.lock``, ``.making-4711``."""


def path_of(text: str, *, where: str) -> Path:
    """Return *text* as a path that may or may not exist.

    Args:
        text: what a file or a person named.
        where: the file and key, or the flag, for the message.

    Raises:
        InputError: it is empty, holds a NUL or half a character, or is too long.
    """
    problem = _problem(text)
    if problem:
        raise InputError(f"{where}: '{text}' {problem}; name a file or folder that can exist")
    return Path(text)


def without_scheme(text: str) -> str:
    """Return the local path that a ``file:`` address names, and any other text as it is.

    Hadoop takes ``%20`` for these three characters and browsers for a blank, so it is a blank
    where nothing is called by the characters.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    path = text[scheme.end() :]
    here = os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111  # never raises
    return path if here else unquote(path)


def local_of(text: str, *, where: str) -> Path:
    """Return what a path, a ``file:`` address or ``~`` names, whether it is there or not.

    Args:
        text: what a file or a person named.
        where: the file and key, or the flag, for the message.

    Raises:
        InputError: no path can be so called, or nobody of that name is known here.
    """
    return at_home(path_of(without_scheme(text), where=where))


def at_home(path: Path) -> Path:
    """Return *path* with somebody's home folder in place of ``~`` or ``~name``.

    Raises:
        InputError: nobody of that name is known here.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(f"{path}: nobody's home is known by '{path.parts[0]}'") from error


def file_name(name: str) -> str:
    """Return a file's or folder's name for what people call *name*; others get another one.

    A plain name stands for itself. Of any other what can't harm is kept, with a digest behind it,
    so that ``a/b`` and ``a b`` don't write to the same place, and nothing leaves its folder.
    """
    safe = re.sub(r"[^\w.-]+", "_", name).strip(".")
    if safe == name:
        return bounded_name(safe, name)
    kept = safe.encode()[:_MOST_SAFE_BYTES].decode(errors="ignore")
    return f"{kept}-{_digest(name)}".strip("-_")


def bounded_name(safe: str, name: str) -> str:
    """Return *safe*, or as much of it as a file system takes, with a digest of *name* behind."""
    if 0 < len(safe.encode()) <= _MOST_SAFE_BYTES:
        return safe
    kept = safe.encode()[:_MOST_SAFE_BYTES].decode(errors="ignore")
    return f"{kept}-{_digest(name)}".strip("-")


def plain_name(text: str) -> str:
    """Return *text* as the name of a study or workload: one printable line, not too long."""
    printable = "".join(char if char.isprintable() else "_" for char in text)
    return printable[:MOST_NAME_CHARS] or "job"


def check_name(name: str, *, where: str) -> str:
    """Return *name* if a study may be called so.

    Raises:
        InputError: it is empty, longer than a line, or holds what can't be printed.
    """
    if not name.strip() or not name.isprintable() or len(name) > MOST_NAME_CHARS:
        most = f"1 to {MOST_NAME_CHARS} printable characters"
        raise InputError(f"{where}: '{name[:MOST_NAME_CHARS]}': give it {most}")
    return name


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]


def _problem(text: str) -> str | None:
    if not text:
        return "is empty"
    if "\0" in text:
        return "holds a NUL character"
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    names = encoded.split(b"/")
    if len(encoded) > MOST_PATH_BYTES or max(map(len, names)) > MOST_NAME_BYTES:
        return "is too long for a path"
    return None
