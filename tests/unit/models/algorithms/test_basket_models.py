"""One behavioural contract for every basket model, on people whose habits are known by construction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.personal_frequency import BasketModel, PersonalFrequency
from models.algorithms.recommender import NotFitted
from models.algorithms.sparse_rows import top_of
from models.algorithms.succession import Succession
from models.algorithms.tifu_knn import TIFUKNN
from models.candidates.pairs import gather
from models.data.baskets import Purchases
from models.lab.basket_blend import BasketBlend, TooFewBaskets
from models.lab.basket_rhythm import rhythm
from models.protocols.basket_choice import BASKET_MODELS
from models.release.artefact import load_state, read_manifest, save

ITEMS = 12


def purchases(people: list[list[list[int]]], items: int = ITEMS, days: list[list[float]] | None = None) -> Purchases:
    """People as lists of baskets, oldest first."""
    rows = [
        (user, item, len(baskets) - 1 - number, days[user][number] if days else float(number + 1))
        for user, baskets in enumerate(people)
        for number, basket in enumerate(baskets)
        for item in sorted(set(basket))
    ]
    columns = [np.array([row[column] for row in rows], dtype=float if column == 3 else np.int64) for column in range(4)]
    return Purchases(*columns, np.array([len(baskets) for baskets in people], dtype=np.int64), items)


def habits(people: int = 60, seed: int = 0) -> Purchases:
    """Everybody buys an own favourite in each basket and something else beside it."""
    rng = np.random.default_rng(seed)
    return purchases([[[person % ITEMS, int(rng.integers(ITEMS))] for _ in range(6)] for person in range(people)])


def taught_blend() -> BasketBlend:
    return BasketBlend(trees=10).learn(habits(seed=1), np.arange(60))


MODELS: dict[str, Callable[[], BasketModel]] = {**BASKET_MODELS, "blend": taught_blend}


@pytest.fixture(params=list(MODELS))
def fitted(request: pytest.FixtureRequest) -> BasketModel:
    return MODELS[request.param]().fit(habits())


@pytest.mark.parametrize("name", ["personal_frequency", "tifu_knn", "blend"])
def test_the_favourite_comes_first(name: str) -> None:
    lists = top_of(MODELS[name]().fit(habits()).score(habits()), 1)
    assert (lists[:, 0] == np.arange(60) % ITEMS).mean() > 0.9


def test_a_list_is_full_and_has_no_item_twice(fitted: BasketModel) -> None:
    result = top_of(fitted.score(purchases([[], [[3]], [[1, 2], [2]]])), ITEMS)
    assert [sorted(row) for row in result.tolist()] == [list(range(ITEMS))] * 3


def test_a_stranger_gets_what_is_popular(fitted: BasketModel) -> None:
    assert top_of(fitted.score(purchases([[]])), 3).tolist() == [[0, 1, 2]]


def test_an_item_out_of_range_is_refused(fitted: BasketModel) -> None:
    with pytest.raises(ValueError, match="numbered from 0 to 11"):
        fitted.score(purchases([[[ITEMS]]]))


@pytest.mark.parametrize("name", list(MODELS))
def test_same_baskets_same_weights_and_parameters_stay(name: str) -> None:
    model = MODELS[name]()
    parameters = {key: value for key, value in vars(model).items() if not key.endswith("_")}
    one, other = model.fit(habits()).score(habits(seed=3)), MODELS[name]().fit(habits()).score(habits(seed=3))
    assert (one != other).nnz == 0
    assert np.isfinite(one.data).all()
    assert parameters == {key: value for key, value in vars(model).items() if not key.endswith("_")}


@pytest.mark.parametrize("name", list(MODELS))
def test_people_do_not_depend_on_who_is_asked_with_them(name: str) -> None:
    model, asked = MODELS[name]().fit(habits()), habits(seed=3)
    together = top_of(model.score(asked), 3)
    alone = np.concatenate([top_of(model.score(asked.of(np.array([user]))), 3) for user in range(10)])
    assert np.array_equal(together[:10], alone)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_saved_model_weighs_the_same(name: str, tmp_path: Path) -> None:
    model = MODELS[name]().fit(habits())
    save(tmp_path, {"model": model.state()}, {}, {})
    loaded = MODELS[name]().from_state(load_state(tmp_path, read_manifest(tmp_path), "model"))
    np.testing.assert_allclose(model.score(habits(9)).toarray(), loaded.score(habits(9)).toarray(), rtol=1e-5)


def test_one_person_one_basket_one_item() -> None:
    one = purchases([[[0]]], items=1)
    for name, make in BASKET_MODELS.items():
        assert top_of(make().fit(one).score(one), 2).tolist() == [[0, -1]], name


def test_no_baskets_are_refused() -> None:
    for make in BASKET_MODELS.values():
        with pytest.raises(ValueError, match="no purchases"):
            make().fit(purchases([[]]))


def test_unfitted_models_say_so() -> None:
    for model in (TIFUKNN(), Succession(), BasketBlend()):
        with pytest.raises(NotFitted):
            model.score(habits(3))


def test_frequency_and_fading_by_hand() -> None:
    asked = purchases([[[1], [1, 2], [2], [2]]])
    assert PersonalFrequency().score(asked).toarray()[0, 1:3].tolist() == [2, 3]
    np.testing.assert_allclose(PersonalFrequency(fade=0.5).score(asked).toarray()[0, 1:3], [0.125 + 0.25, 0.25 + 0.5 + 1])


def test_tifu_vector_by_hand() -> None:
    """Five baskets in groups of two: the oldest alone, then two and two."""
    model = TIFUKNN(groups=3, fade_in_group=0.5, fade_across=0.1)
    result = model.vectors(purchases([[[0], [1], [2], [3], [4]]])).toarray()[0, :5]
    np.testing.assert_allclose(result, [0.01 / 3, 0.1 * 0.5 / 2 / 3, 0.1 / 2 / 3, 0.5 / 2 / 3, 1 / 2 / 3], rtol=1e-6)


def test_tifu_takes_neighbours_but_not_oneself() -> None:
    people = purchases([[[0, 1]], [[0, 2]], [[5]]])
    array = TIFUKNN(neighbours=1, alpha=0.5).fit(people).score(people).toarray()
    assert array[0, 2] > 0
    assert array[0, 5] == 0


def test_nobody_is_their_own_neighbour_in_long_histories() -> None:
    """Vectors of hundreds of items, whose distance to themselves is float32 noise; a twin is a neighbour like any other."""
    rng = np.random.default_rng(3)
    baskets = [[rng.choice(900, 40, replace=False).tolist() for _ in range(30)] for _ in range(40)]
    people = purchases([*baskets, baskets[0]], items=900)
    model = TIFUKNN(neighbours=1).fit(people)
    near = sparse.vstack([part for _, _, part in model.parts(people, batch=7)], format="csr")
    nearest = near.indices[near.indptr[:-1]]
    assert (np.diff(near.indptr) == 1).all()
    assert (nearest[1:-1] != np.arange(1, len(baskets))).all()
    assert set(near[[0, len(baskets)]].indices.tolist()) <= {0, len(baskets)}


def test_succession_by_hand() -> None:
    model = Succession(shrinkage=0).fit(purchases([[[0], [1]], [[0], [2]], [[0], [1]]]))
    np.testing.assert_allclose(model.score(purchases([[[0]]])).toarray()[0, :3], [0, 2 / 3, 1 / 3], rtol=1e-6)


def test_rhythm_knows_when_an_item_is_due() -> None:
    """Item 1 came every 10 days and was last bought 10 days before the last basket; item 2 was bought once."""
    asked = purchases([[[1], [1], [2]]], days=[[0.0, 10.0, 20.0]])
    result = gather({"often": PersonalFrequency().score(asked)}, {"often": 1.0}, 10)
    facts = np.column_stack(rhythm(asked, result))
    count, since, gap_days, due_days = facts[:, 0], facts[:, 4], facts[:, 6], facts[:, 8]
    assert result.item.tolist() == [1, 2]
    assert (count.tolist(), since.tolist(), gap_days.tolist(), due_days.tolist()) == ([2, 1], [10, 0], [10, -1], [1, -1])


def test_rhythm_counts_to_the_time_of_asking() -> None:
    """Item 1 comes every 10 days and is asked about 15 days after it was last bought; baskets come every 10 days."""
    asked = replace(purchases([[[1], [1], [2]]], days=[[0.0, 10.0, 20.0]]), asked_at=np.array([25.0]))
    result = gather({"often": PersonalFrequency().score(asked)}, {"often": 1.0}, 10)
    until = np.column_stack(rhythm(asked, result))[:, -4:]
    np.testing.assert_allclose(until, [[15, 1.5, 5, 0.5], [5, -1, 5, 0.5]])


def test_what_is_held_out_says_when_it_is_asked_for() -> None:
    people = purchases([[[1], [2]], [[3]]], days=[[4.0, 6.0], [9.0]])
    assert people.before_last(1).asked_at is None
    asked = replace(people, asked_at=np.full(2, np.nan))
    assert asked.before_last(1).asked_at.tolist() == [6, 9]
    assert np.array_equal(asked.before_last(2).asked_at, [4, np.nan], equal_nan=True)
    assert np.array_equal(asked.before_last(1).of(np.array([-1, 1])).asked_at, [np.nan, 9], equal_nan=True)


def test_holding_out_the_last_basket() -> None:
    asked = purchases([[[1], [2]], [[3]]]).before_last(1)
    assert asked.item.tolist() == [1]
    assert asked.baskets.tolist() == [1, 0]
    assert asked.back.tolist() == [0]


def test_a_blend_needs_something_to_learn_from() -> None:
    with pytest.raises(TooFewBaskets):
        BasketBlend().learn(habits(3), np.arange(3))
