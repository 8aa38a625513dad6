"""Of each row of a sparse matrix the nearest rows of another one by Euclidean distance; compiled, and exact.

Rows that share no column have a product of zero, so among them the shortest are the nearest: only rows that share one are
looked at, and as many of the shortest as are asked for. Work grows with the pairs that share a column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from scipy import sparse

from models.data.sequences import Numbers


class NearestRows:
    """An index of rows (rows × columns, nothing below zero)."""

    def __init__(self, rows: sparse.csr_matrix) -> None:
        self._holders = sparse.csr_matrix(rows.T.tocsr(), dtype=np.float32)
        self._squares = np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float64).ravel()
        self._shortest = np.argsort(self._squares, kind="stable").astype(np.int64)

    def __len__(self) -> int:
        return len(self._squares)

    def of(self, asked: sparse.csr_matrix, without: Numbers, most: int) -> sparse.csr_matrix:
        """Asked rows × rows of the index, 1 for each of the ``most`` nearest, of equally near ones those of lowest number.

        ``without`` names for each asked row one that is left out, or −1.
        """
        near = np.full((asked.shape[0], min(most, len(self))), -1, dtype=np.int32)
        fill: Callable[..., None] = _fill
        fill(
            *(asked.indptr.astype(np.int64), asked.indices.astype(np.int32), asked.data.astype(np.float32)),
            *(self._holders.indptr.astype(np.int64), self._holders.indices.astype(np.int32), self._holders.data),
            *(self._squares, self._shortest, without.astype(np.int64), near),
        )
        known = near >= 0
        starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        return sparse.csr_matrix((np.ones(int(starts[-1]), dtype=np.float32), near[known], starts), (len(near), len(self)))


@numba.njit(cache=True, nogil=True)
def _fill(
    starts: Any,
    columns: Any,
    weights: Any,
    holder_starts: Any,
    holders: Any,
    held: Any,
    squares: Any,
    shortest: Any,
    without: Any,
    near: Any,
) -> None:
    """Write the numbers of the nearest rows, rising, into each row of ``near``, which holds −1."""
    rows, most = len(squares), near.shape[1]
    total, is_touched = np.zeros(rows, dtype=np.float64), np.zeros(rows, dtype=np.bool_)
    touched = np.empty(rows, dtype=np.int64)
    key, number = np.empty(rows + most, dtype=np.float64), np.empty(rows + most, dtype=np.int64)
    for row in range(len(near)):
        count = 0
        for entry in range(starts[row], starts[row + 1]):
            column, weight = columns[entry], np.float64(weights[entry])
            for place in range(holder_starts[column], holder_starts[column + 1]):
                other = holders[place]
                if not is_touched[other]:
                    is_touched[other] = True
                    touched[count] = other
                    count += 1
                total[other] += weight * held[place]
        size = 0
        for place in range(count):
            other = touched[place]
            if other != without[row]:
                key[size], number[size] = squares[other] - 2 * total[other], other
                size += 1
        far = 0
        for other in shortest:
            if far == most:
                break
            if not is_touched[other] and other != without[row]:
                key[size], number[size] = squares[other], other
                size += 1
                far += 1
        for place in range(count):
            total[touched[place]], is_touched[touched[place]] = 0, False
        kept = min(most, size)
        if kept == 0:
            continue
        bar = np.partition(key[:size], kept - 1)[kept - 1]
        room = kept
        for place in range(size):
            room -= key[place] < bar
        ties = np.empty(0, dtype=np.int64)
        if room > 0:
            ties = np.sort(number[:size][key[:size] == bar])[:room]
        filled = 0
        for place in range(size):
            if key[place] < bar:
                near[row, filled] = number[place]
                filled += 1
        for tie in ties:
            near[row, filled] = tie
            filled += 1
        near[row, :filled] = np.sort(near[row, :filled])
