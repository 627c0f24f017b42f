"""The command line: one thin function a verb. Results go to stdout, progress to stderr.

Heavy libraries are imported inside the verbs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys

import click

from autotune.cli_data import data, profile, workloads
from autotune.cli_options import (
    column_option,
    form_option,
    max_files_option,
    print_result,
    sample_rows_option,
    spark_home_option,
    storage_option,
    tracking_option,
)
from autotune.cli_tune import compare, tune
from autotune.errors import AutotuneError, InputError
from autotune.redaction import Secrets, without_login
from autotune.version import __version__


class _Verbs(click.Group):
    """Lists the verbs in the order in which people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="autotune")
def cli() -> None:
    r"""Find the Spark configuration that makes one job fastest or cheapest, by running it.

    \b
    autotune tune experiments/taxi.yaml           tune an experiment
    autotune tune -- spark-submit job.py ARGS     tune what you run today
    autotune ui                                   browse the studies in MLflow
    autotune recommend --data path/to/table       ask for a configuration, with no run
    """


@cli.command()
@spark_home_option
@storage_option
@tracking_option
@form_option
def doctor(spark_home: str | None, storage: str, tracking_uri: str, form: str) -> int:
    """Check Python, Java, Spark, memory, cores, disk and MLflow; say how to mend what is wrong."""
    from autotune.doctor import examine, to_text

    findings = examine(spark_home=spark_home, storage_url=storage, tracking_uri=tracking_uri)
    print_result(
        form, to_text(findings), [finding.model_dump(mode="json") for finding in findings]
    )
    return 0 if all(finding.ok for finding in findings) else 1


cli.add_command(workloads)
cli.add_command(data)
cli.add_command(profile)


@cli.group()
def space() -> None:
    """Show and check search spaces."""


@space.command("list")
@form_option
def space_list(form: str) -> int:
    """List the spaces that come with autotune."""
    from autotune.spacefile import load_space, shipped_spaces

    found = {name: load_space(name) for name in shipped_spaces()}
    text = "\n".join(
        f"{name:<12} {len(found[name].parameters):>3}  {found[name].description}" for name in found
    )
    rows = [{"name": name, "parameters": len(found[name].parameters)} for name in found]
    print_result(form, text, rows)
    return 0


@space.command("show")
@click.argument("name")
@click.option("--master", default="local[*]", show_default=True)
@spark_home_option
@form_option
def space_show(name: str, master: str, spark_home: str | None, form: str) -> int:
    """Show each parameter of a space: range here, default, what it is relative to, and why."""
    from autotune.machine import detect_machine
    from autotune.report import space_text
    from autotune.spacefile import load_space, show_space
    from autotune.spark.installation import find_installation
    from autotune.spark.properties import property_facts

    installation = find_installation(spark_home)
    found = load_space(name, spark_version=installation.spark_version)
    machine = detect_machine(master, installation)
    rows = show_space(found, machine=machine, facts=property_facts(installation.spark_version))
    print_result(form, space_text(found, rows), [row.model_dump(mode="json") for row in rows])
    return 0


@space.command("check")
@click.argument("file")
@click.option("--spark-version", help="Check against this Spark instead of the installed one.")
@spark_home_option
@form_option
def space_check(file: str, spark_version: str | None, spark_home: str | None, form: str) -> int:
    """Check a space file against its schema and against Spark's own properties."""
    from autotune.spacefile import check_space, load_space
    from autotune.spark.installation import find_installation
    from autotune.spark.properties import property_facts

    version = spark_version or find_installation(spark_home).spark_version
    problems = check_space(load_space(file), property_facts(version))
    if problems and form == "table":
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        for problem in problems[1:]:
            click.echo(f"{file}: {problem}", err=True)
        message = f"{file}: {problems[0]}{more}"
        raise InputError(message)
    print_result(form, f"{file}: fine for Spark {version}", {"file": file, "problems": problems})
    return 2 if problems else 0


cli.add_command(tune)
cli.add_command(compare)


@cli.command("list")
@storage_option
@form_option
def list_(storage: str, form: str) -> int:
    """List the studies."""
    from autotune.report import studies_text
    from autotune.study import list_studies

    found = list_studies(storage)
    print_result(form, studies_text(found), [info.model_dump(mode="json") for info in found])
    return 0


