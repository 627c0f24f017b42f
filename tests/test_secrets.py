"""Secrets planted everywhere in a study; nothing that is written or said holds one of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from autotune import plan
from autotune.cli_tune import _resume_command
from autotune.comparison import comparison_of, named_properties
from autotune.domain import Config, Limits, Workload
from autotune.draft import with_flags
from autotune.errors import AutotuneError
from autotune.events import Event
from autotune.experiment import Budget, Experiment
from autotune.ledger import Ledger
from autotune.record import Cause, Checkpoint, Execution, Status, Step, StepKind
from autotune.spark.installation import Installation
from autotune.study import load_study
from autotune.tuning import Places, tune
from commands import Command
from surfaces import SPACE, Surface, bound_space, experiment

SECRETS = {
    "property on the command line": 'p"ss wörd/1+2=3&x',
    "property in the experiment file": "Exper1ment-pw",
    "spark-defaults.conf": "d3faults-t0ken",
    "properties file": "pr0pertiesFile-key",
    "own expression, by name": "project-bluebird",
    "own expression, by value": "a-codename-within",
    "own expression for texts": "card-4111222233334444",
    "option with a blank": "0ption-blank",
    "option with an equals sign": "0ption-equals",
    "short option": "sh0rt-0ption",
    "JDBC address": "jdbc-pa55",
    "object store address": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYz",
    "JVM flag": "trustSt0re-changeit",
    "environment": "env1ronment-pw",
    "data path": "data-path-pw",
    "master": "m4ster-pw",
    "tracking URI": "tr4cking-pw",
    "key id": "AKIAIOSFODNN7EXAMPLE",
    "bearer": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "private key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "set by the job": "j0b-set-secret",
}
OBJECT_STORE = f"s3a://AKIAIOSFODNN7EXAMPLE:{SECRETS['object store address']}@bucket/table"
JDBC = f"jdbc:postgresql://h/db?user=u&password={SECRETS['JDBC address']}"
DATA = f"s3a://key:{SECRETS['data path']}@bucket/table"
FLAG = f"-Djavax.net.ssl.trustStorePassword={SECRETS['JVM flag']}"
INPUTS = ("spark/", "x.yaml", "own.conf", "job.py")

FILE = f"""
name: planted
workload:
  command: >-
    spark-submit --conf 'spark.cmd.password={SECRETS["property on the command line"]}'
    --conf spark.project.codename={SECRETS["own expression, by name"]}
    --conf spark.note={SECRETS["own expression, by value"]}
    --conf spark.redaction.regex=(?i)codename
    --conf spark.redaction.string.regex=card-[0-9]+
    --conf "spark.driver.extraJavaOptions={FLAG} -Dx=y"
    --conf spark.store={OBJECT_STORE}
    --load-spark-defaults --properties-file own.conf
    job.py --token {SECRETS["option with a blank"]}
    --password={SECRETS["option with an equals sign"]} -p {SECRETS["short option"]}
    '{JDBC}' --level 3
