"""SLIM: a sparse linear item-to-item model with an L1 and an L2 term (Ning & Karypis, ICDM 2011), by coordinate descent.

It does not serve: coordinate descent is only bearable up to 12,000 items, and no placement's gate has tried it.
"""

from __future__ import annotations

from typing import Any, Self

import numba
import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, Scores, State, check_histories
from models.lab.gram import gram

INNER_SWEEPS = 10  # over the weights that are not zero, between sweeps over all


class TooManyItems(ValueError):
    """The Gram matrix of the items would not fit into memory."""


class SLIM:
    """Item j is predicted from all other items: min_w ½‖x_j − Xw‖² + ½ l2 ‖w‖² + l1 ‖w‖₁ with w ≥ 0 and w_j = 0.

    Each column is solved on its own, by coordinate descent over the Gram matrix XᵀX (Friedman, Hastie & Tibshirani, Journal of
    Statistical Software 2010), until a sweep over all coordinates moves no weight by ``tolerance``, or after ``sweeps``.
    ``l1`` and ``l2`` count interactions: they are multiplied by the mean of the squared entries of X. L1 makes most weights
    zero, which EASE cannot. The Gram matrix costs items² floats, so more than ``most_items`` are refused; ``ease`` has a sparse
    form there.
    """

    name = "slim"

    def __init__(
        self, l1: float = 5.0, l2: float = 200.0, sweeps: int = 20, tolerance: float = 1e-4, most_items: int = 12_000
    ) -> None:
        self.l1 = l1
        self.l2 = l2
        self.sweeps = sweeps
        self.tolerance = tolerance
        self.most_items = most_items
        self.weights_: sparse.csr_matrix | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Solve every column. Raises TooManyItems."""
        x = check_histories(histories, len(sales))
        items = x.shape[1]
        if items > self.most_items:
            raise TooManyItems(
                f"{items} items, SLIM takes {self.most_items}; use ease, or raise most_items and have the memory"
            )
        unit = float((x.data**2).sum()) / max(1, x.nnz)
        dense = np.ascontiguousarray(gram(x).T)
        order = np.argsort(-np.diag(dense), kind="stable").astype(np.int64)
        starts, rows, values = _solve(dense, order, self.l1 * unit, self.l2 * unit, self.sweeps, self.tolerance)
        self.weights_ = sparse.csr_matrix(sparse.csc_matrix((values, rows, starts), shape=(items, items)))
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """History × weights."""
        weights = self._fitted()
        x = check_histories(histories, weights.shape[0])
        return np.asarray((x @ weights).toarray(), dtype=np.float32)

    def _fitted(self) -> sparse.csr_matrix:
        if self.weights_ is None:
            raise NotFitted("fit the SLIM model first")
        return self.weights_

    def state(self) -> State:
        """The weights in CSR form."""
        w = self._fitted()
        return {"data": w.data, "indices": w.indices, "indptr": w.indptr, "items": np.array([w.shape[0]], dtype=np.int64)}

    def from_state(self, state: State) -> Self:
        """Take over weights."""
        items = int(state["items"][0])
        self.weights_ = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(items, items))
        return self


@numba.njit(cache=True)
def _solve(g: Scores, order: Any, l1: float, l2: float, sweeps: int, tolerance: float) -> Any:
    """Columns one after the other in CSC form; ``order`` is the order of the coordinates of a sweep."""
    items = g.shape[0]
    starts = np.zeros(items + 1, dtype=np.int64)
    rows = np.empty(items, dtype=np.int32)
    values = np.empty(items, dtype=np.float32)
    filled = 0
    weight = np.zeros(items, dtype=np.float32)
    for column in range(items):
        weight[:] = 0
        left = g[column].copy()  # what of the target the weights do not explain yet: XᵀX (e_column − w)
        # XᵀX and w are never below zero, so what starts at or below l1 can never rise above it.
        able = order[(g[column][order] > l1) & (order != column)]
        for _ in range(sweeps):
            if _sweep(g, able, weight, left, l1, l2) < tolerance:
                break
            chosen = able[weight[able] > 0]
            for _ in range(INNER_SWEEPS):
                if _sweep(g, chosen, weight, left, l1, l2) < tolerance:
                    break
        for item in np.flatnonzero(weight):
            if filled == len(rows):
                rows, values = np.concatenate((rows, rows)), np.concatenate((values, values))
            rows[filled], values[filled] = item, weight[item]
            filled += 1
        starts[column + 1] = filled
    return starts, rows[:filled].copy(), values[:filled].copy()


@numba.njit(cache=True)
def _sweep(g: Scores, coordinates: Any, weight: Scores, left: Scores, l1: float, l2: float) -> float:
    """One pass over the coordinates; the largest move."""
    moved = 0.0
    for item in coordinates:
        before = weight[item]
        after = np.float32(max(0.0, (left[item] + g[item, item] * before - l1) / (g[item, item] + l2)))
        change = after - before
        if change != 0:
            weight[item] = after
            left -= change * g[item]
            moved = max(moved, abs(change))
    return moved
