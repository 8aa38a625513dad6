"""Item-to-item neighbours by cosine (Sarwar et al., Item-based collaborative filtering, WWW 2001)."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.nearest_columns import nearest_columns
from models.algorithms.recommender import NotFitted, Scores, State, check_histories
from models.algorithms.sparse_rows import checked


class ItemKNN:
    """An item is scored by its similarity to the items of a history, weighted as the history weighs them.

    similarity(i, j) = x_i · x_j / √((|x_i|² + shrinkage)(|x_j|² + shrinkage)) over persons; each item keeps its ``neighbours``
    most similar ones, itself among them, so that buying again is possible; ``self_weight`` multiplies an item's similarity to
    itself, for shops in which people mostly buy again.
    """

    name = "item_knn"

    def __init__(self, neighbours: int = 100, shrinkage: float = 5.0, self_weight: float = 1.0, threads: int = 2) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.self_weight = self_weight
        self.threads = threads
        self.similarity_: sparse.csr_matrix | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Compute the neighbours."""
        x = check_histories(histories, len(sales)).astype(np.float64)
        norms = np.sqrt(np.asarray(x.multiply(x).sum(axis=0)).ravel() + self.shrinkage)
        scaled = sparse.csr_matrix(x @ sparse.diags(1.0 / norms))
        self.similarity_ = nearest_columns(scaled, self.neighbours, self.threads)
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """Σ over the history of weight × similarity, the item's own counting ``self_weight`` times."""
        similarity = self._fitted()
        x = check_histories(histories, similarity.shape[0])
        scores = x @ similarity
        if self.self_weight != 1:
            scores = scores + x @ sparse.diags((self.self_weight - 1) * similarity.diagonal(), dtype=np.float32)
        return np.asarray(scores.todense(), dtype=np.float32)

    def similarities(self) -> sparse.csr_matrix:
        """Similarities, items × items."""
        return self._fitted()

    def with_self_weight(self) -> sparse.csr_matrix:
        """Similarities as ``score`` uses them: the diagonal times ``self_weight``."""
        similarity = self._fitted()
        more = sparse.diags((self.self_weight - 1) * similarity.diagonal(), dtype=np.float32)
        return sparse.csr_matrix(similarity + more, dtype=np.float32)

    def _fitted(self) -> sparse.csr_matrix:
        if self.similarity_ is None:
            raise NotFitted("fit the item-kNN model first")
        return self.similarity_

    def state(self) -> State:
        """The similarity matrix in CSR form."""
        s = self._fitted()
        return {"data": s.data, "indices": s.indices, "indptr": s.indptr, "items": np.array([s.shape[0]], dtype=np.int64)}

    def from_state(self, state: State) -> Self:
        """Take over a similarity matrix. Raises ValueError where the arrays are none."""
        items = int(state["items"][0])
        arrays = (state["data"], state["indices"], state["indptr"])
        self.similarity_ = checked(sparse.csr_matrix(arrays, shape=(items, items)))
        return self
