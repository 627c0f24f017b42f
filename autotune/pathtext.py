"""Texts from outside that are about to become paths: refused where no file system could hold them.

Spaces, quotes, line breaks and every script are allowed, since folders do have such names. A NUL
ends a name early, half a surrogate pair can't be stored, and an overlong name is an error of the
system in the middle of something else.
"""

from __future__ import annotations

from pathlib import Path

from autotune.errors import InputError

MOST_NAME_BYTES = 255
MOST_PATH_BYTES = 4095


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
