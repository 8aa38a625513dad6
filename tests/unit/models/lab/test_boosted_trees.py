"""Trees kept as arrays say what the library that grew them says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier

from models.algorithms.recommender import NotFitted
from models.algorithms.sparse_rows import top_entries
from models.candidates.pairs import Candidates, gather, look_up, sample_for_training
from models.lab.boosted_trees import BoostedTrees


def table(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3])
    return x, x[:, 0] * x[:, 1] + (x[:, 3] > 0) > 0.5


def test_log_odds_are_those_of_the_library() -> None:
    x, y = table()
    mine = BoostedTrees(trees=20, least_leaf=20).fit(x, y, np.ones(len(y)))
    theirs = HistGradientBoostingClassifier(
        max_iter=20,
        max_leaf_nodes=31,
        max_depth=8,
        learning_rate=0.08,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=7,
    ).fit(x, y, sample_weight=np.ones(len(y)))
    np.testing.assert_allclose(mine.predict(x), theirs.decision_function(x), atol=1e-4)
    again = BoostedTrees().from_state(mine.state())
    assert np.array_equal(again.predict(x), mine.predict(x))
    assert len(mine.predict(x[:0])) == 0


def test_unknown_trees_say_so() -> None:
    with pytest.raises(NotFitted):
        BoostedTrees().predict(table()[0])


def matrix(rows: list[list[float]]) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.array(rows, dtype=np.float32))


def test_candidates_are_the_strongest_of_all_sources() -> None:
    sources = {"a": matrix([[4, 2, 0, 0], [0, 0, 0, 0]]), "b": matrix([[0, 0, 1, 0.5], [0, 9, 0, 0]])}
    result = gather(sources, {"a": 1.0, "b": 0.8}, most=2)
    assert (result.row.tolist(), result.item.tolist()) == ([0, 0, 1], [0, 2, 1])
    weight, relative = look_up(sources["a"], result)
    assert weight.tolist() == [4, 0, 0]
    assert relative.tolist() == [1, 0, 0]


def test_the_strongest_entries_of_a_row_prefer_later_columns_among_equals() -> None:
    result = top_entries(matrix([[1, 3, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]), 2)
    assert result.toarray().tolist() == [[0, 3, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_a_sample_stands_for_all_candidates_of_rows_that_have_their_target() -> None:
    rows, items = 50, 100
    candidates = Candidates(
        np.repeat(np.arange(rows), items), np.tile(np.arange(items), rows), np.ones(rows * items, dtype=np.float32), rows, items
    )
    is_target = (candidates.item == 7) & (candidates.row > 0)
    kept, weight = sample_for_training(candidates, is_target, top=10, others=30, seed=1)
    assert not kept[candidates.row == 0].any()
    assert kept[is_target].all()
    assert weight[kept].sum() == pytest.approx(49 * 100, rel=0.05)
