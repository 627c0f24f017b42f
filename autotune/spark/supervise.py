"""Run one command and leave nothing of it behind, whatever happens to whoever asked.

A program of its own, on the standard library: ``python -I -S supervise.py``. It is the reaper of
every descendant (Linux), since PySpark's worker daemon leaves the process group.

- stdin begins with a line of JSON, [command, log, max_bytes, folders, afterwards], since every
  user of the machine sees the words of a command. Then it is the life line: its end means that the
  tuner is gone; a byte asks to stop, ``k`` to kill; ``d``, when all is clean, to leave folders.
- stdout tells ``started PID``, ``exited STATUS`` (negative: a signal), ``clean``.
- log receives what the command says; beyond max_bytes it moves to ``log.1``, and what was there
  before is dropped, so that a chatty job can't fill the disk and the last words are kept.
- folders are removed when the tuner is gone, since nobody else will; so is the folder around the
  first, if it is empty then.
- afterwards, a command, is run before that, if the tuner went when all was clean.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import json
import os
import re
import select
import shutil
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOP_GRACE_S = 1.5
END_GRACE_S = 0.3
GIVE_UP_S = 60.0
READ_BYTES = 1 << 16
KILL = b"k"  # at once, without a word: it takes what the machine needs
DONE = b"d"
SHARED_MEMORY = re.compile(r"/dev/shm/.+$", re.MULTILINE)
JVM_COUNTERS = "/tmp/hsperfdata_*/{}"  # whatever java.io.tmpdir says
WORK = re.compile(r"/work/app-\d{14}-\d{4}$")
FIRST_TO_GO = b"1000"  # the kernel's choice before anything else when memory runs out
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class BoundedLog:
    """A file that keeps the last words: at most twice *max_bytes* on disk."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._size = 0
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115, PTH123

    def write(self, data: bytes) -> None:
        """Append *data*; a full disk loses words, not the supervision."""
        with contextlib.suppress(OSError):
            if self._size + len(data) > self._max_bytes:
                self._file.close()
                os.replace(self._path, self._path + ".1")  # noqa: PTH105
                self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115, PTH123
                self._size = 0
            self._file.write(data)
            self._size += len(data)


def prctl(option: int, value: int) -> None:
    """Ask Linux; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def start(command: list[str], output: int) -> int:
    """Start *command* as the leader of its own session; return its process id."""
    supervisor = os.getpid()
    # Held back until the child has no handler of ours any more, else a signal would be lost in it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        return pid
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:  # noqa: PTH123
            file.write(FIRST_TO_GO)
        for number in (*STOP_SIGNALS, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def descendants(root: int) -> list[int]:
    """Return every process below *root*, children before grandchildren."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The name of the program is in brackets and may hold anything.
                parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found = list(children.get(root, ()))
    for pid in found:  # which grows
        found += children.get(pid, ())
    return found


class Traces:
    """What the killed leave elsewhere (Linux): counters, shared memory, executors' work."""

    def __init__(self) -> None:
        self._there_before = set(glob.glob("/dev/shm/*"))  # noqa: PTH207
        self._pids: set[int] = set()
        self._shared: set[str] = set()
        self._work: set[str] = set()

    def note(self) -> None:
        """Remember the traces of the descendants, which are about to be ended."""
        pids = descendants(os.getpid()) if sys.platform == "linux" else []
        self._pids.update(pids)
        for pid in pids:
            self._shared |= shared_memory(pid) - self._there_before
            with contextlib.suppress(OSError):
                folder, name = os.path.split(os.readlink(f"/proc/{pid}/cwd"))  # noqa: PTH115
                self._work |= {folder} if name.isdigit() and WORK.search(folder) else set()

    def remove(self) -> None:
        """Remove what is left, when the processes are gone."""
        counters = [path for pid in self._pids for path in glob.glob(JVM_COUNTERS.format(pid))]  # noqa: PTH207
        if self._shared:
            for pid in descendants(0):
                self._shared -= shared_memory(pid)
        for path in [*counters, *self._shared]:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
        for folder in self._work:
            shutil.rmtree(folder, ignore_errors=True)


