"""The verb ``tune``: its options, and from them the draft of an experiment."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from autotune.cli_options import (
    form_option,
    print_result,
    spark_home_option,
    storage_option,
    tracking_option,
)
from autotune.errors import InputError
from autotune.redaction import HIDDEN, Secrets

if TYPE_CHECKING:
    from autotune.draft import Draft

_Verb = Callable[..., Any]


def _tune_options(function: _Verb) -> _Verb:
    options = [
        click.argument("job", nargs=-1, type=click.UNPROCESSED),
        click.option("--builtin", help="Tune one of `autotune workloads`."),
        click.option("--sql", help="Tune a folder of SQL files, over the tables in --data."),
        click.option("--app", help="Tune this .py or .jar; its arguments follow --."),
        click.option("--class", "main_class", help="Main class of a JAR."),
        click.option("--data", help="What {data} stands for: a table or a folder of tables."),
        click.option("--master", help="local[N], local-cluster[n,c,m] or spark://host:port."),
        click.option("--name", help="Of the study; else that of the experiment or the job."),
        click.option("--space", help="A shipped space or a file."),
        click.option("-n", "--trials", type=click.IntRange(1), help="Executions of the search."),
        click.option("--timeout", help="Wall time of the study: 90s, 15m, 2h."),
        click.option("--execution-limit", help="Wall time of one execution, at most."),
        click.option("--execution-memory", metavar="SIZE", help="Memory of one: 8g, 512m."),
        click.option("--execution-disk", metavar="SIZE", help="Disk of one's scratch: 20g."),
        click.option("--baseline-repeats", type=click.IntRange(1), help="Baseline executions."),
        click.option("--confirm-blocks", type=click.IntRange(0), help="Blocks that prove a gain."),
        click.option("--objective", type=click.Choice(_OBJECTIVES), help="What is minimised."),
        click.option("--sampler", type=click.Choice(_SAMPLERS), help="How the search proposes."),
        click.option("--seed", type=int, help="Of everything that is drawn."),
        click.option("--conf", multiple=True, metavar="K=V", help="Set always, never searched."),
        click.option("--preserve", multiple=True, metavar="K", help="Keep as it is today."),
        click.option("--exclude", multiple=True, metavar="K", help="Leave out of the space."),
        click.option("--outputs", multiple=True, metavar="PATH", help="Compare what is there."),
        click.option("--output-tolerance", type=float, help="Of floating point sums: 1e-6."),
        click.option("--no-race", is_flag=True, help="Let hopeless executions run to their end."),
        click.option("--rerunnable", is_flag=True, help="My job may write where it likes."),
        click.option("--new", is_flag=True, help="Set a study of this name aside, start afresh."),
        click.option("-o", "--output-dir", default="mlruns/studies", show_default=True),
        spark_home_option,
        storage_option,
        tracking_option,
        form_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


_OBJECTIVES = (
    *("duration_s", "core_seconds", "gb_seconds"),
    *("microbatch_p95_s", "seconds_per_million_rows"),
)
_SAMPLERS = ("tpe", "random", "qmc", "gp")


@click.command()
@_tune_options
def tune(job: tuple[str, ...], form: str, **flags: Any) -> int:
    r"""Search for the best configuration of a job by executing it.

    \b
    autotune tune experiments/taxi.yaml
    autotune tune --trials 12 -- spark-submit --conf spark.x=y job.py --date 2026-01-01
    autotune tune --sql queries/ --data tables/
    """
    from pathlib import Path

    from autotune.progress import watching
    from autotune.tuning import Places, prepare
    from autotune.tuning import tune as run

    draft = _draft(job, flags)
    places = Places(
        storage_url=flags["storage"],
        tracking_uri=flags["tracking_uri"],
        folder=Path(flags["output_dir"]),
    )
    with watching(_resume_command()) as on_event:
        experiment = prepare(draft, on_event=on_event)
        results = run(experiment, places=places, new=flags["new"], on_event=on_event)
    print_result(form, results.report.to_text(), results.report.to_dict())
    return 0


@click.command()
@click.argument("first")
@click.argument("second")
@click.argument("job", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--data", help="What {data} stands for: a table or a folder of tables.")
@click.option("--blocks", type=click.IntRange(2), help="Interleaved blocks, at most; else 6.")
@click.option("--timeout", help="Wall time of the comparison: 90s, 15m, 2h.")
@click.option("--execution-limit", help="Wall time of one execution, at most.")
@click.option("--outputs", multiple=True, metavar="PATH", help="Compare what is there.")
@click.option("--rerunnable", is_flag=True, help="My job may write where it likes.")
@click.option("--new", is_flag=True, help="Set an earlier comparison aside, start afresh.")
@click.option("-o", "--output-dir", default="mlruns/studies", show_default=True)
@spark_home_option
@storage_option
@tracking_option
@form_option
def compare(first: str, second: str, job: tuple[str, ...], form: str, **flags: Any) -> int:
    r"""Measure two configurations of a job against each other, in interleaved blocks.

    Each is a file like spark-defaults.conf, a setting such as spark.x=y, a study (for what it
    recommends), or the word today: what the command sets.

    \b
    autotune compare today best.conf -- spark-submit job.py
    autotune compare spark.sql.shuffle.partitions=8 spark.sql.shuffle.partitions=64 taxi.yaml
    """
    from pathlib import Path

    from autotune.comparison import comparison_of, named_properties
    from autotune.progress import watching
    from autotune.tuning import Places, prepare
    from autotune.tuning import tune as run

    sides = [(name, named_properties(name, flags["storage"])) for name in (first, second)]
    draft = _draft(job, {**flags, "confirm_blocks": flags.pop("blocks")})
    places = Places(
        storage_url=flags["storage"],
        tracking_uri=flags["tracking_uri"],
        folder=Path(flags["output_dir"]),
    )
    with watching(_resume_command()) as on_event:
        experiment = comparison_of(prepare(draft, on_event=on_event), sides[0], sides[1])
        results = run(experiment, places=places, new=flags["new"], on_event=on_event)
    print_result(form, results.report.to_text(), results.report.to_dict())
    return 0


def _draft(job: tuple[str, ...], flags: dict[str, Any]) -> Draft:
    from autotune import plan
    from autotune.draft import from_flags, with_flags

    named = [key for key in ("builtin", "sql", "app") if flags.get(key)]
    if len(named) > 1 or (named and named != ["app"] and job):
        raise InputError("tune: name one job: an experiment, --builtin, --sql, --app or a command")
    if named:
        draft = from_flags(
            named[0], flags[named[0]], arguments=job, main_class=flags["main_class"]
        )
    elif not job:
        raise InputError(
            "tune: no job named; try `autotune tune experiments/taxi.yaml`"
            " or `autotune tune -- spark-submit job.py`"
        )
    elif len(job) == 1 and job[0].rsplit("/", 1)[-1] != "spark-submit":
        draft = plan.read_experiment(job[0])
    else:
        draft = plan.from_command(job)
    return with_flags(draft, flags)


def _resume_command() -> str:
    words = [word for word in sys.argv[1:] if word != "--new"]
    shown = Secrets(arguments=words).arguments(words)
    hint = f"\n  (with your own secrets in the place of {HIDDEN})" if HIDDEN in str(shown) else ""
    return shlex.join(["autotune", *shown]).replace(f"'{HIDDEN}'", HIDDEN) + hint
