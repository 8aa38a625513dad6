"""One behavioural contract for every session model, on walks whose next step is known by construction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.recommender import NotFitted
from models.algorithms.repeats import Repeats
from models.algorithms.sequential_rules import SequentialRules
from models.algorithms.session_blend import SessionBlend
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.session_model import SessionModel
from models.algorithms.sparse_rows import top_of
from models.data.sequences import Sequences
from models.lab.markov import Markov, SecondOrderMarkov
from models.lab.popularity_order import PopularityOrder
from models.protocols.session_choice import SESSION_MODELS
from models.release.artefact import load_state, read_manifest, save
from models.training.session_trees import asked_of, teach_blend

ITEMS = 12


def walks(sessions: int = 300, seed: int = 0) -> Sequences:
    """Two circles of six items; a session walks four steps along one of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(sessions):
        circle, start = rng.integers(2), rng.integers(6)
        rows.append([circle * 6 + (start + step) % 6 for step in range(4)])
    return Sequences.of(rows, ITEMS)


def taught_blend() -> SessionBlend:
    """A blend that learnt on other walks."""
    return teach_blend(walks(seed=1), walks(seed=2), seed=7)


MODELS: dict[str, Callable[[], SessionModel]] = {**SESSION_MODELS, "blend": taught_blend}
# Session kNN knows no direction, so that both neighbours of a walk are alike to it; its own test counts by hand.
WALKERS = ["rules", "markov", "markov2", "blend"]


@pytest.fixture(params=list(MODELS))
def fitted(request: pytest.FixtureRequest) -> SessionModel:
    return MODELS[request.param]().fit(walks())


@pytest.mark.parametrize("name", WALKERS)
def test_the_next_step_of_the_circle_comes_first(name: str) -> None:
    model = MODELS[name]().fit(walks())
    lists = top_of(model.score(Sequences.of([[0, 1, 2], [9, 10, 11]], ITEMS)), 4)
    expected = [3, 6]
    for entry, item in zip(lists, expected, strict=True):
        unseen = [each for each in entry if each not in (0, 1, 2, 9, 10, 11)]
        assert unseen[0] == item


def test_a_list_is_full_and_has_no_item_twice(fitted: SessionModel) -> None:
    result = top_of(fitted.score(Sequences.of([[], [0], [5, 5, 5], [3, 4]], ITEMS)), ITEMS)
    assert [sorted(row) for row in result.tolist()] == [list(range(ITEMS))] * 4


def test_weights_are_above_zero_and_finite(fitted: SessionModel) -> None:
    weights = fitted.score(walks(20, seed=5))
    assert weights.shape == (20, ITEMS)
    assert np.isfinite(weights.data).all()
    assert (weights.data > 0).all()


def test_an_empty_prefix_gets_what_is_popular(fitted: SessionModel) -> None:
    assert top_of(fitted.score(Sequences.of([[]], ITEMS)), 3).tolist() == [[0, 1, 2]]


def test_an_item_out_of_range_is_refused(fitted: SessionModel) -> None:
    with pytest.raises(ValueError, match="numbered from 0 to 11"):
        fitted.score(Sequences.of([[ITEMS]], ITEMS))


def test_one_session_of_one_item() -> None:
    for name, make in SESSION_MODELS.items():
        result = top_of(make().fit(Sequences.of([[0]], 1)).score(Sequences.of([[0], []], 1)), 5)
        assert result[:, 0].tolist() == [0, 0], name
        assert (result[:, 1:] == -1).all()


def test_nothing_to_learn_from_is_refused() -> None:
    for make in SESSION_MODELS.values():
        with pytest.raises(ValueError, match="no items"):
            make().fit(Sequences.of([], 3))


@pytest.mark.parametrize("name", list(MODELS))
def test_same_sessions_same_weights_and_parameters_stay(name: str) -> None:
    model = MODELS[name]()
    parameters = {key: value for key, value in vars(model).items() if not key.endswith("_")}
    one, other = model.fit(walks()).score(walks(20, seed=5)), MODELS[name]().fit(walks()).score(walks(20, seed=5))
    assert (one != other).nnz == 0
    assert parameters == {key: value for key, value in vars(model).items() if not key.endswith("_")}


@pytest.mark.parametrize("name", list(MODELS))
def test_prefixes_do_not_depend_on_each_other(name: str) -> None:
    model = MODELS[name]().fit(walks())
    asked = walks(20, seed=5)
    together = model.score(asked).toarray()
    alone = sparse.vstack([model.score(asked.take(np.array([row]))) for row in range(20)]).toarray()
    assert np.array_equal(top_of(sparse.csr_matrix(together), 3), top_of(sparse.csr_matrix(alone), 3))


