"""The order in which parameters are decoded: what another one depends on comes first."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from autotune.errors import InputError
from autotune.space.parameter import Parameter, Space


def dependencies(parameter: Parameter) -> tuple[str, ...]:
    """Return the parameters that must be known before *parameter* can be decoded."""
    names = [*parameter.when]
    if parameter.of not in {None, "memory", "cores"}:
        names.append(str(parameter.of))
    if parameter.share is not None:
        names.append(parameter.share)
    return tuple(names)


def in_order(space: Space) -> tuple[Parameter, ...]:
    """Return the parameters, each after those it depends on.

    Raises:
        InputError: Something unknown or twice is named, or parameters depend on each other in a
            circle.
    """
    by_name = {parameter.name: parameter for parameter in space.parameters}
    where = f"space '{space.name}'"
    if len(by_name) < len(space.parameters):
        raise InputError(f"{where}: a parameter is named twice; keep one of the two")
    for parameter in space.parameters:
        for name in dependencies(parameter):
            if name not in by_name:
                message = f"{where}: parameters.{parameter.name} depends on '{name}'"
                raise InputError(f"{message}, which is not in the space; add or rename it")
    for rule in space.rules:
        for name in rule.parameters:
            if name not in by_name or not by_name[name].type.numeric:
                message = f"{where}: rule '{rule.text}' names '{name}'"
                raise InputError(f"{message}, which is no number of the space; add or rename it")
    sorter = TopologicalSorter({p.name: dependencies(p) for p in space.parameters})
    try:
        return tuple(by_name[name] for name in sorter.static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise InputError(f"{where}: parameters depend in a circle: {circle}; break it") from None
