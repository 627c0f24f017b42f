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


def print_result(form: str, text: str, data: object) -> None:
    """Print a result to stdout: as text, or as one JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if form == "json" else text)
