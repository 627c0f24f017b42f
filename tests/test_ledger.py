"""What MLflow holds after a study was published, whatever happened in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from autotune.domain import (
    ColumnProfile,
    Config,
    DatasetProfile,
    Machine,
    Operator,
    ProfileSource,
    Workload,
    WorkloadProfile,
)
from autotune.errors import EnvironmentFault, InputError
from autotune.experiment import Experiment
from autotune.ledger import Ledger, Lesson
from autotune.ledger.entries import metrics
from autotune.record import (
    Cause,
    Execution,
    Metrics,
    Origin,
    Purpose,
    Status,
    Step,
    StepKind,
    Trial,
)
from autotune.space import Parameter, ParameterType, Space

PARTITIONS = "spark.sql.shuffle.partitions"
CODEC = "spark.io.compression.codec"
BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPACE = Space(
    name="small",
    parameters=(
        Parameter(name=PARTITIONS, type=ParameterType.INT, low=1, high=400, why="Too many drown."),
        Parameter(name=CODEC, type=ParameterType.CATEGORICAL, choices=("lz4", "zstd")),
        Parameter(name="storage_level", type=ParameterType.CATEGORICAL, choices=("NONE", "DISK")),
    ),
)
PROFILE = DatasetProfile(
    path="/data/t",
    format="parquet",
    rows=1000,
    bytes=5000,
    files=1,
    columns=(ColumnProfile(name="id", type="int64"),),
)


def experiment(**changes: object) -> Experiment:
    base = Experiment(
        name="taxi",
        workload=Workload(name="taxi", application="taxi.py", properties={"spark.x": "1"}),
        space=SPACE,
        machine=Machine(
            master="local[2]",
            slots=2,
            cores_per_executor=2,
            memory_bytes=2**33,
            spark_version="4.3",
        ),
        profile=PROFILE,
        identity={"space": "abc"},
    )
    return base.model_copy(update=changes)


def trial(number: int, duration_s: float | None = None, **changes: object) -> Trial:
    ok = duration_s is not None
    execution = Execution(
        status=Status.SUCCEEDED if ok else Status.FAILED,
        started_at=BEGUN + timedelta(minutes=number),
        wall_s=(duration_s or 1.0) + 3,
        duration_s=duration_s,
        cause=None if ok else Cause.OUT_OF_MEMORY,
        error=None if ok else "java.lang.OutOfMemoryError: heap",
        metrics=Metrics(tasks=4, shuffle_read_bytes=99) if ok else Metrics(),
        steps=(Step(name="q1", kind=StepKind.SQL, start_s=0, duration_s=1),) if ok else (),
        effective={PARTITIONS: str(number)},
    )
    first = number < 2
    base = Trial(
        number=number,
        purpose=Purpose.BASELINE if first else Purpose.SEARCH,
        origin=Origin.BASELINE if first else Origin.SAMPLER,
        config=Config(
            properties={PARTITIONS: None if first else str(number), CODEC: None},
            arguments={} if first else {"storage_level": "DISK"},
        ),
        execution=execution,
    )
    return base.model_copy(update=changes)


STUDY = [trial(0, 10.0), trial(1, 12.0), trial(2, 5.5), trial(3), trial(4, 8.0)]


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "runs of a # person"
    folder.mkdir()
    return Path(shutil.copy(empty_store, folder / "mlflow.db"))


@pytest.fixture
def ledger(store: Path) -> Ledger:
    return opened(store)


@pytest.fixture(scope="module")
def published(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A finished study, for tests that only look."""
    store = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("published") / "mlflow.db"))
    ledger = opened(store)
    texts = {"report.txt": "all fine", "x/best.conf": "a b"}
    ledger.finish(experiment(), STUDY, artifacts=texts, figures={"speedup": 1.5})
    return ledger


def opened(store: Path) -> Ledger:
    return Ledger(f"sqlite:///{store}", store.parent / "artifacts")


