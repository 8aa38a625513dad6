"""Items like the ones of a history by their features alone: what can be said before anything is learnt.

It does not serve: new items are placed by ``models.algorithms.attribute_mapping``, which this is the baseline of.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, Scores, State, check_histories


class ContentKNN:
    """score(j) = Σ over the history of weight × cosine of features; with one-hot categories, the person's share of a category.

    ``features`` are rows of length 1 or 0, such as an encoder makes.
    """

    name = "content_knn"

    def __init__(self, features: sparse.csr_matrix) -> None:
        self.features = features
        self.features_: sparse.csr_matrix | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Check the sizes; there is nothing to learn."""
        x = check_histories(histories, len(sales))
        if self.features.shape[0] != x.shape[1]:
            raise ValueError(f"features are of {self.features.shape[0]} items, histories of {x.shape[1]} items")
        self.features_ = sparse.csr_matrix(self.features, dtype=np.float32)
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """Summed cosines."""
        features = self._fitted()
        x = check_histories(histories, features.shape[0])
        return np.asarray((x @ features @ features.T).toarray(), dtype=np.float32)

    def _fitted(self) -> sparse.csr_matrix:
        if self.features_ is None:
            raise NotFitted("fit the content-kNN model first")
        return self.features_

    def state(self) -> State:
        """The features in CSR form."""
        content = self._fitted()
        shape = np.array(content.shape, dtype=np.int64)
        return {"data": content.data, "indices": content.indices, "indptr": content.indptr, "shape": shape}

    def from_state(self, state: State) -> Self:
        """Take over features."""
        rows, columns = (int(size) for size in state["shape"])
        self.features_ = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(rows, columns))
        return self
