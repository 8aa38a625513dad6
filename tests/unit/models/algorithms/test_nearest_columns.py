"""The nearest columns are those of the library implicit, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from implicit.nearest_neighbours import all_pairs_knn
from scipy import sparse

from models.algorithms.nearest_columns import nearest_columns


def library(x: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """What implicit finds; it stores a zero where it finds nothing."""
    result = sparse.csr_matrix(all_pairs_knn(x, most, 1, show_progress=False), dtype=np.float32)
    result.eliminate_zeros()
    result.sort_indices()
    return result


@pytest.mark.parametrize("most", [1, 3, 10, 70], ids=lambda most: f"most={most}")
@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0], [1.0, 3e-20, 1e9]], ids=["equal", "two values", "far apart"])
@pytest.mark.parametrize("threads", [1, 3], ids=lambda threads: f"threads={threads}")
@pytest.mark.parametrize("is_sorted", [True, False], ids=["sorted", "as stored"])
def test_they_are_those_of_the_library(most: int, values: list[float], threads: int, *, is_sorted: bool) -> None:
    rng = np.random.default_rng(most)
    x = sparse.random(40, 60, 0.2, format="csr", random_state=rng)
    x.data = rng.choice(values, x.nnz)
    if not is_sorted:
        x = sparse.csr_matrix(x @ sparse.identity(60))
        assert not x.has_sorted_indices
    result, expected = nearest_columns(x, most, threads), library(x, most)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(result, part), getattr(expected, part))


def test_a_column_of_nobody_has_none() -> None:
    result = nearest_columns(sparse.csr_matrix([[1.0, 0.0, 2.0]]), 5, 2)
    np.testing.assert_array_equal(result.toarray(), [[1, 0, 2], [0, 0, 0], [2, 0, 4]])


def test_a_stored_zero_gives_nothing() -> None:
    zeros = sparse.csr_matrix((np.zeros(12), np.tile(np.arange(3), 4), np.arange(0, 13, 3)), shape=(4, 3))
    assert zeros.nnz == 12  # more than columns, each looked at once a row
    assert nearest_columns(zeros, 2, 1).nnz == 0
