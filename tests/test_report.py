"""What a report says, in every shape, and that it claims only what was confirmed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autotune.builtin import BUILTINS
from autotune.domain import ColumnProfile, Config, DatasetProfile, Machine, Objective, Workload
from autotune.experiment import Experiment
from autotune.ledger.entries import trial_tags
from autotune.ledger.files import trials_csv
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
from autotune.report import (
    ReportData,
    build,
    profile_text,
    rows_text,
    studies_text,
    workloads_text,
)
from autotune.report.data import Overridden
from autotune.rescue import failure_text
from autotune.results import judge_study
from autotune.space import Parameter, ParameterType, Space
from autotune.study import StudyInfo
from autotune.verdict import Verdict, VerdictKind

EXPECTED = Path(__file__).parent / "data" / "reports"
PARTITIONS, CODEC = "spark.sql.shuffle.partitions", "spark.io.compression.codec"
BASELINE = Config(properties={PARTITIONS: None, CODEC: "lz4"}, arguments={"level": "NONE"})
WINNER = Config(properties={PARTITIONS: "8", CODEC: "zstd"}, arguments={"level": "NONE"})
GAIN = Verdict(
    kind=VerdictKind.GAIN, speedup=1.6, low=1.4, high=1.8, blocks=3, aa_ratio=1.05, reason="Sure."
)
KEEP = Verdict(
    kind=VerdictKind.NO_GAIN,
    speedup=1.02,
    low=0.9,
    high=1.1,
    blocks=3,
    reason="The interval holds 1: the difference is within the noise.",
)


def experiment(objective: Objective = Objective.DURATION_S) -> Experiment:
    why = "Too few spill and straggle;\n  too many drown short tasks in scheduling."
    return Experiment(
        name="taxi",
        workload=Workload(
            name="taxi", application="taxi.py", properties={"spark.my.password": "hunter2"}
        ),
        objective=objective,
        space=Space(
            name="s",
            parameters=(
                Parameter(name=PARTITIONS, type=ParameterType.INT, low=1, high=99, why=why),
                Parameter(name=CODEC, type=ParameterType.CATEGORICAL, choices=("lz4", "zstd")),
            ),
        ),
        machine=Machine(
            master="local[2]",
            slots=2,
            cores_per_executor=2,
            memory_bytes=24 * 2**30,
            spark_version="4.3.0",
            java_version="17",
        ),
    )


def trial(number: int, purpose: Purpose, config: Config, duration_s: float | None) -> Trial:
    return Trial(
        number=number,
        purpose=purpose,
        origin=Origin.BASELINE if config == BASELINE else Origin.SAMPLER,
        config=config,
        execution=Execution(
            status=Status.SUCCEEDED if duration_s else Status.FAILED,
            started_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
            wall_s=9.0,
            duration_s=duration_s,
            cause=None if duration_s else Cause.OUT_OF_MEMORY,
            metrics=Metrics(core_seconds=2 * duration_s) if duration_s else Metrics(),
            steps=tuple(
                Step(name=name, kind=StepKind.SQL, start_s=0, duration_s=duration_s * share)
                for name, share in (("peak hours", 0.5), ("weather [rain]", 0.25))
            )
            if duration_s
            else (),
        ),
    )


TRIALS = [
    trial(0, Purpose.BASELINE, BASELINE, 10.0),
    trial(1, Purpose.BASELINE, BASELINE, 10.4),
    trial(2, Purpose.SEARCH, Config(properties={PARTITIONS: "99", CODEC: None}), None),
    trial(3, Purpose.SEARCH, WINNER, 5.0),
    trial(4, Purpose.CONFIRM, BASELINE, 9.6),
    trial(5, Purpose.CONFIRM, WINNER, 6.0),
    trial(6, Purpose.CONFIRM, WINNER, 6.2),
    trial(7, Purpose.CONFIRM, BASELINE, 9.8),
]


def made(verdict: Verdict = GAIN, **changes: object) -> ReportData:
    options: dict[str, object] = {
        "baseline": BASELINE,
        "winner": WINNER,
        "overridden": [Overridden(name="spark.executor.memory", asked="4g", effective="1g")],
        "defaults": {PARTITIONS: "200"},
        "artifacts": {
            "configuration": "mlruns/studies/taxi/best.conf",
            "study": "mlruns/optuna.db",
        },
        "next_commands": ["autotune export taxi --to submit", "autotune ui"],
        **changes,
    }
    return build(experiment(), TRIALS, verdict, **options)  # type: ignore[arg-type]


SHAPES = {
    "gain": lambda: made().to_text(width=100, color=False, trials=True),
    "keep": lambda: made(KEEP).to_text(width=100, color=False),
    "narrow": lambda: made().to_text(width=50, color=False),
    "profile": lambda: profile_text(
        DatasetProfile(
            path="/data/trips",
            format="parquet",
            rows=1234567,
            bytes=987654321,
            files=12,
            largest_file_bytes=99999999,
            smallest_file_bytes=1000,
            row_width_bytes=81.2,
            null_share=0.013,
            key_skew=0.21,
            columns=(
                ColumnProfile(
                    name="zone", type="int32", null_share=0.0, distinct=263, top_share=0.21
                ),
                ColumnProfile(name="note [x]", type="string"),
            ),
            estimated=("null_share",),
        ),
        width=100,
        color=False,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_text_is_as_agreed(shape: str) -> None:
    """Run with AUTOTUNE_REWRITE=1 to write the reference files anew; then read the difference."""
    path, text = EXPECTED / f"{shape}.txt", SHAPES[shape]() + "\n"
    if os.environ.get("AUTOTUNE_REWRITE"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_line_of_a_table_is_wider_than_asked(width: int) -> None:
    report = made(artifacts={}, next_commands=[])
    text = report.to_text(width=width, trials=True, color=False)
    assert max(map(len, text.splitlines())) <= max(width, 40)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_places_and_commands_are_never_broken() -> None:
    place = "/very/long/" + "folder/" * 30 + "best.conf"
    assert place in made(artifacts={"conf": place}).to_text(width=40, color=False)


def test_colour_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in made().to_text(width=80)
    assert "\x1b" in made().to_text(width=80, color=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" in made().to_text(width=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in made().to_text(width=80)


def test_dict_of_a_confirmed_gain() -> None:
    data = made().to_dict()
    assert data["study"] == "taxi"
    assert data["status"] == "finished"
    assert data["baseline_s"] == pytest.approx(9.7)
    assert data["best_s"] == pytest.approx(6.1)
    assert data["speedup"] == 1.6
    assert data["interval"] == [1.4, 1.8]
    assert (data["trials"], data["failed"]) == (8, 1)
    assert data["causes"] == {"out_of_memory": 1}
    assert data["config"] == {PARTITIONS: "8", CODEC: "zstd", "level": "NONE"}
    assert [row["name"] for row in data["changed"]] == [CODEC, PARTITIONS]
    assert data["overridden"][0]["effective"] == "1g"
    assert data["artifacts"]["study"] == "mlruns/optuna.db"
    assert len(made().to_dict(trials=True)["trial_list"]) == 8


def test_a_configuration_that_works_where_the_own_one_fails_has_no_speedup() -> None:
    report = made(Verdict(kind=VerdictKind.WORKS, reason="It fails."))
    data, text = report.to_dict(), report.to_text(width=100, color=False)
    assert data["confirmed"] is True
    assert data["speedup"] is None
    assert "faster" not in text.splitlines()[1]


@pytest.mark.parametrize("kind", [kind for kind in VerdictKind if not Verdict(kind=kind).claimed])
def test_only_what_was_confirmed_is_called_a_gain(kind: VerdictKind) -> None:
    verdict = GAIN.model_copy(update={"kind": kind})
    report = made(verdict)
    data, text = report.to_dict(), report.to_text(width=100, color=False)
    assert data["confirmed"] is False
    assert data["speedup"] == 1.0
    assert data["config"][PARTITIONS] is None
    assert data["best_s"] == data["baseline_s"]
    assert data["changed"] == []
    assert "Keep your configuration" in text
    assert "1.60" not in text


def test_what_the_job_overrides_is_not_in_the_table() -> None:
    report = made(overridden=[Overridden(name=CODEC, asked="zstd", effective="lz4")])
    assert [row.name for row in report.changed] == [PARTITIONS]
    assert f"! {CODEC}: the job itself sets lz4" in report.to_text(width=100, color=False)


def test_a_study_whose_baseline_never_succeeded() -> None:
    failed = [trial(0, Purpose.BASELINE, BASELINE, None)]
    nothing = Verdict(kind=VerdictKind.UNDECIDED, reason="The baseline failed.")
    report = build(experiment(), failed, nothing, baseline=BASELINE)
    assert report.to_dict()["baseline_s"] is None
    assert "never" in report.to_text(width=80, color=False)


def ended(number: int, **fields: object) -> Trial:
    known = trial(number, Purpose.BASELINE, BASELINE, None)
    return known.model_copy(update={"execution": known.execution.model_copy(update=fields)})


def test_running_out_of_time_is_a_cause_wherever_causes_are_shown() -> None:
    late = ended(0, status=Status.TIMED_OUT, cause=None, error="ended after 7 s, its limit")
    nothing = Verdict(kind=VerdictKind.UNDECIDED, reason="The baseline failed.")
    report = build(experiment(), [late], nothing, baseline=BASELINE)
    assert report.to_dict()["causes"] == {"timed_out": 1}
    assert [row["cause"] for row in report.to_dict(trials=True)["trial_list"]] == ["timed_out"]
    assert "timed out: timed out" not in report.to_text(trials=True, width=120, color=False)
    assert trial_tags(late, "baseline-1")["autotune.cause"] == "timed_out"
    assert ",timed_out,timed_out," in trials_csv(experiment(), [late])


@pytest.mark.parametrize(
    ("fields", "cause", "to_do"),
    [
        ({"status": Status.TIMED_OUT, "cause": None}, "(timed out)", "--execution-limit"),
        ({"cause": Cause.OUT_OF_DISK}, "(out of disk)", "--execution-disk"),
        ({"cause": Cause.OUT_OF_MEMORY}, "(out of memory)", "with more memory"),
        ({"cause": Cause.LOST}, "(lost)", "nothing ends it from outside"),
        ({"cause": Cause.APP_ERROR}, "(app error)", "make it run once with spark-submit"),
    ],
)
def test_a_study_without_a_result_says_why_and_what_to_do(
    fields: dict[str, object], cause: str, to_do: str
) -> None:
    trials = [ended(0, **fields, error="its last words")]
    first, *rest = failure_text(trials).splitlines()
    assert cause in first
    assert to_do in first
    assert "--new" in first
    assert rest == ["its last words"]
    assert "with 1 step of more memory" in failure_text([*trials, ended(1)])
    assert "\n" not in failure_text([ended(0, **fields)])


def test_a_study_without_a_result_advises_nobody_to_keep_what_fails() -> None:
    trials = [ended(0, status=Status.TIMED_OUT, cause=None)]
    verdict = judge_study(experiment(), trials, BASELINE)
    report = build(experiment(), trials, verdict, baseline=BASELINE)
    text = report.to_text(width=120, color=False)
    assert "Your configuration fails, and nothing was found that works." in text
    assert "Keep your configuration" not in text
    assert "(timed out)" in verdict.reason
    assert "--execution-limit" in verdict.advice
    assert report.to_dict()["speedup"] is None


def test_another_objective_is_named_and_shown() -> None:
    report = build(
        experiment(Objective.CORE_SECONDS), TRIALS, GAIN, baseline=BASELINE, winner=WINNER
    )
    text = report.to_text(width=100, color=False, trials=True)
    assert "1.60× fewer core-seconds" in text
    assert "20.80" in text


def test_trials_are_put_against_the_baseline_by_the_objective() -> None:
    metrics = [Metrics(microbatch_p95_s=p95_s) for p95_s in (0.4, 0.1)]
    trials = [
        each.model_copy(update={"execution": each.execution.model_copy(update={"metrics": found})})
        for each, found in zip((TRIALS[0], TRIALS[3]), metrics, strict=True)
    ]
    report = build(experiment(Objective.MICROBATCH_P95_S), trials, KEEP, baseline=BASELINE)
    assert [row.against_baseline for row in report.rows] == [1, 4]


def test_secrets_are_not_reported() -> None:
    secret = {"spark.my.password": "hunter2"}
    now = WINNER.model_copy(update={"properties": {**WINNER.properties, **secret}})
    report = made(winner=now, not_claimed=["log says hunter2"], artifacts={"a": "x/hunter2"})
    assert "hunter2" not in report.to_text(width=200, color=False)
    assert "hunter2" not in str(report.to_dict())


def test_tables_of_other_verbs() -> None:
    assert "no studies yet" in studies_text([])
    listed = workloads_text(BUILTINS, width=100)
    assert all(found.name in listed and found.stresses[:60] in listed for found in BUILTINS)
    assert "rows: S 50,000, M 300,000, L 1,000,000" in listed
    begun = datetime(2026, 1, 2, 3, 4, 5, 678)  # noqa: DTZ001 - as Optuna tells it
    shown = studies_text([StudyInfo(name="x", started_at=begun)])
    assert "2026-01-02 03:04" in shown
    assert ":05" not in shown
    text = rows_text([ColumnProfile(name="[bold]a", type="int")], width=160, color=False)
    assert "[bold]a" in text
    assert "top share" in text
