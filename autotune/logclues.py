"""What an event log tells of the job that is asked about, and what makes that less than sure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import dropwhile

from autotune.domain import DatasetProfile, Machine, Operator, WorkloadProfile
from autotune.space import Parameter, Space, mode_of
from autotune.space.units import read_number
from autotune.spark.eventlog import LogSummary
from autotune.units import format_bytes

_SHOWN = 120
_MOST_READ = 4
"""So many times the bytes of the data a job reads at most that reads them once."""
_LEAST_READ = 0.01
_MASTER = "spark.master"
_CORES = "spark.executor.cores"
_SPARKS_OPTION = re.compile(
    r"-XX:\+IgnoreUnrecognizedVMOptions|--add-modules=jdk\.incubator\.vector"
    r"|--add-opens=java\.base/(java\.(lang|lang\.invoke|lang\.reflect|io|net|nio|util"
    r"|util\.concurrent|util\.concurrent\.atomic)|jdk\.internal\.ref"
    r"|sun\.(nio\.ch|nio\.cs|security\.action|util\.calendar))=ALL-UNNAMED"
    r"|--add-opens=java\.security\.jgss/sun\.security\.krb5=ALL-UNNAMED"
    r"|-Djava\.net\.preferIPv6Addresses=\w+|-Djdk\.reflect\.useDirectMethodHandle=false"
    r"|-Dio\.netty\.(tryReflectionSetAccessible=true|allocator\.type=pooled"
    r"|handler\.ssl\.defaultEndpointVerificationAlgorithm=NONE)"
    r"|--sun-misc-unsafe-memory-access=allow|--enable-native-access=ALL-UNNAMED"
)
"""What Spark puts before a person's options: ``JavaModuleOptions`` in its sources."""
_LOCAL_SLOTS = re.compile(r"local\[\s*(\d+)")


def ran_with(
    log: LogSummary, space: Space, machine: Machine
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what the execution set of what *space* may change, and what is left out of that.

    Whoever starts with more memory or cores than *machine* has would have nothing that starts.
    """
    ran: dict[str, str] = {}
    left_out = []
    for parameter in space.parameters:
        name = parameter.name
        text = _set_by_person(name, log.effective.get(name, "")) if parameter.is_property else ""
        if text and _too_large(parameter, text, machine):
            left_out.append(f"{name} is {text} in the log, more than there is here")
        elif text:
            ran[name] = text
    return ran, tuple(left_out)


def _too_large(parameter: Parameter, text: str, machine: Machine) -> bool:
    value = read_number(text, parameter.type, parameter.bare_unit)
    if parameter.of == "memory":
        return value is not None and value > machine.memory_bytes
    return parameter.name == _CORES and value is not None and value > machine.cores_per_executor


def _set_by_person(name: str, effective: str) -> str:
    """Return a value without the options that Spark puts before the person's."""
    if not name.endswith("extraJavaOptions"):
        return effective
    return " ".join(dropwhile(_SPARKS_OPTION.fullmatch, effective.split()))


def log_cautions(log: LogSummary, machine: Machine) -> Iterator[str]:
    """Tell where the log is of a part of the job only, or of another machine."""
    if log.failure is not None:
        said = " ".join(log.failure.split())[:_SHOWN]
        yield f"the execution of the log failed ({said}), so the log tells of a part of the job"
    elif not log.ended:
        yield "the log has no end, so it tells of a part of the job"
    if log.ignored_lines:
        yield f"{log.ignored_lines:,} of {log.lines:,} lines of the log could not be read"
    master = log.effective.get(_MASTER, machine.master)
    slots = _LOCAL_SLOTS.match(master)
    other = mode_of(master) is not mode_of(machine.master)
    if other or (slots and int(slots[1]) != machine.slots):
        yield f"the log is of {master}, and this is about {machine.master}: see --master"


def other_data(job: WorkloadProfile, data: DatasetProfile | None) -> Iterator[str]:
    """Tell where a log can't be of the data: compare what was read with what is there.

    A job reads little of wide tables, each scan may read all, and not every source counts.
    """
    read = job.input_bytes or 0
    if not read or data is None:
        return
    scans = job.operators.get(Operator.SCAN, 0) + (job.rdd_jobs or 0)
    if read > data.bytes * max(_MOST_READ, scans) or read < data.bytes * _LEAST_READ:
        amounts = f"{format_bytes(read)}, and the data have {format_bytes(data.bytes)}"
        yield f"the log read {amounts}, so it may be of other data"
