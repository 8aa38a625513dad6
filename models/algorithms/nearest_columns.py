"""Of each column of a sparse matrix those with the largest products with it; compiled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from scipy import sparse

# Products are sorted roughly by their leading bits: sign and exponent, and six bits of the fraction.
SHIFT = 46
LOWEST = (1023 - 60) << 6  # those of 2⁻⁶⁰: what is smaller is as small
SLOTS = 64 << 6


def nearest_columns(x: sparse.csr_matrix, most: int, threads: int) -> sparse.csr_matrix:
    """The ``most`` largest entries above zero of each row of xᵀx, float32; ``x`` is float64 and holds nothing below zero.

    The same entries as ``implicit.nearest_neighbours.all_pairs_knn``, those among equal ones included, at a third of the time:
    no branch of the inner loops depends on what a product holds. A row's products are looked through in the order of the
    library: from the last row of ``x`` and the last entry stored of that to the first ones. Who is as large as the smallest one
    kept comes too late; of equal smallest ones that with the lowest number leaves.
    """
    items = x.shape[1]
    rows = sparse.csr_matrix(x)
    columns = rows.tocsc()
    neighbours = np.full((items, most), -1, dtype=np.int32)
    strength = np.zeros(neighbours.shape, dtype=np.float32)
    arrays = [
        array if array.dtype == np.float64 else array.astype(np.uint32)
        for matrix in (columns, rows)
        for array in (matrix.indptr, matrix.indices, matrix.data)
    ]
    nearest_of: Callable[..., None] = _nearest
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(nearest_of, *arrays, first, threads, neighbours, strength) for first in range(threads)]:
            done.result()
    known = neighbours >= 0
    starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
    nearest = sparse.csr_matrix((strength[known], neighbours[known], starts), shape=(items, items))
    nearest.sort_indices()
    return nearest


@numba.njit(cache=True, nogil=True)
def _nearest(
    column_starts: Any,
    holders: Any,
    held: Any,
    row_starts: Any,
    columns: Any,
    weights: Any,
    first: int,
    step: int,
    neighbours: Any,
    strength: Any,
) -> None:
    """Fill every ``step``-th row of ``found`` (which holds −1) and ``strength`` from ``first`` on."""
    items, most = neighbours.shape
    total = np.zeros(items, dtype=np.float64)
    bits = total.view(np.int64)  # of numbers that are not below zero; they have the order of the numbers
    touched, near = np.empty(items + 1, dtype=np.uint32), np.empty(items + 1, dtype=np.uint32)
    in_slot = np.zeros(SLOTS, dtype=np.int32)
    best, values = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.float64)
    for item in range(first, items, step):
        count: int | np.int64 = 0
        for entry in range(column_starts[item], column_starts[item + 1]):
            row, weight = holders[entry], held[entry]
            for place in range(row_starts[row], row_starts[row + 1]):
                other = columns[place]
                before = total[other]
                after = before + weight * weights[place]
                touched[count] = other
                count += np.int64(before == 0) & np.int64(after != 0)  # a stored zero gives nothing
                total[other] = after
        floor = 0
        if count > 2 * most:  # a bar that the best ones clear, and few others
            for place in range(count):
                in_slot[min(max((bits[touched[place]] >> SHIFT) - LOWEST, 0), SLOTS - 1)] += 1
            slot, above = SLOTS, 0
            while above < most:
                slot -= 1
                above += in_slot[slot]
            floor = (slot + LOWEST) << SHIFT if slot > 0 else 0
            in_slot[:] = 0
        few = 0
        for place in range(count - 1, -1, -1):
            near[few] = touched[place]
            few += bits[touched[place]] >= floor
        size = 0
        for other in near[:few]:
            value = total[other]
            if size == most and value <= values[-1]:
                continue
            place = min(size, most - 1)
            while place > 0 and (values[place - 1] < value or (values[place - 1] == value and best[place - 1] < other)):
                best[place], values[place] = best[place - 1], values[place - 1]
                place -= 1
            best[place], values[place] = other, value
            size = min(size + 1, most)
        for place in range(size):
            neighbours[item, place], strength[item, place] = best[place], values[place]
        for place in range(count):
            total[touched[place]] = 0