def runs_in(ledger: Ledger, name: str = "spark-tuning/taxi") -> list[Run]:
    client = MlflowClient(ledger.tracking_uri)
    found = client.get_experiment_by_name(name)
    assert found is not None
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"])


def children(ledger: Ledger) -> dict[str, Run]:
    return {
        run.info.run_name: run
        for run in runs_in(ledger)
        if run.data.tags["autotune.kind"] == "trial"
    }


def parent(ledger: Ledger) -> Run:
    [run] = [run for run in runs_in(ledger) if run.data.tags["autotune.kind"] == "study"]
    return run


def artifact(ledger: Ledger, run: Run, name: str) -> str:
    path = MlflowClient(ledger.tracking_uri).download_artifacts(run.info.run_id, name)
    return Path(path).read_text()


def everything(ledger: Ledger) -> str:
    """All that MLflow holds, to be compared with itself later."""
    client = MlflowClient(ledger.tracking_uri)
    held = []
    for run in runs_in(ledger):
        curves = {
            key: [
                (m.value, m.step, m.timestamp)
                for m in client.get_metric_history(run.info.run_id, key)
            ]
            for key in sorted(run.data.metrics)
        }
        held.append([dict(run.info), run.data.params, run.data.tags, curves])
    return json.dumps(held, sort_keys=True, default=str)


def test_one_parent_and_a_child_for_each_trial(ledger: Ledger) -> None:
    publication = ledger.publish(experiment(), STUDY)
    assert publication is not None
    assert publication.published == 5
    top = parent(ledger)
    assert top.info.run_name == "taxi"
    assert top.info.run_id == publication.run_id
    assert top.info.status == "RUNNING"
    kids = children(ledger)
    assert list(kids) == ["baseline-1", "baseline-2", "trial-002", "trial-003", "trial-004"]
    assert {kid.data.tags["mlflow.parentRunId"] for kid in kids.values()} == {top.info.run_id}


def test_params_are_the_same_keys_on_every_child(published: Ledger) -> None:
    kids = children(published)
    assert {tuple(sorted(kid.data.params)) for kid in kids.values()} == {
        (CODEC, PARTITIONS, "storage_level")
    }
    assert kids["baseline-1"].data.params[PARTITIONS] == "(unset)"
    assert kids["trial-002"].data.params[PARTITIONS] == "2"
    assert kids["trial-002"].data.params["storage_level"] == "DISK"


def test_metrics_of_a_child(published: Ledger) -> None:
    metrics = children(published)["trial-002"].data.metrics
    assert metrics["duration_s"] == 5.5
    assert metrics["wall_s"] == 8.5
    assert metrics["speedup_vs_baseline"] == pytest.approx(2.0)
    assert metrics["shuffle_read_bytes"] == 99
    failed = children(published)["trial-003"].data.metrics
    assert "duration_s" not in failed
    assert "tasks" not in failed


def test_states_and_times_are_those_of_the_execution(ledger: Ledger) -> None:
    late = trial(5, 9.0)
    stopped = late.model_copy(
        update={
            "execution": late.execution.model_copy(update={"status": Status.STOPPED_EARLY}),
            "extrapolated_s": 33.0,
        }
    )
    ledger.publish(experiment(), [*STUDY, stopped])
    kids = children(ledger)
    states = {name: kid.info.status for name, kid in kids.items()}
    assert states["trial-002"] == "FINISHED"
    assert states["trial-003"] == "FAILED"
    assert states["trial-005"] == "KILLED"
    info = kids["trial-002"].info
    assert info.start_time == (BEGUN + timedelta(minutes=2)).timestamp() * 1000
    assert info.end_time - info.start_time == 8500
    assert kids["trial-005"].data.metrics["extrapolated_s"] == 33.0
    assert kids["trial-005"].data.metrics["elapsed_s"] == 9.0


