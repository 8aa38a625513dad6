"""The one protocol of all algorithms (fit, score, state), and how scores become a list.

What is learnt from and asked about differs: a matrix of persons and items, sequences, baskets, or a shop's snapshot.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

Scores = npt.NDArray[np.float32]
Items = npt.NDArray[np.int64]
State = dict[str, npt.NDArray[np.generic]]
Acts = TypeVar("Acts", contravariant=True)


class Stateful(Protocol):
    """Whatever can be stored as arrays."""

    def state(self) -> State:
        """Fitted arrays by name, enough to restore the model."""

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""


class Algorithm(Stateful, Protocol[Acts]):
    """Fit on acts of one kind, then score the items for any rows of that kind.

    Rows need not be of persons of the fit: what a model knows of a person is what it is shown.
    """

    name: str

    def fit(self, acts: Acts, /) -> Self:
        """Learn."""

    def score(self, acts: Acts, /) -> Any:
        """Scores of the items for each row, shape (rows, items), float32; higher is better. Needs ``fit`` or ``from_state``.

        A dense array with a score of every item, or a sparse matrix with scores above zero of some; the others follow by
        their numbers, which are those of falling popularity.
        """


class Recommender(Stateful, Protocol):
    """An algorithm on a matrix of persons × items, which also learns what sells."""

    name: str

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Learn from histories (persons × items, weights above zero) and the sales of each item."""

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """Scores of every item for each row, shape (rows, items); higher is better. Needs ``fit`` or ``from_state``."""


class NotFitted(RuntimeError):
    """A model was asked before it learnt anything."""


def check_histories(histories: sparse.csr_matrix, items: int | None = None) -> sparse.csr_matrix:
    """The histories as clean CSR. Raises ValueError naming what is wrong: NaN, weights below zero, another number of items."""
    matrix = sparse.csr_matrix(histories, dtype=np.float32)
    matrix.sum_duplicates()
    if matrix.shape[0] == 0 or matrix.shape[1] == 0:
        raise ValueError(f"histories are empty: shape {matrix.shape}")
    if not np.isfinite(matrix.data).all():
        raise ValueError("histories hold a weight that is NaN or infinite")
    if (matrix.data < 0).any():
        raise ValueError("histories hold a weight below zero")
    if items is not None and matrix.shape[1] != items:
        raise ValueError(f"histories have {matrix.shape[1]} items, the model was fitted on {items}")
    matrix.eliminate_zeros()
    return matrix


def top_k(scores: Scores, k: int, masked: sparse.csr_matrix | None = None) -> Items:
    """Indices of the best ``k`` items of each row, best first, equal scores by index; shape (rows, min(k, items)).

    Items of ``masked`` (rows × items) and those whose score is −∞ or no number never appear; where fewer than ``k`` are left a
    row ends in −1.
    """
    k = min(k, scores.shape[1])
    values = np.ascontiguousarray(scores, dtype=np.float32)
    if masked is not None:
        values = np.array(values)
        rows = np.repeat(np.arange(masked.shape[0]), np.diff(masked.indptr))
        values[rows, masked.indices] = -np.inf
    top = np.full((len(values), k), -1, dtype=np.int64)
    if k <= _FEW:
        _heads(values, top)
        return top
    for row, line in enumerate(np.where(np.isnan(values), -np.inf, values)):
        order = np.lexsort((np.arange(len(line)), -line))[:k]
        order = order[line[order] > -np.inf]
        top[row, : len(order)] = order
    return top


_FEW = 200  # up to here a list that is kept sorted while the row is read once beats sorting the row


@numba.njit(cache=True, nogil=True)
def _heads(values: Any, top: Any) -> None:
    """Fill each row of ``top``, which holds −1, with the places of the row's largest values."""
    k = top.shape[1]
    for row in range(values.shape[0]):
        line, best = values[row], top[row]
        count, bar = 0, np.float32(-np.inf)
        for item in range(len(line)):
            value = line[item]
            if not value > bar:  # nor when it is no number
                continue
            place = min(count, k - 1)
            while place > 0 and line[best[place - 1]] < value:
                best[place] = best[place - 1]
                place -= 1
            best[place] = item
            count = min(count + 1, k)
            if count == k:
                bar = line[best[k - 1]]
