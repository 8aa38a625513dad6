"""What a source lists for each request, best first, as flat arrays; and which place and weight a candidate has there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores
from models.data.sequences import Numbers, distinct, places_in_rows
from models.ranking.places import index_of, place_of

FAR = 60  # the place of what a source does not list: behind all that it does


@dataclass(frozen=True)
class Listed:
    """Rows of items, each from the largest weight to the smallest; row r has the entries ``starts[r]`` to ``starts[r + 1]``."""

    starts: Numbers
    items: Numbers
    weights: Scores

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, most: int) -> Listed:
        """The ``most`` largest entries above zero of each row; equal ones by number."""
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        order = np.lexsort((matrix.indices, -matrix.data, row))
        kept = order[places_in_rows(np.diff(matrix.indptr).astype(np.int64)) < most]
        kept = kept[matrix.data[kept] > 0]
        starts = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=matrix.shape[0]))]).astype(np.int64)
        return cls(starts, matrix.indices[kept].astype(np.int64), matrix.data[kept].astype(np.float32))


@dataclass(frozen=True)
class RequestPairs:
    """Candidates of requests: row r has the items ``items[starts[r]:starts[r + 1]]``, rising."""

    starts: Numbers
    items: Numbers

    @property
    def row(self) -> Numbers:
        """The row of each."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def union(lists: Sequence[Listed], most: int, items: int) -> RequestPairs:
    """The first ``most`` entries of every list of a row."""
    rows = len(lists[0].starts) - 1
    keys = []
    for listed in lists:
        lengths = np.diff(listed.starts)
        here = places_in_rows(lengths) < most
        keys.append((np.repeat(np.arange(rows), lengths) * items + listed.items)[here])
    every = distinct(np.concatenate(keys))
    starts = np.searchsorted(every, np.arange(rows + 1) * items)
    return RequestPairs(starts.astype(np.int64), every % items)


def list_columns(lists: Sequence[Listed], pairs: RequestPairs) -> Scores:
    """Of each list three columns: weight, weight over the row's largest, log(1 + place). Last: how many lists name the pair."""
    table = np.zeros((len(pairs.items), 3 * len(lists) + 1), dtype=np.float32)
    for number, listed in enumerate(lists):
        table[:, 3 * number + 2] = np.float32(np.log1p(FAR))
        fill(listed.starts, listed.items, listed.weights, pairs.starts, pairs.items, table, 3 * number)
    return table


@numba.njit(cache=True, nogil=True)
def find(items: Any, first: int, last: int, wanted: int) -> int:
    """Where ``wanted`` stands among the rising ``items[first:last]``; −1 where it does not."""
    while first < last:
        middle = (first + last) // 2
        if items[middle] < wanted:
            first = middle + 1
        elif items[middle] > wanted:
            last = middle
        else:
            return middle
    return -1


_LOGS = np.log1p(np.arange(1, 301)).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _log_of_place(place: int) -> Any:
    """log(1 + place), places counted from 1, of the entry that stands ``place`` behind the first."""
    return _LOGS[place] if place < len(_LOGS) else np.float32(np.log1p(place + 1))


@numba.njit(cache=True, nogil=True)
def fill(starts: Any, items: Any, weights: Any, pair_starts: Any, pair_items: Any, table: Any, column: int) -> None:
    """The three columns of a list in every row, and one more in the last column of each pair that it names."""
    for row in range(len(starts) - 1):
        first, last = pair_starts[row], pair_starts[row + 1]
        numbers = pair_items[first:last]
        fill_row(starts[row], starts[row + 1], items, weights, numbers, index_of(numbers), table[first:last], column)


@numba.njit(cache=True, nogil=True)
def fill_row(first: int, end: int, items: Any, weights: Any, numbers: Any, slots: Any, table: Any, column: int) -> None:
    """The same of one row with the entries ``first`` to ``end``; ``slots`` is the index of its candidates ``numbers``."""
    named = table.shape[1] - 1
    for at in range(first, end):
        place = place_of(slots, numbers, items[at])
        if place >= 0:
            table[place, column] = weights[at]
            table[place, column + 1] = weights[at] / weights[first]
            table[place, column + 2] = _log_of_place(at - first)
            table[place, named] += 1