def test_what_was_watched_is_published_where_the_event_log_tells_nothing() -> None:
    watched = Metrics(peak_tree_memory_bytes=7, peak_scratch_bytes=5)
    failed = STUDY[3].model_copy(
        update={"execution": STUDY[3].execution.model_copy(update={"metrics": watched})}
    )
    numbers = metrics(failed, STUDY)
    assert (numbers["peak_tree_memory_bytes"], numbers["peak_scratch_bytes"]) == (7, 5)
    assert "core_seconds" not in numbers
    assert "peak_scratch_bytes" not in metrics(STUDY[2], STUDY)


def test_tags_repeat_the_study_on_its_children(published: Ledger) -> None:
    tags = children(published)["trial-003"].data.tags
    expected = {
        "study": "taxi",
        "workload": "taxi",
        "trial_number": "3",
        "purpose": "search",
        "origin": "sampler",
        "status": "failed",
        "cause": "out_of_memory",
        "config_hash": STUDY[3].config.digest,
        "master": "local[2]",
        "spark_version": "4.3",
        "slots": "2",
    }
    assert {key: tags.get(f"autotune.{key}") for key in expected} == expected
    assert tags["autotune.space_hash"]
    assert tags["autotune.tool_version"]


def test_parent_has_curves_counts_and_a_note(published: Ledger) -> None:
    publication = published.publish(experiment(), STUDY)
    assert publication is not None
    assert publication.published == 0
    top = parent(published)
    assert top.data.metrics["speedup"] == 1.5
    assert top.data.metrics["n_trials"] == 5
    assert top.data.metrics["n_failed"] == 1
    assert top.data.metrics["n_oom"] == 1
    assert top.data.metrics["baseline_duration_s"] == 11.0
    client = MlflowClient(published.tracking_uri)
    curve = client.get_metric_history(top.info.run_id, "best_duration_s")
    assert [(point.step, point.value) for point in sorted(curve, key=lambda p: p.step)] == [
        (0, 10.0),
        (1, 10.0),
        (2, 5.5),
        (3, 5.5),
        (4, 5.5),
    ]
    note = top.data.tags["mlflow.note.content"]
    assert "| trial-002 | 5.50 | 2.00× |" in note
    assert publication.filter in note
    shown = client.search_runs([publication.experiment_id], publication.filter)
    assert len(shown) == 5


def test_artifacts_of_child_and_parent(published: Ledger) -> None:
    kids = children(published)
    config = json.loads(artifact(published, kids["trial-002"], "config.json"))
    assert config["asked"][PARTITIONS] == "2"
    assert config["effective"] == {PARTITIONS: "2"}
    assert json.loads(artifact(published, kids["trial-002"], "metrics.json"))["duration_s"] == 5.5
    assert json.loads(artifact(published, kids["trial-002"], "steps.json"))[0]["name"] == "q1"
    assert "OutOfMemoryError" in artifact(published, kids["trial-003"], "error.txt")
    top = parent(published)
    assert artifact(published, top, "report.txt") == "all fine"
    assert artifact(published, top, "x/best.conf") == "a b"
    assert (
        Experiment.model_validate_json(artifact(published, top, "experiment.json")) == experiment()
    )
    table = artifact(published, top, "trials.csv").splitlines()
    assert len(table) == 6
    assert table[3].startswith("2,trial-002,search,sampler,succeeded,")


def test_publishing_twice_changes_nothing(ledger: Ledger, store: Path) -> None:
    ledger.finish(experiment(), STUDY, artifacts={"report.txt": "x"}, figures={"speedup": 1.5})
    before = everything(ledger)
    ledger.finish(experiment(), STUDY, artifacts={"report.txt": "x"}, figures={"speedup": 1.5})
    assert everything(ledger) == before
    again = opened(store)
    publication = again.finish(experiment(), STUDY, figures={"speedup": 1.5})
    assert publication is not None
    assert publication.published == 0
    assert everything(again) == before


