"""Runs a folder of SQL files over a folder of tables: a Spark program that stands alone.

    spark-submit sql.py --tables data/tpch1 --queries data/tpch1/queries --output out

Every file or folder of TABLES (or of its subfolder ``tables``) becomes a view of that name. Each
``*.sql`` file is one named step, in the order of their names. A file may hold several statements:
those that define something are executed, earlier queries are run to their end, and the last
query's rows are written to ``OUTPUT/<file>`` as Parquet.

    spark-submit sql.py --tables data/tpch1 --queries data/tpch1/queries --explain plans.json

executes nothing but what defines temporary things, and writes the plans as a list of texts,
beside what could not be planned, and the tables. What a statement would store is a view to those
after it; columns of text files are guessed from one file of each table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Collection, Iterator
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
TELLING_BYTES = 64 << 10
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

# What keeps the rows of a query under a name; of another database it would hide nothing of ours.
STORED = re.compile(
    r"""\s*(CREATE\s+(OR\s+REPLACE\s+)?(TABLE|VIEW)\s+(IF\s+NOT\s+EXISTS\s+)?
            |CACHE\s+(LAZY\s+)?TABLE\s+)
        (?P<name>[\w$]+)(?P<columns>\s*\([^)]*\)|)(\s.*?)??\s
        AS\s*(?P<query>\(*\s*(SELECT|WITH|VALUES|FROM|TABLE)\b.*)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
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
    register(spark, tables, glance=options.explain is not None)
    if options.explain is not None:
        answer = explained(spark, files, tables)
        if answer["left_out"]:  # perhaps for a column that is in other files
            again = spark.newSession()  # without the views that the statements made
            register(again, tables)
            answer = explained(again, files, tables)
        options.explain.write_text(json.dumps(answer), encoding="utf-8")
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


def register(
    spark: SparkSession, tables: dict[str, tuple[Path, str]], *, glance: bool = False
) -> None:
    """Make every table a view; at a glance, one file tells the columns of those made of text."""
    for name, (path, form) in tables.items():
        spark.sparkContext.setJobDescription(f"read {name}")
        reader = spark.read.format(form).options(**OPTIONS.get(form, {}))
        if glance and form in ("csv", "json") and path.is_dir():
            reader = reader.schema(reader.load(address_of(telling(path, form))).schema)
        quoted = name.replace("`", "``")
        reader.load(address_of(path)).createOrReplaceTempView(f"`{quoted}`")


def telling(folder: Path, form: str) -> Path:
    """Return the smallest file that is not tiny, or else the largest."""
    found = [
        (path.stat().st_size, path)
        for path in folder.rglob("*")
        if path.is_file() and format_of(path) == form
        # Spark passes over these, but not over folders such as `_day=1`.
        if not any(
            p[0] == "." or (p[0] == "_" and "=" not in p) for p in path.relative_to(folder).parts
        )
    ]
    enough = [(size, path) for size, path in found if size >= TELLING_BYTES]
    return min(enough)[1] if enough else max(found, default=(0, folder))[1]


def explained(
    spark: SparkSession, files: list[Path], tables: Collection[str]
) -> dict[str, list[str]]:
    """Return the plans of all statements, and of those without one the file and the reason."""
    plans: list[str] = []
    left_out: list[str] = []
    for file in files:
        for statement in statements(file.read_text(encoding="utf-8")):
            try:
                plans += plans_of(spark, statement, tables)
            except Exception as error:
                said = (line for line in str(error).splitlines() if line.strip())
                left_out.append(f"{file.name}: {next(said, type(error).__name__)}")
    return {"plans": plans, "left_out": left_out, "tables": sorted(tables)}


def plans_of(spark: SparkSession, statement: str, tables: Collection[str]) -> Iterator[str]:
    """Explain a statement; carry out what others may need."""
    tokens = TOKEN.finditer(statement)
    plain = "".join(" " if token.lastgroup == "comment" else token[0] for token in tokens)
    if DEFINITION.match(plain):
        spark.sql(statement)
        return
    plan = "\n".join(row[0] for row in spark.sql(f"EXPLAIN {statement}").collect())
    stored = STORED.match(plain)
    if stored and stored["name"].lower() not in map(str.lower, tables):
        name = stored["name"] + stored["columns"]
        with contextlib.suppress(Exception):  # it has its plan; what reads it may be left out
            spark.sql(f"CREATE OR REPLACE TEMP VIEW {name} AS {stored['query']}")
    if plan.startswith("Error occurred during query planning"):
        raise ValueError(" ".join(plan.split(": ", 1)[-1].split()))
    yield plan


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
