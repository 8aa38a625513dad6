"""One behavioural contract for every recommender, on a checkerboard whose right answer is known by construction."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import NotFitted, Recommender, top_k
from models.algorithms.sparse_sums import SparseSums
from models.release.artefact import load_state, read_manifest, save

PERSONS, ITEMS = 20, 10
MODELS = {
    "popularity": Popularity,
    "item_knn": lambda: ItemKNN(neighbours=ITEMS, shrinkage=1.0),
    "als": lambda: ALS(factors=2, iterations=15, regularization=0.1),  # two colours, two factors
}
PERSONAL = ("item_knn", "als")


def checkerboard() -> sparse.csr_matrix:
    """Even persons like even items, odd persons odd items; each has not found one item of its colour yet."""
    board = np.array([[float(p % 2 == i % 2 and i // 2 != p // 2 % 5) for i in range(ITEMS)] for p in range(PERSONS)])
    return sparse.csr_matrix(board, dtype=np.float32)


def not_found_yet(person: int) -> int:
    return 2 * (person // 2 % 5) + person % 2


def sales_of(histories: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(histories.sum(axis=0), dtype=np.float32).ravel()


@pytest.fixture(params=MODELS)
def fresh(request: pytest.FixtureRequest) -> Recommender:
    return MODELS[request.param]()


@pytest.fixture
def fitted(fresh: Recommender) -> Recommender:
    return fresh.fit(checkerboard(), sales_of(checkerboard()))


@pytest.mark.parametrize("name", PERSONAL)
def test_the_item_of_its_colour_that_a_person_has_not_found_yet_comes_first(name: str) -> None:
    board = checkerboard()
    model = MODELS[name]().fit(board, sales_of(board))
    first = top_k(model.score(board), 1, masked=board)[:, 0]
    assert first.tolist() == [not_found_yet(person) for person in range(PERSONS)]


@pytest.mark.parametrize("name", PERSONAL)
def test_a_person_who_came_after_training_gets_the_own_colour(name: str) -> None:
    board = checkerboard()
    model = MODELS[name]().fit(board, sales_of(board))
    newcomer = sparse.csr_matrix(([1.0, 1.0], ([0, 0], [1, 3])), shape=(1, ITEMS))
    assert {int(item) % 2 for item in top_k(model.score(newcomer), 3, masked=newcomer)[0]} == {1}


def test_popularity_gives_everybody_what_sells() -> None:
    sales = np.array([1, 5, 3], dtype=np.float32)
    model = Popularity().fit(sparse.csr_matrix(np.eye(3)), sales)
    assert top_k(model.score(sparse.csr_matrix(np.eye(3))), 3).tolist() == [[1, 2, 0]] * 3


def test_scores_are_finite_numbers_for_every_item(fitted: Recommender) -> None:
    scores = fitted.score(checkerboard())
    assert scores.shape == (PERSONS, ITEMS)
    assert np.issubdtype(scores.dtype, np.floating)
    assert np.isfinite(scores).all()


def test_an_empty_history_gets_finite_scores_that_know_nothing_of_it(fitted: Recommender) -> None:
    nothing = sparse.csr_matrix((2, ITEMS), dtype=np.float32)
    scores = fitted.score(nothing)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores[0], scores[1])
    if fitted.name in PERSONAL:
        assert not scores.any()


def test_what_is_masked_never_appears(fitted: Recommender) -> None:
    board = checkerboard()
    for person, row in enumerate(top_k(fitted.score(board), ITEMS, masked=board)):
        shown = [item for item in row.tolist() if item >= 0]
        assert not set(shown) & set(board[person].indices.tolist())
        assert len(shown) == ITEMS - board[person].nnz


def test_fit_twice_gives_equal_numbers(fresh: Recommender) -> None:
    board = checkerboard()
    first = copy.deepcopy(fresh).fit(board, sales_of(board)).state()
    again = fresh.fit(board, sales_of(board)).fit(board, sales_of(board)).state()
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[key], again[key]) for key in first)


def test_fit_touches_neither_parameters_nor_its_input(fresh: Recommender) -> None:
    board, sales = checkerboard(), sales_of(checkerboard())

    def parameters() -> dict[str, Any]:
        return {name: value for name, value in vars(fresh).items() if not name.endswith("_")}

    before = copy.deepcopy(parameters())
    fresh.fit(board, sales)
    assert parameters() == before
    assert (board != checkerboard()).nnz == 0
    assert np.array_equal(sales, sales_of(checkerboard()))
    fresh.score(board)
    assert (board != checkerboard()).nnz == 0


def test_scores_follow_the_history_not_its_place(fitted: Recommender) -> None:
    board = checkerboard()
    order = np.random.default_rng(1).permutation(PERSONS)
    assert np.allclose(fitted.score(board[order]), fitted.score(board)[order], atol=1e-6)
    assert np.allclose(fitted.score(board[3:4])[0], fitted.score(board)[3], atol=1e-6)


def test_entries_in_another_order_are_the_same_history(fitted: Recommender) -> None:
    board = checkerboard().tocoo()
    order = np.random.default_rng(2).permutation(board.nnz)
    shuffled = sparse.coo_matrix((board.data[order], (board.row[order], board.col[order])), shape=board.shape)
    assert np.allclose(fitted.score(sparse.csr_matrix(shuffled)), fitted.score(checkerboard()), atol=1e-6)


def test_a_fitted_model_survives_its_artefact(fitted: Recommender, tmp_path: Path) -> None:
    save(tmp_path, {fitted.name: fitted.state()}, {}, {})
    restored = MODELS[fitted.name]().from_state(load_state(tmp_path, read_manifest(tmp_path), fitted.name))
    assert np.allclose(restored.score(checkerboard()), fitted.score(checkerboard()), atol=1e-6)


def test_one_item_is_enough(fresh: Recommender) -> None:
    histories = sparse.csr_matrix(np.ones((3, 1), dtype=np.float32))
    scores = fresh.fit(histories, np.array([3.0], dtype=np.float32)).score(histories)
    assert np.isfinite(scores).all()
    assert top_k(scores, 10).tolist() == [[0]] * 3
    assert top_k(scores, 10, masked=histories).tolist() == [[-1]] * 3


def test_persons_without_acts_and_items_without_persons_do_not_break_a_fit(fresh: Recommender) -> None:
    board = sparse.csr_matrix(np.pad(checkerboard().toarray(), ((0, 1), (0, 1))))
    scores = fresh.fit(board, sales_of(board)).score(board)
    assert np.isfinite(scores).all()
    if fresh.name in PERSONAL:
        assert np.abs(scores[:, ITEMS]).max() < 0.05  # nobody touched it: nothing speaks for it


def test_before_it_learnt_anything_a_model_says_so(fresh: Recommender) -> None:
    with pytest.raises(NotFitted):
        fresh.score(checkerboard())
    with pytest.raises(NotFitted):
        fresh.state()


BROKEN = {
    "NaN": (lambda: sparse.csr_matrix(np.array([[np.nan, 1.0]])), "NaN"),
    "infinite": (lambda: sparse.csr_matrix(np.array([[np.inf, 1.0]])), "infinite"),
    "below zero": (lambda: sparse.csr_matrix(np.array([[-1.0, 1.0]])), "below zero"),
    "no persons": (lambda: sparse.csr_matrix((0, 2)), "empty"),
    "unknown item": (lambda: sparse.csr_matrix(np.ones((1, 3))), "3 items"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_histories_that_cannot_be_are_refused(fresh: Recommender, fault: str) -> None:
    make, message = BROKEN[fault]
    with pytest.raises(ValueError, match=message):
        fresh.fit(make(), np.ones(2, dtype=np.float32))
    fresh.fit(sparse.csr_matrix(np.ones((2, 2))), np.ones(2, dtype=np.float32))
    with pytest.raises(ValueError, match=message):
        fresh.score(make())


def test_fold_in_solves_the_normal_equations() -> None:
    board = checkerboard() * 2
    model = MODELS["als"]().fit(board, sales_of(board))
    y = model.state()["item_factors"].astype(np.float64)
    confidence = np.ones(ITEMS)
    confidence[board[4].indices] = model.alpha * board[4].data
    liked = np.zeros(ITEMS)
    liked[board[4].indices] = 1
    left = y.T @ (confidence[:, None] * y) + model.regularization * np.eye(y.shape[1])
    assert np.allclose(model.fold_in(board)[4], np.linalg.solve(left, y.T @ (confidence * liked)), atol=1e-3)


def test_item_knn_is_the_cosine_with_shrinkage_and_weighs_itself() -> None:
    x = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [3.0, 0.0, 1.0]])
    lengths = (x**2).sum(axis=0) + 5.0
    expected = (x.T @ x) / np.sqrt(np.outer(lengths, lengths))
    expected[np.diag_indices(3)] *= 4.0
    model = ItemKNN(neighbours=3, shrinkage=5.0, self_weight=4.0).fit(sparse.csr_matrix(x), np.ones(3, dtype=np.float32))
    assert np.allclose(model.score(sparse.csr_matrix(x)), x @ expected, atol=1e-5)
    near = SparseSums(model.similarities(), skips_itself=True).ask([(0, 1.0)], 3)
    assert dict(zip(near.items.tolist(), near.weights.tolist(), strict=True)) == {
        1: pytest.approx(expected[0, 1], abs=1e-5),
        2: pytest.approx(expected[0, 2], abs=1e-5),
    }
