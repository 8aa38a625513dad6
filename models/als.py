"""Implicit-feedback matrix factorisation (Hu, Koren, Volinsky, ICDM 2008), fitted with the library ``implicit``."""

from __future__ import annotations

from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from models.recommender import NotFitted, Scores, State, check_histories


class ALS:
    """Alternating least squares with confidence ``alpha`` × weight where a history has weight, and 1 elsewhere.

    A person's factors follow from a history in closed form (``fold_in``), so that persons who came after training are served
    like all others.
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
    ) -> None:
        self.factors = factors
        self.iterations = iterations
        self.regularization = regularization
        self.alpha = alpha
        self.seed = seed
        self.threads = threads
        self.item_factors_: Scores | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Learn item factors."""
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
        with threadpool_limits(1, user_api="blas"):
            model = self._library_model()
            model.item_factors = y
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
        self.item_factors_ = state["item_factors"].astype(np.float32)
        return self