data: {DATA}
conf: {{enforced: {{spark.file.secret: {SECRETS["property in the experiment file"]}}}}}
rerunnable: true
"""


def forms(secret: str) -> Iterator[bytes]:
    """How a secret may be written without being recognised at first sight."""
    yield secret.encode()
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret, ensure_ascii=False)[1:-1].encode()
    yield json.dumps(json.dumps(secret))[3:-3].encode()
    yield quote(secret, safe="").encode()
    yield quote(secret).encode()
    yield quote_plus(secret).encode()
    raw = secret.encode()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        yield text[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]


def leaks(data: bytes) -> list[str]:
    return [
        where for where, secret in SECRETS.items() if any(form in data for form in forms(secret))
    ]


def error_text(workload: Workload) -> str:
    """What a job says that fails while it prints all it knows."""
    login = base64.b64encode(f"me:{SECRETS['environment']}".encode()).decode()
    return "\n".join(
        [
            "Traceback (most recent call last):",
            *(f"  {name}: {secret} at line 3" for name, secret in SECRETS.items()
              if name not in ("tracking URI", "set by the job", "private key")),
            f"Authorization: Bearer {SECRETS['bearer']}",
            f"Authorization: Basic {login}",
            f"url={quote(SECRETS['property on the command line'], safe='')}",
            json.dumps({"fs.secret": SECRETS["set by the job"], "argv": workload.arguments}),
            f"-----BEGIN PRIVATE KEY-----\n{SECRETS['private key']}\n-----END PRIVATE KEY-----",
            f"RuntimeError: cut … {SECRETS['environment'][-9:]}",
        ]
    )  # fmt: skip


class Telling:
    """A simulated Spark that puts everything it was given into every field of its answer."""

    def __init__(self, planted: Experiment, *, fails_from: int = 10_000) -> None:
        bound = bound_space(WIDE, baseline=planted.workload.properties)
        self.surface = Surface(bound, gain=3.0, noise=0.01, crash=False)
        self.fails_from = fails_from
        self.seen: list[tuple[Workload, Config]] = []

    def __call__(
        self,
        workload: Workload,
        config: Config,
        limits: Limits,
        on_checkpoint: Callable[[Checkpoint], bool],
    ) -> Execution:
        self.seen.append((workload, config))
        ended = self.surface(workload, config, limits, on_checkpoint)
        text = error_text(workload)
        fails = len(self.seen) in (4, 8) or len(self.seen) >= self.fails_from
        changes: dict[str, object] = {
            "effective": {
                **ended.effective,
                "spark.set.by.secret": SECRETS["set by the job"],
                "spark.text": text,
            },
            "steps": (
                *ended.steps,
                Step(name=f"load {JDBC}"[:80], kind=StepKind.JOB, start_s=0, duration_s=0.1),
            ),
            "writes_outside": (OBJECT_STORE, JDBC, f"unknown path ({text[:90]})"),
            "application_id": f"local-{SECRETS['environment']}",
        }
        if fails:
            changes |= {
                "status": Status.FAILED, "duration_s": None, "cause": Cause.APP_ERROR,
                "error": text,
            }  # fmt: skip
        return ended.model_copy(update=changes)


FLAGS = {
    "name": "spark.driver.extraJavaOptions", "type": "categorical", "append": True,
    "choices": ["-XX:+UseG1GC", "-XX:+UseParallelGC"], "unset_as": "-XX:+UseG1GC",
}  # fmt: skip
WIDE = SPACE.model_validate(
    {**SPACE.model_dump(), "parameters": [*SPACE.model_dump()["parameters"], FLAGS]}
)


@pytest.fixture
def planted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment with a secret in every place where a person may have put one."""
    monkeypatch.setenv("DB_PASSWORD", SECRETS["environment"])
    conf = folder / "spark" / "conf"
    conf.mkdir(parents=True)
    (conf / "spark-defaults.conf").write_text(
        f"spark.defaults.token {SECRETS['spark-defaults.conf']}\n"
    )
    (folder / "own.conf").write_text(f"spark.own.access.key={SECRETS['properties file']}\n")
    (folder / "job.py").write_text("print()\n")
    (folder / "x.yaml").write_text(FILE)
    monkeypatch.setenv("SPARK_CONF_DIR", str(conf))
    installation = Installation(
        home=str(folder / "spark"),
        spark_version="4.1.0",
        java="java",
        java_version="17.0.1",
        python="python",
    )
    made = plan.complete(with_flags(plan.read_experiment("x.yaml"), {}), installation=installation)
    simulated = experiment()
    return made.model_copy(
        update={
            "workload": made.workload.model_copy(
                update={"master": f"spark://me:{SECRETS['master']}@host:7077"}
            ),
            "machine": simulated.machine.model_copy(
                update={"master": f"spark://me:{SECRETS['master']}@host:7077"}
            ),
            "space": WIDE,
            "budget": Budget(trials=6, confirm_blocks=2),
        }
    )


