"""The Gram matrix of a sparse matrix: how often two items meet.

It does not serve: only the closed forms of this folder need a product of items × items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import blas

from models.algorithms.recommender import Scores

DENSE_ENOUGH = 0.01  # share of entries from which BLAS on dense blocks beats a sparse product


def gram(x: sparse.csr_matrix, rows: int = 4096) -> Scores:
    """XᵀX as a dense float32 array, shape (items, items), in Fortran order (it is symmetric)."""
    persons, items = x.shape
    if x.nnz / max(1, persons * items) < DENSE_ENOUGH:
        return np.asarray((x.T @ x).toarray(), dtype=np.float32)
    product = np.zeros((items, items), dtype=np.float32, order="F")
    for start in range(0, persons, rows):
        block = np.asfortranarray(x[start : start + rows].toarray().T)
        product = blas.ssyrk(1.0, block, beta=1.0, c=product, lower=1, overwrite_c=1)
    mirror(product)
    return product


def mirror(matrix: Scores, rows: int = 1024) -> None:
    """Copy the lower triangle of a square matrix onto the upper one, in place and in blocks."""
    size = len(matrix)
    for start in range(0, size, rows):
        end = min(start + rows, size)
        matrix[start:end, end:] = matrix[end:, start:end].T
        square = matrix[start:end, start:end]
        square[...] = np.tril(square) + np.tril(square, -1).T
