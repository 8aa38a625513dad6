"""The compiled answer to one prefix is that of the batch model."""

from __future__ import annotations

import numpy as np
import pytest

from models.algorithms.recommender import NotFitted
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_knn_query import LiveSessionKNN
from models.data.sequences import Sequences


def sessions(count: int = 400, items: int = 50, seed: int = 1) -> Sequences:
    rng = np.random.default_rng(seed)
    return Sequences.of([(rng.pareto(1.0, rng.integers(1, 9)) * 5).astype(int) % items for _ in range(count)], items)


@pytest.mark.parametrize("neighbours", [3, 20, 1000])
def test_weights_are_those_of_the_batch_model(neighbours: int) -> None:
    model = SessionKNN(neighbours=neighbours, per_item=30).fit(sessions())
    live, asked = LiveSessionKNN(model), sessions(200, seed=2)
    expected = model.score(asked).toarray()
    for row, prefix in enumerate(asked):
        items, weights = live.ask(prefix, 50)
        array = np.zeros(50, dtype=np.float32)
        array[items] = weights
        np.testing.assert_allclose(array, expected[row], rtol=1e-4, atol=1e-6)
        assert (np.diff(weights) <= 0).all()


def test_a_short_list_is_the_head_of_a_long_one_and_asking_leaves_no_trace() -> None:
    live, asked = LiveSessionKNN(SessionKNN(neighbours=20).fit(sessions())), list(sessions(50, seed=3))
    first = [live.ask(prefix, 50) for prefix in asked]
    for prefix, (items, weights) in zip(asked, first, strict=True):
        short, values = live.ask(prefix, 4)
        assert np.array_equal(values, weights[:4])
        assert np.array_equal(short, items[:4])


def test_an_empty_prefix_has_no_answer_and_an_unknown_item_is_refused() -> None:
    live = LiveSessionKNN(SessionKNN().fit(sessions()))
    assert [len(part) for part in live.ask(np.empty(0, dtype=np.int64), 5)] == [0, 0]
    with pytest.raises(ValueError, match="does not know"):
        live.ask(np.array([50]), 5)
    with pytest.raises(ValueError, match="one item or more"):
        live.ask(np.array([1]), 0)
    with pytest.raises(NotFitted):
        LiveSessionKNN(SessionKNN())
