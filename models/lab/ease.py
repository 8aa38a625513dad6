"""EASE: a linear item-to-item model in closed form (Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019).

It does not serve: no placement's gate has tried it, and its full form needs a dense matrix of items × items.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from models.algorithms.neighbourhood_regression import regress_on_neighbours
from models.algorithms.recommender import NotFitted, Scores, State, check_histories
from models.lab.gram import gram, mirror


class EASE:
    """Item j is predicted from all other items: argmin_B ‖X − XB‖² + Σ_i λ_i ‖B_i·‖² with diag(B) = 0.

    With P = (XᵀX + diag λ)⁻¹ the answer is B_ij = −P_ij / P_jj. Two refinements: λ_i = dropout / (1 − dropout) · (XᵀX)_ii +
    ridge is training with items dropped at random, in closed form (Steck, Autoencoders that don't overfit towards the
    identity, NeurIPS 2020); and a person of n items counts n^(−2 · person_power) per pair instead of 1, so that the busiest
    do not decide alone.

    ``ridge`` counts interactions: it is multiplied by the mean of the squared entries of X, so that it means the same whatever
    the weights. P costs items² floats and items³ operations; above ``exact_items`` each item is predicted from its
    ``neighbours`` most similar items only, which makes B sparse.
    """

    name = "ease"

    def __init__(
        self,
        ridge: float = 400.0,
        dropout: float = 0.5,
        person_power: float = 0.25,
        exact_items: int = 10_000,
        neighbours: int = 100,
    ) -> None:
        self.ridge = ridge
        self.dropout = dropout
        self.person_power = person_power
        self.exact_items = exact_items
        self.neighbours = neighbours
        self.weights_: sparse.csr_matrix | Scores | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Solve for the weights."""
        x = check_histories(histories, len(sales))
        lengths = np.maximum(np.diff(x.indptr), 1)
        scaled = sparse.csr_matrix(sparse.diags((lengths**-self.person_power).astype(np.float32)) @ x)
        squares = np.asarray(scaled.multiply(scaled).sum(axis=0), dtype=np.float64).ravel()
        penalty = self.dropout / (1 - self.dropout) * squares + self.ridge * squares.sum() / max(1, x.nnz)
        penalty = np.maximum(penalty, 1e-6)
        if x.shape[1] <= self.exact_items:
            self.weights_ = _solve(gram(scaled), penalty.astype(np.float32))
        else:
            self.weights_ = regress_on_neighbours(scaled, penalty.astype(np.float32), self.neighbours)
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """History × B; a row's own scale does not change its order."""
        weights = self._fitted()
        x = check_histories(histories, weights.shape[0])
        scores = x @ weights
        return np.asarray(scores.toarray() if sparse.issparse(scores) else scores, dtype=np.float32)

    def _fitted(self) -> sparse.csr_matrix | Scores:
        if self.weights_ is None:
            raise NotFitted("fit the EASE model first")
        return self.weights_

    def state(self) -> State:
        """B, dense or in CSR form."""
        weights = self._fitted()
        if isinstance(weights, np.ndarray):
            return {"dense": weights}
        size = np.array([weights.shape[0]], dtype=np.int64)
        return {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr, "items": size}

    def from_state(self, state: State) -> Self:
        """Take over B."""
        if "dense" in state:
            self.weights_ = state["dense"].astype(np.float32)
            return self
        items = int(state["items"][0])
        self.weights_ = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(items, items))
        return self


def _solve(matrix: Scores, penalty: Scores) -> Scores:
    """B of a Gram matrix, which is overwritten. Cholesky, because it is symmetric and, with the penalty, positive definite."""
    matrix[np.diag_indices_from(matrix)] += penalty
    factor, failed = lapack.spotrf(np.asfortranarray(matrix), lower=1, overwrite_a=1, clean=0)
    inverse, also_failed = (factor, failed) if failed else lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or also_failed:
        raise ValueError("XᵀX + diag λ is singular in single precision; raise ridge")
    mirror(inverse)
    diagonal = np.diag(inverse).copy()
    weights = np.ascontiguousarray(inverse.T)  # the inverse is symmetric; its transpose is in C order without a copy
    weights /= -diagonal[None, :]
    np.fill_diagonal(weights, 0)
    return weights
