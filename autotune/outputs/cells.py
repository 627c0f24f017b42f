"""Arrow arrays of any type → a hash per value, and the floating point numbers found inside.

Nothing here looks at single values in Python: nested arrays are taken apart level by level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from autotune.digests import FloatFamily
from autotune.outputs.hashing import Hashes, Mask, hashed_bytes, mixed, seed

FINITE, NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY = 1, 2, 3, 4


@dataclass(frozen=True)
class Cells:
    """A hash per value; ``valid`` is false where the value is null."""

    hashes: Hashes
    valid: Mask

    def contributions(self, salt: np.uint64 | Hashes) -> Hashes:
        """Return what each value adds to a sum; a null adds nothing."""
        return np.where(self.valid, mixed(self.hashes + salt), np.uint64(0))


@dataclass(frozen=True)
class FloatCells:
    """Floating point values that belong under one name."""

    name: str
    family: FloatFamily
    rows: NDArray[np.int64]
    """Which row each value is in."""
    places: Hashes
    """Where in the row: equal for values that may change places."""
    values: NDArray[np.float64]
    valid: Mask


@dataclass(frozen=True)
class Spot:
    """Where in the rows the values of an array stand."""

    path: str
    rows: NDArray[np.int64]
    places: Hashes

    @classmethod
    def of_column(cls, name: str, rows: int) -> Spot:
        """Return the spot of a whole column."""
        return cls(name, np.arange(rows), np.zeros(rows, dtype=np.uint64))

    def field(self, name: str) -> Spot:
        """Return the spot of a field of structs."""
        return Spot(f"{self.path}.{name}", self.rows, self.places)

    def inside(self, name: str, owners: NDArray[np.int64], keys: Hashes) -> Spot:
        """Return the spot of values inside of others: *owners* says which, *keys* where."""
        places = mixed(self.places[owners] + keys + seed("place"))
        return Spot(f"{self.path}.{name}", self.rows[owners], places)


def cells_of(array: pa.Array, spot: Spot, floats: list[FloatCells]) -> Cells:
    """Hash each value of *array*, floating point numbers by their kind alone.

    Args:
        array: Of any type.
        spot: Where its values stand.
        floats: The floating point numbers are appended here.
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return cells_of(array.storage, spot, floats)
    if types.is_dictionary(kind):
        return cells_of(array.dictionary_decode(), spot, floats)
    if types.is_floating(kind):
        single = kind.bit_width < 64
        family = FloatFamily.FLOAT32 if single else FloatFamily.FLOAT64
        return _float_cells(array, spot, family, floats)
    if types.is_struct(kind):
        return _struct_cells(array, spot, floats)
    if types.is_map(kind):
        return _map_cells(array, spot, floats)
    if types.is_list(kind) or types.is_large_list(kind):
        return _list_cells(array, spot, floats)
    if types.is_fixed_size_list(kind):
        return _list_cells(array.cast(pa.list_(kind.value_field)), spot, floats)
    return Cells(_scalar_hashes(array), valid_of(array))


def valid_of(array: pa.Array) -> Mask:
    """Return which values are not null."""
    valid: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def kinds_of(values: NDArray[np.float64]) -> Hashes:
    """Return finite, NaN or infinite for each number: this much of it is exact."""
    kinds = np.full(len(values), FINITE, dtype=np.uint64)
    if not np.isfinite(values).all():
        kinds[np.isnan(values)] = NAN
        kinds[np.isposinf(values)] = POSITIVE_INFINITY
        kinds[np.isneginf(values)] = NEGATIVE_INFINITY
    return kinds


def _float_cells(
    array: pa.Array, spot: Spot, family: FloatFamily, floats: list[FloatCells]
) -> Cells:
    values, valid = _doubles(array), valid_of(array)
    floats.append(FloatCells(spot.path, family, spot.rows, spot.places, values, valid))
    return Cells(kinds_of(values), valid)


def _doubles(array: pa.Array) -> NDArray[np.float64]:
    wide = array.cast(pa.float64())
    values: NDArray[np.float64] = pc.fill_null(wide, 0.0).to_numpy(zero_copy_only=False)
    return values


def _struct_cells(array: pa.Array, spot: Spot, floats: list[FloatCells]) -> Cells:
    hashes = np.full(len(array), seed("struct"), dtype=np.uint64)
    for field, child in zip(array.type, array.flatten(), strict=True):
        inner = cells_of(child, spot.field(field.name), floats)
        hashes += inner.contributions(seed(field.name))
    return Cells(hashes, valid_of(array))


