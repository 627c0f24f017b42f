"""Types, nulls, distinct values and heavy hitters of columns, from a sample."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from autotune.dataset.readers import Content
from autotune.domain import ColumnProfile

_KEY_DISTINCT = 10
_KEY_TYPES = ("tinyint", "smallint", "int", "bigint", "string", "date", "decimal", "binary")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
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


def column_profiles(
    content: Content, partitions: Mapping[str, Counter[str]]
) -> tuple[tuple[ColumnProfile, ...], set[str]]:
    """Profile the columns of a table, and name the fields that are estimates.

    Where the sample is not the whole table, distinct values follow GEE, the guaranteed-error
    estimator of Charikar, Chaudhuri, Motwani and Narasayya (PODS 2000): values seen once stand
    for √(rows ÷ sampled) values each; a column without repetition is taken to have none at all.
    """
    whole = content.sample.num_rows >= content.rows
    columns = [_column(field, content, whole) for field in content.schema]
    estimated: set[str] = set() if whole else {"distinct", "top_share"}
    if not whole and any(column.name not in content.null_counts for column in columns):
        estimated.add("null_share")
    inside = {column.name for column in columns}
    for name, values in partitions.items():
        if name not in inside:
            columns.append(_partition_column(name, values))
            estimated.add("top_share")
    return tuple(columns), estimated


def key_skew(columns: tuple[ColumnProfile, ...]) -> float:
    """Return the largest ``top_share`` of columns that look like keys.

    Those are whole numbers, strings, dates and exact decimals with ten values or more: a flag or
    a payment type is not what data are joined on.
    """
    shares = [
        column.top_share
        for column in columns
        if column.top_share is not None
        and (column.distinct or 0) >= _KEY_DISTINCT
        and column.type.split("(")[0] in _KEY_TYPES
    ]
    return max(shares, default=0.0)


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


def _column(field: pa.Field, content: Content, whole: bool) -> ColumnProfile:
    name, kind = field.name, _type_name(field.type)
    at = content.sample.schema.get_all_field_indices(name)
    values = content.sample.column(at[0]) if at else None
    if values is None or not len(values):
        return ColumnProfile(name=name, type=kind)
    null_share = values.null_count / len(values)
    if name in content.null_counts:
        null_share = content.null_counts[name] / content.rows
    distinct, top_share = _frequencies(values, content.rows, whole)
    return ColumnProfile(
        name=name,
        type=kind,
        null_share=null_share,
        distinct=distinct,
        top_share=top_share,
    )


def _frequencies(
    values: pa.ChunkedArray, rows: int, whole: bool
) -> tuple[int | None, float | None]:
    """Return how many distinct values there are, and the share of the most frequent one."""
    if pa.types.is_nested(values.type):
        return None, None
    sampled = len(values)
    counts = pc.value_counts(pc.drop_null(values)).field("counts")
    if not len(counts):
        return 0, 0.0
    top_share = pc.max(counts).as_py() / sampled
    seen = len(counts)
    if whole:
        return seen, top_share
    once = pc.sum(pc.equal(counts, 1)).as_py()
    present = rows * (1 - values.null_count / sampled)
    if once > 0.99 * (sampled - values.null_count):
        return round(present * seen / (sampled - values.null_count)), top_share
    return round(min((rows / sampled) ** 0.5 * once + seen - once, present)), top_share


def _partition_column(name: str, values: Counter[str]) -> ColumnProfile:
    """Profile a column that is folder names; shares are those of bytes."""
    total = values.total()
    present = {value: size for value, size in values.items() if value != _NULL_PARTITION}
    whole_numbers = bool(present) and all(re.fullmatch(r"-?\d{1,9}", v) for v in present)
    return ColumnProfile(
        name=name,
        type="int" if whole_numbers else "string",
        null_share=values[_NULL_PARTITION] / total,
        distinct=len(present),
        top_share=max(present.values(), default=0) / total,
    )
