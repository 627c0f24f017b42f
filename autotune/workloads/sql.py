"""Runs a folder of SQL files over a folder of tables: a Spark program that stands alone.

    spark-submit sql.py --tables data/tpch1 --queries data/tpch1/queries --output out

Every file or folder of TABLES (or of its subfolder ``tables``) becomes a view of that name. Each
``*.sql`` file is one named step, in the order of their names. A file may hold several statements:
those that define something are executed, earlier queries are run to their end, and the last
query's rows are written to ``OUTPUT/<file>`` as Parquet.

    spark-submit sql.py --tables data/tpch1 --queries data/tpch1/queries --explain plans.json

executes nothing but what defines temporary things, and writes the plans as a list of texts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

FORMATS = {
    ".parquet": "parquet",
    ".orc": "orc",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
PACKED = {".gz", ".bz2", ".zst", ".zstd", ".lz4", ".snappy", ".deflate", ".xz"}
UNSTORABLE = ("void", "interval")
OPTIONS = {"csv": {"header": "true", "inferSchema": "true"}}

# What a statement is made of, as far as a semicolon may hide in it.
TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:``|[^`])*`)
      | (?P<end>;)
      | (?P<other>[^;'"`/-]+|.)""",
    re.VERBOSE | re.DOTALL,
)

COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
DEFINITION = re.compile(
    r"\s*(CREATE\s+(OR\s+REPLACE\s+)?(GLOBAL\s+)?TEMP(ORARY)?\s+(VIEW|FUNCTION)\b"
    r"|DECLARE\b|SET\b|USE\b|EXPLAIN\b)",
    re.IGNORECASE,
)


def main() -> None:
    """Read the arguments, register the tables and run every file as one named step."""
    parser = argparse.ArgumentParser(description="Run SQL files over a folder of tables.")
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--output")
    wanted.add_argument("--explain", type=Path)
    options = parser.parse_args()
    tables, files = find_tables(options.tables), find_queries(options.queries)
    spark = SparkSession.builder.appName(f"autotune sql {options.queries.name}").getOrCreate()
    for name, (path, form) in tables.items():
        spark.sparkContext.setJobDescription(f"read {name}")
        reader = spark.read.format(form).options(**OPTIONS.get(form, {}))
        quoted = name.replace("`", "``")
        reader.load(address_of(path)).createOrReplaceTempView(f"`{quoted}`")
    if options.explain is not None:
        plans = [plan for file in files for plan in plans_of(spark, file)]
        options.explain.write_text(json.dumps(plans), encoding="utf-8")
        files = []
    for file in files:
        spark.sparkContext.setJobDescription(file.stem)
        run_file(spark, file, f"{options.output}/{file.stem}")
    spark.stop()


def find_tables(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return name → path and format of everything in a folder that looks like a table.

    A folder ``tables`` in it stands for it. Hidden files and those that begin with ``_`` are
    passed over, as Spark does itself.
    """
    if not folder.is_dir():
        sys.exit(f"--tables {folder}: no such folder")
    if (folder / "tables").is_dir():
        folder = folder / "tables"
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(folder.iterdir()):
        form = format_of(path)
        if form is None or path.name[0] in "._":
            continue
        name = path.name.split(".")[0]
        if name in found:
            sys.exit(f"{path}: table {name} is there twice, also as {found[name][0].name}")
        found[name] = (path, form)
    if not found:
        sys.exit(f"--tables {folder}: no table; want Parquet, CSV, JSON or ORC files or folders")
    return found


def address_of(path: Path) -> str:
    """Return the address of one local file or folder as Spark reads it.

    Spark takes an escape such as ``%20`` for the letters of a name, and brackets for a pattern.
    """
    return "file:" + re.sub(r"([\\{}\[\]*?])", r"\\\1", str(path.absolute()))


def format_of(path: Path) -> str | None:
    """Return the format of a file by its ending, and of a folder by its first data file."""
    if path.is_dir():
        inside = (p for p in sorted(path.rglob("*")) if p.is_file() and p.name[0] not in "._")
        return next((form for form in map(format_of, inside) if form), None)
    endings = [ending.lower() for ending in path.suffixes if ending.lower() not in PACKED]
    return FORMATS.get(endings[-1]) if endings else None


def find_queries(folder: Path) -> list[Path]:
    """Return the SQL files of a folder in the order of their names, hidden ones passed over.

    A file called ``...sql`` would have its answer written to the folder above the output.
    """
    found = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    files = [file for file in found if not file.name.startswith(".")]
    if not files:
        sys.exit(f"--queries {folder}: no *.sql file there")
    return files


def run_file(spark: SparkSession, file: Path, output: str) -> None:
    """Execute the statements of one file and write the rows of its last query."""
    answer: DataFrame | None = None
    try:
        for statement in statements(file.read_text(encoding="utf-8")):
            if answer is not None:
                answer.write.format("noop").mode("overwrite").save()
            answer = spark.sql(statement)
            if is_command(answer):
                answer = None
        if answer is not None:
            storable(answer).write.mode("overwrite").parquet(output)
    except Exception as error:
        message = f"{file.name}: {error}"
        raise RuntimeError(message) from error


def plans_of(spark: SparkSession, file: Path) -> Iterator[str]:
    """Explain the statements of one file; carry out those that others may need."""
    try:
        for statement in statements(file.read_text(encoding="utf-8")):
            if DEFINITION.match(COMMENTS.sub(" ", statement)):
                spark.sql(statement)
            else:
                plan = str(spark.sql(f"EXPLAIN {statement}").collect()[0][0])
                if plan.startswith("Error occurred during query planning"):
                    raise ValueError(" ".join(plan.split(": ", 1)[-1].split()))
                yield plan
    except Exception as error:
        message = f"{file.name}: {error}"
        raise RuntimeError(message) from error


def statements(text: str) -> Iterator[str]:
    """Split at the semicolons that are neither in a string nor in a comment."""
    start, content = 0, False
    for token in TOKEN.finditer(text):
        if token.lastgroup == "end":
            if content:
                yield text[start : token.start()]
            start, content = token.end(), False
        elif token.lastgroup != "comment" and not token[0].isspace():
            content = True
    if content:
        yield text[start:]


def is_command(answer: DataFrame) -> bool:
    """Tell whether it was a definition or a setting, which Spark executes at once."""
    plan = answer._jdf.queryExecution().commandExecuted()
    return str(plan.nodeName()) == "CommandResult"


def storable(answer: DataFrame) -> DataFrame:
    """Make every column one that Parquet holds: own name, no untyped nulls or calendar spans."""
    names: list[str] = []
    for column in answer.columns:
        plain = re.sub(r"\W+", "_", column).strip("_") or "column"
        taken, name, number = {other.lower() for other in names}, plain, 2
        while name.lower() in taken:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    named = answer.toDF(*names)
    odd = {name: F.col(name).cast("string") for name, kind in named.dtypes if kind in UNSTORABLE}
    return named.withColumns(odd) if odd else named


if __name__ == "__main__":
    main()
