"""The protocol of all session models, and how their weights become lists."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from scipy import sparse

from models.recommender import Items, State
from models.sessions.sequences import Sequences


class SessionModel(Protocol):
    """Fit on whole sessions, oldest first, then weigh the items that may come next after any prefix.

    Items are numbered by falling popularity, so that what a model says nothing about follows in that order.
    """

    name: str

    def fit(self, sessions: Sequences) -> Self:
        """Learn from sessions."""

    def weigh(self, prefixes: Sequences) -> sparse.csr_matrix:
        """Weights above zero of some items for each prefix, shape (prefixes, items), float32; higher is likelier."""

    def state(self) -> State:
        """Fitted arrays by name, enough to restore the model."""

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""


def check_sessions(sessions: Sequences) -> Sequences:
    """The sessions. Raises ValueError when there is nothing to learn from or an item's number is out of range."""
    if len(sessions.flat) == 0 or sessions.items == 0:
        raise ValueError("sessions hold no items")
    check_item_range(sessions)
    return sessions


def check_item_range(sequences: Sequences) -> Sequences:
    """The sequences. Raises ValueError when an item's number is out of range."""
    if len(sequences.flat) and (sequences.flat.min() < 0 or sequences.flat.max() >= sequences.items):
        raise ValueError(f"items must be numbered from 0 to {sequences.items - 1}")
    return sequences


def top_of(weights: sparse.csr_matrix, k: int) -> Items:
    """Best ``k`` items a row, equal weights by number; the first numbers not weighed fill up; −1 where none is left."""
    rows, items = weights.shape
    top = np.full((rows, k), -1, dtype=np.int64)
    for row in range(rows):
        span = slice(weights.indptr[row], weights.indptr[row + 1])
        values, numbers = weights.data[span], weights.indices[span]
        if len(values) > 4 * k:  # sorting a few is cheaper than sorting all; ties with the last one stay in
            bar = np.partition(values, len(values) - k)[len(values) - k]
            values, numbers = values[values >= bar], numbers[values >= bar]
        best = numbers[np.lexsort((numbers, -values))][:k]
        top[row, : len(best)] = best
        if len(best) < min(k, items):
            is_free = np.ones(min(items, k + len(best)), dtype=np.bool_)
            is_free[best[best < len(is_free)]] = False
            others = np.flatnonzero(is_free)[: k - len(best)]
            top[row, len(best) : len(best) + len(others)] = others
    return top


def pack(name: str, matrix: sparse.csr_matrix) -> State:
    """A sparse matrix as plain arrays whose names start with ``name``."""
    shape = np.array(matrix.shape, dtype=np.int64)
    return {
        f"{name}_data": matrix.data,
        f"{name}_indices": matrix.indices,
        f"{name}_indptr": matrix.indptr,
        f"{name}_shape": shape,
    }


def unpack(name: str, state: State) -> sparse.csr_matrix:
    """The sparse matrix that ``pack`` took apart."""
    arrays = (state[f"{name}_data"], state[f"{name}_indices"], state[f"{name}_indptr"])
    return sparse.csr_matrix(arrays, shape=tuple(int(size) for size in state[f"{name}_shape"]))
