"""A linear score of candidates, from which the trees start: trees need many steps for what a straight line says at once.

It does not serve: it starts the trees of the ranker on features alone.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from models.algorithms.recommender import NotFitted, Scores, State
from models.ranking.growth import Examples

Values = npt.NDArray[np.float64]
_OUTLIERS = 0.99  # quantile of a column's size at which it is cut off
_FLOOR = 0.01  # share of that size which is added before taking a logarithm


class LinearScore:
    """Ridge regression of labels within lists, on each column as it is and on its logarithm.

    score(x) = Σ_c a_c · cut(x_c) + b_c · log(max(cut(x_c), 0) + size_c / 100), where cut limits a column to ±size_c, the size
    that 99 % of the examples stay below. Labels and columns have the mean of their list taken out before fitting, as in the
    trees' loss (QueryRMSE), so that only differences within a list are learnt; ``ridge`` is for columns scaled to variance 1.
    """

    def __init__(self, ridge: float = 1000.0) -> None:
        self.ridge = ridge
        self.size_: Scores | None = None
        self.weights_: Scores | None = None

    def fit(self, examples: Examples) -> Self:
        """Learn the weights."""
        self.size_ = np.maximum(np.quantile(np.abs(examples.values), _OUTLIERS, axis=0), 1e-9).astype(np.float32)
        columns = _basis(examples.values, self.size_)
        spread = columns.std(axis=0)
        spread[spread < 1e-6] = np.inf  # of a column that says nothing the weight is 0
        _, place, counts = np.unique(examples.group, return_inverse=True, return_counts=True)
        columns = _within(columns / spread, place, counts)
        label = _within(examples.label[:, None], place, counts)[:, 0]
        matrix = (columns.T @ columns).astype(np.float64) + self.ridge * np.eye(columns.shape[1])
        solution = np.linalg.solve(matrix, (columns.T @ label).astype(np.float64))
        self.weights_ = (solution / spread).astype(np.float32)
        return self

    def predict(self, values: Scores) -> Scores:
        """Scores, shape (rows,); only their differences mean something."""
        size, weights = self._fitted()
        return np.asarray(_basis(values, size) @ weights, dtype=np.float32)

    def _fitted(self) -> tuple[Scores, Scores]:
        if self.size_ is None or self.weights_ is None:
            raise NotFitted("fit the linear score first")
        return self.size_, self.weights_

    def state(self) -> State:
        """Sizes of columns, and weights: of all columns as they are, then of their logarithms."""
        size, weights = self._fitted()
        return {"size": size, "weights": weights}

    def from_state(self, state: State) -> Self:
        """Take over sizes and weights."""
        self.size_, self.weights_ = state["size"].astype(np.float32), state["weights"].astype(np.float32)
        return self


def _basis(values: Scores, size: Scores) -> Scores:
    cut = np.clip(values, -size, size)
    return np.concatenate([cut, np.log(np.maximum(cut, 0) + _FLOOR * size)], axis=1)


def _within(table: Scores, place: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Scores:
    """Rows less the mean of their list."""
    order = np.argsort(place, kind="stable")
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(table[order], starts, axis=0) / counts[:, None]
    return np.asarray(table - means[place], dtype=np.float32)
