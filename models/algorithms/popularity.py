"""What sells: the same list for everybody, and the bar that every other model must clear."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, Scores, State, check_histories


class Popularity:
    """Items by their sales."""

    name = "popularity"
    sales_: Scores | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Remember the sales."""
        check_histories(histories, len(sales))
        self.sales_ = np.asarray(sales, dtype=np.float32)
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """The sales, for every row."""
        if self.sales_ is None:
            raise NotFitted("fit the popularity model first")
        check_histories(histories, len(self.sales_))
        return np.broadcast_to(self.sales_, (histories.shape[0], len(self.sales_)))

    def state(self) -> State:
        """The sales."""
        if self.sales_ is None:
            raise NotFitted("fit the popularity model first")
        return {"sales": self.sales_}

    def from_state(self, state: State) -> Self:
        """Take over the sales."""
        self.sales_ = state["sales"].astype(np.float32)
        return self
