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


NOTHING = Sums(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64))


class SparseSums:
    """Adds up rows of one matrix, whose entries are not below zero.

    It keeps three numbers a column to add up in, which every answer leaves at zero; a lock makes it safe for threads. Work is
    bounded by the entries of the rows. ``skips_itself``: a row says nothing of the column of its own number.
    """

    def __init__(self, matrix: sparse.csr_matrix, *, skips_itself: bool = False) -> None:
        self._starts = np.asarray(matrix.indptr).astype(np.int64, copy=False)
        self._columns = np.asarray(matrix.indices).astype(np.int32, copy=False)
        self._values = np.asarray(matrix.data).astype(np.float32, copy=False)
        self._skips_itself = skips_itself
        columns = matrix.shape[1]
        self._total, self._best = np.zeros(columns, dtype=np.float32), np.zeros(columns, dtype=np.float32)
        self._because = np.full(columns, -1, dtype=np.int32)
        self._lock = Lock()

    def ask(self, rows: Sequence[tuple[int, float]], most: int) -> Sums:
        """The ``most`` largest entries of Σ weight × row over (row, weight), added in that order."""
        numbers = np.array([row for row, _ in rows], dtype=np.int64)
        return self.weighed(numbers, np.array([weight for _, weight in rows], dtype=np.float32), most)

    def weighed(self, rows: Items, weights: Scores, most: int) -> Sums:
        """The same of as many ``rows`` as ``weights``."""
        if not len(rows):
            return NOTHING
        matrix, sums = (self._starts, self._columns, self._values), (self._total, self._best, self._because)
        with self._lock:
            return Sums(*_sum(rows, weights, *matrix, *sums, self._skips_itself, most))


@numba.njit(cache=True, nogil=True)
def _sum(
    rows: Any,
    weights: Any,
    starts: Any,
    columns: Any,
    values: Any,
    total: Any,
    best: Any,
    because: Any,
    skips_itself: bool,
    most: int,
) -> Any:
    """The three accumulators are as new before and after."""
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
            if total[item] == 0:
                touched[count] = item
                count += 1
            total[item] += given
            if given > best[item]:
                best[item] = given
                because[item] = row
    kept = most_similar(touched[:count], total, most)
    items, sums, causes = np.empty(len(kept), np.int64), np.empty(len(kept), np.float32), np.empty(len(kept), np.int64)
    for place in range(len(kept)):
        item = kept[place]
        items[place], sums[place], causes[place] = item, total[item], because[item]
    for place in range(count):
        item = touched[place]
        total[item], best[item], because[item] = 0, 0, -1
    return items, sums, causes
