"""Implicit-feedback matrix factorisation (Hu, Koren, Volinsky, ICDM 2008), fitted with the library ``implicit``."""

from __future__ import annotations

from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from models.algorithms.recommender import NotFitted, Scores, State, check_histories


class ALS:
    """Alternating least squares with confidence ``alpha`` × weight where a history has weight, and 1 elsewhere.

    A person's factors follow from a history in closed form (``fold_in``), so that persons who came after training are served
    like all others. With ``is_weighted`` they follow in the form of MLlib, for item factors that Spark made: confidence 1 +
    ``alpha`` × weight, and a regularisation that grows with the items of the history (ALS-WR; Zhou et al., Large-scale parallel
    collaborative filtering for the Netflix Prize, AAIM 2008).
    """

    name = "als"

    def __init__(
        self,
        factors: int = 48,
        iterations: int = 8,
        regularization: float = 20.0,
        alpha: float = 10.0,
        seed: int = 7,
        threads: int = 2,
        *,
        is_weighted: bool = False,
    ) -> None:
        self.factors = factors
        self.iterations = iterations
        self.regularization = regularization
        self.alpha = alpha
        self.seed = seed
        self.threads = threads
        self.is_weighted = is_weighted
        self.item_factors_: Scores | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Learn item factors. Raises ValueError for the form of MLlib, in which Spark learns."""
        if self.is_weighted:
            raise ValueError(
                "is_weighted: these factors are learnt by Spark (python -m spark_jobs als); take them by from_state"
            )
        x = check_histories(histories, len(sales))
        with threadpool_limits(1, user_api="blas"):  # implicit's own threads and BLAS threads would fight for the same cores
            model = self._library_model()
            model.fit(x, show_progress=False)
        self.item_factors_ = np.ascontiguousarray(model.item_factors, dtype=np.float32)
        return self

    def fold_in(self, histories: sparse.csr_matrix) -> Scores:
        """Person factors of histories, shape (rows, factors); zeros for an empty history.

        Solves (YᵀY + Yᵀ(C − I)Y + λI) x = YᵀC p with p = 1 and C = alpha × weight where the history has weight.
        """
        y = self._fitted()
        x = check_histories(histories, len(y))
        if self.is_weighted:
            return _fold_in_weighted(y, x, self.alpha, self.regularization)
        with threadpool_limits(1, user_api="blas"):
            model = self._library_model()
            model.item_factors = np.require(
                y, requirements="W"
            )  # those of a release are views of its file, which none may write
            return np.asarray(model.recalculate_user(np.arange(x.shape[0]), x), dtype=np.float32)

    def _library_model(self) -> AlternatingLeastSquares:
        return AlternatingLeastSquares(
            factors=self.factors,
            iterations=self.iterations,
            regularization=self.regularization,
            alpha=self.alpha,
            random_state=self.seed,
            num_threads=self.threads,
            use_cg=True,
        )

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """Person factors × item factors."""
        return self.fold_in(histories) @ self._fitted().T

    def _fitted(self) -> Scores:
        if self.item_factors_ is None:
            raise NotFitted("fit the ALS model first")
        return self.item_factors_

    def state(self) -> State:
        """Item factors."""
        return {"item_factors": self._fitted()}

    def from_state(self, state: State) -> Self:
        """Take over item factors."""
        self.item_factors_ = state["item_factors"].astype(np.float32, copy=False)
        return self


def _fold_in_weighted(item_factors: Scores, histories: sparse.csr_matrix, alpha: float, regularization: float) -> Scores:
    """Solves (YᵀY + Yᵀ(C − I)Y + λ n I) x = YᵀC p with C = 1 + alpha × weight and n the items of the history."""
    y = item_factors.astype(np.float64)
    gram, eye = y.T @ y, np.eye(y.shape[1])
    factors = np.zeros((histories.shape[0], y.shape[1]))
    for row in np.flatnonzero(np.diff(histories.indptr)):
        span = slice(histories.indptr[row], histories.indptr[row + 1])
        rated, more = y[histories.indices[span]], alpha * histories.data[span].astype(np.float64)
        left = gram + (rated.T * more) @ rated + regularization * len(rated) * eye
        factors[row] = np.linalg.solve(left, rated.T @ (1 + more))
    return factors.astype(np.float32)
