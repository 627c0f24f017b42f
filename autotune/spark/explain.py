"""What a folder of SQL does, as far as plans tell it: one short start of Spark, no execution."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

from autotune.domain import Operator, ProfileSource, WorkloadProfile
from autotune.errors import EnvironmentFault
from autotune.spark.installation import Installation
from autotune.spark.logprofile import operators_of_text
from autotune.spark.program import run_program

_PROGRAM = Path(__file__).parent.parent / "workloads" / "sql.py"


def explain_queries(installation: Installation, *, queries: Path, tables: Path) -> WorkloadProfile:
    """Return what the queries do, from their physical plans before adaptive execution.

    Statements that define a temporary view, function or variable are carried out, since others
    need them; everything else is only explained.

    Args:
        installation: the Spark that plans.
        queries: a folder of ``*.sql`` files.
        tables: a folder of tables, as the SQL workload reads them.

    Raises:
        EnvironmentFault: a query can't be planned, or Spark does not start.
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
            hint="check that each query runs over these tables",
        )
        try:
            plans: list[str] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = f"sql: {queries}: the program left no plans ({error}); try it again"
            raise EnvironmentFault(message) from error
    operators: Counter[Operator] = Counter()
    for plan in plans:
        operators += operators_of_text(plan)
    return WorkloadProfile(
        source=ProfileSource.PLANS, operators=dict(sorted(operators.items())), queries=len(plans)
    )
