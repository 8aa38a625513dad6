"""Session vectors: the slope against differences of the loss, what they learn, and what a state must hold."""

from __future__ import annotations

import numpy as np
import pytest

from models.algorithms.recommender import NotFitted
from models.algorithms.session_vectors import SessionVectors, gradient, largest_of
from models.data.sequences import Sequences

ITEMS, FACTORS = 12, 5
LUCK = np.random.default_rng(3)
PREFIXES = Sequences.of([[1, 2, 3, 1], [5], [7, 1]], ITEMS)
KEPT = np.array([True, True, False, True, True, True, True])
FOLLOWING = np.array([4, 5, 9])
OFTEN = LUCK.standard_normal(ITEMS)
VECTORS, PLACES = LUCK.standard_normal((ITEMS, FACTORS)), 0.3 * LUCK.standard_normal(4)
CIRCLE = Sequences.of([[(start + step) % 30 for step in range(4)] for start in range(30)] * 10, 30)


@pytest.mark.parametrize("drawn", [[0, 3, 4, 9, 9, 11], list(range(ITEMS))])
def test_the_slope_is_the_change_of_the_loss(drawn: list[int]) -> None:
    def loss(vectors: np.ndarray, places: np.ndarray) -> float:
        return gradient(vectors, places, PREFIXES, KEPT, FOLLOWING, np.array(drawn), OFTEN, 0.5).loss

    slope = gradient(VECTORS, PLACES, PREFIXES, KEPT, FOLLOWING, np.array(drawn), OFTEN, 0.5)
    of_items, step = np.zeros((ITEMS, FACTORS)), 1e-3
    of_items[slope.items] = slope.of_items
    for item in range(ITEMS):
        for factor in range(FACTORS):
            change = np.zeros((ITEMS, FACTORS))
            change[item, factor] = step
            measured = (loss(VECTORS + change, PLACES) - loss(VECTORS - change, PLACES)) / (2 * step)
            assert of_items[item, factor] == pytest.approx(measured, abs=1e-3)
    for place in range(4):
        change = step * np.eye(4)[place]
        measured = (loss(VECTORS, PLACES + change) - loss(VECTORS, PLACES - change)) / (2 * step)
        assert slope.of_places[place] == pytest.approx(measured, abs=1e-3)


def test_the_loss_by_hand() -> None:
    """One prefix of one item, two items to tell apart: cosines 0 and 1, so −log(e⁰ / (e⁰ + e^(1 / 0.5)))."""
    vectors = np.array([[2.0, 0.0], [0.0, 3.0], [5.0, 0.0]])
    asked, every = Sequences.of([[0]], 3), np.ones(1, dtype=np.bool_)
    slope = gradient(vectors, np.zeros(1), asked, every, np.array([1]), np.array([1, 2]), np.zeros(3), 0.5)
    assert slope.loss == pytest.approx(np.log(1 + np.exp(2)), rel=1e-5)


@pytest.mark.parametrize("negatives", [1000, 20])
def test_neighbours_on_a_circle_are_learnt(negatives: int) -> None:
    """With a sum over all items, and with some that are drawn."""
    model = SessionVectors(factors=16, epochs=40, batch=64, negatives=negatives, learning_rate=0.01, dropout=0.0).fit(CIRCLE)
    prefixes, following = CIRCLE.take(slice(0, 30)).split_everywhere()
    chances = model.chances(prefixes)
    chances[prefixes.row(), prefixes.flat] = 0  # what was seen is as near to itself as can be
    assert (chances.argmax(axis=1) == following).mean() > 0.8


def test_one_seed_brings_one_model_and_its_state_the_same_scores() -> None:
    model, again = (SessionVectors(factors=8, epochs=2).fit(CIRCLE) for _ in range(2))
    prefixes = Sequences.of([[3, 4], [], [9]], 30)
    scores = model.score(prefixes)
    assert (scores != again.score(prefixes)).nnz == 0
    assert (scores != SessionVectors().from_state(model.state()).score(prefixes)).nnz == 0
    assert np.diff(scores.indptr).tolist() == [30, 0, 30]


def test_only_the_window_is_looked_at() -> None:
    model = SessionVectors(factors=8, epochs=1, window=2).fit(CIRCLE)
    assert (model.score(Sequences.of([[7, 3, 4]], 30)) != model.score(Sequences.of([[3, 4]], 30))).nnz == 0


def test_the_largest_of_each_row() -> None:
    kept = largest_of(np.array([[0.1, 0.5, 0.3], [0.0, 0.0, 0.2]], dtype=np.float32), 2)
    np.testing.assert_allclose(kept.toarray(), [[0, 0.5, 0.3], [0, 0, 0.2]])
    assert kept.nnz == 3


def test_arrays_that_are_not_whole_are_refused() -> None:
    with pytest.raises(NotFitted):
        SessionVectors().state()
    with pytest.raises(ValueError, match="are not those of session vectors"):
        SessionVectors().from_state({"vectors": np.zeros(3), "place_weights": np.ones(2)})
    with pytest.raises(ValueError, match="from 0 to 29"):
        SessionVectors().fit(Sequences(np.array([30, 1]), np.array([0, 2]), 30))
