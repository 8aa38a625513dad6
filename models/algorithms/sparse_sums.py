"""Sums of a few weighted rows of a sparse matrix: their largest entries, and which row gave each most; compiled."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numba
import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Scores
from models.algorithms.session_knn_query import most_similar


class Sums(NamedTuple):
    """Entries above zero, in no order: columns, their totals, and the row that gave each most (−1 for none)."""

    items: Items
    weights: Scores
    because: Items


# What is known of a column while rows are added up, side by side in memory: columns are met in no order.
_SUM = np.dtype([("total", np.float32), ("best", np.float32), ("because", np.int32), ("unused", np.int32)])
NOTHING = Sums(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64))


class SparseSums:
    """Adds up rows of one matrix, whose entries are not below zero.

    It keeps three numbers a column to add up in, which every answer leaves as new; a lock makes it safe for threads. Work is
    bounded by the entries of the rows. ``skips_itself``: a row says nothing of the column of its own number.
    """

    def __init__(self, matrix: sparse.csr_matrix, *, skips_itself: bool = False) -> None:
        self._starts = np.asarray(matrix.indptr).astype(np.int64, copy=False)
        self._columns = np.asarray(matrix.indices).astype(np.int32, copy=False)
        self._values = np.asarray(matrix.data).astype(np.float32, copy=False)
        self._skips_itself = skips_itself
        columns = matrix.shape[1]
        self._sums = np.zeros(columns, dtype=_SUM)
        self._sums["because"] = -1
        self._lock = Lock()

    def ask(self, rows: Sequence[tuple[int, float]], most: int) -> Sums:
        """The ``most`` largest entries of Σ weight × row over (row, weight), added in that order."""
        numbers, weights = zip(*rows, strict=True) if rows else ((), ())
        return self.weighed(np.array(numbers, dtype=np.int64), np.array(weights, dtype=np.float32), most)

    def weighed(self, rows: Items, weights: Scores, most: int) -> Sums:
        """The same of as many ``rows`` as ``weights``."""
        if not len(rows):
            return NOTHING
        with self._lock:
            return Sums(*_sum(rows, weights, self._starts, self._columns, self._values, self._sums, self._skips_itself, most))


@numba.njit(cache=True, nogil=True)
def _sum(
    rows: Any,
    weights: Any,
    starts: Any,
    columns: Any,
    values: Any,
    sums: Any,
    skips_itself: bool,
    most: int,
) -> Any:
    """``sums`` are as new before and after."""
    room = 0
    for row in rows:
        room += starts[row + 1] - starts[row]
    touched = np.empty(room, dtype=np.int32)
    count = 0
    for place in range(len(rows)):
        row = rows[place]
        for entry in range(starts[row], starts[row + 1]):
            item = columns[entry]
            given = values[entry] * weights[place]
            if given <= 0 or (skips_itself and item == row):
                continue
            column = sums[item]
            if column.total == 0:
                touched[count] = item
                count += 1
            column.total += given
            if given > column.best:
                column.best = given
                column.because = row
    kept = most_similar(touched[:count], sums["total"], most)
    items, totals, causes = np.empty(len(kept), np.int64), np.empty(len(kept), np.float32), np.empty(len(kept), np.int64)
    for place in range(len(kept)):
        column = sums[kept[place]]
        items[place], totals[place], causes[place] = kept[place], column.total, column.because
    for place in range(count):
        column = sums[touched[place]]
        column.total, column.best, column.because = 0, 0, -1
    return items, totals, causes