def _list_cells(array: pa.Array, spot: Spot, floats: list[FloatCells]) -> Cells:
    lengths, owners = _lengths(array)
    starts = np.cumsum(lengths) - lengths
    order = (np.arange(len(owners)) - starts[owners]).astype(np.uint64)
    inner = cells_of(array.flatten(), spot.inside("element", owners, order), floats)
    return _gathered(array, lengths, inner.contributions(mixed(order + seed("list"))))


def _map_cells(array: pa.Array, spot: Spot, floats: list[FloatCells]) -> Cells:
    """Hash maps: entries are added up, so their order does not matter."""
    kind = array.type
    entry = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
    entries = array.cast(pa.list_(entry))
    lengths, owners = _lengths(entries)
    keys, values = entries.flatten().flatten()
    if types.is_floating(kind.key_type):  # a key tells entries apart, so all of it is exact
        bits = (_doubles(keys) + 0.0).view(np.uint64)
        key_cells = Cells(bits, valid_of(keys))
    else:
        key_cells = cells_of(keys, spot.inside("key", owners, _zeros(owners)), floats)
    salts = key_cells.contributions(seed("key"))
    inner = cells_of(values, spot.inside("value", owners, salts), floats)
    # An entry counts even where its value is null.
    return _gathered(array, lengths, mixed(salts + inner.contributions(salts)))


def _zeros(owners: NDArray[np.int64]) -> Hashes:
    return np.zeros(len(owners), dtype=np.uint64)


def _lengths(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how long each list is, and for each element which list it is in."""
    filled = pc.fill_null(pc.list_value_length(array).cast(pa.int64()), 0)
    lengths = filled.to_numpy(zero_copy_only=False)
    return lengths, np.repeat(np.arange(len(lengths)), lengths)


def _gathered(array: pa.Array, lengths: NDArray[np.int64], elements: Hashes) -> Cells:
    """Add up what the elements of each list contribute."""
    hashes = mixed(lengths.astype(np.uint64) + seed("length"))
    filled = lengths > 0
    if filled.any():
        starts = (np.cumsum(lengths) - lengths)[filled]
        hashes[filled] += np.add.reduceat(elements, starts)
    return Cells(hashes, valid_of(array))


def _scalar_hashes(array: pa.Array) -> Hashes:
    kind = array.type
    if types.is_null(kind):
        return np.zeros(len(array), dtype=np.uint64)
    if types.is_decimal128(kind):
        return _decimal_hashes(array)
    if _is_bytes(kind):
        binary = pc.fill_null(array.cast(pa.large_binary()), b"")
        return hashed_bytes(binary.to_numpy(zero_copy_only=False))
    whole = _as_integers(array)
    if whole is not None:
        return whole
    return hashed_bytes([str(value).encode() for value in array.to_pylist()])


def _is_bytes(kind: Any) -> bool:
    checks = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary,
              types.is_fixed_size_binary, types.is_string_view, types.is_binary_view)  # fmt: skip
    return any(check(kind) for check in checks)


def _as_integers(array: pa.Array) -> Hashes | None:
    """Return what is a count of something as 64-bit integers, times as microseconds."""
    kind = array.type
    if types.is_boolean(kind):
        array = array.cast(pa.uint8())
    elif types.is_timestamp(kind):
        array = array.cast(pa.timestamp("us", kind.tz), safe=False)
    elif types.is_duration(kind):
        array = array.cast(pa.duration("us"), safe=False)
    elif types.is_time(kind):
        array = array.cast(pa.time64("us"), safe=False)
    elif types.is_date(kind):
        array = array.cast(pa.date32()).cast(pa.int32())
    elif not types.is_integer(kind):
        return None
    # Never by way of floating point numbers, which is where NumPy puts integers with nulls.
    integers = pc.fill_null(array.cast(pa.int64(), safe=False), 0)
    hashes: Hashes = integers.to_numpy(zero_copy_only=False).view(np.uint64)
    return hashes


def _decimal_hashes(array: pa.Array) -> Hashes:
    """Hash the unscaled 128-bit values, and the scale with them."""
    words = np.frombuffer(array.buffers()[1], dtype=np.uint64)
    halves = words[2 * array.offset : 2 * (array.offset + len(array))].reshape(-1, 2)
    return mixed(mixed(halves[:, 0] + seed(f"scale {array.type.scale}")) + halves[:, 1])
