"""The supervised process and the command line of an execution, without any Spark."""

from __future__ import annotations

import json
import mmap
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import Config, Workload
from autotune.errors import EnvironmentFault, InputError
from autotune.spark.command import (
    filled_arguments,
    final_properties,
    make_scratch,
    submit_command,
    submit_environment,
)
from autotune.spark.installation import Installation
from autotune.spark.process import MARKER, SupervisedProcess, end_marked
from autotune.spark.propertyfile import parse_properties, read_properties, render_properties
from autotune.spark.reading import is_inside

INSTALLATION = Installation(
    home="/opt/spark", spark_version="4.0.1", java="java", java_version="17.0.1", python="python3"
)

STUBBORN = """
import os, signal, sys, time
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(sys.argv[1] + "/" + str(os.getpid()), "w").close()
    time.sleep(600)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            stay()
        os._exit(0)
if sys.argv[2] == "stay":
    stay()
while len(os.listdir(sys.argv[1])) < 3:
    time.sleep(0.01)
"""
"""Leaves its process group, forks twice and ignores SIGTERM, as rude as can be."""


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.02)


def stubborn(folder: Path, what: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [sys.executable, "-c", STUBBORN, str(folder), what]


def pids_in(folder: Path) -> list[int]:
    return [int(entry.name) for entry in folder.iterdir()]


def alive(pids: list[int]) -> list[int]:
    def runs(pid):
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    return [pid for pid in pids if runs(pid)]


def run(command, tmp_path, **options):
    log = tmp_path / "log"
    return SupervisedProcess(command, environment=os.environ, log=log, **options)


def test_exit_status_and_words_are_told(tmp_path):
    script = "import sys; print('héllo'); print('bad', file=sys.stderr); sys.exit(3)"
    with run([sys.executable, "-c", script], tmp_path) as process:
        assert process.wait(10)
    assert process.exit_status == 3
    assert process.last_words().split() == ["héllo", "bad"]


def test_a_signal_is_told_as_its_negative(tmp_path):
    with run(["sh", "-c", "kill -9 $$"], tmp_path) as process:
        assert process.wait(10)
    assert process.exit_status == -9


def test_a_command_that_is_missing_says_so(tmp_path):
    with run([str(tmp_path / "nothing")], tmp_path) as process:
        assert process.wait(10)
    assert process.exit_status == 127
    assert "No such file" in process.last_words()


def test_others_see_no_word_of_the_job_but_its_own(tmp_path):
    with run([sys.executable, "-c", "import time; time.sleep(60)", "pass=word"], tmp_path) as one:
        wait_for(lambda: one.wait(0.05) or one.pid)
        supervisor = psutil.Process(one.pid).parent()
        assert supervisor.pid == one.supervisor_pid
        assert "pass=word" not in " ".join(supervisor.cmdline())
        # The child is a copy of its supervisor until it is told to become the job.
        wait_for(lambda: "pass=word" in psutil.Process(one.pid).cmdline())


def test_words_of_any_length_and_kind_reach_the_command(tmp_path):
    words = ["x" * 100_000, "a\nb", "ü\udcff", ""]
    probe = "import sys; print([len(w) for w in sys.argv[1:]], ascii(sys.argv[3]))"
    with run([sys.executable, "-c", probe, *words], tmp_path) as process:
        assert process.wait(10)
    assert process.last_words() == f"[100000, 3, 2, 0] {words[2]!a}\n"


def test_wait_returns_while_the_command_runs(tmp_path):
    with run(["sleep", "60"], tmp_path) as process:
        assert not process.wait(0.05)
        assert process.exit_status is None
    assert process.exit_status == -signal.SIGTERM


def test_nothing_is_left_after_a_normal_end(tmp_path):
    folder = tmp_path / "pids"
    with run(stubborn(folder, "go"), tmp_path) as process:
        assert process.wait(10)
        assert process.exit_status == 0
    assert len(pids_in(folder)) == 3
    assert alive(pids_in(folder)) == []


def test_nothing_is_left_after_a_stop(tmp_path):
    folder = tmp_path / "pids"
    with run(stubborn(folder, "stay"), tmp_path):
        wait_for(lambda: len(pids_in(folder)) == 4)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert alive(pids_in(folder)) == []


TUNER = """
import os, sys, time
from pathlib import Path
from autotune.spark.process import SupervisedProcess
folder, scratch = Path(sys.argv[1]), Path(sys.argv[2])
process = SupervisedProcess(sys.argv[3:], environment=os.environ, log=scratch / "log",
                            folders=[scratch])
time.sleep(600)
"""


def test_nothing_is_left_when_the_tuner_is_killed(tmp_path):
    folder, scratch = tmp_path / "pids", tmp_path / "root" / "scratch"
    scratch.mkdir(parents=True)
    command = [sys.executable, "-c", TUNER, str(folder), str(scratch), *stubborn(folder, "stay")]
    tuner = subprocess.Popen(command)
    wait_for(lambda: len(pids_in(folder)) == 4)
    tuner.kill()
    tuner.wait()
    wait_for(lambda: not alive(pids_in(folder)), seconds=5)
    wait_for(lambda: not scratch.parent.exists(), seconds=5)


READING = """
import os, signal, sys
from pathlib import Path
from autotune.spark.process import SupervisedProcess
scratch = Path(sys.argv[1])
afterwards = ["sh", "-c", 'cp "$0/note" "$0/../../read"', str(scratch)]
with SupervisedProcess(["true"], environment=os.environ, log=scratch / "log", folders=[scratch],
                       afterwards=afterwards) as process:
    process.wait(10)
    process.finish()
    (scratch / "note").write_text("ended")
    if sys.argv[2] != "none":
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        signal.pause()
"""


@pytest.mark.parametrize("sent", ["SIGKILL", "SIGINT", "none"])
def test_what_a_dead_tuner_was_reading_is_read_on(tmp_path, sent):
    scratch = tmp_path / "root" / "scratch"
    scratch.mkdir(parents=True)
    words = [sys.executable, "-c", READING, str(scratch), sent]
    subprocess.run(words, check=False, stderr=subprocess.DEVNULL)
    if sent == "none":
        assert (scratch / "note").exists(), "whoever lives reads and clears by himself"
        assert not (tmp_path / "read").exists()
        return
    wait_for(lambda: not scratch.parent.exists(), seconds=5)
    assert (tmp_path / "read").read_text() == "ended"


def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path):
    folder = tmp_path / "pids"
    with run(stubborn(folder, "stay"), tmp_path) as process:
        wait_for(lambda: len(pids_in(folder)) == 4)
        wait_for(lambda: process.wait(0.05) or process.pid)
        supervisor = psutil.Process(process.pid).parent()
        assert "supervise.py" in " ".join(supervisor.cmdline())
        supervisor.kill()
        assert process.wait(10)
    assert process.exit_status is None
    assert alive(pids_in(folder)) == []


