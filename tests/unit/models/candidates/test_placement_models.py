"""Models of placements: what their lists tell of their origin, and that serving's form says what the judged form says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.swalk import SWalk
from models.algorithms.symmetric_trees import SymmetricTrees
from models.algorithms.tifu_knn import TIFUKNN
from models.candidates import list_builders
from models.candidates.context_models import CONTEXTS
from models.candidates.list_builders import PERSONAL_LISTS
from models.candidates.person_lists import LENGTH, ORIGINS, BadLists, PersonLists
from models.candidates.placement_model import PlacementModel
from models.candidates.recipes import RANKED, RECIPES, Recipe, asked, named
from models.candidates.stored_models import files_of, load, states_of
from models.candidates.training_context import TrainingContext
from models.data.interactions import Interactions
from models.data.sequences import Sequences
from models.evaluation.placement_questions import Cases
from models.ranking.list_ranker import COLUMNS, SOURCES, ListRanker, Models, earlier_context, taught_window, teach
from models.training.fit import fit
from models.training.session_trees import teach_blend

PERSONS, ITEMS, GROUPS = 40, 24, 4
START = np.datetime64("2026-09-01", "us")
# The ranker at a request has no batch of lists; tests/unit/serving/test_ranked.py holds its two forms equal.
EVERY = list({recipe.name: recipe for each in RECIPES.values() for recipe in each if recipe.ranker is None}.values())


@pytest.fixture(scope="module")
def training_context() -> TrainingContext:
    """Persons of four tastes who look at six items, take half of them along, and buy one of their own favourites each time."""
    rng = np.random.default_rng(2)
    rows = []
    for person in range(PERSONS):
        mine = np.arange(person % GROUPS, ITEMS, GROUPS)
        for day in range(15):
            at = START + np.timedelta64(day * 24 * 60 + person, "m")
            for minute, item in enumerate(rng.permutation(mine)[:4]):
                rows.append((at + np.timedelta64(minute, "m"), person, item, "view"))
            paid = at + np.timedelta64(5, "m")
            rows += [(paid, person, mine[person % len(mine)], "pay"), (paid, person, rng.choice(mine), "pay")]
    rows.sort()
    at, person, item, kind = (np.array(column) for column in zip(*rows, strict=True))
    ids = (np.array([f"p{n:02}" for n in range(PERSONS)]), np.array([f"i{n:02}" for n in range(ITEMS)]))
    times = (at.astype("datetime64[us]"), at.astype("datetime64[us]"))
    acts = Interactions(*ids, person.astype(np.int64), item.astype(np.int64), kind, *times)
    return TrainingContext.of(acts, START + np.timedelta64(16, "D"), *fitted_on(acts))


def fitted_on(acts: Interactions) -> tuple[ItemKNN, ALS]:
    histories, sales = acts.matrix(), acts.sales()
    return ItemKNN(self_weight=2.0).fit(histories, sales), ALS(4).fit(histories, sales)


def taught(acts: Interactions, as_of: np.datetime64, fit_models: Callable[[Interactions], Models]) -> ListRanker | None:
    earlier = earlier_context(acts, as_of, fit_models)
    if earlier is None:
        return None
    return teach(earlier, {source: PERSONAL_LISTS[source](earlier) for source in SOURCES}, acts, as_of)


@pytest.fixture(scope="module")
def ranker(training_context: TrainingContext) -> ListRanker:
    result = taught(training_context.acts, training_context.as_of, fitted_on)
    assert result is not None
    return result


@pytest.fixture(scope="module")
def blend(training_context: TrainingContext) -> SymmetricTrees:
    visits = training_context.visits.items
    trees = teach_blend(visits.take(slice(0, 400)), visits.take(slice(400, None)), seed=7).trees_
    assert trees is not None
    return trees


def entries(lists: PersonLists, person: int) -> list[tuple[int, str, int]]:
    result = lists.of_person(person)
    return list(zip(result.items.tolist(), result.origins, result.because.tolist(), strict=True))


def test_those_alike_are_looked_for_among_so_many_buyers(
    training_context: TrainingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Spy(TIFUKNN):
        def fit(self, *arguments: Any) -> Any:
            model = super().fit(*arguments)
            asked.append(model.state()["vectors_indptr"].size - 1)
            return model

    monkeypatch.setattr(list_builders, "TIFUKNN", Spy)
    everybody = PERSONAL_LISTS["tifu_knn"](training_context)
    monkeypatch.setattr(list_builders, "MOST_LOOKED_AMONG", PERSONS)
    assert (PERSONAL_LISTS["tifu_knn"](training_context).items == everybody.items).all()
    monkeypatch.setattr(list_builders, "MOST_LOOKED_AMONG", 12)
    few = PERSONAL_LISTS["tifu_knn"](training_context)
    assert asked == [PERSONS, PERSONS, 12]
    assert (few.items[:, 0] == everybody.items[:, 0]).all()  # what a person buys most is still the person's
    assert len(few.items) == PERSONS


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_mix_takes_over_the_models_that_it_shares(
    training_context: TrainingContext, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    sessions, fits = training_context.visits.items, list[str]()
    alone = SessionMix().fit(sessions).state()
    for part in (SWalk, SessionKNN):

        def spy(self: Any, asked: Sequences, part: Any = part, whole: Any = part.fit) -> Any:
            fits.append(part.name)
            return whole(self, asked)

        monkeypatch.setattr(part, "fit", spy)
    recipes = [Recipe(name, context=name) for name in ("session_mix", "session_knn", "swalk")]
    mixed = fit(training_context, recipes, None, at_once=at_once)
    assert list(mixed.contexts) == ["session_mix", "session_knn", "swalk"]
    assert sorted(fits) == ["knn", "swalk"]
    state = mixed.contexts["session_mix"].state()
    assert state.keys() == alone.keys()
    for name, array in alone.items():
        assert array.dtype == state[name].dtype
        assert (array == state[name]).all(), name


@pytest.mark.parametrize("name", PERSONAL_LISTS)
def test_lists_name_each_item_once_best_first_and_say_where_it_is_from(training_context: TrainingContext, name: str) -> None:
    lists = PERSONAL_LISTS[name](training_context)
    is_for_all = name in ("windowed_popularity", "trending")
    assert len(lists.items) == (1 if is_for_all else PERSONS)  # what is the same for everybody stands there once
    assert lists.items.shape[1] <= LENGTH
    paid = training_context.bought.toarray()
    touched = training_context.histories.toarray() > 0
    for person in range(PERSONS):
        result = lists.of_person(person)
        assert len(result.items) == len(set(result.items.tolist())) > 0
        assert (np.diff(result.weights) <= 0).all()
        assert (result.weights > 0).all()
        for item, origin, because in entries(lists, person):
            assert origin in ORIGINS
            assert origin != "bought_often" or paid[person, item] >= 2
            assert origin != "bought_before" or paid[person, item] == 1
            assert origin != "seen_before" or (touched[person, item] and paid[person, item] == 0)
            assert origin != "people_like_you" or paid[person, item] == 0
            assert (because >= 0) == (origin == "like_yours")
            assert because < 0 or touched[person, because]
    again = PERSONAL_LISTS[name](training_context)
    assert all((again.state()[key] == array).all() for key, array in lists.state().items())


def test_persons_worked_out_some_at_a_time_have_the_lists_of_all_at_once(
    training_context: TrainingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {name: build(training_context).state() for name, build in PERSONAL_LISTS.items()}
    monkeypatch.setattr(list_builders, "SLICE", 7)
    for name, build in PERSONAL_LISTS.items():
        assert all((build(training_context).state()[key] == array).all() for key, array in whole[name].items())


def test_an_index_of_a_large_shop_finds_nearly_all_that_products_with_every_item_find(
    training_context: TrainingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = list_builders.als(training_context)
    monkeypatch.setattr(list_builders, "MOST_PRODUCTS", 0)
    searched = list_builders.als(training_context)
    for person in range(PERSONS):
        wanted, result = exact.of_person(person), searched.of_person(person)
        assert len(np.intersect1d(result.items, wanted.items)) >= 0.9 * len(wanted.items)
        assert (np.diff(result.weights) <= 0).all()
        np.testing.assert_allclose(result.weights[:3], wanted.weights[:3], rtol=1e-4)


def test_taste_decides_what_follows(training_context: TrainingContext, blend: SymmetricTrees) -> None:
    """Everybody keeps to a taste, so lists and followers do, too, where the model knows persons or visits."""
    for name in ("item_knn", "als", "personal_frequency", "tifu_knn", "buy_again"):
        lists = PERSONAL_LISTS[name](training_context)
        for person in range(PERSONS):
            assert {item % GROUPS for item, _, _ in entries(lists, person)[:3]} == {person % GROUPS}, name
    recipes = [Recipe(name, context=name) for name in CONTEXTS]
    contexts = fit(training_context, recipes, None, blend=blend).contexts
    for name, model in contexts.items():
        weights = model.score(Sequences.of([[5, 1]], ITEMS)).toarray()[0]
        assert int(weights.argmax()) % GROUPS == 1, name
        assert weights[np.arange(ITEMS) % GROUPS != 1].max() < weights.max() / 2, name


@pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: recipe.name)
def test_serving_says_what_was_judged(
    training_context: TrainingContext, ranker: ListRanker, blend: SymmetricTrees, recipe: Recipe
) -> None:
    """One request at a time, from stored arrays, gives the weights of the batch that was judged."""
    fitted = fit(training_context, [recipe], ranker, blend=blend)
    states = states_of(fitted)
    assert sorted(states) == sorted(files_of([recipe]))
    loaded = load([recipe], states.__getitem__, training_context.item_knn, PERSONS)
    numbers = {person_id: number for number, person_id in enumerate(training_context.acts.person_ids.tolist())}
    live = PlacementModel(recipe, loaded, numbers)
    given = [[3], [1, 5], [2, 6, 2, 10], [7, 8, 9]]
    asked = Cases(
        np.array([0, 1, 2, 3]),
        Sequences.of(given, ITEMS),
        Sequences.of(given, ITEMS).latest(np.ones(10)),
        Sequences.of([row[-1:] for row in given], ITEMS).latest(np.ones(4)),
        np.full(4, "2026-09-11", dtype="datetime64[us]"),
    )
    judged = fitted.score(recipe, asked.given, asked.person, asked.masked).toarray()
    for row, items in enumerate(given):
        total = np.zeros(ITEMS)
        result, mine = live.follow(items), live.personal(f"p{row:02}")
        for part, share in ((result, 1.0), (mine, live.personal_share)):
            if part is not None:
                weights = np.bincount(part.items, weights=part.weights, minlength=ITEMS)
                masked = np.where(np.arange(ITEMS) == items[-1], 0, weights)
                total += share * masked / max(masked.max(), 1e-12)
        assert total == pytest.approx(judged[row], abs=1e-5)
        if result is not None:
            assert set(result.because.tolist()) <= {-1, *items}
    assert live.personal("a stranger") is None
    assert live.follow([]) is None


def test_a_till_that_knows_no_views_has_no_item_pages(training_context: TrainingContext) -> None:
    assert asked(training_context.acts, has_ranker=True, rankers=RECIPES, has_blend=True) == RECIPES
    result = asked(training_context.acts.where(training_context.acts.kind == "pay"), has_ranker=False)
    assert list(result) == ["home", "cart", "after_payment"]
    assert RANKED not in {recipe.name for recipes in result.values() for recipe in recipes}
    assert named({placement: [recipe.name for recipe in recipes] for placement, recipes in result.items()}) == result


def test_the_ranker_orders_what_the_others_list_and_says_who_placed_it_best(
    training_context: TrainingContext, ranker: ListRanker
) -> None:
    lists = {source: PERSONAL_LISTS[source](training_context) for source in SOURCES}
    ranked = ranker.lists(training_context, lists)
    assert sum(ranker.importances.values()) == pytest.approx(100, abs=0.1)
    assert set(ranker.importances) == set(COLUMNS)
    for person in range(PERSONS):
        result = ranked.of_person(person)
        assert len(result.items) == len(set(result.items.tolist())) > 0
        assert (np.diff(result.weights) <= 0).all()
        assert {int(item) % GROUPS for item in result.items[:3]} == {person % GROUPS}
        mine = {source: each.of_person(person) for source, each in lists.items()}
        for item, origin, because in entries(ranked, person):
            by_key = {}
            for source, members in mine.items():
                if item in members.items:
                    place = members.items.tolist().index(item)
                    by_key[source] = (place, members.origins[place], int(members.because[place]))
            first = min(by_key, key=lambda source: (by_key[source][0], SOURCES.index(source)))
            assert (origin, because) == by_key[first][1:]
    again = taught(training_context.acts, training_context.as_of, fitted_on)
    assert again is not None
    assert (again.lists(training_context, lists).items == ranked.items).all()


def test_the_ranker_sees_nothing_of_its_teaching_week(training_context: TrainingContext) -> None:
    """What the sources were fitted on ends before the gap, and acts at or after the instant change nothing."""
    window = taught_window(training_context.as_of)
    assert window.end == training_context.as_of
    assert window.end - window.test_from == np.timedelta64(7, "D")
    assert window.test_from - window.cut == np.timedelta64(1, "D")
    seen = []

    def fit_and_note(acts: Interactions) -> tuple[ItemKNN, ALS]:
        seen.append(acts)
        return fitted_on(acts)

    taught(training_context.acts, training_context.as_of, fit_and_note)
    assert seen[0].occurred_at.max() < window.cut
    assert seen[0].known_at.max() < window.cut


def test_a_shop_that_is_too_large_or_too_young_has_no_ranker(
    training_context: TrainingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert taught(training_context.acts, START + np.timedelta64(8, "D"), fitted_on) is None
    monkeypatch.setattr("models.ranking.list_ranker.MOST_ITEMS", ITEMS - 1)
    assert taught(training_context.acts, training_context.as_of, fitted_on) is None


BAD = {
    "an array too few": (lambda s: s.pop("because"), "found"),
    "another person": (lambda s: s.update(items=s["items"][1:]), "another shape"),
    "an unknown item": (lambda s: s.update(items=s["items"] + 4), "items of the lists hold a number outside -1 to 3"),
    "an unknown cause": (lambda s: s.update(because=s["because"] - 1), "because of the lists"),
    "an unknown origin": (lambda s: s.update(origins=s["origins"] + len(ORIGINS)), "origins of the lists"),
}


@pytest.mark.parametrize("case", BAD)
def test_lists_that_are_none_are_refused(case: str) -> None:
    change, message = BAD[case]
    state = dict(PersonLists.of(np.zeros((2, LENGTH), dtype=np.int64), np.ones((2, LENGTH), dtype=np.float32), "taste").state())
    assert PersonLists.from_state(dict(state), 2, 4).of_person(1).origins[0] == "taste"
    change(state)  # type: ignore[no-untyped-call]
    with pytest.raises(BadLists, match=message):
        PersonLists.from_state(state, 2, 4)