def shared_memory(pid: int) -> set[str]:
    """Return the files of shared memory that a process maps."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", errors="replace") as file:  # noqa: PTH123
        return set(SHARED_MEMORY.findall(file.read()))
    return set()


def send(number: signal.Signals, group: int) -> None:
    """Send a signal to every descendant; where they can't be listed, to the command's group."""
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            os.killpg(group, number)
        return
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def reap(statuses: dict[int, int]) -> bool:
    """Collect the dead; return whether any child is left."""
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            statuses[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        return False
    return True


class Supervision:
    """The loop around one command."""

    def __init__(self, log: BoundedLog, command: list[str]) -> None:
        self._log = log
        (self._output, writing), (self._wake, waking) = os.pipe(), os.pipe()
        for end in (self._output, self._wake, waking):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        self._asked_to_stop = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop_signal)
        self._parent = os.getppid()
        self.grace_s = STOP_GRACE_S
        self._traces = Traces()
        self.pid = start(command, writing)
        os.close(writing)
        self.statuses: dict[int, int] = {}

    def _on_stop_signal(self, *_: object) -> None:
        self._asked_to_stop = True

    def wait(self) -> bool:
        """Wait until the command ends or must; return whether the tuner is still there."""
        watched = {0, self._output, self._wake}
        while True:
            ready, _, _ = select.select(watched, [], [], 1.0)
            if self._output in ready and not self.drain():
                watched.discard(self._output)
            if self._wake in ready:
                os.read(self._wake, 4096)
            reap(self.statuses)
            if self.pid in self.statuses or self._asked_to_stop:
                return True
            if 0 in ready:
                asked = os.read(0, 1)
                self.grace_s = 0.0 if asked == KILL else self.grace_s
                return asked != b""
            if os.getppid() != self._parent:
                return False

    def released(self) -> bool:
        """Wait until the tuner needs the folders no more; return whether it is still there."""
        while os.getppid() == self._parent:
            if select.select([0], [], [], 1.0)[0] and (asked := os.read(0, 1)) in {DONE, b""}:
                return asked == DONE
        return False

    def sweep(self, grace_s: float) -> bool:
        """End every descendant: ask, wait *grace_s*, then insist; return whether none is left."""
        if not reap(self.statuses):
            return True
        self._traces.note()
        if grace_s > 0:
            send(signal.SIGTERM, self.pid)
        start_s = time.monotonic()
        while time.monotonic() - start_s < GIVE_UP_S:
            self._traces.note()  # what ends may start something first
            self.drain()
            if not reap(self.statuses):
                self._traces.remove()
                return True
            if time.monotonic() - start_s >= grace_s:
                # Stopped first, so that a process that keeps forking can't outrun the kill.
                send(signal.SIGSTOP, self.pid)
                send(signal.SIGKILL, self.pid)
            time.sleep(0.02)
        return False

    def drain(self) -> bool:
        """Move what the command said into the log; return whether it may say more."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                data = os.read(self._output, READ_BYTES)
                if not data:
                    return False
                self._log.write(data)
        return True


def remove(folders: list[str]) -> None:
    """Remove *folders*, and the one that holds the first if nothing else is in it."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError, IndexError):
        os.rmdir(os.path.dirname(folders[0]))  # noqa: PTH106, PTH120


def tell(text: str) -> None:
    """Tell the tuner, if it is still there."""
    with contextlib.suppress(OSError):
        os.write(1, f"{text}\n".encode())


def main() -> None:
    """Run the command that stdin names."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    with open(0, "rb", buffering=0, closefd=False) as asked:  # no byte too many
        command, log, max_bytes, folders, afterwards = json.loads(asked.readline())
    supervision = Supervision(BoundedLog(log, max_bytes), command)
    tell(f"started {supervision.pid}")
    present = supervision.wait()
    by_itself = supervision.pid in supervision.statuses
    if by_itself:
        tell(f"exited {supervision.statuses[supervision.pid]}")
    clean = supervision.sweep(grace_s=END_GRACE_S if by_itself else supervision.grace_s)
    supervision.drain()
    if not by_itself:
        tell(f"exited {supervision.statuses.get(supervision.pid, -signal.SIGKILL)}")
    tell("clean" if clean else "left")
    if present and supervision.released():
        return
    if present and afterwards:
        os.spawnvp(os.P_WAIT, afterwards[0], afterwards)
    remove(folders)


if __name__ == "__main__":
    main()
