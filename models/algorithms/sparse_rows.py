"""Rows of sparse matrices: their largest entries, lists made of them, and the arrays that store them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Scores, State


def largest(source: sparse.csr_matrix) -> Scores:
    """The largest weight of each row, 1 for a row without one."""
    largest = np.zeros(source.shape[0], dtype=np.float32)
    filled = np.flatnonzero(np.diff(source.indptr))
    if len(filled):
        largest[filled] = np.maximum.reduceat(source.data, source.indptr[:-1][filled])
    return np.where(largest > 0, largest, 1).astype(np.float32)


def top_entries(matrix: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """Only the ``most`` largest entries of each row; of equal ones those with the highest column."""
    if matrix.nnz == 0 or np.diff(matrix.indptr).max() <= most:
        return matrix
    kept = np.ones(matrix.nnz, dtype=np.bool_)
    for row in np.flatnonzero(np.diff(matrix.indptr) > most):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values = matrix.data[span]
        bar = np.partition(values, len(values) - most)[len(values) - most]
        chosen = values > bar
        ties = np.flatnonzero(values == bar)
        chosen[ties[np.argsort(-matrix.indices[span][ties], kind="stable")][: most - int(chosen.sum())]] = True
        kept[span] = chosen
    lengths = np.add.reduceat(np.concatenate([kept, [0]]), matrix.indptr[:-1].clip(max=matrix.nnz))
    lengths[np.diff(matrix.indptr) == 0] = 0
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)


def top_of(weights: sparse.csr_matrix, k: int) -> Items:
    """Best ``k`` items a row, equal weights by number; the first numbers not weighed fill up; −1 where none is left."""
    rows, items = weights.shape
    top = np.full((rows, k), -1, dtype=np.int64)
    for row in range(rows):
        span = slice(weights.indptr[row], weights.indptr[row + 1])
        values, numbers = weights.data[span], weights.indices[span]
        if len(values) > 4 * k:  # sorting a few is cheaper than sorting all; ties with the last one stay in
            bar = np.partition(values, len(values) - k)[len(values) - k]
            values, numbers = values[values >= bar], numbers[values >= bar]
        best = numbers[np.lexsort((numbers, -values))][:k]
        top[row, : len(best)] = best
        if len(best) < min(k, items):
            is_free = np.ones(min(items, k + len(best)), dtype=np.bool_)
            is_free[best[best < len(is_free)]] = False
            others = np.flatnonzero(is_free)[: k - len(best)]
            top[row, len(best) : len(best) + len(others)] = others
    return top


def pack(name: str, matrix: sparse.csr_matrix) -> State:
    """A sparse matrix as plain arrays whose names start with ``name``."""
    shape = np.array(matrix.shape, dtype=np.int64)
    return {
        f"{name}_data": matrix.data,
        f"{name}_indices": matrix.indices,
        f"{name}_indptr": matrix.indptr,
        f"{name}_shape": shape,
    }


def unpack(name: str, state: State) -> sparse.csr_matrix:
    """The sparse matrix that ``pack`` took apart. Raises ValueError where the arrays are none."""
    arrays = (state[f"{name}_data"], state[f"{name}_indices"], state[f"{name}_indptr"])
    return checked(sparse.csr_matrix(arrays, shape=tuple(int(size) for size in state[f"{name}_shape"])))


def checked(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """The matrix, whose rows rise and whose columns exist: compiled code follows them without a look. Raises ValueError."""
    matrix.check_format(full_check=True)
    return matrix
