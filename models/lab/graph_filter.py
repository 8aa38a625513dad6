"""Graph filters in closed form: recommendation as smoothing of a person's signal on the item graph, with nothing to train.

R̃ = D_u^(−1/2) X D_i^(−1/2) is the normalised matrix of persons and items, P = R̃ᵀR̃ the item graph.

It does not serve: a filtered score touches every item of the shop, and no placement's gate has tried it.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from models.algorithms.recommender import NotFitted, Scores, State, check_histories
from models.lab.gram import gram

BLOCK = 128  # histories filtered side by side where the graph is large: their scores stay near the processor


class GFCF:
    """Linear filter and ideal low-pass filter (Shen et al., How powerful is graph convolution for recommendation?, CIKM 2021).

    s = x P + ideal · x D_i^(−1/2) V Vᵀ D_i^(1/2), V being the ``factors`` leading right singular vectors of R̃. Up to
    ``dense_items`` items the filter is one matrix; above, P is never formed, and memory is that of X plus items × factors.
    """

    name = "gf_cf"

    def __init__(self, factors: int = 128, ideal: float = 0.3, dense_items: int = 6000, seed: int = 7) -> None:
        self.factors = factors
        self.ideal = ideal
        self.dense_items = dense_items
        self.seed = seed
        self.filter_: Scores | None = None
        self.graph_: sparse.csr_matrix | None = None
        self.basis_: Scores | None = None
        self.degrees_: Scores | None = None

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Normalise, and find the leading singular vectors."""
        x = check_histories(histories, len(sales))
        persons = np.asarray(x.sum(axis=1), dtype=np.float64).ravel()
        items = np.asarray(x.sum(axis=0), dtype=np.float64).ravel()
        # A degree of zero belongs to an empty row or column, whose entries are all zero: any finite factor does.
        normal = sparse.diags(np.maximum(persons, 1e-12) ** -0.5) @ x @ sparse.diags(np.maximum(items, 1e-12) ** -0.5)
        graph = sparse.csr_matrix(normal, dtype=np.float32)
        degrees = np.sqrt(np.maximum(items, 0)).astype(np.float32)
        basis = _leading(graph, self.factors, self.seed)
        if x.shape[1] <= self.dense_items:
            self.filter_ = self._dense(gram(graph), basis, degrees)
        else:
            self.graph_, self.basis_, self.degrees_ = graph, basis, degrees
        return self

    def _dense(self, smoothing: Scores, basis: Scores, degrees: Scores) -> Scores:
        return np.asarray(smoothing + self.ideal * ((basis * _inverse(degrees)[:, None]) @ (basis * degrees[:, None]).T))

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """The filter applied to each history."""
        if self.filter_ is not None:
            return np.asarray(check_histories(histories, len(self.filter_)) @ self.filter_, dtype=np.float32)
        x = check_histories(histories, self._factors()[0].shape[1])
        scores = np.empty(x.shape, dtype=np.float32)
        for start in range(0, x.shape[0], BLOCK):
            scores[start : start + BLOCK] = self._filtered(x[start : start + BLOCK]).T
        return scores

    def _filtered(self, x: sparse.csr_matrix) -> Scores:
        """The filter applied to a few histories without P, shape (items, rows): SciPy multiplies a sparse matrix by a dense one
        and not the other way round.
        """
        graph, basis, degrees = self._factors()
        linear = np.asarray(graph.T @ np.ascontiguousarray((graph @ x.T).toarray()), dtype=np.float32)
        spectral = sparse.csr_matrix(x @ sparse.diags(_inverse(degrees))) @ basis
        return np.asarray(linear + (self.ideal * degrees)[:, None] * (basis @ spectral.T))

    def _factors(self) -> tuple[sparse.csr_matrix, Scores, Scores]:
        if self.graph_ is None or self.basis_ is None or self.degrees_ is None:
            raise NotFitted(f"fit the {self.name} model first")
        return self.graph_, self.basis_, self.degrees_

    def state(self) -> State:
        """The filter; or the normalised matrix in CSR form, the singular vectors and the roots of the degrees."""
        if self.filter_ is not None:
            return {"filter": self.filter_}
        graph, basis, degrees = self._factors()
        shape = np.array(graph.shape, dtype=np.int64)
        arrays: State = {"data": graph.data, "indices": graph.indices, "indptr": graph.indptr, "shape": shape}
        return {**arrays, "basis": basis, "degrees": degrees}

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""
        if "filter" in state:
            self.filter_ = state["filter"].astype(np.float32)
            return self
        rows, columns = (int(size) for size in state["shape"])
        self.graph_ = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(rows, columns))
        self.basis_, self.degrees_ = state["basis"].astype(np.float32), state["degrees"].astype(np.float32)
        return self


class BSPM(GFCF):
    """Blurring, then sharpening (Choi et al., Blurring-Sharpening Process Models for Collaborative Filtering, SIGIR 2023).

    Blurring is GF-CF's pair of filters, one Euler step of the heat equation; sharpening takes back what smoothing made alike
    everywhere: ``steps`` Euler steps of dS/dt = −S P over the time ``sharpening``.
    """

    name = "bspm"

    def __init__(
        self,
        factors: int = 128,
        ideal: float = 0.3,
        sharpening: float = 0.5,
        steps: int = 1,
        dense_items: int = 6000,
        seed: int = 7,
    ) -> None:
        super().__init__(factors, ideal, dense_items, seed)
        self.sharpening = sharpening
        self.steps = steps

    def _dense(self, smoothing: Scores, basis: Scores, degrees: Scores) -> Scores:
        dense = super()._dense(smoothing, basis, degrees)
        for _ in range(self.steps):
            dense = dense - self.sharpening / self.steps * (dense @ smoothing)
        return dense

    def _filtered(self, x: sparse.csr_matrix) -> Scores:
        """Blur each history, then sharpen it."""
        graph, filtered = self._factors()[0], super()._filtered(x)
        for _ in range(self.steps):
            filtered -= np.float32(self.sharpening / self.steps) * np.asarray(graph.T @ (graph @ filtered), dtype=np.float32)
        return filtered


def _inverse(degrees: Scores) -> Scores:
    return np.where(degrees > 0, 1 / np.maximum(degrees, 1e-12), 0).astype(np.float32)


def _leading(graph: sparse.csr_matrix, factors: int, seed: int) -> Scores:
    """Leading right singular vectors, shape (items, ≤ factors), signs fixed so that equal input gives equal output."""
    wanted = min(factors, min(graph.shape) - 1)
    if wanted < 1 or graph.nnz == 0:
        return np.zeros((graph.shape[1], 0), dtype=np.float32)
    start = np.random.default_rng(seed).standard_normal(min(graph.shape))
    _, sizes, right = svds(graph.astype(np.float64), k=wanted, v0=start)
    right = right[np.argsort(-sizes)]
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    return np.ascontiguousarray((right * signs[:, None]).T, dtype=np.float32)
