"""Sparse candidates: with quotas beyond the catalogue the list of dense arrays over all items, with small ones a full list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from jishi.rules.selection import Selection
from models.algorithms.sparse_sums import SparseSums
from serving.best_sellers import walk
from serving.blend import BLEND, PLACED, recency_weights, scale, visit_length
from serving.candidates import Quotas
from serving.catalogue import Version
from serving.item_filter import ItemFilter
from serving.recent import LastAct
from serving.recommend import LADDER, recommend
from serving.request import Request
from serving.standing import BEHIND, FRESH, OUT

SIZE = 24
NO_MORE = {"new": 0, "on_sale": 0, "beside": 0}  # what a release may bring beside these (test_offers)
ALL = replace(Quotas(*[1000] * len(vars(Quotas()))), **NO_MORE)
NUMBER = st.integers(0, SIZE - 1)
WEIGHTS = st.dictionaries(NUMBER, st.floats(0.0625, 4, width=16), max_size=6)
LISTS = st.lists(
    st.tuples(NUMBER, st.floats(0.0625, 4, width=16), st.sampled_from(["bought_often", "taste"]), st.integers(-1, SIZE - 1)),
    min_size=1,
    max_size=8,
    unique_by=lambda entry: entry[0],
)


def dense_list(shop: Any, request: Request, acts: list[LastAct], placed: Any) -> tuple[list[str], dict[int, float]]:
    """What dense arrays over all items give: the list, and the score of each item."""
    shelf, model = shop.shelf, shop.model
    number_of, categories = shelf.number_of, shelf.categories
    score = np.zeros(SIZE, dtype=np.float32)
    hidden = [number_of[i] for i in {*request.cart, *request.excluded, request.item_id} if i in number_of]
    shown_not = np.isin(np.arange(SIZE), hidden)
    if request.only is not None:
        shown_not |= ~request.only.mask(shelf.columns, number_of)
    known = [act for act in acts if act.item_id in number_of]
    recent, ages = [number_of[act.item_id] for act in known], [act.age_s for act in known]
    visit = recent[: visit_length(ages)]
    counted = visit if request.placement in ("item", "cart") else recent
    context = None if request.item_id is None else number_of.get(request.item_id)

    def add(strength: Any, weight: float) -> None:
        nonlocal score
        score = score + (strength * np.float32(weight)).astype(np.float32)

    def similar(causes: list[tuple[int, float]]) -> Any:
        total = np.zeros(SIZE, dtype=np.float32)
        for cause, weight in causes:
            for item, similarity in sorted(model.near.get(cause, {}).items()):
                total[item] += np.float32(similarity) * np.float32(weight) * (item != cause)
        return scale(total)

    def same_category(causes: list[tuple[int, float]]) -> Any:
        weight_of = np.zeros(categories.max() + 1, dtype=np.float32)
        for cause, weight in causes:
            weight_of[categories[cause]] += weight
        return scale(weight_of)[categories] * shelf.popularity_in_category

    def add_recent(blend: Any) -> None:
        weighted = list(zip(counted, recency_weights(ages, blend.decay, blend.half_life_s), strict=False))
        faded = weighted[0][1] * (blend.visit_on_page if context is not None else 1.0)
        add(similar(weighted), blend.recent * faded)
        add(same_category(weighted), blend.category * faded)

    follows = {} if placed is None or context is None or request.placement != "item" else placed.follows.get(context, {})
    entries = [] if placed is None or not request.persons else placed.lists.get("p", [])
    is_placed = bool(follows) or (bool(entries) and request.placement == "home")
    blend = PLACED if is_placed else BLEND
    if is_placed:
        weights = np.zeros(SIZE, dtype=np.float32)
        weights[list(follows)] = list(follows.values())
        add(scale(np.where(shown_not, np.float32(0), weights)), blend.placed)
        kept = [entry for entry in entries if not shown_not[entry[0]]]
        strength = scale(np.array([weight for _, weight, _, _ in kept], dtype=np.float32))
        for origin in dict.fromkeys(entry[2] for entry in kept):
            total = np.zeros(SIZE, dtype=np.float32)
            for (item, _, its, _), value in zip(kept, strength, strict=True):
                total[item] = value if its == origin else total[item]
            add(total, blend.placed * placed.personal_share)
        if request.placement == "home" and counted:
            add_recent(blend)
    else:
        if context is not None:
            near = similar([(context, 1.0)])
            add(near, blend.context)
            if not near.any():
                add(same_category([(context, 1.0)]), blend.category)
        if counted:
            add_recent(blend)
        taste = model.tastes.get("p") if request.persons else None
        in_cart = [number_of[item_id] for item_id in request.cart if item_id in number_of]
        if context is None and in_cart and not counted and taste is None:
            add(same_category([(number, 1.0) for number in in_cart]), blend.category)
        if taste is not None:
            add(scale(np.array([taste.get(n, 0.0) for n in range(SIZE)], dtype=np.float32)), blend.taste)
    add(shelf.popularity, blend.popularity)
    allowed = shelf.sellable & ~shown_not
    behind = np.isin(np.arange(SIZE), visit[: blend.seen_items])
    order = np.lexsort((np.arange(SIZE), -score))
    fresh = [int(n) for n in order if allowed[n] and not behind[n]]
    chosen, limit = fresh[: request.limit], request.limit
    if not is_placed or request.placement == "home":
        newest = visit[: blend.intent_items]
        wanted = {int(categories[n]) for n in newest}
        intent = [n for n in fresh if int(categories[n]) in wanted and n not in newest]
        inside = [n for n in chosen if n in intent]
        missing = int(np.ceil(blend.intent_share * limit)) - len(inside)
        if missing > 0:
            brought = [n for n in intent if n not in chosen][:missing]
            others = [n for n in chosen if n not in intent][: max(0, limit - len(brought) - len(inside))]
            chosen = sorted([*inside, *others, *brought], key=lambda n: (-score[n], n))[:limit]
    rest = [n for n in fresh if n not in chosen] + [int(n) for n in order if allowed[n] and behind[n]]
    return [f"i{n}" for n in [*chosen, *rest][:limit]], {n: float(score[n]) for n in range(SIZE)}


@settings(max_examples=150, deadline=None)
@given(
    states=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("xyz"), st.integers(1, 4)), min_size=SIZE, max_size=SIZE),
    near=st.dictionaries(NUMBER, WEIGHTS, max_size=8),
    taste=st.none() | WEIGHTS,
    follows=st.none() | st.dictionaries(NUMBER, WEIGHTS, max_size=8),
    entries=LISTS,
    acts=st.lists(st.tuples(NUMBER, st.floats(0, 4000)), max_size=8, unique_by=lambda act: act[0]),
    asked=st.sampled_from([("home", None), ("item", "i0"), ("item", "i7"), ("cart", "i3"), ("home", "i1")]),
    only=st.none() | st.sampled_from([{"categories": ("x",)}, {"price_max_minor": 2}, {"item_ids": ("i3", "i9", "i20")}]),
    persons=st.sampled_from([(), ("p",)]),
    limit=st.integers(1, 30),
    excluded=st.sets(NUMBER, max_size=3),
)
def test_with_room_for_all_the_list_is_that_of_dense_arrays(
    tiny: Any,
    states: Any,
    near: Any,
    taste: Any,
    follows: Any,
    entries: Any,
    acts: Any,
    asked: Any,
    only: Any,
    persons: Any,
    limit: int,
    excluded: Any,
) -> None:
    model = tiny.model([f"i{n}" for n in range(SIZE)], near, {} if taste is None else {"p": taste})
    placed = None if follows is None else tiny.placed(SIZE, follows, {"p": entries}, personal_share=0.5)
    if placed is not None:
        model.placed |= {"home": placed, "item": placed}
    items = [
        replace(tiny.item(f"i{n}", category, stock=stock), home_price_minor=price)
        for n, (stock, category, price) in enumerate(states)
    ]
    shop = tiny.shop(model, items)
    placement, item_id = asked
    request = Request("a", placement, limit, persons, item_id)
    request = replace(request, excluded=tuple(f"i{n}" for n in sorted(excluded)))
    request = replace(request, only=None if only is None else ItemFilter(Selection.model_validate(only)))
    times = np.cumsum([age for _, age in acts]).tolist()
    last = [LastAct(f"i{n}", age) for (n, _), age in zip(acts, times, strict=True)] if persons else []
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: last, quotas=ALL)
    expected, scores = dense_list(shop, request, last, placed if placement in model.placed else None)
    assert [one.item.item_id for one in answer.items] == expected
    assert [one.score for one in answer.items] == [round(scores[int(one.item.item_id[1:])], 6) for one in answer.items]
    assert answer.workings is not None
    assert answer.workings.candidates.is_complete
    few = recommend(
        request, shop.shelf, shop.catalogue, lambda *_: last, quotas=replace(Quotas(*[2] * len(vars(Quotas()))), **NO_MORE)
    )
    assert len(few.items) == len(expected), "small quotas cut what competes, never the length of the list"


def big_shop(tiny: Any, size: int = 5000) -> Any:
    """A brand ``rare`` for the last three items, which sell worst, one of them with a price of its own."""
    items = [
        replace(tiny.item(f"i{n}", f"c{n % 7}"), brand="rare" if n >= size - 3 else "common", home_price_minor=n)
        for n in range(size)
    ]
    return tiny.shop(tiny.model([item.item_id for item in items]), items)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ({"brands": ("rare",)}, ["i4997", "i4998", "i4999"]),
        ({"price_min_minor": 4999}, ["i4999"]),
        ({"brands": ("rare",), "categories": ("c0", "c6")}, ["i4997", "i4998"]),
        ({"item_ids": ("i4000", "i10", "nowhere")}, ["i10", "i4000"]),
        ({"brands": ("unheard of",)}, []),
    ],
)
def test_what_only_rare_items_meet_is_found_far_down(tiny: Any, only: Any, expected: list[str]) -> None:
    shop = big_shop(tiny)
    request = Request("a", "home", 10, only=ItemFilter(Selection.model_validate(only)))
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: ())
    assert [one.item.item_id for one in answer.items] == expected
    assert answer.model == LADDER


def test_an_item_that_took_a_brand_since_is_found_by_it(tiny: Any) -> None:
    shop = big_shop(tiny)
    changed = replace(shop.catalogue.items["i4000"], brand="rare", version=Version(9, 9, ""))
    shop.catalogue.put(changed)
    shop.shelf.refresh(changed)
    request = Request("a", "home", 10, only=ItemFilter(Selection(brands=("rare",))))
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: ())
    assert [one.item.item_id for one in answer.items] == ["i4000", "i4997", "i4998", "i4999"]


def test_when_the_guard_turns_away_every_candidate_others_are_looked_for(tiny: Any) -> None:
    shop = big_shop(tiny)
    for number in range(1000):  # the shelf has not heard of it
        shop.catalogue.put(tiny.item(f"i{number}", stock=0, at_ms=9))
    answer = recommend(Request("a", "home", 5), shop.shelf, shop.catalogue, lambda *_: ())
    assert [one.item.item_id for one in answer.items] == [f"i{n}" for n in range(1000, 1005)]


def test_an_answer_looks_at_few_of_many_items(tiny: Any) -> None:
    shop = big_shop(tiny)
    acts = [LastAct(f"i{n}", 60.0) for n in range(20)]
    answer = recommend(Request("a", "home", 10, ("p",)), shop.shelf, shop.catalogue, lambda *_: acts)
    assert answer.workings is not None
    assert len(answer.workings.candidates) < 600


@settings(max_examples=100, deadline=None)
@given(
    standing=st.lists(st.sampled_from([FRESH, BEHIND, OUT]), max_size=60),
    most=st.integers(1, 8),
    reach=st.none() | st.integers(0, 70),
)
def test_a_walk_takes_the_first_of_each_kind_and_knows_whether_it_saw_all(standing: Any, most: int, reach: int | None) -> None:
    order, kinds = np.arange(len(standing))[::-1], np.array(standing, dtype=np.int8)
    items, is_whole = walk(order, lambda numbers: kinds[numbers], most, reach)
    within = order if reach is None else order[:reach]
    fresh = [n for n in within if kinds[n] == FRESH][:most]
    assert [n for n in items if kinds[n] == FRESH] == fresh
    for kind in (BEHIND, OUT):
        mine = [n for n in items if kinds[n] == kind]
        assert mine == [n for n in within if kinds[n] == kind][: len(mine)]
        assert len(mine) <= most
    if is_whole:
        assert {n for n in order if kinds[n] != OUT} <= set(items.tolist())


@settings(max_examples=60, deadline=None)
@given(
    matrix=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 8)), max_size=20),
    rows=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0, 2.0])), max_size=4),
    most=st.integers(1, 7),
)
def test_sums_of_rows_are_those_of_the_matrix(matrix: Any, rows: Any, most: int) -> None:
    dense = np.zeros((6, 6), dtype=np.float32)
    for row, column, value in matrix:
        dense[row, column] = value
    asked = SparseSums(sparse.csr_matrix(dense), skips_itself=True)
    np.fill_diagonal(dense, 0)
    parts = np.array([weight * dense[row] for row, weight in rows]).reshape(-1, 6)
    total = parts.sum(axis=0)
    for _ in range(2):  # the second answer begins where the first one ended
        sums = asked.ask(rows, most)
        assert len(sums.items) == min(most, np.count_nonzero(total))
        assert sums.weights.tolist() == total[sums.items].tolist()
        assert sorted(sums.weights) == sorted(total[total > 0])[-len(sums.items) or len(total) :]
        for item, cause in zip(sums.items.tolist(), sums.because.tolist(), strict=True):
            assert dict.fromkeys(row for row, _ in rows).keys() >= {cause}
            assert max(parts[:, item]) == max(part[item] for part, (row, _) in zip(parts, rows, strict=True) if row == cause)
