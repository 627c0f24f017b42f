"""What an execution answered: digests of the outputs that its workload names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from autotune.digests import TableDigest
from autotune.domain import Config, Workload
from autotune.errors import InputError
from autotune.outputs import digest_outputs
from autotune.record import Execution, Status
from autotune.spark.command import Scratch, filled


def with_answer(
    execution: Execution, workload: Workload, config: Config, scratch: Scratch
) -> Execution:
    """Return the execution with the digests of its outputs, as far as they can be read.

    What can't be read leaves ``outputs`` empty and says why in ``error``.
    """
    if execution.status is not Status.SUCCEEDED or not workload.outputs:
        return execution
    found: list[TableDigest] = []
    for output in workload.outputs:
        [place] = filled([output], workload, config, scratch)
        try:
            digests = digest_outputs(_local(place))
        except InputError as error:
            return execution.model_copy(update={"error": str(error)})
        several = len(workload.outputs) > 1
        found += [_named(digest, Path(output).name) if several else digest for digest in digests]
    return execution.model_copy(update={"outputs": tuple(found)})


def _local(place: str) -> Path:
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if "://" in place:
        message = f"output '{place}' is not a local path, so it can't be compared; name a copy"
        raise InputError(message)
    return Path(place)


def _named(digest: TableDigest, output: str) -> TableDigest:
    name = f"{output}/{digest.name}" if digest.name else output
    return digest.model_copy(update={"name": name})
