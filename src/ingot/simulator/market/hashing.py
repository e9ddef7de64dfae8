"""Randomness that is looked up, not drawn: every value is a hash of the keys that name it.

Nothing here depends on the order of calls, on the number of symbols, or on the machine:
integers wrap alike everywhere, and floats see only the operations that IEEE 754 rounds exactly
(+ - * / and square root), never a library's exp, log or cos.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]
    Reals = NDArray[np.float64]
    Ints = NDArray[np.int64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_LANE_BITS: Final = 16
_LANE_SIZE: Final = 1 << _LANE_BITS
_HALVINGS: Final = 6
_TERMS: Final = 10


def key(*parts: object) -> int:
    """Return 64 bits that name these parts, e.g. a seed, a purpose and a date.

    >>> key(1, "path") == key(1, "path"), key(1, "path") == key(2, "path")
    (True, False)
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def mixed(words: Words) -> Words:
    """Return the words with every bit depending on all bits (the finaliser of SplitMix64)."""
    x = words ^ (words >> np.uint64(30))
    x *= _MIX_1
    x ^= x >> np.uint64(27)
    x *= _MIX_2
    x ^= x >> np.uint64(31)
    return x


def words(root: int, axis: NDArray[np.integer] | Words, *more: NDArray[np.integer]) -> Words:
    """Return one hash per element of the broadcast axes, under the 64-bit key `root`."""
    x = mixed((np.asarray(axis).astype(np.uint64) * _GOLDEN) ^ np.uint64(root))
    for other in more:
        x = mixed(x ^ (np.asarray(other).astype(np.uint64) * _GOLDEN))
    return x


def lane(source: Words, index: int) -> Reals:
    """Return a number in (0, 1) from 16 of the 64 bits; lanes 0 to 3 are independent."""
    bits = (source >> np.uint64(index * _LANE_BITS)) & np.uint64(_LANE_SIZE - 1)
    return (bits.astype(np.float64) + 0.5) / _LANE_SIZE


def bell(source: Words) -> Reals:
    """Return a number of mean 0 and deviation 1, bell-shaped, within (-3.5, 3.5)."""
    total = lane(source, 0) + lane(source, 1) + lane(source, 2) + lane(source, 3)
    return np.asarray((total - 2.0) * np.sqrt(3.0))


def below(source: Words, bound: int) -> Ints:
    """Return an integer in [0, bound)."""
    return (source % np.uint64(bound)).astype(np.int64)


def exp(x: Reals) -> Reals:
    """Return e**x by halving, a Taylor sum and squaring: the same bits on every machine."""
    small = np.asarray(x, dtype=np.float64) / (1 << _HALVINGS)
    total = np.ones_like(small)
    for term in range(_TERMS, 0, -1):
        total = 1.0 + small * total / term
    for _ in range(_HALVINGS):
        total = total * total
    return total
