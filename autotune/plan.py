"""Read an experiment, from a file or a command line, and make it complete.

``read_experiment`` and ``from_command`` say what the person wrote (a :class:`Draft`); ``complete``
looks at the world (Spark, machine, data, space) and returns the :class:`Experiment`.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autotune import builtin
from autotune.dataset import profile_if_readable
from autotune.digests import DIGEST_VERSION
from autotune.domain import Machine, Workload, digest_of
from autotune.draft import BudgetDraft, DataDraft, Draft, WorkloadDraft
from autotune.errors import InputError
from autotune.experiment import Budget, Experiment, secrets_of
from autotune.machine import detect_machine
from autotune.pathtext import check_name, local_of, path_of, plain_name, without_scheme
from autotune.shipped import shipped_folder
from autotune.space import Space
from autotune.spacefile import check_space, load_space
from autotune.spark.installation import Installation, read_properties, spark_defaults
from autotune.spark.properties import property_facts
from autotune.submitline import SubmitLine, application_kind, parse_submit_line
from autotune.units import parse_duration_s, parse_size_bytes
from autotune.yamlfile import read_yaml, validate


def read_experiment(path_or_name: str) -> Draft:
    """Read an experiment file; a bare name, or a path that is not here, may be a shipped one.

    Raises:
        InputError: there is no such file, or something in it is wrong.
    """
    path = path_of(path_or_name, where="experiment")
    if not path.exists():
        shipped = shipped_folder("experiments") / path.with_suffix(".yaml").name
        if not shipped.is_file() or path.parent.name not in {"", "experiments"}:
            message = f"experiment '{path_or_name}': no such file; `ls experiments/` shows ours"
            raise InputError(message)
        path = shipped
    draft = validate(Draft, read_yaml(path), where=str(path))
    return draft if draft.name else draft.model_copy(update={"name": plain_name(path.stem)})


def from_command(words: Sequence[str]) -> Draft:
    """Take what a person types today as the whole experiment."""
    return Draft(workload=WorkloadDraft(command=shlex.join(words)))


def complete(
    draft: Draft, *, installation: Installation, tell: Callable[[str], None] | None = None
) -> Experiment:
    """Look at Spark, the machine, the data and the space, and return the whole experiment.

    Args:
        draft: what somebody wrote or typed.
        installation: the Spark that runs it.
        tell: called with what is worth a line and no reason to stop.

    Raises:
        InputError: something that the draft names is missing or does not fit.
        EnvironmentFault: something around us is missing.
    """
    workload = resolve_workload(draft, installation)
    machine = _machine(draft, workload, installation)
    space = _space(draft, machine)
    _check_starts(draft, space)
    profile = profile_if_readable(workload.data, tell)
    tolerance = draft.output_tolerance
    experiment = Experiment(
        name=check_name(draft.name, where="name") if draft.name is not None else workload.name,
        workload=workload,
        space=space,
        machine=machine,
        budget=_budget(draft.budget),
        objective=draft.objective,
        sampler=draft.sampler,
        seed=draft.seed,
        conf=draft.conf,
        starts=draft.starts,
        profile=profile,
        spark_home=str(installation.home),
        rerunnable=draft.rerunnable,
        **({"output_tolerance": tolerance} if tolerance is not None else {}),
    )
    return experiment.model_copy(update={"identity": identity_of(experiment)})


def resolve_workload(draft: Draft, installation: Installation) -> Workload:
    """Return what is run, with everything that the person sets today as its properties.

    Precedence is Spark's own: options and ``--conf``, then the properties file, then the
    installation's ``spark-defaults.conf``; ``conf: enforced`` beats them all.
    """
    job = draft.workload
    named = [key for key in _WAYS if getattr(job, key) is not None]
    if len(named) != 1:
        message = f"workload: name exactly one of {', '.join(_WAYS)}; found {len(named)}"
        raise InputError(message)
    if named[0] == "command":
        return _of_command(draft, installation)
    properties = {**spark_defaults(installation), **job.conf}
    if named[0] == "application":
        application_kind(str(job.application))
        return _workload(
            draft,
            name=plain_name(Path(str(job.application)).stem),
            application=str(job.application),
            arguments=job.arguments,
            main_class=job.main_class,
            submit_options=job.submit_options,
            properties=properties,
        )
    if named[0] == "sql":
        folder = local_of(str(job.sql), where="workload: sql")
        if not sorted(folder.glob("*.sql")):
            message = f"workload: sql: '{folder}' holds no .sql file; name a folder of queries"
            raise InputError(message)
        program = builtin.sql_program(folder)
        name = folder.resolve().parent.name if folder.name == "queries" else folder.name
    else:
        program = builtin.find(str(job.builtin))
        name = program.name
    if draft.data is None:
        message = f"workload: {named[0]}: needs data; add `data: path/to/tables` (or --data)"
        raise InputError(message)
    return _workload(
        draft,
        name=plain_name(name),
        application=str(program.path),
        arguments=(*program.arguments, *job.arguments),
        properties=properties,
        ours=named[0] == "builtin",
    )


_FILES_LOOKED_INTO = 256
_END_BYTES = 4096
_WAYS = ("builtin", "sql", "application", "command")


def _of_command(draft: Draft, installation: Installation) -> Workload:
    line = parse_submit_line(_words(str(draft.workload.command)))
    defaults = spark_defaults(installation) if line.load_defaults else {}
    from_file = read_properties(Path(line.properties_file)) if line.properties_file else {}
    return _workload(
        draft,
        name=plain_name(Path(line.application).stem),
        application=line.application,
        arguments=line.arguments,
        main_class=line.main_class,
        submit_options=line.submit_options,
        properties={**defaults, **from_file, **line.properties, **draft.workload.conf},
    )


def command_spark_home(draft: Draft) -> str | None:
    """Return the Spark that the draft names, by its key or by the path of its ``spark-submit``."""
    if draft.spark_home or not draft.workload.command:
        return draft.spark_home
    line: SubmitLine = parse_submit_line(_words(draft.workload.command))
    return line.spark_home


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        message = f"workload: command: {error}; check its quotes"
        raise InputError(message) from error


def _workload(draft: Draft, *, properties: dict[str, str], **fields: Any) -> Workload:
    merged = {**properties, **draft.conf.enforced}
    master = draft.master or merged.pop("spark.master", None) or "local[*]"
    merged.pop("spark.master", None)
    if merged.pop("spark.submit.deployMode", "client") != "client":
        raise InputError("spark.submit.deployMode: only client mode can be measured for now")
    answers = any("{output}" in argument for argument in fields.get("arguments", ()))
    workload = Workload(
        properties=merged,
        master=master,
        data=_data_path(draft),
        outputs=draft.outputs or (("{output}",) if answers else ()),
        **fields,
    )
    application = path_of(workload.application, where="job")
    if "://" not in workload.application and not application.is_file():
        message = f"job '{workload.application}': no such file; check its path"
        raise InputError(message)
    return workload


def _data_path(draft: Draft) -> str | None:
    data = draft.data.path if isinstance(draft.data, DataDraft) else draft.data
    local = "." if data is None else without_scheme(data)
    if not path_of(local, where="data").exists() and "://" not in local:
        raise InputError(f"data: '{data}': no such file or folder; check the path")
    return data


def _machine(draft: Draft, workload: Workload, installation: Installation) -> Machine:
    stated = draft.machine.model_dump(exclude_none=True)
    return detect_machine(
        workload.master, installation, {name: str(value) for name, value in stated.items()}
    )


def _space(draft: Draft, machine: Machine) -> Space:
    space = load_space(draft.space, spark_version=machine.spark_version)
    problems = check_space(space, property_facts(machine.spark_version))
    if problems:
        message = f"space '{draft.space}': {problems[0]}"
        raise InputError(message)
    left_out = {*draft.conf.enforced, *draft.conf.preserve, *draft.conf.exclude}
    kept = tuple(p for p in space.parameters if p.name not in left_out)
    if not kept:
        message = f"space '{draft.space}': conf leaves no parameter to search; exclude fewer"
        raise InputError(message)
    return space.model_copy(update={"parameters": kept})


def _check_starts(draft: Draft, space: Space) -> None:
    known = {parameter.name: parameter for parameter in space.parameters}
    for name, text in (pair for start in draft.starts for pair in start.items()):
        if name not in known:
            message = f"starts: '{name}' is not searched in space '{draft.space}'"
            raise InputError(f"{message}; leave it out, or name a space that has it")
        if not known[name].takes(text):
            message = f"starts: {name}: '{text}' is no value of it"
            raise InputError(f"{message}; see `autotune space show {draft.space}`")


def _budget(draft: BudgetDraft) -> Budget:
    fields = draft.model_dump(exclude_none=True)
    for key in ("timeout", "execution_limit"):
        if key in fields:
            fields[f"{key}_s"] = parse_duration_s(fields.pop(key), where=f"budget: {key}")
    for key in ("execution_memory", "execution_disk"):
        if key in fields:
            fields[f"{key}_bytes"] = parse_size_bytes(fields.pop(key), where=f"budget: {key}")
    return Budget(**fields)


def identity_of(experiment: Experiment) -> dict[str, str]:
    """Return what must stay the same for trials of one study to be comparable."""
    workload, machine = experiment.workload, experiment.machine
    gib = round(machine.memory_bytes / 2**30)
    # Without secrets: a new password does not make another study, and none can be guessed back.
    public = secrets_of(workload).scrubbed(workload.model_dump(mode="json"))
    return {
        "job": f"{workload.application} {_file_digest(Path(workload.application))}",
        "command": digest_of(
            [public[key] for key in ("arguments", "main_class", "submit_options", "properties")]
        ),
        "data": f"{public['data']} {_listing_digest(Path(without_scheme(workload.data)))}"
        if workload.data
        else "none",
        # Another algorithm, or other outputs, would make every later answer look like another one.
        "answers": f"{', '.join(public['outputs']) or 'none'}, digests {DIGEST_VERSION}",
        "space": f"{experiment.space.name} {digest_of(experiment.space.model_dump(mode='json'))}",
        "objective": experiment.objective.value,
        "spark": str(machine.spark_version),
        "machine": f"{machine.master}, {machine.slots} slots, {gib} GiB",
    }


def _file_digest(path: Path) -> str:
    if not path.is_file():
        return "not here"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _listing_digest(path: Path) -> str:
    """Identify data by its files' names, sizes and ends; it is never read as a whole.

    The end of a Parquet or ORC file holds its statistics; that of a text file its last rows.
    """
    if not path.exists():
        return "not here"
    files = (
        [path]
        if path.is_file()
        else [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    )
    seen = sorted((str(f.relative_to(path)), f.stat().st_size) for f in files)
    ends = hashlib.sha256()
    for name, size in seen[:_FILES_LOOKED_INTO]:
        with (path / name if path.is_dir() else path).open("rb") as file:
            file.seek(max(size - _END_BYTES, 0))
            ends.update(file.read(_END_BYTES))
    return digest_of([seen, ends.hexdigest()])
