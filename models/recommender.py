"""The one protocol of all recommenders, and how scores become a list."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Scores = npt.NDArray[np.float32]
Items = npt.NDArray[np.int64]
State = dict[str, npt.NDArray[np.generic]]


class Recommender(Protocol):
    """Fit on a matrix of persons × items, then score any histories over the same items.

    Histories need not be of persons of the training matrix: what a model knows of a person is the history that it is shown.
    """

    name: str

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Learn from histories (persons × items, weights above zero) and the sales of each item."""

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """Scores of every item for each row, shape (rows, items); higher is better. Needs ``fit`` or ``from_state``."""

    def state(self) -> State:
        """Fitted arrays by name, enough to restore the model."""

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""


class NotFitted(RuntimeError):
    """A model was asked before it learnt anything."""


def check_histories(histories: sparse.csr_matrix, items: int | None = None) -> sparse.csr_matrix:
    """The histories as clean CSR. Raises ValueError naming what is wrong: NaN, weights below zero, another number of items."""
    found = sparse.csr_matrix(histories, dtype=np.float32)
    found.sum_duplicates()
    if found.shape[0] == 0 or found.shape[1] == 0:
        raise ValueError(f"histories are empty: shape {found.shape}")
    if not np.isfinite(found.data).all():
        raise ValueError("histories hold a weight that is NaN or infinite")
    if (found.data < 0).any():
        raise ValueError("histories hold a weight below zero")
    if items is not None and found.shape[1] != items:
        raise ValueError(f"histories have {found.shape[1]} items, the model was fitted on {items}")
    found.eliminate_zeros()
    return found


def top_k(scores: Scores, k: int, masked: sparse.csr_matrix | None = None) -> Items:
    """Indices of the best ``k`` items of each row, best first, equal scores by index; shape (rows, min(k, items)).

    Items of ``masked`` (rows × items) never appear; where fewer than ``k`` are left a row ends in −1.
    """
    k = min(k, scores.shape[1])
    values = scores.astype(np.float32, copy=True)
    if masked is not None:
        rows = np.repeat(np.arange(masked.shape[0]), np.diff(masked.indptr))
        values[rows, masked.indices] = -np.inf
    kth = np.partition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k]
    found = np.full((len(values), k), -1, dtype=np.int64)
    for row, (line, bar) in enumerate(zip(values, kth, strict=True)):
        candidates = np.flatnonzero(line >= bar) if np.isfinite(bar) else np.flatnonzero(np.isfinite(line))
        order = np.lexsort((candidates, -line[candidates]))[:k]
        found[row, : len(order)] = candidates[order]
    return found
