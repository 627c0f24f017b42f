"""A child command whose whole process tree is gone when it ends, is stopped, or we die."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from autotune.spark import supervise

MARKER = "AUTOTUNE_EXECUTION"
_CLEAN_S = 70
_MAX_LOG_BYTES = 4 << 20


class SupervisedProcess:
    """One command under a supervisor of its own (see ``supervise.py``); a context manager.

    Leaving the context ends whatever still runs. The command and all it starts carry the
    environment variable ``AUTOTUNE_EXECUTION``, by which they are found where the supervisor can't
    list them (macOS) or was killed itself. The supervisor outlives the command until the context
    is left, and cleans up behind a tuner that dies in it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        folders: Sequence[Path] = (),
        afterwards: Sequence[str] = (),
        max_log_bytes: int = _MAX_LOG_BYTES,
    ) -> None:
        """Start *command*.

        Args:
            command: program and arguments, absolute or on the PATH.
            environment: all of its environment.
            log: where to keep the last words of its standard streams.
            folders: removed by the supervisor when this process dies.
            afterwards: a command that the supervisor runs before that, if this process dies, or
                is interrupted, between :meth:`finish` and the end of the context.
            max_log_bytes: when to drop older words; at most twice this is kept.
        """
        self._marker = uuid.uuid4().hex
        self._log = log
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervise.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, MARKER: self._marker},
            start_new_session=True,
            bufsize=0,
        )
        places = [str(folder) for folder in folders]
        asked = json.dumps([list(command), str(log), max_log_bytes, places, list(afterwards)])
        self._ask(f"{asked}\n".encode())
        self._heard = b""
        self._silent = self._finished = False
        self.pid: int | None = None
        """The command's process; the JVM itself once ``spark-submit`` has become it."""
        self.exit_status: int | None = None
        """What it ended with; negative: the signal that ended it."""
        self._selector = selectors.DefaultSelector()
        assert self._supervisor.stdout is not None
        self._selector.register(self._supervisor.stdout, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._finished and isinstance(error, KeyboardInterrupt):
                assert self._supervisor.stdin is not None
                self._supervisor.stdin.close()
            else:
                self.finish()
                self._ask(supervise.DONE)
            self._supervisor.wait()
        finally:
            self._close()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the command has ended, at most *timeout_s*; return whether it has."""
        end_s = time.monotonic() + timeout_s
        while self.exit_status is None and not self._silent:
            if not self._selector.select(max(0.0, end_s - time.monotonic())):
                return False
            self._listen()
        return True

    @property
    def supervisor_pid(self) -> int:
        """The process above the command and, on Linux, above all that it starts."""
        return self._supervisor.pid

    def kill(self) -> None:
        """End everything without a grace; :meth:`finish` waits for it."""
        self._ask(supervise.KILL)

    def finish(self) -> None:
        """End whatever still runs, and wait until nothing of it is left; may be repeated."""
        if self._finished:
            return
        if self.exit_status is None:
            self._ask(b"s")
        end_s = time.monotonic() + _CLEAN_S
        while not (self._silent or self._told("clean") or self._told("left")):
            if not self._selector.select(max(0.0, end_s - time.monotonic())):
                break
            self._listen()
        if not self._told("clean"):
            self._supervisor.kill()
        if sys.platform != "linux" or not self._told("clean"):
            end_marked(self._marker, spare=self._supervisor.pid)
        self._finished = True

    def last_words(self, max_chars: int = 20_000) -> str:
        """Return the end of what the command wrote to its standard streams."""
        data = b""
        for path in (self._log, Path(f"{self._log}.1")):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - max_chars))
                data = file.read() + data
            if len(data) >= max_chars:
                break
        return data.decode(errors="replace")[-max_chars:]

    def _ask(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            assert self._supervisor.stdin is not None
            while data:
                data = data[self._supervisor.stdin.write(data) :]

    def _listen(self) -> None:
        assert self._supervisor.stdout is not None
        data = os.read(self._supervisor.stdout.fileno(), 4096)
        self._silent = not data
        self._heard += data
        for line in self._heard.decode().split("\n")[:-1]:
            word, _, number = line.partition(" ")
            if word == "started":
                self.pid = int(number)
            elif word == "exited":
                self.exit_status = int(number)

    def _told(self, word: str) -> bool:
        return f"\n{word}\n".encode() in b"\n" + self._heard

    def _close(self) -> None:
        self._selector.close()
        for stream in (self._supervisor.stdin, self._supervisor.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def end_marked(marker: str, timeout_s: float = 10, *, spare: int | None = None) -> None:
    """Kill every process of ours whose environment carries *marker*, but for *spare*."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        found = [process for process in psutil.process_iter() if _carries(process, marker)]
        found = [process for process in found if process.pid != spare]
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)


def _carries(process: psutil.Process, marker: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == marker
    except (psutil.Error, OSError):
        return False
