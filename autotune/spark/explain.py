"""What a folder of SQL does, as far as plans tell it: one short start of Spark, no execution."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.errors import EnvironmentFault, InputError
from autotune.spark.installation import Installation
from autotune.spark.logprofile import operators_of_text
from autotune.spark.program import run_program

_PROGRAM = Path(__file__).parent.parent / "workloads" / "sql.py"
_SHOWN = 200


def explain_queries(
    installation: Installation, *, queries: Path, tables: Path
) -> tuple[WorkloadProfile, tuple[str, ...]]:
    """Return what the queries do, from their physical plans before adaptive execution.

    Statements that define a temporary view, function or variable are carried out, since others
    need them; everything else is only explained. What can't be planned is left out.

    Args:
        installation: the Spark that plans.
        queries: a folder of ``*.sql`` files.
        tables: a folder of tables, as the SQL workload reads them.

    Returns:
        What they do, and what is to be said of it.

    Raises:
        InputError: there is no query in them, or none that can be planned over these tables.
        EnvironmentFault: Spark does not start.
    """
    with tempfile.TemporaryDirectory(prefix="autotune-plans-") as folder:
        answer = Path(folder, "plans.json")
        run_program(
            installation,
            _PROGRAM,
            [
                *("--tables", str(tables.absolute())),
                *("--queries", str(queries.absolute())),
                *("--explain", str(answer)),
            ],
            doing=f"sql: {queries}: planning",
            hint="check that Spark reads these tables",
        )
        try:
            found: dict[str, list[str]] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = f"sql: {queries}: the program left no plans ({error}); try it again"
            raise EnvironmentFault(message) from error
    plans, left_out = found["plans"], found["left_out"]
    first = " ".join(left_out[0].split())[:_SHOWN] if left_out else ""
    if not plans:
        known = ", ".join(found["tables"])
        wrong = f"none can be planned over the tables {known} ({first})" if first else "no query"
        raise InputError(f"sql: {queries}: {wrong}; name queries, and the folder of their tables")
    cautions: tuple[str, ...] = ()
    if left_out:
        of = f"{len(left_out)} of {len(left_out) + len(plans)}"
        cautions = (f"{of} queries can't be planned, and are left out ({first})",)
    operators: Counter[Operator] = Counter()
    for plan in plans:
        operators += operators_of_text(plan)
    profile = WorkloadProfile(
        source=ProfileSource.PLANS, operators=dict(sorted(operators.items())), queries=len(plans)
    )
    return profile, cautions
