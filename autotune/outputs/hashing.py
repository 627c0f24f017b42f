"""Hashes of cells in bulk, and sums of them that know no order.

A row's hash is the sum over its columns of the mixed hash of each cell; the digest of a table is
the sum over its rows of the mixed hash of each row. Addition modulo 2⁶⁴ forgets the order, mixing
before each addition keeps what belongs together. Two lanes with other seeds make 128 bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pandas.util import hash_array

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

LANES = (0, 1)
_KEY = "autotune outputs"  # 16 characters, as SipHash wants


def mixed(hashes: Hashes) -> Hashes:
    """Return the hashes with every bit depending on every bit, one to one.

    It is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, OOPSLA 2014).
    """
    x = hashes ^ (hashes >> np.uint64(30))
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


@lru_cache(maxsize=4096)
def seed(text: str, lane: int = 0) -> np.uint64:
    """Return a number that stands for a name."""
    data = hashlib.sha256(f"{lane} {text}".encode("utf-8", "surrogatepass")).digest()
    return np.uint64(int.from_bytes(data[:8], "little"))


def hashed_bytes(values: Sequence[bytes] | NDArray[np.object_]) -> Hashes:
    """Return the 64-bit SipHash of each of *values*."""
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    # Not categorised: what that does first takes texts to end at their first NUL.
    return hash_array(cells, hash_key=_KEY, categorize=False)


def order_free(lanes: Sequence[Hashes]) -> str:
    """Return the sum of each lane modulo 2⁶⁴, as 16 hex digits each."""
    return "".join(f"{int(lane.sum(dtype=np.uint64)):016x}" for lane in lanes)
