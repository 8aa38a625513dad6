"""Where items stand among the candidates of a request: a small hash table, made once a request and asked for every listed item.

Open addressing with linear probing (Knuth, The Art of Computer Programming 3, 6.4, algorithm L) over a table that is at most
half full; slots by the upper bits of a product with 2^64 over the golden ratio (Fibonacci hashing, ibid.).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@numba.njit(cache=True, nogil=True)
def index_of(numbers: Any) -> Any:
    """The table of some different item numbers, for ``place_of``."""
    size = 16
    while size < 2 * len(numbers):
        size *= 2
    slots = np.full(size, -1, dtype=np.int32)
    for place in range(len(numbers)):
        slot = _first_slot(numbers[place], size)
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = place
    return slots


@numba.njit(cache=True, nogil=True)
def place_of(slots: Any, numbers: Any, wanted: Any) -> Any:
    """Where ``wanted`` stands among the numbers; −1 where it does not."""
    slot = _first_slot(wanted, len(slots))
    while slots[slot] >= 0 and numbers[slots[slot]] != wanted:
        slot = (slot + 1) & (len(slots) - 1)
    return np.int64(slots[slot])


@numba.njit(cache=True, nogil=True)
def _first_slot(number: Any, size: Any) -> Any:
    return np.int64((np.uint64(number) * _GOLDEN) >> np.uint64(32)) & (size - 1)
