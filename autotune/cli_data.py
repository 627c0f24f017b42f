"""The verbs about data: ``workloads``, ``data`` and ``profile``."""

from __future__ import annotations

import click

from autotune.cli_options import (
    column_option,
    form_option,
    max_files_option,
    print_result,
    sample_rows_option,
    spark_home_option,
)


@click.command()
@form_option
def workloads(form: str) -> int:
    """List the workloads that come with autotune, and what of Spark each stresses."""
    from autotune.builtin import BUILTINS
    from autotune.report import workloads_text

    rows = [
        {"name": found.name, "rows": found.rows, "stresses": found.stresses} for found in BUILTINS
    ]
    print_result(form, workloads_text(BUILTINS), rows)
    return 0


@click.command()
@click.argument("name")
@click.option("--size", type=click.Choice(["S", "M", "L"]), help="How much.  [default: M]")
@click.option("--rows", type=click.IntRange(min=1), help="How many rows instead (not tpch).")
@click.option("--scale", type=click.FloatRange(min=0, min_open=True), help="Scale factor (tpch).")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the generator.")
@click.option("--set", "options", multiple=True, metavar="K=V", help="Option of the generator.")
@click.option("--to", "folder", required=True, help="The folder to make.")
@spark_home_option
@form_option
def data(
    name: str,
    size: str | None,
    rows: int | None,
    scale: float | None,
    seed: int,
    options: tuple[str, ...],
    folder: str,
    spark_home: str | None,
    form: str,
) -> int:
    """Make the data of a built-in workload, or of tpch; `autotune workloads` lists them."""
    from autotune.builtin import Size
    from autotune.datagen import make_data
    from autotune.draft import pairs_of
    from autotune.spark.installation import find_installation

    made = make_data(
        name,
        to=folder,
        size=Size(size) if size else None,
        rows=rows,
        scale=scale,
        seed=seed,
        options=pairs_of(options, flag="--set"),
        installation=find_installation(spark_home),
    )
    print_result(form, f"made {made}", {"name": name, "path": str(made)})
    return 0


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@sample_rows_option
@max_files_option
@column_option
@form_option
def profile(
    paths: tuple[str, ...],
    sample_rows: int,
    max_files: int,
    columns: tuple[str, ...],
    form: str,
) -> int:
    """Describe what a job reads (Parquet, CSV, JSON, ORC; files or folders) in numbers."""
    from autotune.dataset import profile_dataset
    from autotune.report import profile_text

    found = profile_dataset(paths, sample_rows=sample_rows, max_files=max_files, columns=columns)
    print_result(form, profile_text(found), found.model_dump(mode="json"))
    return 0