def everything_written(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if path.is_file() and not str(place).startswith(INPUTS):
            yield place, str(place).encode() + b"\0" + path.read_bytes()


def test_nothing_that_is_written_or_said_holds_a_secret(
    places: Places, planted: Experiment, folder: Path, autotune: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    properties = planted.workload.properties
    assert properties["spark.cmd.password"] == SECRETS["property on the command line"]
    assert properties["spark.defaults.token"] == SECRETS["spark-defaults.conf"]
    told: list[Event] = []
    execute = Telling(planted)
    results = tune(planted, execute=execute, places=places, on_event=told.append)
    # The job itself is given all of it.
    workload, config = execute.seen[-1]
    assert workload.properties == properties
    assert SECRETS["JVM flag"] in str(config.properties["spark.driver.extraJavaOptions"])
    said = [event.text for event in told]
    said += [results.report.to_text(trials=True), json.dumps(results.report.to_dict(trials=True))]
    said += capsys.readouterr()
    for command in COMMANDS:
        answer = autotune(*command.split())
        assert answer.code == 0, answer
        said += [answer.out, answer.err]
    assert leaks("\n".join(said).encode()) == []
    # Nobody is recommended a configuration with a hole in it.
    (history,) = Ledger(str(places.tracking_uri)).history()
    assert "*****" not in str([trial.config for trial in history.trials])
    written = dict(everything_written(folder))
    assert len(written) > 30
    assert {str(path): found for path, data in written.items() if (found := leaks(data))} == {}


COMMANDS = (
    "list", "list --format json", "show planted", "show planted --format json",
    *(f"export planted --to {to}{more}" for to in ("conf", "submit", "json")
      for more in ("", " --full", " --rollback", " --full --rollback")),
)  # fmt: skip


def test_a_study_with_secrets_is_continued_with_the_same_configurations(
    places: Places, planted: Experiment
) -> None:
    quick = places.model_copy(update={"tracking_uri": None})
    small = planted.model_copy(update={"budget": Budget(trials=2, confirm_blocks=0)})
    first, second = Telling(planted), Telling(planted)
    tune(small, execute=first, places=quick)
    tune(small, execute=second, places=quick)
    assert second.seen == []
    stored = load_study(quick.storage_url, "planted")
    assert SECRETS["JVM flag"] not in stored.model_dump_json()
    rotated = planted.workload.model_copy(
        update={
            "properties": {**planted.workload.properties, "spark.cmd.password": "new-passw0rd"}
        }
    )
    again = small.model_copy(update={"workload": rotated})
    tune(again, execute=second, places=quick)
    assert second.seen == []


def test_what_is_left_out_of_an_export_is_said(
    places: Places, planted: Experiment, autotune: Command
) -> None:
    small = planted.model_copy(update={"budget": Budget(trials=1, confirm_blocks=0)})
    tune(small, execute=Telling(planted), places=places.model_copy(update={"tracking_uri": None}))
    for command in ("export planted --full", "export planted --full --to submit"):
        out = autotune(*command.split()).out
        assert "Left out: " in out
        assert "secrets" in out
        assert "*****" not in out
        assert "spark.cmd.password" not in out


def test_addresses_of_stores_are_told_without_their_passwords(
    places: Places, planted: Experiment, folder: Path, autotune: Command
) -> None:
    secret = SECRETS["tracking URI"]
    away = places.model_copy(update={"tracking_uri": f"http://me:{secret}@127.0.0.1:9"})
    told: list[Event] = []
    small = planted.model_copy(update={"budget": Budget(trials=1, confirm_blocks=0)})
    tune(small, execute=Telling(planted), places=away, on_event=told.append)
    assert any("not published yet" in event.text for event in told)
    said = [event.text for event in told]
    for words in (
        ("list", "--storage", f"postgresql://me:{secret}@127.0.0.1:9/x"),
        ("list", "--storage", f"mysql://me:{secret}@127.0.0.1:9/x"),
        ("show", "x", "--storage", f"postgresql:/me:{secret}@h/x"),
        ("train", "--tracking-uri", f"postgresql://me:{secret}@127.0.0.1:9/x"),
        ("train", "--tracking-uri", f"ftp://me:{secret}@127.0.0.1:9/x"),
        ("doctor", "--tracking-uri", f"http://me:{secret}@127.0.0.1:9",
         "--storage", f"postgresql://me:{secret}@127.0.0.1:9/x"),
    ):  # fmt: skip
        answer = autotune(*words)
        assert answer.code in (1, 2), answer
        said += [answer.out, answer.err]
    assert leaks("\n".join(said).encode()) == []
    assert {p for p, data in everything_written(folder) if leaks(data)} == set()


def test_a_job_that_fails_today_is_told_without_its_secrets(
    places: Places, planted: Experiment
) -> None:
    with pytest.raises(AutotuneError) as told:
        tune(planted, execute=Telling(planted, fails_from=0), places=places)
    assert "Traceback" in str(told.value)
    assert leaks(str(told.value).encode()) == []


def test_the_command_to_go_on_with_is_shown_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = "autotune tune --storage postgresql://me:tr4cking-pw@h/x -- spark-submit"
    words += " --conf spark.a.password=0ption-equals job.py --token 0ption-blank"
    monkeypatch.setattr("sys.argv", words.split())
    shown = _resume_command()
    assert leaks(shown.encode()) == []
    assert "spark.a.password=*****" in shown
    assert "your own secrets" in shown


def test_a_comparison_holds_no_secret_in_its_space_or_name(
    places: Places, planted: Experiment, folder: Path, autotune: Command
) -> None:
    setting = f"spark.driver.extraJavaOptions={FLAG} -Dx=y -XX:+UseParallelGC"
    sides = [(name, named_properties(name, places.storage_url)) for name in ("today", setting)]
    compared = comparison_of(planted, *sides)
    told: list[Event] = []
    results = tune(compared, execute=Telling(planted), places=places, on_event=told.append)
    said = [event.text for event in told] + [results.report.to_text(trials=True)]
    for verb in ("show", "export"):
        answer = autotune(verb, compared.name)
        assert answer.code == 0, answer
        said += [answer.out, answer.err]
    assert leaks("\n".join(said).encode()) == []
    assert {p for p, data in everything_written(folder) if leaks(data)} == set()
    other = OBJECT_STORE.replace(SECRETS["object store address"], "an0ther/secret+x")
    for secret in ("spark.cmd.password=other", f"spark.store={other}"):
        side = (secret, named_properties(secret, places.storage_url))
        with pytest.raises(AutotuneError, match="differs in a secret"):
            comparison_of(planted, sides[0], side)
