"""What is said of the columns of a table."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from autotune.dataset.frequencies import frequencies
from autotune.dataset.order import order_of
from autotune.dataset.readers import Content
from autotune.domain import ColumnProfile

_KEY_DISTINCT = 10
_KEY_TYPES = ("tinyint", "smallint", "int", "bigint", "string", "date", "decimal", "binary")
_DIGITS = 6
_SAMPLED = ("distinct", "top_share", "top10_share", "p99_to_median", "spread_bits", "sortedness")
_NAMES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "uint8": "smallint",
    "int32": "int",
    "uint16": "int",
    "int64": "bigint",
    "uint32": "bigint",
    "uint64": "bigint",
    "halffloat": "float",
    "date32": "date",
    "date64": "date",
    "null": "void",
}


def column_profiles(content: Content) -> tuple[list[ColumnProfile], set[str]]:
    """Profile the columns in the files of a table, and name the fields that are estimates.

    No value leaves here, only counts, shares and lengths. Of the lowest and highest number the
    metadata would tell, the profile keeps the distance alone, divided by the distinct values and
    rounded to a power of two: enough to see whether keys are dense, too little to tell a salary.
    """
    columns = [_column(field, content) for field in content.facts.schema]
    if content.whole:
        return columns, set()
    estimated = {*_SAMPLED, "mean_bytes", "max_bytes"}
    shares = content.facts.null_shares
    if not content.facts.complete or any(column.name not in shares for column in columns):
        estimated.add("null_share")
    return columns, estimated


def key_columns(columns: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """Return the columns that look like keys.

    Those are whole numbers, strings, dates and exact decimals with ten values or more: a flag or
    a payment type is not what data are joined on.
    """
    return [
        column
        for column in columns
        if column.top_share is not None
        and (column.distinct or 0) >= _KEY_DISTINCT
        and column.type.split("(")[0] in _KEY_TYPES
    ]


def _type_name(kind: pa.DataType) -> str:
    """Return Spark's word for an Arrow type."""
    if pa.types.is_dictionary(kind):
        return _type_name(kind.value_type)
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_struct(kind):
        return "struct"
    if pa.types.is_map(kind):
        return "map"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "array"
    text = re.sub(r"^large_|_view$|\[.*", "", str(kind))
    return _NAMES.get(text, text)


def _depth(kind: pa.DataType) -> int:
    """Return how many arrays, maps and structs lie around the innermost values."""
    if not pa.types.is_nested(kind):
        return 0
    return 1 + max((_depth(kind.field(i).type) for i in range(kind.num_fields)), default=0)


def _column(field: pa.Field, content: Content) -> ColumnProfile:
    name, sample = field.name, content.sample
    known = {
        "name": name,
        "type": _type_name(field.type),
        "null_share": content.facts.null_shares.get(name),
        "depth": _depth(field.type),
    }
    at = sample.rows.schema.get_all_field_indices(name)
    if at and len(sample):
        known |= _of_values(name, sample.rows.column(at[0]), content)
    return ColumnProfile.model_validate(known)


def _of_values(name: str, values: pa.ChunkedArray, content: Content) -> dict[str, object]:
    """Return the fields of a column that need a look at its values."""
    scattered = content.sample.scattered(values)
    missing = scattered.null_count / len(scattered)
    known: dict[str, object] = {}
    if content.whole or name not in content.facts.null_shares:
        known["null_share"] = missing
    found = frequencies(scattered, content.rows, whole=content.whole)
    if found is None:
        return known
    order = order_of(values, content.sample)
    distinct = found.distinct
    if not content.whole:
        in_order = order.distinct(content.rows * (1 - missing)) if order else None
        distinct = distinct if in_order is None else in_order
        if content.facts.complete and name in content.facts.widths:
            distinct = min(distinct, content.facts.widths[name] + 1)
    mean_bytes, max_bytes = _lengths(scattered)
    return known | {
        "distinct": distinct,
        "top_share": round(found.top_share, _DIGITS),
        "top10_share": round(found.top10_share, _DIGITS),
        "p99_to_median": _rounded(found.p99_to_median),
        "sortedness": _rounded(order.sortedness if order else None),
        "spread_bits": _spread_bits(content.facts.widths.get(name, _width(scattered)), distinct),
        "mean_bytes": _rounded(mean_bytes),
        "max_bytes": max_bytes,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _width(values: pa.ChunkedArray) -> int | None:
    """Return highest − lowest of whole numbers and days that were looked at."""
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    if not pa.types.is_integer(values.type):
        return None
    ends = pc.min_max(values).as_py()
    return None if ends["min"] is None else int(ends["max"]) - int(ends["min"])


def _spread_bits(width: int | None, distinct: int) -> int | None:
    """Return the power of two nearest to (width + 1) ÷ distinct."""
    if width is None or not distinct:
        return None
    return max(round(math.log2((width + 1) / distinct)), 0)


def _lengths(values: pa.ChunkedArray) -> tuple[float | None, int | None]:
    """Return the mean and the largest number of bytes of strings and binary values."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        values = values.cast(kind)
    if not (_is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return None, None
    lengths = pc.binary_length(values)
    return pc.mean(lengths).as_py(), pc.max(lengths).as_py()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