SHARING = """
import mmap, sys, time
held = []
for path in sys.argv[1:]:
    with open(path, "w+b") as file:
        file.truncate(1 << 20)
        held.append(mmap.mmap(file.fileno(), 0))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory has no names to list elsewhere")
def test_shared_memory_goes_with_those_who_made_it(tmp_path):
    names = [f"autotune_test_{kind}_{os.getpid()}" for kind in ("before", "theirs", "other")]
    before, theirs, other = (Path("/dev/shm") / name for name in names)
    before.write_bytes(b"x" * 4096)
    try:
        words = [sys.executable, "-c", SHARING, str(before), str(theirs), str(other)]
        with run(words, tmp_path) as process:
            wait_for(lambda: "ready" in process.last_words())
            with other.open("r+b") as file, mmap.mmap(file.fileno(), 4096):
                process.finish()
                assert other.exists(), "another process uses it"
                assert not theirs.exists()
        assert before.exists(), "it was there before the command"
    finally:
        for path in (before, theirs, other):
            path.unlink(missing_ok=True)


def test_a_kill_asks_nobody(tmp_path):
    script = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: print('asked'));"
        "print('ready', flush=True)\nwhile True: time.sleep(0.01)"
    )
    with run([sys.executable, "-uc", script], tmp_path) as process:
        wait_for(lambda: "ready" in process.last_words())
        process.kill()
    assert process.exit_status == -9
    assert "asked" not in process.last_words()


def test_marked_processes_are_found_wherever_they_are(tmp_path):
    environment = {**os.environ, MARKER: "one-of-a-kind"}
    child = subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True)
    end_marked("one-of-a-kind")
    assert child.wait(5) == -9


def test_a_chatty_command_cannot_fill_the_disk(tmp_path):
    script = "for n in range(40000): print('line', n)"
    with run([sys.executable, "-c", script], tmp_path, max_log_bytes=100_000) as process:
        assert process.wait(30)
    kept = sum(path.stat().st_size for path in tmp_path.glob("log*"))
    assert kept <= 200_000
    words = process.last_words(5000)
    assert words.endswith("line 39999\n")
    assert len(words) == 5000


def test_the_command_reads_nothing_from_the_terminal(tmp_path):
    with run(["sh", "-c", "read line || exit 7"], tmp_path) as process:
        assert process.wait(10)
    assert process.exit_status == 7


def workload(**fields):
    return Workload(**{"name": "job", "application": "job.py", "master": "local[2]", **fields})


def test_the_config_overlays_the_persons_properties(tmp_path):
    scratch = make_scratch(tmp_path, {})
    theirs = workload(properties={"spark.a": "1", "spark.b": "2", "spark.ui.enabled": "true"})
    config = Config(properties={"spark.a": None, "spark.b": "3", "spark.c": "4"})
    found = final_properties(theirs, config, scratch)
    assert "spark.a" not in found
    assert (found["spark.b"], found["spark.c"]) == ("3", "4")
    assert found["spark.ui.enabled"] == "true"
    assert found["spark.ui.showConsoleProgress"] == "false"
    assert found["spark.eventLog.rolling.enabled"] == "false"


def test_executors_on_this_machine_keep_their_files_in_scratch(tmp_path):
    scratch = make_scratch(tmp_path, {})
    name = "spark.executor.defaultJavaOptions"
    theirs = {"properties": {name: "-Dtheirs=1"}}
    assert final_properties(workload(**theirs), Config(), scratch)[name] == "-Dtheirs=1"
    here = workload(master="local-cluster[1,1,900]", **theirs)
    words = final_properties(here, Config(), scratch)[name].split()
    assert words[0] == f'"-Djava.io.tmpdir={scratch.temporary}"'
    assert words[-1] == "-Dtheirs=1"


def test_the_properties_file_is_private_and_complete(tmp_path):
    scratch = make_scratch(tmp_path, {})
    job = workload(
        properties={"spark.secret.password": "p w"},
        arguments=("--to", "{output}", "{level}", "{other}", '{"json": 1}', "{data}"),
        submit_options=("--jars", "a.jar"),
        data="/data/trips",
    )
    config = Config(arguments={"level": "DISK_ONLY"})
    command = submit_command(INSTALLATION, job, config, scratch)
    file = Path(command[command.index("--properties-file") + 1])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_properties(file)["spark.secret.password"] == "p w"
    assert "p w" not in command
    assert command[command.index("--master") + 1] == "local[2]"
    output = str(scratch.output)
    rest = ["--to", output, "DISK_ONLY", "{other}", '{"json": 1}', "/data/trips"]
    assert command[-9:] == ["--jars", "a.jar", "job.py", *rest]


def test_filled_values_are_not_filled_again(tmp_path):
    scratch = make_scratch(tmp_path, {})
    job = workload(arguments=("{level}",), data="/d")
    filled = filled_arguments(job, Config(arguments={"level": "{data}"}), scratch)
    assert filled == ("{data}",)


def test_local_folders_stay_on_the_disk_that_the_person_chose(tmp_path, monkeypatch):
    fast = tmp_path / "fast"
    fast.mkdir()
    scratch = make_scratch(tmp_path / "scratch", {"spark.local.dir": f"{fast},/not/there"})
    assert [folder.parent for folder in scratch.local] == [fast]
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/somewhere")
    environment = submit_environment(INSTALLATION, scratch)
    assert environment["SPARK_LOCAL_DIRS"] == str(scratch.local[0])
    scratch.remove()
    assert not scratch.root.exists()
    assert list(fast.iterdir()) == []


def test_the_persons_environment_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dtheirs=1")
    monkeypatch.setenv("PYSPARK_PYTHON", "/their/python")
    environment = submit_environment(INSTALLATION, make_scratch(tmp_path, {}), ["-Xshare:auto"])
    assert environment["SPARK_SUBMIT_OPTS"].endswith("-Dtheirs=1")
    assert '"-Xshare:auto"' in environment["SPARK_SUBMIT_OPTS"]
    assert environment["PYSPARK_PYTHON"] == "/their/python"


def test_a_scratch_folder_that_is_a_file_is_refused_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="scratch folder"):
        make_scratch(tmp_path / "file" / "below", {})


@pytest.mark.parametrize(
    ("written", "inside"),
    [
        ("{root}/output/part", True),
        ("file:{root}/output", True),
        ("file://{root}/a%20b", True),
        ("{root}/../elsewhere", False),
        ("{root}-not", False),
        ("file:/tmp", False),
        ("file://other-host{root}", False),
        ("hdfs://name{root}", False),
        ("s3a://bucket/x", False),
        ("unknown path (SaveIntoDataSourceCommand)", False),
        ("table default.t", False),
        ("relative", False),
    ],
)
def test_writes_inside_scratch_are_told_from_others(tmp_path, written, inside):
    assert is_inside(written.format(root=tmp_path), [tmp_path]) is inside


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\x0b\x1c\x1d"))


@given(st.dictionaries(TEXT.filter(bool), TEXT.map(lambda text: text.strip())))
def test_properties_survive_their_file(properties):
    assert parse_properties(render_properties(properties)) == properties


def test_properties_are_read_as_java_does():
    text = (
        "# comment\n! too\n\nspark.a 1\nspark.b=2 \n spark.c : 3\nspark.d=one,\\\n   two\n"
        "spark.e=C:\\\\x\\u0041\nspark.a = again\nspark.f\nspark.g=-Dx=y -Dz=1\r\n"
    )
    assert parse_properties(text) == {
        "spark.a": "again",
        "spark.b": "2",
        "spark.c": "3",
        "spark.d": "one,two",
        "spark.e": "C:\\xA",
        "spark.f": "",
        "spark.g": "-Dx=y -Dz=1",
    }


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "large"])
def test_a_properties_file_that_is_none_is_refused_in_words(tmp_path, kind):
    path = tmp_path / "x.conf"
    if kind == "folder":
        path.mkdir()
    if kind == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    if kind == "large":
        path.write_bytes(b"a" * (5 << 20))
    with pytest.raises(InputError, match=r"x\.conf: ") as caught:
        read_properties(path)
    assert "\n" not in str(caught.value)


def test_the_supervisor_needs_nothing_but_the_standard_library():
    from autotune.spark import supervise

    probe = (
        "import runpy, sys, json; before = set(sys.modules);"
        f"runpy.run_path({supervise.__file__!r});"
        "print(json.dumps(sorted({m.partition('.')[0] for m in set(sys.modules) - before}"
        " - sys.stdlib_module_names)))"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == []
