"""One behavioural contract for every matrix model, on a checkerboard whose right answer is known by construction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.attribute_mapping import AttributeMapping
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import NotFitted, Recommender, top_k
from models.lab.chebyshev_filter import ChebyCF
from models.lab.content_knn import ContentKNN
from models.lab.ease import EASE
from models.lab.graph_filter import BLOCK, BSPM, GFCF
from models.lab.matrix_models import MATRIX_MODELS, make
from models.lab.mixture import Mixture
from models.release.artefact import load_state, read_manifest, save

ITEMS = 8
Make = Callable[[], Recommender]


def mixture() -> Mixture:
    return Mixture({"ease": EASE(), "popularity": Popularity()}, {"ease": 1.0, "popularity": 0.1})


def colours(items: int) -> sparse.csr_matrix:
    """The colour of each square as its features; a square beyond the board has none."""
    square = np.arange(items)
    result = np.column_stack([square % 2 == 0, square % 2 == 1]) & (square < ITEMS)[:, None]
    return sparse.csr_matrix(result, dtype=np.float32)


class MappingByColour(AttributeMapping):
    """The mapping for a board of any size."""

    def __init__(self) -> None:
        super().__init__(EASE(), colours(1))

    def fit(self, histories: sparse.csr_matrix, sales: np.ndarray) -> MappingByColour:
        return self.from_state(AttributeMapping(self.model, colours(len(sales))).fit(histories, sales).state())


class KNNByColour(ContentKNN):
    """Content-kNN for a board of any size."""

    def __init__(self) -> None:
        super().__init__(colours(1))

    def fit(self, histories: sparse.csr_matrix, sales: np.ndarray) -> KNNByColour:
        return self.from_state(ContentKNN(colours(len(sales))).fit(histories, sales).state())


MODELS: dict[str, Make] = {
    **{name: (lambda name=name: make(name)) for name in MATRIX_MODELS},
    "ease_sparse": lambda: EASE(exact_items=0, neighbours=5),
    "gf_cf_large": lambda: GFCF(dense_items=0),
    "bspm_large": lambda: BSPM(dense_items=0),
    "chebycf_large": lambda: ChebyCF(dense_items=0),
    "mixture": mixture,
    "attribute_mapping": MappingByColour,
    "content_knn": KNNByColour,
}
PERSONAL = [name for name in MODELS if name != "popularity"]


def checkerboard() -> sparse.csr_matrix:
    """40 persons: even ones like three of the even items, odd ones three of the odd ones."""
    rng = np.random.default_rng(1)
    x = np.zeros((40, ITEMS), dtype=np.float32)
    for person in range(40):
        x[person, person % 2 + 2 * rng.permutation(ITEMS // 2)[:3]] = 1
    return sparse.csr_matrix(x)


def sales(x: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(x.sum(axis=0), dtype=np.float32).ravel()


def row(*items: int, size: int = ITEMS) -> sparse.csr_matrix:
    array = np.zeros((1, size), dtype=np.float32)
    array[0, list(items)] = 1
    return sparse.csr_matrix(array)


@pytest.fixture(params=list(MODELS))
def fresh(request: pytest.FixtureRequest) -> Make:
    return MODELS[request.param]


@pytest.mark.parametrize("name", PERSONAL)
def test_the_missing_square_of_the_same_colour_comes_first(name: str) -> None:
    x = checkerboard()
    model = MODELS[name]().fit(x, sales(x))
    for colour in (0, 1):
        for missing in range(4):
            seen = [colour + 2 * n for n in range(4) if n != missing]
            history = row(*seen)
            assert top_k(model.score(history), 1, history)[0, 0] == colour + 2 * missing


def test_a_history_without_items_gets_finite_scores_and_a_full_list(fresh: Make) -> None:
    x = checkerboard()
    scores = fresh().fit(x, sales(x)).score(row())
    assert scores.shape == (1, ITEMS)
    assert np.isfinite(scores).all()
    assert sorted(top_k(scores, ITEMS)[0]) == list(range(ITEMS))


def test_what_is_masked_never_appears_and_the_list_is_as_long_as_asked(fresh: Make) -> None:
    x = checkerboard()
    result = top_k(fresh().fit(x, sales(x)).score(x), 5, x)
    assert (result >= 0).all()
    for person in range(40):
        assert not set(result[person]) & set(x[person].indices)
        assert len(set(result[person])) == 5


def test_another_number_of_items_is_refused(fresh: Make) -> None:
    x = checkerboard()
    with pytest.raises(ValueError, match="items"):
        fresh().fit(x, sales(x)).score(row(0, size=ITEMS + 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_weights_that_are_no_weights_are_refused(fresh: Make, bad: float) -> None:
    x = checkerboard()
    x.data[0] = bad
    with pytest.raises(ValueError, match="weight"):
        fresh().fit(x, sales(checkerboard()))


def test_an_unfitted_model_says_so(fresh: Make) -> None:
    with pytest.raises(NotFitted):
        fresh().score(row(0))


def test_one_item_one_person(fresh: Make) -> None:
    x = row(0, size=1)
    scores = fresh().fit(x, sales(x)).score(x)
    assert scores.shape == (1, 1)
    assert np.isfinite(scores).all()
    assert top_k(scores, 1, x).tolist() == [[-1]]


def test_an_item_that_nobody_took_is_scored_and_never_first(fresh: Make) -> None:
    x = sparse.csr_matrix(sparse.hstack([checkerboard(), sparse.csr_matrix((40, 1), dtype=np.float32)], format="csr"))
    scores = fresh().fit(x, sales(x)).score(row(0, 2, size=ITEMS + 1))
    assert np.isfinite(scores).all()
    assert top_k(scores, 1, row(0, 2, size=ITEMS + 1))[0, 0] != ITEMS


def test_same_input_same_scores(fresh: Make) -> None:
    x = checkerboard()
    assert np.array_equal(fresh().fit(x, sales(x)).score(x), fresh().fit(x, sales(x)).score(x))


def test_fit_changes_no_parameter_and_no_input(fresh: Make) -> None:
    x = checkerboard()
    before, model = x.copy(), fresh()
    parameters = {
        name: value for name, value in vars(model).items() if not name.endswith("_") and name not in ("parts", "model")
    }
    model.fit(x, sales(x))
    after = {name: value for name, value in vars(model).items() if not name.endswith("_") and name not in ("parts", "model")}
    assert parameters == after
    assert (x != before).nnz == 0


def test_the_order_of_persons_does_not_matter(fresh: Make, request: pytest.FixtureRequest) -> None:
    x = checkerboard()
    shuffled = x[np.random.default_rng(3).permutation(40)]
    one, other = fresh().fit(x, sales(x)).score(x), fresh().fit(shuffled, sales(x)).score(x)
    if (
        "[als]" in request.node.name
    ):  # a start drawn at random belongs to a place, not to a person: equal lists, not equal scores
        assert np.array_equal(top_k(one, 1, x), top_k(other, 1, x))
    else:
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_saved_model_scores_the_same(fresh: Make, tmp_path: Path) -> None:
    x = checkerboard()
    model = fresh().fit(x, sales(x))
    save(tmp_path, {"model": model.state()}, {}, {})
    loaded = fresh().from_state(load_state(tmp_path, read_manifest(tmp_path), "model"))
    np.testing.assert_allclose(model.score(x), loaded.score(x), rtol=1e-5, atol=1e-6)


def test_large_and_small_forms_of_the_graph_filters_agree() -> None:
    x = checkerboard()
    for small, large in ((GFCF(), GFCF(dense_items=0)), (BSPM(steps=2), BSPM(steps=2, dense_items=0))):
        np.testing.assert_allclose(small.fit(x, sales(x)).score(x), large.fit(x, sales(x)).score(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make_filter", [GFCF, lambda **more: BSPM(steps=3, **more)])
def test_filtering_in_blocks_gives_the_scores_of_the_whole_filter(make_filter: Callable[..., GFCF]) -> None:
    x = sparse.random(2 * BLOCK + 17, 90, density=0.08, random_state=4, format="csr", dtype=np.float32)
    x = sparse.csr_matrix(sparse.diags(np.arange(x.shape[0]) != 5, dtype=np.float32) @ x)  # one person without history
    small, large = (make_filter(factors=20, dense_items=most).fit(x, sales(x)) for most in (90, 0))
    assert "filter" in small.state()
    assert "filter" not in large.state()
    np.testing.assert_allclose(large.score(x), small.score(x), rtol=1e-4, atol=1e-6)


def test_ease_solves_its_problem() -> None:
    """Against the solution of the constrained normal equations, item by item."""
    x = checkerboard()
    dense = x.toarray().astype(np.float64)
    gram = dense.T @ dense
    model = EASE(ridge=3.0, dropout=0.0, person_power=0.0).fit(x, sales(x))
    expected = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = [other for other in range(ITEMS) if other != item]
        expected[others, item] = np.linalg.solve(gram[np.ix_(others, others)] + 3 * np.eye(ITEMS - 1), gram[others, item])
    np.testing.assert_allclose(model.state()["dense"], expected, atol=1e-4)
    sparse_form = EASE(ridge=3.0, dropout=0.0, person_power=0.0, exact_items=0, neighbours=ITEMS).fit(x, sales(x))
    np.testing.assert_allclose(sparse_form.score(x), model.score(x), atol=1e-4)


def test_a_mixture_needs_a_weight_for_each_part() -> None:
    with pytest.raises(ValueError, match="same models"):
        Mixture({"item_knn": ItemKNN()}, {})