def test_catches_up_with_what_is_missing(ledger: Ledger, store: Path) -> None:
    for end in [1, 2, 3, 5]:
        publication = opened(store).publish(experiment(), STUDY[:end])
        assert publication is not None
    assert publication.published == 2
    assert len(children(ledger)) == 5
    assert parent(ledger).data.metrics["n_trials"] == 5
    curve = MlflowClient(ledger.tracking_uri).get_metric_history(
        parent(ledger).info.run_id, "best_duration_s"
    )
    assert len(curve) == 5


@pytest.mark.parametrize("call", ["create_run", "log_batch", "log_artifacts", "set_terminated"])
@pytest.mark.parametrize("nth", [1, 2])
def test_killed_in_the_middle_is_completed_not_doubled(
    ledger: Ledger, store: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int
) -> None:
    original: Callable[..., object] = getattr(MlflowClient, call)
    calls = []

    def dies(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, dies)
        with pytest.raises(KeyboardInterrupt):
            ledger.publish(experiment(), STUDY[:3])
    opened(store).finish(experiment(), STUDY[:3])
    kids = children(ledger)
    assert list(kids) == ["baseline-1", "baseline-2", "trial-002"]
    assert len(runs_in(ledger)) == 4
    assert {kid.info.status for kid in kids.values()} == {"FINISHED"}
    assert kids["trial-002"].data.metrics["duration_s"] == 5.5
    assert kids["trial-002"].data.params[PARTITIONS] == "2"
    assert json.loads(artifact(ledger, kids["trial-002"], "config.json"))["asked"]
    assert artifact(ledger, parent(ledger), "experiment.json")
    assert parent(ledger).data.metrics["n_trials"] == 3


def test_a_study_begun_afresh_under_the_same_name_is_another(ledger: Ledger) -> None:
    ledger.publish(experiment(), STUDY[:1])
    execution = STUDY[0].execution.model_copy(update={"started_at": BEGUN + timedelta(days=1)})
    ledger.publish(experiment(), [STUDY[0].model_copy(update={"execution": execution})])
    assert len(runs_in(ledger)) == 4
    assert len(ledger.history()) == 2


def test_a_continued_study_is_running_again(ledger: Ledger) -> None:
    ledger.finish(experiment(), STUDY[:2], interrupted=True)
    assert parent(ledger).info.status == "KILLED"
    ledger.publish(experiment(), STUDY)
    assert parent(ledger).info.status == "RUNNING"
    ledger.finish(experiment(), STUDY)
    assert parent(ledger).info.status == "FINISHED"
    assert (
        parent(ledger).info.end_time
        == (BEGUN + timedelta(minutes=4, seconds=11)).timestamp() * 1000
    )


def test_history_reads_back_what_was_published(ledger: Ledger, store: Path) -> None:
    ledger.publish(experiment(), STUDY)
    shutil.rmtree(store.parent / "artifacts")
    [study] = opened(store).history()
    assert (study.study, study.workload) == ("taxi", "taxi")
    assert study.machine == experiment().machine
    assert study.profile == PROFILE
    assert [past.config for past in study.trials] == [past.config for past in STUDY]
    assert [past.duration_s for past in study.trials] == [10.0, 12.0, 5.5, None, 8.0]
    assert study.trials[3].cause is Cause.OUT_OF_MEMORY
    assert study.trials[0].purpose is Purpose.BASELINE


def test_history_tells_what_the_job_does(ledger: Ledger, store: Path) -> None:
    jobs = [
        WorkloadProfile(
            source=ProfileSource.EVENT_LOG, operators={Operator.SORT: 3}, tasks=9, gc_share=share
        )
        for share in (0.5, 0.25, 0.125)
    ]
    told = [
        each.model_copy(update={"execution": each.execution.model_copy(update={"profile": job})})
        for each, job in zip(STUDY, jobs, strict=False)
    ]
    ledger.publish(experiment(), told)
    assert opened(store).history()[0].job == jobs[1]  # the last baseline's
    assert "autotune.job" not in children(ledger)["trial-002"].data.tags


