"""Places for items without history, with answers known by construction, and the protocol that judges them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.attribute_mapping import AttributeMapping
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import NotFitted, Recommender
from models.lab.content_knn import ContentKNN
from models.lab.ease import EASE
from models.protocols.cold_items import cold_item_metrics, compare_with_baseline, hold_out


def two_tastes(cold: tuple[int, ...] = (3, 7)) -> tuple[sparse.csr_matrix, sparse.csr_matrix, np.ndarray]:
    """60 persons like three of the items 0 to 3 or of 4 to 7, which features tell apart; nobody has the ``cold`` ones yet."""
    rng = np.random.default_rng(0)
    x = np.zeros((60, 8), dtype=np.float32)
    for person in range(60):
        x[person, 4 * (person % 2) + rng.permutation(4)[:3]] = 1
    x[:, list(cold)] = 0
    features = np.zeros((8, 2), dtype=np.float32)
    features[:4, 0] = features[4:, 1] = 1
    matrix = sparse.csr_matrix(x)
    return matrix, sparse.csr_matrix(features), np.bincount(matrix.indices, minlength=8).astype(np.float32)


def bases() -> list[Recommender]:
    return [EASE(ridge=5.0, dropout=0.0), ItemKNN(threads=1), ALS(factors=4, regularization=0.1, alpha=5.0, threads=1)]


@pytest.mark.parametrize("base", bases(), ids=lambda model: model.name)
def test_the_cold_item_of_ones_own_taste_comes_before_the_other(base: Recommender) -> None:
    x, features, sales = two_tastes()
    scores = AttributeMapping(base, features, ridge=0.5).fit(x, sales).score(x)
    mine, other = np.where(np.arange(60) % 2, 7, 3), np.where(np.arange(60) % 2, 3, 7)
    people = np.arange(60)[np.diff(x.indptr) > 0]
    assert (scores[people, mine[people]] > scores[people, other[people]]).all()


def test_mapping_onto_factors_and_onto_scores_is_the_same() -> None:
    """Against the textbook form: ridge regression of ALS item factors on features, then the person's factors times theirs."""
    x, features, sales = two_tastes()
    base = ALS(factors=4, regularization=0.1, alpha=5.0, threads=1)
    result = AttributeMapping(base, features, ridge=0.7, half_weight=3.0).fit(x, sales).score(x)
    f = np.hstack([features.toarray(), np.ones((8, 1))])
    w = np.diag(sales / (sales + 3.0))
    y = base.state()["item_factors"]
    learnt = np.linalg.solve(f.T @ w @ f + 0.7 * np.eye(3), f.T @ w @ y)
    np.testing.assert_allclose(result[:, [3, 7]], (base.fold_in(x) @ (f @ learnt).T)[:, [3, 7]], rtol=1e-3, atol=1e-4)


def test_items_with_history_keep_the_scores_of_their_model() -> None:
    x, features, sales = two_tastes(cold=())
    result = AttributeMapping(EASE(), features).fit(x, sales).score(x)
    assert np.array_equal(result, EASE().fit(x, sales).score(x))


def test_lift_multiplies_cold_scores_alone() -> None:
    x, features, sales = two_tastes()
    plain, lifted = (AttributeMapping(EASE(), features, lift=lift).fit(x, sales).score(x) for lift in (1.0, 2.0))
    np.testing.assert_allclose(lifted[:, [3, 7]], 2 * plain[:, [3, 7]], rtol=1e-6)
    assert np.array_equal(np.delete(lifted, [3, 7], axis=1), np.delete(plain, [3, 7], axis=1))


def test_popularity_mapped_by_category_is_the_mean_of_the_category() -> None:
    x, features, sales = two_tastes()
    result = AttributeMapping(Popularity(), features, ridge=1e-6, half_weight=0.0).fit(x, sales).score(x[:1])[0]
    np.testing.assert_allclose(result[[3, 7]], [sales[:3].mean(), sales[4:7].mean()], rtol=1e-3)


def test_all_items_cold_and_an_item_of_which_nothing_is_known() -> None:
    _, features, _ = two_tastes()
    nobody = sparse.csr_matrix((5, 8), dtype=np.float32)
    scores = AttributeMapping(Popularity(), features).fit(nobody, np.zeros(8, dtype=np.float32)).score(nobody)
    assert np.array_equal(scores, np.zeros((5, 8)))
    x, features, sales = two_tastes()
    blank = features.toarray()
    blank[3] = 0
    result = AttributeMapping(Popularity(), sparse.csr_matrix(blank), ridge=1e-6, half_weight=0.0).fit(x, sales)
    assert np.isfinite(result.score(x)).all()


def test_content_knn_with_categories_is_the_share_of_the_category() -> None:
    x, features, sales = two_tastes()
    result = ContentKNN(features).fit(x, sales).score(x)
    expected = np.repeat(np.column_stack([x[:, :4].sum(axis=1), x[:, 4:].sum(axis=1)]), 4, axis=1)
    np.testing.assert_allclose(result, expected)


@pytest.mark.parametrize("make", [lambda f: ContentKNN(f), lambda f: AttributeMapping(Popularity(), f)])
def test_features_of_another_number_of_items_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    x, features, sales = two_tastes()
    with pytest.raises(ValueError, match="features are of 7 items"):
        make(features[:7]).fit(x, sales)
    with pytest.raises(NotFitted):
        make(features).score(x)


def test_held_out_items_leave_no_trace_and_are_judged_by_hand() -> None:
    x, features, _ = two_tastes(cold=())
    task = hold_out(x, 0.25, seed=3)
    cold, held = task.relevant["cold"], task.relevant["catalogue"]
    assert task.is_cold.sum() == 2
    assert task.train[:, task.is_cold].nnz == 0
    assert cold[:, ~task.is_cold].nnz == 0
    assert held[:, task.is_cold].nnz == cold.nnz
    assert held.multiply(task.histories).nnz == 0
    model = AttributeMapping(EASE(), features).fit(task.train, task.sales)
    values, scores = cold_item_metrics(model, task, (1,)), model.score(task.histories)
    mine = task.histories.toarray() > 0
    first = {
        "cold": np.flatnonzero(task.is_cold)[scores[:, task.is_cold].argmax(axis=1)],
        "catalogue": np.where(mine, -np.inf, scores).argmax(axis=1),
    }
    for ranking, items in first.items():
        hits = [item in row.indices for item, row in zip(items, task.relevant[ranking], strict=True)]
        np.testing.assert_array_equal(values[ranking]["hit_rate@1"], hits)
    report = compare_with_baseline({"a": values, "b": values}, "a")
    assert report["b"]["cold"]["ndcg@1"]["over_a"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_fewer_judges_keep_their_own_rows() -> None:
    task = hold_out(two_tastes(cold=())[0], 0.25, seed=3)
    few = task.judged_by(5, seed=1)
    assert len(few.judged) == 5
    for row, person in enumerate(few.judged):
        (before,) = np.flatnonzero(task.judged == person)
        assert (few.histories[row] != task.histories[before]).nnz == 0
        assert (few.relevant["cold"][row] != task.relevant["cold"][before]).nnz == 0
    assert task.judged_by(1000, seed=1) is task


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_or_all_held_out_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="leaves nothing"):
        hold_out(two_tastes(cold=())[0], share, seed=1)


def test_a_hold_out_that_nobody_can_be_judged_by_is_refused() -> None:
    with pytest.raises(ValueError, match="no person has both"):
        hold_out(sparse.identity(4, dtype=np.float32, format="csr"), 0.5, seed=1)
