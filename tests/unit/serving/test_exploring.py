"""The exploring slot: what may be put into it, how often, and what is logged."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from models.algorithms.exploration import Belief
from serving.exploring import NEAREST, SHARE, SLOT, WINDOW, Exploration, explore
from serving.recommend import Answer, recommend
from serving.request import Request

NEW = np.arange(24, 30)


@pytest.fixture
def new_shop(shop: Any, tiny: Any) -> Any:
    """The last six of the shop's thirty items are new, all believed alike; only 25 and 26 are near "u"."""
    belief = Belief(np.full(len(NEW), 2.0), np.full(len(NEW), 50.0))
    shop.model.newcomers = tiny.newcomers(NEW, belief, {"u": np.array([25, 26])})
    return shop


def lists(shop: Any, count: int, seed: int = 3, **asked: Any) -> list[tuple[Answer, Any]]:
    exploration, rng = Exploration(), np.random.default_rng(seed)
    exploration.use(shop.model)
    request = Request(**({"shop_id": "a", "placement": "home", "limit": 10} | asked))
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: ())
    return [explore(answer, request, shop.shelf, shop.catalogue, exploration, rng) for _ in range(count)]


def test_a_new_item_takes_the_slot_and_says_so(new_shop: Any) -> None:
    plain = recommend(Request("a", "home", 10), new_shop.shelf, new_shop.catalogue, lambda *_: ())
    for answer, decision in lists(new_shop, 200):
        shown = [one.item.item_id for one in answer.items]
        assert len(shown) == len(set(shown)) == 10
        if decision.item is None:
            assert answer == plain
            continue
        assert answer.items[SLOT].item.item_id == f"i{NEW[decision.item]}"
        assert (answer.items[SLOT].reason.code, answer.items[SLOT].reason.zh) == ("new", "新品")
        assert [one for place, one in enumerate(answer.items) if place != SLOT] == plain.items[:9]
        assert answer.items == sorted(answer.items, key=lambda one: -one.score)


def test_the_budget_holds_in_every_window_and_is_used(new_shop: Any) -> None:
    result = lists(new_shop, 300)
    places = [10 * number + SLOT for number, (_, decision) in enumerate(result) if decision.item is not None]
    most = int(SHARE * WINDOW)
    assert len(places) >= 30
    for first in places:
        assert sum(first <= place < first + WINDOW for place in places) <= most


def test_the_logged_propensity_is_how_often_it_happens(new_shop: Any) -> None:
    firsts = [lists(new_shop, 1, seed=seed)[0][1] for seed in range(4000)]
    counted = Counter(decision.item for decision in firsts)
    assert sum(counted.values()) == 4000
    for item in (None, *range(len(NEW))):
        names = {decision.propensity for decision in firsts if decision.item == item}
        assert len(names) == 1
        assert counted[item] / 4000 == pytest.approx(names.pop(), abs=0.03)


def test_a_known_person_is_shown_what_is_near_and_nobody_what_may_not_be_shown(new_shop: Any, tiny: Any) -> None:
    shown = {decision.item for _, decision in lists(new_shop, 300, persons=("nobody", "u"))}
    assert shown == {None, 1, 2}
    new_shop.catalogue.put(tiny.item("i25", stock=0, at_ms=9))  # sold out, and the shelf has not heard of it
    assert {decision.item for _, decision in lists(new_shop, 300, persons=("u",))} == {None, 2}
    result = lists(new_shop, 300, persons=("u",), placement="cart", cart=("i26",))
    assert {(decision.item, decision.propensity, decision.explore_probability) for _, decision in result} == {(None, 1.0, 0.0)}
    assert NEAREST >= 2


def test_a_strangers_page_explores_near_the_page(new_shop: Any) -> None:
    """24 to 29 are lamps, but 24 becomes a tea: a tea's page may show that one, a lamp's page the others, a skirt's none."""
    new_shop.shelf.categories[24] = new_shop.shelf.categories[10]

    def explored(**asked: Any) -> set[int | None]:
        return {decision.item for _, decision in lists(new_shop, 300, **asked)} - {None}

    assert explored(placement="item", item_id="i12") == {0}
    assert explored(placement="item", item_id="i20") == {1, 2, 3, 4, 5}
    assert explored(placement="item", item_id="i3") == set()
    assert explored(placement="cart", cart=("i3", "i12")) == explored(placement="after_payment", order=("i12",)) == {0}
    assert explored() == {0, 1, 2, 3, 4, 5}
    assert explored(placement="item", item_id="i12", persons=("u",)) == {1, 2}  # a known person's taste is near enough


def test_short_lists_and_shops_without_new_items_do_not_explore(new_shop: Any, shop: Any) -> None:
    assert all(decision is None for _, decision in lists(new_shop, 50, limit=SLOT))
    shop.model.newcomers = None
    assert all(decision is None for _, decision in lists(shop, 50))


def test_a_belief_of_another_release_decides_nothing(new_shop: Any, tiny: Any) -> None:
    exploration = Exploration()
    exploration.use(tiny.model([]))
    request = Request("a", "home", 10)
    answer = recommend(request, new_shop.shelf, new_shop.catalogue, lambda *_: ())
    assert explore(answer, request, new_shop.shelf, new_shop.catalogue, exploration, np.random.default_rng(1)) == (
        answer,
        None,
    )


def test_of_many_new_items_the_one_that_is_drawn_is_looked_at_once_more(new_shop: Any, tiny: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("serving.exploring.NEAREST", 2)
    new_shop.catalogue.put(tiny.item("i25", stock=0, at_ms=9))  # sold out, and the shelf has not heard of it
    result = lists(new_shop, 300)
    assert {decision.item for _, decision in result} == {None, 0, 2, 3, 4, 5}
    assert all(answer.items[SLOT].item.item_id != "i25" for answer, _ in result)
    [chance] = {decision.propensity for _, decision in result if decision.item == 2 and decision.chances[1] == 0}
    assert chance == pytest.approx(0.2 / 5)
