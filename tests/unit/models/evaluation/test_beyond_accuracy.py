"""Novelty, Gini, revenue and the paired test against numbers computed by hand."""

from __future__ import annotations

from itertools import product
from math import log2

import numpy as np
import pytest
from scipy import sparse

from models.evaluation.intervals import paired_difference
from models.evaluation.metrics import gains_of, gini, novelty, revenue_ndcg, revenue_recall


def test_novelty_is_the_mean_surprise_of_a_list() -> None:
    """Of 8 users 4 know item 0, 1 knows item 1, nobody item 2."""
    lists = np.array([[0, 1], [0, -1], [2, 0], [-1, -1]])
    result = novelty(lists, np.array([4.0, 1.0, 0.0]), 8)
    assert result.tolist() == pytest.approx([(1 + 3) / 2, 1, (log2(16) + 1) / 2, 0])


def test_gini_of_even_and_uneven_lists() -> None:
    assert gini(np.array([[0, 1], [2, 3]]), 4) == pytest.approx(0)
    assert gini(np.array([[0], [0]]), 4) == pytest.approx(3 / 4)
    # Counts 1, 3 over two items: (−1 · 1 + 1 · 3) / (2 · 4)
    assert gini(np.array([[1, 1], [1, 0]]), 2) == pytest.approx(0.25)
    assert gini(np.array([[-1]]), 3) == 0


def test_revenue_metrics_by_hand() -> None:
    """Somebody spent 30 on item 1 and 10 on item 2, and 60 on an item that nobody could recommend."""
    amounts = sparse.csr_matrix(np.array([[0.0, 30.0, 10.0]]))
    gains = gains_of(np.array([[0, 2, 1, -1]]), amounts)
    assert gains.tolist() == [[0, 10, 30, 0]]
    assert revenue_recall(gains, np.array([100.0])).tolist() == pytest.approx([0.4])
    best = np.array([[60.0, 30.0, 10.0, 0.0]])
    ideal = 60 + 30 / log2(3) + 10 / log2(4)
    assert revenue_ndcg(gains, best).tolist() == pytest.approx([(10 / log2(3) + 30 / log2(4)) / ideal])
    assert revenue_ndcg(gains[:, :2], best).tolist() == pytest.approx([(10 / log2(3)) / (60 + 30 / log2(3))])


def test_the_randomisation_test_is_that_of_all_flips() -> None:
    """Of five differences every combination of signs is known; the sampled p-value comes close to the share."""
    gain = np.array([0.5, 0.25, -0.1, 0.3, 0.0])
    nonzero = gain[gain != 0]
    extreme = [abs(np.dot(signs, nonzero)) >= abs(nonzero.sum()) - 1e-12 for signs in product((-1, 1), repeat=len(nonzero))]
    paired = paired_difference(np.zeros(5), gain)
    assert paired.p_value == pytest.approx(np.mean(extreme), abs=0.02)
    assert paired.difference.mean == pytest.approx(gain.mean())


def test_a_clear_gain_has_a_small_p_value_and_none_has_one() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(400)
    assert paired_difference(base, base + 0.05 + 0.01 * rng.standard_normal(400)).p_value < 0.001
    assert paired_difference(base, base).p_value == 1
    assert 0.01 < paired_difference(base, base + rng.standard_normal(400)).p_value <= 1
    with pytest.raises(ValueError, match="400 and 399"):
        paired_difference(base, base[1:])