def test_history_of_a_wide_table_comes_from_a_file(ledger: Ledger, store: Path) -> None:
    columns = tuple(ColumnProfile(name=f"column_{i}", type="string") for i in range(200))
    wide = PROFILE.model_copy(update={"columns": columns})
    ledger.publish(experiment(profile=wide), STUDY[:1])
    assert opened(store).history()[0].profile == wide


def test_history_skips_what_it_cannot_read(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.publish(experiment(), STUDY[:1])
    ledger.publish(experiment(name="other"), STUDY[:1])
    client = MlflowClient(ledger.tracking_uri)
    broken = next(run for run in runs_in(ledger) if run.info.run_name == "other")
    client.set_tag(broken.info.run_id, "autotune.schema_version", "99")
    assert [study.study for study in ledger.history()] == ["taxi"]
    assert "other" in caplog.text


def test_secrets_never_reach_mlflow(ledger: Ledger, store: Path) -> None:
    hush = "hunter2hunter2"
    workload = Workload(
        name="taxi",
        application="taxi.py",
        arguments=("--token", "s3cr3t-arg"),
        properties={"spark.hadoop.fs.s3a.secret.key": hush, "spark.x": "1"},
    )
    failing = trial(3)
    execution = failing.execution.model_copy(update={"error": f"denied for {hush} s3cr3t-arg"})
    told = [*STUDY[:3], failing.model_copy(update={"execution": execution})]
    ledger.finish(experiment(workload=workload), told, artifacts={"best.conf": f"k {hush}"})
    for path in store.parent.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert hush.encode() not in content, path
            assert b"s3cr3t-arg" not in content, path


def test_long_values_and_odd_keys_are_taken(ledger: Ledger) -> None:
    odd = Config(properties={PARTITIONS: "x" * 9000, CODEC: "", "spark.odd$key(1)": "é" * 10})
    ledger.publish(experiment(name="n" * 300), [trial(0, 1.0, config=odd)])
    [kid] = children(ledger).values()
    assert len(kid.data.params[PARTITIONS]) == 6000
    assert kid.data.params[CODEC] == ""
    assert kid.data.params["spark.odd_key_1_"] == "é" * 10


def test_more_parameters_than_one_request_takes(ledger: Ledger) -> None:
    many = Config(properties={f"spark.p{i}": str(i) for i in range(230)})
    ledger.publish(experiment(), [trial(0, 1.0, config=many)])
    [kid] = children(ledger).values()
    assert len(kid.data.params) == 233


def test_nothing_to_publish(ledger: Ledger) -> None:
    assert ledger.publish(experiment(), []) is None
    assert ledger.finish(experiment(), []) is None


def test_a_server_that_is_away_is_told_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(EnvironmentFault) as caught:
        Ledger(f"http://127.0.0.1:{port}").publish(experiment(), STUDY)
    assert time.monotonic() - began < 10
    assert "\n" not in str(caught.value)
    assert str(port) in str(caught.value)
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_database_server_that_is_away_is_told_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(EnvironmentFault) as caught:
        Ledger(f"postgresql://me:pass@127.0.0.1:{port}/mlflow").history()
    assert time.monotonic() - began < 5
    assert "pass" not in str(caught.value)


def test_what_was_missed_while_away_is_caught_up(ledger: Ledger, store: Path) -> None:
    ledger.publish(experiment(), STUDY[:2])
    hidden = store.with_suffix(".away")
    store.rename(hidden)
    store.mkdir()
    away = opened(store)
    with pytest.raises(EnvironmentFault):
        away.publish(experiment(), STUDY[:3])
    store.rmdir()
    hidden.rename(store)
    publication = away.publish(experiment(), STUDY)
    assert publication is not None
    assert publication.published == 3


@pytest.mark.parametrize(
    "uri", ["mlruns", "file:///tmp/x", "./mlruns", "", "s3://b/c", "sqlite://"]
)
def test_a_store_that_mlflow_cannot_use_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="tracking URI"):
        Ledger(uri)