@pytest.mark.parametrize("name", list(MODELS))
def test_a_saved_model_weighs_the_same(name: str, tmp_path: Path) -> None:
    model = MODELS[name]().fit(walks())
    save(tmp_path, {"model": model.state()}, {}, {})
    loaded = MODELS[name]().from_state(load_state(tmp_path, read_manifest(tmp_path), "model"))
    np.testing.assert_allclose(model.score(walks(9)).toarray(), loaded.score(walks(9)).toarray(), rtol=1e-6)


@pytest.mark.parametrize("make", [make for make in SESSION_MODELS.values() if make is not PopularityOrder])  # learns nothing
def test_an_unfitted_model_says_so(make: Callable[[], SessionModel]) -> None:
    with pytest.raises(NotFitted):
        make().score(walks(2))


def test_markov_counts_by_hand() -> None:
    model = Markov().fit(Sequences.of([[0, 1, 2], [0, 1], [0, 2]], 3))
    np.testing.assert_allclose(model.score(Sequences.of([[2, 0], [1]], 3)).toarray(), [[0, 2 / 3, 1 / 3], [0, 0, 1]], rtol=1e-6)


def test_second_order_asks_for_the_last_two_in_their_order() -> None:
    model = SecondOrderMarkov().fit(Sequences.of([[0, 1, 2], [1, 0, 3]], 4))
    assert top_of(model.score(Sequences.of([[0, 1], [1, 0]], 4)), 1).tolist() == [[2], [3]]
    assert model.score(Sequences.of([[2, 3], [1]], 4)).nnz == 0


def test_rules_count_less_with_distance_and_can_look_back() -> None:
    sessions = Sequences.of([[0, 1, 2]], 3)
    np.testing.assert_allclose(SequentialRules().fit(sessions).score(Sequences.of([[0]], 3)).toarray(), [[0, 2 / 3, 1 / 3]])
    assert SequentialRules(backwards=True).fit(sessions).score(Sequences.of([[2]], 3)).nonzero()[1].tolist() == [0, 1]


def test_repeats_learn_that_people_go_back_two_clicks() -> None:
    model = Repeats(smoothing=0.1).fit(Sequences.of([[0, 1, 0, 1, 0, 1]] * 20, 4))
    weights = model.score(Sequences.of([[2, 3]], 4)).toarray()[0]
    assert weights[2] > 0.9
    assert weights[3] < 0.1


def test_knn_by_hand() -> None:
    """One query item, two sessions that hold it: each neighbour gives idf × similarity = idf × idf / √2."""
    model = SessionKNN(length_power=0.5).fit(Sequences.of([[0, 1], [0, 2], [3, 4]], 5))
    idf = np.log1p(3 / np.array([2, 1, 1, 1, 1]))
    expected = idf[[0, 1, 2, 3, 4]] * (idf[0] / np.sqrt(2)) * np.array([2, 1, 1, 0, 0])
    np.testing.assert_allclose(model.score(Sequences.of([[0]], 5)).toarray()[0], expected, rtol=1e-5)


def test_knn_looks_at_the_latest_sessions_of_a_popular_item() -> None:
    sessions = Sequences.of([[0, 1]] * 10 + [[0, 2]] * 3, 3)
    result = SessionKNN(per_item=3).fit(sessions).score(Sequences.of([[0]], 3)).toarray()[0]
    assert result[1] == 0
    assert result[2] > 0


def test_prefixes_are_no_shorter_than_short_sessions_allow() -> None:
    prefixes, following = asked_of(Sequences.of([[0, 1, 2], [3, 4, 5, 6]], 7))
    assert [part.tolist() for part in prefixes] == [[0, 1], [3, 4], [3, 4, 5]]
    assert following.tolist() == [2, 5, 6]


def test_a_mix_adds_up_what_each_part_says_over_its_best() -> None:
    model = SessionMix(walk_share=1.0, knn_share=0.5, repeats_share=2.0).fit(walks())
    prefixes = Sequences.of([[0, 1, 0], [9], []], ITEMS)
    parts = [part.score(prefixes).toarray() for part in (model.walk_, model.knn_, model.repeats_)]
    scaled = [weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-12) for weights in parts]
    expected = 1.0 * scaled[0] + 0.5 * scaled[1] + 2.0 * scaled[2]
    np.testing.assert_allclose(model.score(prefixes).toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("prefix", [[3], [3, 4, 3], [1] * 6, [*range(12), *range(12), 5]])
def test_repeats_of_one_prefix_weigh_as_in_many(prefix: list[int]) -> None:
    model = Repeats().fit(walks())
    items, rates = model.ask(prefix)
    weights = model.score(Sequences.of([prefix], ITEMS))
    assert sorted(items.tolist()) == weights.indices.tolist()
    np.testing.assert_allclose(rates[np.argsort(items)], weights.data)
