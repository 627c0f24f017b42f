from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.errors import InputError
from autotune.submitline import parse_submit_line


def parse(text: str):
    return parse_submit_line(text.split())


def test_splits_a_command_into_its_parts() -> None:
    line = parse(
        "spark-submit --master local[4] --conf spark.x=y=z -c spark.a=b --driver-memory 2g"
        " --jars a.jar,b.jar job.py --date 2026-01-01 --conf not.mine=1"
    )
    assert line.application == "job.py"
    assert line.arguments == ("--date", "2026-01-01", "--conf", "not.mine=1")
    assert line.properties == {
        "spark.x": "y=z",
        "spark.a": "b",
        "spark.master": "local[4]",
        "spark.driver.memory": "2g",
    }
    assert line.submit_options == ("--jars", "a.jar,b.jar")
    assert line.load_defaults


def test_options_may_be_written_with_an_equals_sign() -> None:
    assert parse("spark-submit --executor-memory=3g job.py").properties == {
        "spark.executor.memory": "3g"
    }


def test_an_option_beats_conf_as_in_spark() -> None:
    line = parse("spark-submit --driver-memory 2g --conf spark.driver.memory=1g job.py")
    assert line.properties["spark.driver.memory"] == "2g"


def test_a_properties_file_replaces_the_defaults() -> None:
    line = parse("spark-submit --properties-file p.conf job.py")
    assert line.properties_file == "p.conf"
    assert not line.load_defaults
    both = parse("spark-submit --load-spark-defaults --properties-file p.conf job.py")
    assert both.load_defaults


def test_the_path_of_spark_submit_names_its_spark(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "spark-submit"
    command.parent.mkdir()
    command.touch()
    assert parse_submit_line([str(command), "job.py"]).spark_home == str(tmp_path)
    assert parse("spark-submit job.py").spark_home is None


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("python job.py", "write 'spark-submit job.py'"),
        ("spark-shell", "expected spark-submit"),
        ("spark-submit", "no job named"),
        ("spark-submit --master", "--master: its value is missing"),
        ("spark-submit --masta local job.py", "no such option"),
        ("spark-submit --conf spark.x job.py", "write it as key=value"),
        ("spark-submit --conf =1 job.py", "write it as key=value"),
        ("spark-submit --deploy-mode cluster job.py", "only client mode"),
        ("spark-submit --remote sc://x job.py", "Connect"),
        ("spark-submit --supervise job.py", "cluster deploy mode"),
        ("spark-submit --kill 1", "ends another application"),
        ("spark-submit --version", "runs no job"),
        ("spark-submit job.r", "not a .py file or a .jar"),
        ("spark-submit job.jar", "needs --class"),
    ],
)
def test_refuses_in_one_line(command: str, told: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(command)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.lists(st.text(min_size=1), max_size=6))
def test_arguments_of_the_job_are_never_touched(arguments: list[str]) -> None:
    line = parse_submit_line(["spark-submit", "job.py", *arguments])
    assert line.arguments == tuple(arguments)