def test_a_deleted_experiment_is_told(ledger: Ledger, store: Path) -> None:
    publication = ledger.publish(experiment(), STUDY[:1])
    assert publication is not None
    MlflowClient(ledger.tracking_uri).delete_experiment(publication.experiment_id)
    with pytest.raises(EnvironmentFault, match="restore"):
        opened(store).publish(experiment(), STUDY[:2])


def test_relative_stores_stay_where_they_are(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    shutil.copy(empty_store, tmp_path / "a" / "mlflow.db")
    monkeypatch.chdir(tmp_path / "a")
    ledger = Ledger("sqlite:///mlflow.db", Path("artifacts"))
    monkeypatch.chdir(tmp_path)
    ledger.publish(experiment(), STUDY[:1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["artifacts", "mlflow.db"]


SERVING = """
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

class Count(PythonModel):
    def load_context(self, context):
        from pathlib import Path
        self.text = Path(context.artifacts["predictor"], "predictor.txt").read_text()

    def predict(self, context, model_input: pd.DataFrame, params=None):
        return pd.DataFrame({"said": [self.text] * len(model_input)})

set_model(Count())
"""


def lesson_of(text: str, folder: Path) -> Lesson:
    serving = folder / "serving.py"
    serving.write_text(SERVING)
    return Lesson(
        serving=serving,
        files={"predictor.txt": text.encode()},
        input_example=pd.DataFrame({"question": ["x"]}),
        output_example=pd.DataFrame({"said": [text]}),
        metrics={"error": 0.1, "nothing": float("nan")},
        params={"trials": "12"},
        tags={"training_set": "abc"},
        requirements=("pandas",),
    )


def test_the_best_predictor_is_the_champion(ledger: Ledger, store: Path, tmp_path: Path) -> None:
    assert ledger.champion() is None
    for text, promote in (("one", False), ("two", False), ("three", True)):
        ledger.register(lesson_of(text, tmp_path), promote=promote)
        champion = opened(store).champion()
        assert champion is not None
        expected = text if promote else "one"
        assert champion.files == {"predictor.txt": expected.encode()}
    assert champion.version == "3"
    assert champion.metrics == {"error": 0.1}
    assert champion.tags["training_set"] == "abc"
    client = MlflowClient(ledger.tracking_uri)
    challenger = client.get_model_version_by_alias("spark-autotune-predictor", "challenger")
    assert challenger.version == "2" or challenger.version == 2
    described = (Path(client.download_artifacts(champion.run_id, "model")) / "MLmodel").read_text()
    assert "signature:" in described
    assert "input_example" in described
    assert not list(store.parent.rglob("*.pkl"))


def test_a_champion_whose_files_are_gone_is_told(
    ledger: Ledger, store: Path, tmp_path: Path
) -> None:
    ledger.register(lesson_of("one", tmp_path))
    shutil.rmtree(store.parent / "artifacts")
    with pytest.raises(EnvironmentFault, match="autotune train"):
        ledger.champion()


def test_several_ledgers_and_threads_share_a_store(ledger: Ledger, store: Path) -> None:
    def publish(number: int) -> None:
        own = ledger if number % 2 else opened(store)
        own.finish(experiment(name=f"study-{number}"), STUDY[:2])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, range(4)))
    histories = ledger.history()
    assert sorted(study.study for study in histories) == [f"study-{n}" for n in range(4)]
    assert [len(study.trials) for study in histories] == [2, 2, 2, 2]


CUT_OFF = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from autotune.ledger import Ledger
left = 1020
def count(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", count)
Ledger(sys.argv[1], Path(sys.argv[2])).history()
"""


def test_a_store_whose_making_was_cut_off_is_made_again(tmp_path: Path) -> None:
    uri, artifacts = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts"
    words = [sys.executable, "-c", CUT_OFF, uri, str(artifacts)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert any("mlflow.db" in path.name for path in tmp_path.iterdir())
    assert Ledger(uri, artifacts).history() == ()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mlflow.db"]
