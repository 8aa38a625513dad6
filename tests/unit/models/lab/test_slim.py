"""SLIM against the optimality conditions of its problem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from models.lab.slim import SLIM, TooManyItems


def generated() -> sparse.csr_matrix:
    rng = np.random.default_rng(5)
    return sparse.csr_matrix((rng.random((200, 30)) < 0.15).astype(np.float32))


@pytest.mark.parametrize(("l1", "l2"), [(1.0, 3.0), (4.0, 20.0)])
def test_weights_meet_the_optimality_conditions(l1: float, l2: float) -> None:
    """At the minimum the gradient is −l1 where a weight is above zero, and no coordinate at zero wants to rise."""
    x = generated()
    w = SLIM(l1=l1, l2=l2, sweeps=200, tolerance=1e-7).fit(x, np.ones(30, dtype=np.float32))._fitted().toarray()
    dense = x.toarray().astype(np.float64)
    pull = dense.T @ (dense - dense @ w) - l2 * w
    assert (w >= 0).all()
    assert not np.diag(w).any()
    assert 0 < np.count_nonzero(w) < 0.6 * w.size
    np.testing.assert_allclose(pull[w > 0], l1, atol=2e-3)
    at_zero = (w == 0) & ~np.eye(30, dtype=bool)
    assert (pull[at_zero] <= l1 + 2e-3).all()


def test_a_higher_l1_keeps_fewer_weights() -> None:
    x, sales = generated(), np.ones(30, dtype=np.float32)
    few, many = (SLIM(l1=l1, l2=3.0).fit(x, sales).state()["data"] for l1 in (6.0, 1.0))
    assert len(few) < len(many)


def test_too_many_items_are_refused_with_the_way_out() -> None:
    with pytest.raises(TooManyItems, match="use ease"):
        SLIM(most_items=29).fit(generated(), np.ones(30, dtype=np.float32))
