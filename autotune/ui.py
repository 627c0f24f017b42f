"""MLflow's own pages on the right store, on this machine only unless told otherwise."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Final

import click
import psutil

from autotune.errors import EnvironmentFault, InputError
from autotune.pathtext import at_home
from autotune.redaction import without_login
from autotune.tracking_uri import (
    DEFAULT_ARTIFACT_ROOT,
    DEFAULT_TRACKING_URI,
    is_server,
    make_parent_folder,
    resolve_tracking_uri,
    sqlite_path,
)

_START_LIMIT_S: Final = 90.0
_STOP_LIMIT_S: Final = 10.0


class Pages:
    """A running MLflow server and everything it started; ends with the ``with`` block."""

    def __init__(
        self, address: str, process: subprocess.Popen[bytes] | None, log: IO[bytes] | None
    ):
        self.address = address
        self._process = process
        self._log = log

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self) -> None:
        """Block until the server ends; a server that is not ours is not waited for."""
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """End the server with all its children; harmless when it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            family = [*root.children(recursive=True), root]
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.terminate()
            _, alive = psutil.wait_procs(family, timeout=_STOP_LIMIT_S)
            for member in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        self._process.wait()
        if self._log is not None:
            self._log.close()


def open_pages(
    tracking_uri: str = DEFAULT_TRACKING_URI,
    *,
    artifact_root: Path = DEFAULT_ARTIFACT_ROOT,
    host: str = "127.0.0.1",
    port: int = 5000,
) -> Pages:
    """Start MLflow's user interface and return once it answers.

    Args:
        tracking_uri: the store to show; for a server that already runs nothing is started.
        artifact_root: where files of new experiments would go.
        host: address to listen on; anything but the loopback shows the studies to the network.
        port: port to listen on; 0 takes a free one.

    Raises:
        InputError: the URI, the address or the port can't be used.
        EnvironmentFault: the server did not come up.
    """
    uri = resolve_tracking_uri(tracking_uri)
    if is_server(uri):
        return Pages(uri, None, None)
    path = sqlite_path(uri)
    if path is not None:
        make_parent_folder(path)
    port = _free_port(host, port)
    root = at_home(artifact_root).resolve()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--default-artifact-root", root.as_uri()]
    command += ["--host", host, "--port", str(port)]
    log = tempfile.TemporaryFile(prefix="autotune-ui-")  # noqa: SIM115  (closed by Pages)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(uri)
    )
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    pages = Pages(address, process, log)
    try:
        _await(address, process, log)
    except BaseException:
        pages.close()
        raise
    return pages


def serve_ui(
    tracking_uri: str = DEFAULT_TRACKING_URI,
    *,
    artifact_root: Path = DEFAULT_ARTIFACT_ROOT,
    host: str = "127.0.0.1",
    port: int = 5000,
    say: Callable[[str], None] = click.echo,
) -> str:
    """Show the studies until Ctrl-C; returns the address that was used.

    Args:
        tracking_uri: see :func:`open_pages`.
        artifact_root: see :func:`open_pages`.
        host: see :func:`open_pages`.
        port: see :func:`open_pages`.
        say: told of the address as soon as it answers.
    """
    with (
        _ending_politely(),
        open_pages(tracking_uri, artifact_root=artifact_root, host=host, port=port) as pages,
    ):
        say(pages.address)
        with contextlib.suppress(KeyboardInterrupt):
            pages.wait()
        return pages.address


@contextlib.contextmanager
def _ending_politely() -> Iterator[None]:
    """Let a plain ``kill`` end us like Ctrl-C does: with the children."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _free_port(host: str, port: int) -> int:
    if not 0 <= port <= 65535:
        raise InputError(f"--port {port}: not a port: use 1 to 65535, or 0 for a free one")
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise InputError(
            f"--port {port} on {host}: can't listen there ({error.strerror}): close what uses it,"
            " or give another --port"
        ) from error


def _environment(uri: str) -> dict[str, str]:
    ours = {
        # Not among the arguments, which everybody on the machine can read: it may hold a password.
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    return {**os.environ, **ours}


def _await(address: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with direct.open(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    log.seek(0)
    said = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    last = without_login(said[-1])[:300] if said else "it said nothing"
    raise EnvironmentFault(
        f"MLflow's server at {address} did not start: {last}: see `autotune doctor`"
    )
