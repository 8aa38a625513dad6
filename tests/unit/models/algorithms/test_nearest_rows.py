"""The compiled search of nearest rows against distances to all of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.nearest_rows import NearestRows


@pytest.mark.parametrize("most", [1, 7, 60, 500])
def test_the_nearest_rows_are_those_of_all_distances(most: int) -> None:
    """Quarters, so that sums are exact and many distances are equal; some rows are empty, some asked rows are of the index."""
    rng = np.random.default_rng(5)
    dense = np.where(rng.random((120, 40)) < 0.08, rng.integers(1, 5, (120, 40)) / 4, 0)
    asked, without = dense[:30], np.where(np.arange(30) % 3 == 0, np.arange(30), -1)
    near = NearestRows(sparse.csr_matrix(dense, dtype=np.float32)).of(sparse.csr_matrix(asked), without, most)
    for row in range(30):
        distance = ((dense - asked[row]) ** 2).sum(axis=1)
        others = np.setdiff1d(np.arange(120), without[row])
        expected = others[np.lexsort((others, distance[others]))][:most]
        assert near[row].indices.tolist() == sorted(expected.tolist())
    assert (near.data == 1).all()