@cli.command()
@click.argument("study")
@storage_option
@form_option
def show(study: str, storage: str, form: str) -> int:
    """Show one study: its result, and every trial."""
    from autotune.results import review
    from autotune.study import load_study

    record = load_study(storage, study)
    results = review(record.experiment, record.trials)
    print_result(form, results.report.to_text(trials=True), results.report.to_dict(trials=True))
    return 0


@cli.command()
@click.argument("study")
@click.option(
    "--to",
    "target",
    type=click.Choice(["conf", "submit", "json"]),
    default="conf",
    show_default=True,
    help="spark-defaults.conf, options of spark-submit, or JSON.",
)
@click.option("--full", is_flag=True, help="All properties, not only what changed.")
@click.option("--rollback", is_flag=True, help="The old values instead of the new ones.")
@storage_option
def export(study: str, target: str, full: bool, rollback: bool, storage: str) -> int:
    """Print the best configuration of a study in the form that Spark or a script wants."""
    from autotune.export import Target
    from autotune.results import review
    from autotune.study import load_study

    record = load_study(storage, study)
    results = review(record.experiment, record.trials)
    click.echo(results.export(Target(target), full=full, back=rollback), nl=False)
    return 0


@cli.command()
@click.option(
    "--replace", is_flag=True, help="Put the new one in charge without comparing the two."
)
@tracking_option
@form_option
def train(replace: bool, tracking_uri: str, form: str) -> int:
    """Fit the predictor on the corpus and all published studies; register it in MLflow."""
    from autotune.training import train as run

    result = run(tracking_uri, replace=replace)
    print_result(form, result.to_text(), result.model_dump(mode="json"))
    return 0


@cli.command()
@click.option(
    "--data", "paths", multiple=True, help="A table, or a folder of tables; repeat for more."
)
@click.option("--eventlog", help="Log of an earlier execution, wherever that was.")
@click.option("--sql", help="The job is this folder of queries over the tables in --data.")
@click.option("--workload", help="What the job is called in earlier studies.")
@click.option("--space", "space_name", default="default", show_default=True)
@click.option(
    "--master", help="Where it will run.  [default: as spark-defaults.conf says, else local[*]]"
)
@click.option("--conf", multiple=True, metavar="K=V", help="What the job runs with today.")
@sample_rows_option
@max_files_option
@column_option
@spark_home_option
@tracking_option
@form_option
def recommend(
    paths: tuple[str, ...],
    eventlog: str | None,
    sql: str | None,
    workload: str | None,
    space_name: str,
    master: str | None,
    conf: tuple[str, ...],
    sample_rows: int,
    max_files: int,
    columns: tuple[str, ...],
    spark_home: str | None,
    tracking_uri: str,
    form: str,
) -> int:
    """Predict a good configuration for a job, with no run of it."""
    from autotune.draft import pairs_of
    from autotune.inquiry import inquire

    today = pairs_of(conf)
    about = inquire(
        paths,
        eventlog=eventlog,
        sql=sql,
        space=space_name,
        master=master,
        conf=today or None,
        spark_home=spark_home,
        sample_rows=sample_rows,
        max_files=max_files,
        columns=columns,
    )
    from autotune.recommendation import recommend as run  # takes seconds: after all checks

    answer = run(about, workload=workload, tracking_uri=tracking_uri)
    said, secrets = answer.model_dump(mode="json"), Secrets(today)
    print_result(form, secrets.scrub(answer.to_text()), secrets.scrubbed(said))
    return 0


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True)
@tracking_option
def ui(host: str, port: int, tracking_uri: str) -> int:
    """Start MLflow's own pages on the published studies, and print their address."""
    from autotune.ui import serve_ui

    serve_ui(tracking_uri, host=host, port=port)
    return 0


def main() -> None:
    """Run the command line; the one place where errors become exit codes."""
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "autotune"
        click.echo(
            f"autotune: {without_login(error.format_message())} See `{command} --help`.", err=True
        )
        code = error.exit_code
    except AutotuneError as error:
        click.echo(f"autotune: {without_login(str(error))}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = 130
    sys.exit(code)
