"""What a space file says: parameters, rules, and the dimensions that a search sees."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from autotune.domain import Value
from autotune.space.units import ParameterType, read_number, read_share
from autotune.space.versions import version_in, version_range_ok

Scalar = float | str

_MOST = 1e18
"""No quantity of Spark's is larger; NaN is not below it either."""


class Applies(StrEnum):
    """When a new value takes effect."""

    SESSION = "session"
    """On a live session."""
    APPLICATION = "application"
    """Only in a new JVM."""


class Per(StrEnum):
    """What a count is a multiple of."""

    SLOT = "slot"
    EXECUTOR = "executor"
    CORE = "core-of-an-executor"


class Mode(StrEnum):
    """Where tasks run: in the driver's JVM, or in JVMs of their own."""

    LOCAL = "local"
    CLUSTER = "cluster"


class DimensionKind(StrEnum):
    """What a search sees of a parameter."""

    FLOAT = "float"
    INT = "int"
    CATEGORICAL = "categorical"


def mode_of(master: str) -> Mode:
    """Return the mode of a Spark master URL; ``local-cluster[…]`` starts JVMs of its own."""
    return Mode.LOCAL if re.match(r"local(\[|$)", master) else Mode.CLUSTER


def _text(value: object) -> object:
    """Let YAML's ``true`` and ``7`` stand for the strings that Spark reads."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _several(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _quantity(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, int | float) and not abs(value) < _MOST):
        message = "should be a number or a quantity such as 512m or 10%"
        raise ValueError(message)
    return value


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several)]
Quantity = Annotated[Scalar, BeforeValidator(_quantity)]


class Parameter(Value):
    """One thing that may vary: a Spark property or, without ``spark.``, an argument."""

    name: str = Field(min_length=1)
    type: ParameterType
    low: Quantity | None = None
    high: Quantity | None = None
    log: bool = False
    step: Quantity | None = None
    """Grid of the final values, in their own unit."""
    choices: tuple[Text | None, ...] = ()
    append: bool = False
    """The choices are JVM flags: they join what the person has there, they do not replace it."""
    per: Per | None = None
    of: str | None = None
    """``memory`` or ``cores`` of a machine, or a parameter: what percentages are taken of."""
    share: str | None = None
    """With ``of: memory``: of the part that belongs to so many cores as this parameter says."""
    at_least: Quantity | None = None
    at_most: Quantity | None = None
    low_as: Text | None = None
    """How the lowest value is written, e.g. ``-1`` for "off"."""
    unset_as: Text | None = None
    """What an unset value behaves as, where Spark names no default; relative like ``low``."""
    unit: str = ""
    """Of a bare number (``m``: MiB, ``s``); for counts, what is counted."""
    applies: Applies = Applies.APPLICATION
    modes: tuple[Mode, ...] = (Mode.LOCAL, Mode.CLUSTER)
    when: dict[str, Texts] = Field(default={})
    """It has an effect only while these parameters have one of these values."""
    spark: str = ""
    why: str = ""

    @property
    def is_property(self) -> bool:
        """Whether it is a Spark property; otherwise it is an argument of the job."""
        return self.name.startswith("spark.")

    @property
    def relative(self) -> bool:
        """Whether its sampled values are multiples of something else."""
        return self.per is not None or self.of is not None

    @property
    def bare_unit(self) -> str:
        """Unit of a number without one, for sizes and durations."""
        sized = self.type in {ParameterType.BYTES, ParameterType.DURATION}
        return self.unit if sized else ""

    def number(self, scalar: Scalar) -> float | None:
        """Read a limit as this file writes it: a share, a quantity or a bare number."""
        if not isinstance(scalar, str):
            return float(scalar)
        share = read_share(scalar)
        return share if share is not None else read_number(scalar, self.type, self.bare_unit)

    def takes(self, text: str) -> bool:
        """Whether *text* can be understood as a value; its range is not looked at."""
        if self.type.numeric:
            return read_number(text, self.type, self.bare_unit) is not None
        return text in (self.choices or ("true", "false"))

    def applies_to(self, spark_version: str | None) -> bool:
        """Whether a version of Spark has it; an unknown version has everything."""
        return version_in(spark_version, self.spark)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problem = self._numeric_problem() if self.type.numeric else self._choice_problem()
        if problem is None and not version_range_ok(self.spark):
            problem = f"spark: '{self.spark}' is not a range such as '>=3.5,<5'"
        if problem:
            raise ValueError(problem)
        return self

    def _choice_problem(self) -> str | None:
        numeric_only = ("low", "high", "step", "per", "of", "share", "at_least", "at_most")
        given = [key for key in numeric_only if getattr(self, key) is not None]
        if given:
            return f"{given[0]} is for numbers, not for type {self.type}"
        if self.log or self.low_as is not None:
            return f"log and low_as are for numbers, not for type {self.type}"
        if self.type is ParameterType.BOOL and self.choices:
            return "choices are not for type bool"
        if self.type is ParameterType.CATEGORICAL and len(self.choices) < 2:
            return "choices: give at least two"
        if len(set(self.choices)) < len(self.choices):
            return "choices: one is named twice"
        return None

    def _numeric_problem(self) -> str | None:
        if self.choices or self.append:
            return f"choices are not for type {self.type}"
        if self.low is None or self.high is None:
            return f"{'low' if self.low is None else 'high'} is missing"
        if self.per and self.of:
            return "per and of exclude each other"
        if self.share and self.of != "memory":
            return "share needs of: memory"
        if self.low_as is not None and self.relative:
            return "low_as is for values that are relative to nothing"
        for key in ("low", "high", "step", "at_least", "at_most"):
            scalar = getattr(self, key)
            if scalar is not None and self.number(scalar) is None:
                return f"{key}: '{scalar}' is not of type {self.type}"
        low, high = self.number(self.low) or 0.0, self.number(self.high) or 0.0
        if low >= high:
            return f"low {self.low} is not below high {self.high}"
        if self.log and low <= 0:
            return f"low {self.low} must be above 0 with log: true"
        return self._share_problem()

    def _share_problem(self) -> str | None:
        shares = [
            key
            for key in ("low", "high")
            if isinstance(scalar := getattr(self, key), str) and read_share(scalar) is not None
        ]
        if shares and self.of is None:
            return f"{shares[0]}: a percentage needs of: memory, cores or a parameter"
        texts = [key for key in ("low", "high") if isinstance(getattr(self, key), str)]
        if self.relative and len(texts) > len(shares):
            return (
                f"{texts[0]}: give a percentage or a multiple; absolute limits are at_least/most"
            )
        step = None if self.step is None else self.number(self.step)
        if step is not None and step <= 0:
            return "step must be above 0"
        if None not in (self.at_least, self.at_most):
            least, most = self.number(self.at_least or 0), self.number(self.at_most or 0)
            if least is not None and most is not None and least > most:
                return f"at_least {self.at_least} is above at_most {self.at_most}"
        return None


class Rule(Value):
    """What must hold between parameters: a sum or product within a limit, or an order."""

    sum: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    ordered: tuple[str, ...] = ()
    """Each at most the next."""
    at_most: Quantity | None = None
    of: str | None = None
    """``memory``, ``cores``, ``slots`` or a parameter: what the percentage is taken of."""
    modes: tuple[Mode, ...] = (Mode.LOCAL, Mode.CLUSTER)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters it speaks of, in order."""
        return self.sum or self.product or self.ordered

    @property
    def limited_by(self) -> str | None:
        """The parameter that the limit is a share of, if it is one."""
        return None if self.of in {None, "memory", "cores", "slots"} else self.of

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that it names."""
        return self.names if self.limited_by is None else (*self.names, self.limited_by)

    @property
    def text(self) -> str:
        """The rule in one line, for messages."""
        if self.ordered:
            return " <= ".join(self.ordered)
        sign = " + " if self.sum else " * "
        of = f" of {self.of}" if self.of else ""
        return f"{sign.join(self.names)} <= {self.at_most}{of}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(bool(names) for names in (self.sum, self.product, self.ordered)) != 1:
            message = "a rule has exactly one of sum, product and ordered"
            raise ValueError(message)
        if self.ordered and (len(self.ordered) < 2 or self.at_most is not None):
            message = "ordered names at least two parameters, and has no at_most"
            raise ValueError(message)
        if not self.ordered and self.at_most is None:
            message = "at_most is missing"
            raise ValueError(message)
        if self.of and (not isinstance(self.at_most, str) or read_share(self.at_most) is None):
            message = f"at_most: '{self.at_most}' must be a percentage of {self.of}"
            raise ValueError(message)
        return self


class Space(Value):
    """The parameters of one file and the rules between them."""

    name: str
    description: str = ""
    spark: str = ""
    parameters: tuple[Parameter, ...] = Field(min_length=1)
    rules: tuple[Rule, ...] = ()

    def parameter(self, name: str) -> Parameter:
        """Return one parameter; ``KeyError`` where the space has none of that name."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)


class Dimension(Value):
    """What a search sees of a parameter: a plain description, in relative units.

    ``step`` is always ``None`` for now: values are put on their grid when they are decoded, since
    a grid of the search could not hold the person's own value.
    """

    name: str
    kind: DimensionKind
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[str | None, ...] = ()
