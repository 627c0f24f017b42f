"""`autotune tune -- spark-submit …` on programs that come with pyspark, unchanged."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from autotune.tuning import Places
from commands import Command

pytestmark = pytest.mark.spark
KEYS = {"study", "status", "baseline_s", "best_s", "speedup", "trials", "failed", "config",
        "overridden", "artifacts"}  # fmt: skip


def pyspark_home() -> Path:
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def example(name: str) -> str:
    return str(pyspark_home() / "examples" / "src" / "main" / "python" / name)


def tuned(autotune: Command, *command: str, flags: tuple[str, ...] = ()) -> dict[str, object]:
    """Tune with two whole executions, the confirmation left out; return what was printed."""
    answer = autotune(
        *("tune", "--trials", "1", "--baseline-repeats", "1", "--confirm-blocks", "0"),
        "--no-race",
        *("--format", "json", *flags, "--", "spark-submit", "--master", "local[2]", *command),
    )
    assert answer.code == 0, answer.err
    printed = json.loads(answer.out)
    assert printed.keys() >= KEYS
    assert printed["trials"] >= 2
    assert printed["baseline_s"] > 0
    return printed


@pytest.fixture
def words(places: Places) -> str:
    path = Path("some words.txt")
    path.write_text("a b c\nb c\nc\n" * 500)
    return str(path)


def test_an_rdd_job_with_an_argument(places: Places, words: str, autotune: Command) -> None:
    printed = tuned(
        autotune, "--conf", "spark.sql.shuffle.partitions=7", example("wordcount.py"), words
    )
    assert printed["config"]["spark.sql.shuffle.partitions"] == "7"


def test_an_iterative_job(places: Places, autotune: Command) -> None:
    Path("links.txt").write_text("".join(f"{i} {(i * 7 + 1) % 50}\n" for i in range(50)))
    tuned(autotune, example("pagerank.py"), "links.txt", "2")


def test_a_job_that_writes_elsewhere_is_stopped(places: Places, autotune: Command) -> None:
    Path("job.py").write_text(
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "spark.range(10).write.mode('overwrite').parquet('result of mine')\n"
    )
    answer = autotune(
        "tune", "--trials", "1", "--", "spark-submit", "--master", "local[2]", "job.py"
    )
    assert answer.code == 2
    last = answer.err.splitlines()[-1]
    assert str(Path("result of mine").absolute()) in last
    assert "--rerunnable" in last


def test_a_job_that_writes_to_its_output_is_safe(places: Places, autotune: Command) -> None:
    Path("job.py").write_text(
        "import sys\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.config('spark.sql.shuffle.partitions', 3).getOrCreate()\n"
        "counts = spark.range(1000).selectExpr('id % 7 as k').groupBy('k').count()\n"
        "counts.write.parquet(sys.argv[1])\n"
    )
    printed = tuned(autotune, "job.py", "{output}", flags=("--confirm-blocks", "1"))
    assert "same output" in str(printed["answers"])
    assert [row["name"] for row in printed["overridden"]] == ["spark.sql.shuffle.partitions"]


def test_a_job_whose_answer_depends_on_the_configuration(
    places: Places, autotune: Command
) -> None:
    Path("job.py").write_text(
        "import sys\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "parts = spark.conf.get('spark.sql.shuffle.partitions')\n"
        "answer = spark.range(9).selectExpr('id', f'{parts} as parts')\n"
        "answer.write.parquet(sys.argv[1])\n"
    )
    printed = tuned(autotune, "job.py", "{output}")
    assert printed["causes"] == {"output_mismatch": 1}
    assert "column parts" in str(printed["not_claimed"])
    assert printed["speedup"] == 1.0


def test_a_jar(places: Places, autotune: Command) -> None:
    # Spark's own SQL shell is a Java program in a JAR that comes with pyspark.
    (jar,) = (pyspark_home() / "jars").glob("spark-hive-thriftserver_*.jar")
    shell = "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver"
    query = "select id % 3 as k, count(*) from range(1000) group by 1"
    printed = tuned(autotune, "--class", shell, str(jar), "-e", query)
    assert printed["failed"] == 0


@pytest.mark.old_spark
@pytest.mark.skipif("OLD_SPARK_HOME" not in os.environ, reason="names no OLD_SPARK_HOME")
@pytest.mark.parametrize("name", ["wordcount.py", "sort.py", "pagerank.py", "als.py", "pi.py"])
def test_an_older_spark(
    name: str, places: Places, autotune: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = os.environ["OLD_SPARK_HOME"]
    monkeypatch.setenv("SPARK_HOME", home)
    Path("numbers.txt").write_text("".join(f"{i} {(i * 7 + 1) % 50}\n" for i in range(50)))
    arguments = {"als.py": (), "pi.py": ("2",), "pagerank.py": ("numbers.txt", "2")}
    program = str(Path(home, "examples", "src", "main", "python", name))
    printed = tuned(autotune, program, *arguments.get(name, ("numbers.txt",)))
    assert "Spark 3.5" in str(printed["machine"])
