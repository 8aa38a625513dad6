"""Filters of a request: before the list is cut, and again by the live catalogue before an item leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.rules.selection import Selection
from serving.catalogue import Item, Version
from serving.item_filter import ItemFilter
from serving.recommend import recommend
from serving.request import Request

WORDS = st.sampled_from(["a", "b", "c"])
PRICES = st.one_of(st.none(), st.integers(0, 5))
ITEMS = st.builds(
    Item,
    item_id=st.sampled_from([f"i{number}" for number in range(12)]),
    **{name: st.just("t") for name in ("title", "title_en")},
    category=WORDS,
    unit_price_minor=st.just(1),
    currency=st.just("EUR"),
    stock=st.one_of(st.none(), st.integers(0, 2)),
    status=st.sampled_from(["active", "active", "inactive"]),
    version=st.just(Version(1, 1, "")),
    brand=st.one_of(st.none(), WORDS),
    attributes=st.dictionaries(WORDS, WORDS, max_size=2).map(lambda named: tuple(sorted(named.items()))),
    region=st.one_of(st.none(), WORDS),
    home_price_minor=PRICES,
)
SELECTIONS = st.builds(
    lambda low, high, **rest: Selection(
        price_min_minor=low if None in (low, high) else min(low, high),
        price_max_minor=high if None in (low, high) else max(low, high),
        **rest,
    ),
    low=PRICES,
    high=PRICES,
    item_ids=st.one_of(st.just(()), st.just(("i1", "i2", "i3", "elsewhere"))),
    categories=st.lists(WORDS, max_size=2).map(tuple),
    brands=st.lists(WORDS, max_size=2).map(tuple),
    attributes=st.dictionaries(WORDS, st.lists(WORDS, min_size=1, max_size=2).map(tuple), max_size=1),
)
FILTERS = st.builds(ItemFilter, SELECTIONS, region=st.one_of(st.none(), WORDS))


@settings(max_examples=150, deadline=None)
@given(
    items=st.lists(ITEMS, min_size=1, max_size=12, unique_by=lambda item: item.item_id),
    changed=st.lists(ITEMS, max_size=3),
    only=FILTERS,
    limit=st.integers(1, 12),
)
def test_a_filtered_list_is_as_full_as_the_catalogue_allows(
    tiny: Any, items: list[Item], changed: list[Item], only: ItemFilter, limit: int
) -> None:
    shop = tiny.shop(tiny.model([item.item_id for item in items]), items)
    for item in changed:
        newer = replace(item, version=Version(2, 2, ""))
        if shop.catalogue.put(newer):
            shop.shelf.refresh(newer)
    numbers = shop.shelf.number_of
    mask = only.mask(shop.shelf.columns, numbers)
    known = {item_id: shop.catalogue.items[item_id] for item_id in numbers}
    assert {item_id for item_id, number in numbers.items() if mask[number]} == {
        i for i, item in known.items() if only.takes(item)
    }
    answer = recommend(Request("a", "home", limit, only=only), shop.shelf, shop.catalogue, lambda *_: ())
    may_be_shown = {item_id for item_id, item in known.items() if only.takes(item) and item.is_sellable}
    shown = [one.item.item_id for one in answer.items]
    assert set(shown) <= may_be_shown
    assert len(shown) == len(set(shown)) == min(limit, len(may_be_shown))


def test_a_filter_sees_a_change_that_the_shelf_has_not_seen(shop: Any, tiny: Any) -> None:
    shop.catalogue.put(tiny.item("i0", "tea", at_ms=2))
    only = ItemFilter(Selection(categories=("skirts",)))
    answer = recommend(Request("a", "home", 2, only=only), shop.shelf, shop.catalogue, lambda *_: ())
    assert [one.item.item_id for one in answer.items] == ["i1", "i2"]


def test_a_region_that_nobody_named_keeps_nothing_out(tiny: Any) -> None:
    items = [replace(tiny.item(f"i{n}"), region=region) for n, region in enumerate(["华东", "西北", None])]
    assert [ItemFilter(Selection(), "华东").takes(item) for item in items] == [True, False, True]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("category=lamps", [f"i{n}" for n in range(20, 30)]),
        ("category=lamps&category=tea&limit=11", [*(f"i{n}" for n in range(10, 20)), "i20"]),
        ("exclude_item_id=i0&exclude_item_id=i2&limit=2", ["i1", "i3"]),
        ("brand=nobody", []),
        ("price_min=1900&price_max=1900&attribute=colour:red&attribute=colour:blue", ["i7", "i8"]),
        ("price_min=1901", []),
        ("region=south&limit=1", ["i0"]),
    ],
)
def test_filters_of_the_api(api: Any, shop: Any, query: str, expected: list[str]) -> None:
    for number, colour in ((7, "red"), (8, "blue"), (9, "green")):
        item = shop.catalogue.items[f"i{number}"]
        api.engine.states.of("a").apply(
            replace(item, attributes=(("colour", colour),), home_price_minor=1900, version=Version(9, 9, ""))
        )
    answer = api.get(f"/v1/shops/a/recommendations?{query}")
    assert answer.status_code == 200, answer.text
    assert [each["item_id"] for each in answer.json()["items"]] == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("price_min=5&price_max=4", "price_max"),
        ("price_min=-1", "price_min"),
        ("attribute=red", "attribute"),
        ("category=", "category"),
        ("exclude_item_id=", "exclude_item_id"),
    ],
)
def test_a_bad_filter_is_named(api: Any, query: str, field: str) -> None:
    answer = api.get(f"/v1/shops/a/recommendations?{query}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
