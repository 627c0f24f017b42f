"""TPC-H for the SQL workload: the tables by ``tpcgen-cli``, the 22 queries by DuckDB's extension.

Both come with the extra ``bench`` and nothing is fetched. The queries run on Spark as they are:
DuckDB keeps them in plain SQL (dates as ``CAST('…' AS date)``, query 15 with a common table
expression), so there is nothing to translate. The tests compare Spark's answers with DuckDB's.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from autotune.errors import EnvironmentFault

VERSION = 1
QUERIES = 22
_FIX = "install it with: pip install 'spark-autotune[bench]'"
_EXTENSION = "duckdb_extension_tpch"


def make_tpch(scale: float, to: Path) -> None:
    """Write ``TO/tables/<table>.parquet`` and ``TO/queries/q01.sql`` … ``q22.sql``.

    *to* must exist and be empty; making it appear in one piece is up to the caller.

    Args:
        scale: TPC-H scale factor; 1 is about 8.7 million rows, 0.35 GB of Parquet.
        to: the folder to fill.

    Raises:
        EnvironmentFault: the extra is not installed, or the generator fails.
    """
    queries = tpch_queries()
    program = generator()
    (to / "tables").mkdir()
    command = [program, "tpch", "parquet", "--quiet", "-s", f"{scale:g}", "-o", str(to / "tables")]
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        message = f"tpcgen-cli: {said[-1] if said else 'failed'}; check free space and --scale"
        raise EnvironmentFault(message) from error
    (to / "queries").mkdir()
    for number, text in queries.items():
        (to / "queries" / f"q{number:02d}.sql").write_text(text.strip() + "\n", encoding="utf-8")


def generator() -> str:
    """Return the path of ``tpcgen-cli``: beside this Python, else on the ``PATH``.

    Raises:
        EnvironmentFault: it is not installed.
    """
    beside = Path(sys.executable).parent / "tpcgen-cli"
    found = str(beside) if beside.is_file() else shutil.which("tpcgen-cli")
    if found is None:
        message = f"tpcgen-cli: not found; {_FIX}"
        raise EnvironmentFault(message)
    return found


@functools.cache
def tpch_queries() -> dict[int, str]:
    """Return the 22 queries by number.

    Raises:
        EnvironmentFault: DuckDB or its extension is not installed, or they don't fit together.
    """
    found = dict(_ask("SELECT query_nr, query FROM tpch_queries()"))
    if sorted(found) != list(range(1, QUERIES + 1)):
        message = f"{_EXTENSION}: gives {len(found)} queries, not {QUERIES}; {_FIX}"
        raise EnvironmentFault(message)
    return found


def tpch_answers(scale: float) -> dict[int, str]:
    """Return DuckDB's own answers by number, as text with ``|`` between columns.

    Known for the scales 0.01, 0.1 and 1; empty for others.
    """
    text = "SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = ?"
    return dict(_ask(text, scale))


def _ask(query: str, *values: object) -> list[tuple[int, str]]:
    missing = [name for name in ("duckdb", _EXTENSION) if importlib.util.find_spec(name) is None]
    if missing:
        message = f"{missing[0]}: not installed; {_FIX}"
        raise EnvironmentFault(message)
    import duckdb

    # The package holds the extension as a file; loading it by path leaves the home alone.
    spec = importlib.util.find_spec(_EXTENSION)
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        for file in sorted(Path(place).rglob(f"v{duckdb.__version__}/tpch.duckdb_extension")):
            quoted = str(file).replace("'", "''")
            with duckdb.connect() as connection:
                connection.execute(f"LOAD '{quoted}'")
                return [
                    (int(n), str(text)) for n, text in connection.execute(query, values).fetchall()
                ]
    has = metadata.version(_EXTENSION)
    message = f"{_EXTENSION} {has} is not for duckdb {duckdb.__version__}; {_FIX}"
    raise EnvironmentFault(message)
