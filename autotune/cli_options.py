"""Options that several verbs share, and the one way in which results are printed."""

from __future__ import annotations

import json

import click

form_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How the result is printed.",
)
storage_option = click.option(
    "--storage",
    envvar="AUTOTUNE_STORAGE",
    default="sqlite:///mlruns/optuna.db",
    show_default=True,
    help="Where studies are kept: an Optuna storage.",
)
tracking_option = click.option(
    "--tracking-uri",
    envvar=["AUTOTUNE_TRACKING_URI", "MLFLOW_TRACKING_URI"],
    default="sqlite:///mlruns/mlflow.db",
    show_default=True,
    help="Where studies are published: MLflow.",
)
spark_home_option = click.option(
    "--spark-home",
    envvar="AUTOTUNE_SPARK_HOME",
    help="The Spark to use; else SPARK_HOME, else the installed pyspark's.",
)
sample_rows_option = click.option(
    "--sample-rows",
    type=click.IntRange(min=100),
    default=100_000,
    show_default=True,
    help="Rows whose values are looked at.",
)
max_files_option = click.option(
    "--max-files",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Files that are looked into; of more, rows are estimated.",
)
column_option = click.option(
    "--column", "columns", multiple=True, metavar="NAME", help="Look at this one only."
)


def print_result(form: str, text: str, data: object) -> None:
    """Print a result to stdout: as text, or as one JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if form == "json" else text)
