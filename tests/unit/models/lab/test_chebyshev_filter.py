"""The polynomial filter against the filter of the exact spectrum, by the eigenvectors of the Laplacian."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from models.lab.chebyshev_filter import ChebyCF


def _pairs(seed: int, persons: int = 60, items: int = 25) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    x = sparse.csr_matrix((rng.random((persons, items)) < 0.2).astype(np.float32))
    x[:, 7] = 0  # nobody has it
    x.eliminate_zeros()
    return x


def _exact(x: sparse.csr_matrix, model: ChebyCF) -> np.ndarray:
    """x D^−β (V h(Λ) Vᵀ + ideal · leading) D^β, h the plateau over [0, 2] with its middle at ½ of [0, 1]."""
    dense = x.toarray().astype(np.float64)
    rows, columns = dense.sum(axis=1), dense.sum(axis=0)
    normal = dense / np.sqrt(np.maximum(rows, 1))[:, None] / np.sqrt(np.maximum(columns, 1))[None, :]
    roughness, vectors = np.linalg.eigh(np.eye(len(columns)) - normal.T @ normal)
    t = 2 * roughness - 1
    gain = np.where(t < 0, 0.5 * (1 + np.abs(t) ** model.flatness), 0.5 * (1 - np.abs(t) ** model.flatness))
    leading = vectors[:, np.argsort(roughness)[: model.factors]]
    scale = np.where(columns > 0, columns, 1) ** model.power
    return dense / scale @ (vectors @ np.diag(gain) @ vectors.T + model.ideal * leading @ leading.T) * scale


@pytest.mark.parametrize("dense_items", [0, 6000])
@pytest.mark.parametrize("flatness", [1.0, 2.5])
def test_a_long_polynomial_is_the_filter_of_the_spectrum(dense_items: int, flatness: float) -> None:
    x = _pairs(3)
    model = ChebyCF(factors=5, order=120, flatness=flatness, dense_items=dense_items)
    scores = model.fit(x, np.asarray(x.sum(axis=0)).ravel()).score(x)
    assert np.abs(scores - _exact(x, model)).max() < 2e-3


def test_small_and_large_catalogues_are_filtered_alike() -> None:
    x = _pairs(4)
    sales = np.asarray(x.sum(axis=0)).ravel()
    small, large = (ChebyCF(factors=6, dense_items=each).fit(x, sales).score(x) for each in (6000, 0))
    assert np.abs(small - large).max() < 1e-5


def test_coefficients_pass_through_the_plateau_at_the_nodes() -> None:
    model = ChebyCF(order=4, flatness=2.0)
    nodes = np.cos((2 * np.arange(5) + 1) / 10 * np.pi)  # zeros of T₅
    by_hand = [0.5 * (1 - np.sign(t) * t * t) for t in nodes]
    assert np.polynomial.chebyshev.chebval(nodes, model.coefficients()) == pytest.approx(by_hand, abs=1e-12)
