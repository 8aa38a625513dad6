"""A place for items without history: a ridge regression from what they are onto what a recommender has learnt."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from models.algorithms.part_states import joined, restore
from models.algorithms.recommender import Items, NotFitted, Recommender, Scores, State, check_histories


def solve_ridge(features: sparse.csr_matrix, weights: npt.NDArray[np.floating], ridge: float) -> npt.NDArray[np.float64]:
    """Upper Cholesky factor of FᵀWF + ridge · I, shape (features, features), with weights W of the rows of F."""
    weighed = sparse.csr_matrix(sparse.diags(weights) @ features)
    matrix = np.asarray((features.T @ weighed).toarray(), dtype=np.float64)
    matrix[np.diag_indices_from(matrix)] += ridge
    return np.asarray(linalg.cholesky(matrix, overwrite_a=True))


class AttributeMapping:
    """A recommender whose items without history are scored by regression on their features, fitted on the others alone.

    With features F and confidences W = persons / (persons + ``half_weight``), any score s(w) of the items with history gives
    s(c) = f_c · (FᵀWF + ridge · I)⁻¹ FᵀW s. The regression is linear in what it predicts, so this one formula is the mapping of
    attributes onto factors (Gantner et al., Learning attribute-to-feature mappings for cold-start recommendations, ICDM 2010)
    when the recommender is ALS, and onto neighbourhoods when it is EASE or item-kNN: mapping first and scoring after gives the
    same number. An item is cold when fewer than ``least_persons`` persons have it; ``features`` are rows of an encoder.
    A last column of ones lets an item of which nothing is known have the mean. A regression draws scores together;
    ``lift`` multiplies those of cold items, so that the best of them can stand beside the best of the others.
    """

    name = "attribute_mapping"

    def __init__(
        self,
        model: Recommender,
        features: sparse.csr_matrix,
        ridge: float = 1.0,
        half_weight: float = 5.0,
        lift: float = 1.0,
        least_persons: int = 1,
    ) -> None:
        if ridge <= 0 or lift <= 0:
            raise ValueError(f"ridge and lift must be above 0, got {ridge} and {lift}")
        self.model = model
        self.features = features
        self.ridge = ridge
        self.half_weight = half_weight
        self.lift = lift
        self.least_persons = least_persons
        self.map_: Scores | None = None  # (features, cold items): (FᵀWF + ridge · I)⁻¹ f_c
        self.evidence_: sparse.csr_matrix | None = None  # WF, zero rows for cold items
        self.cold_: Items = np.empty(0, dtype=np.int64)

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Fit the recommender, then the mapping. Raises ValueError when features are of another number of items."""
        x = check_histories(histories, len(sales))
        self.model.fit(x, sales)
        return self.fit_mapping(x)

    def fit_mapping(self, histories: sparse.csr_matrix) -> Self:
        """Fit the mapping to a recommender that is fitted already, on the same histories."""
        x = check_histories(histories)
        if self.features.shape[0] != x.shape[1]:
            raise ValueError(f"features are of {self.features.shape[0]} items, histories of {x.shape[1]} items")
        persons = np.bincount(x.indices, minlength=x.shape[1])
        is_cold = persons < self.least_persons
        weights = np.where(is_cold, 0, persons / np.maximum(persons + self.half_weight, 1e-9)).astype(np.float32)
        known = sparse.hstack([self.features, np.ones((x.shape[1], 1), dtype=np.float32)], format="csr")
        self.cold_ = np.flatnonzero(is_cold)
        factor = solve_ridge(known, weights, self.ridge)
        self.map_ = linalg.cho_solve((factor, False), known[self.cold_].T.toarray()).astype(np.float32)
        self.evidence_ = sparse.csr_matrix(sparse.diags(weights) @ known, dtype=np.float32)
        self.evidence_.eliminate_zeros()
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """Scores of the recommender, and of the mapping for items without history."""
        mapping, evidence = self._fitted()
        scores = np.array(self.model.score(histories), dtype=np.float32)
        if len(self.cold_):
            scores[:, self.cold_] = self.lift * ((evidence.T @ scores.T).T @ mapping)
        return scores

    def factors_of(self, item_factors: Scores) -> Scores:
        """Factors of all items (items, factors), those of cold items mapped; their products are what ``score`` gives."""
        mapping, evidence = self._fitted()
        factors = np.array(item_factors, dtype=np.float32)
        factors[self.cold_] = self.lift * (mapping.T @ (evidence.T @ factors))
        return factors

    def _fitted(self) -> tuple[Scores, sparse.csr_matrix]:
        if self.map_ is None or self.evidence_ is None:
            raise NotFitted("fit the attribute mapping first")
        return self.map_, self.evidence_

    def state(self) -> State:
        """The mapping, its evidence in CSR form, and the recommender's state under ``model/``."""
        mapping, evidence = self._fitted()
        state: State = {"map": mapping, "cold": self.cold_, "shape": np.array(evidence.shape, dtype=np.int64)}
        arrays = {"data": evidence.data, "indices": evidence.indices, "indptr": evidence.indptr}
        return state | arrays | joined({"model": self.model})

    def from_state(self, state: State) -> Self:
        """Take over a mapping and its recommender."""
        self.map_, self.cold_ = state["map"].astype(np.float32), state["cold"].astype(np.int64)
        rows, columns = (int(size) for size in state["shape"])
        self.evidence_ = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(rows, columns))
        restore({"model": self.model}, state)
        return self
