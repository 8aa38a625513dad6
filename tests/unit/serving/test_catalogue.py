"""Snapshot and stream may overlap in any order: the newest state of an item wins. What a record of the log says of an item."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from jishi.contract import record_of
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_ITEMS
from serving.catalogue import Catalogue, Version, read_snapshot
from serving.columns import UNKNOWN
from serving.log_records import Lateness, change_of
from serving.shop_state import ShopState
from tests.lake import newest
from tests.lake import record as publish_by_hand

LATENESS = Lateness(allowed_lateness_s=30, future_tolerance_s=5)
EVENT: dict[str, Any] = {
    "event_id": "e1",
    "shop_id": "lanting",
    "type": "item_changed",
    "occurred_at": "2026-11-01T00:00:00.123Z",
    "properties": {
        "item_id": "i1",
        "title": "褙子",
        "category": "裙装",
        "unit_price_minor": 100,
        "currency": "CNY",
        "stock": 0,
    },
}
OCCURRED_MS = 1_793_491_200_123


def record(event: Any) -> bytes:
    built, _ = record_of(event, shop_id="lanting", collector_id="c", seq=0, collected_at_ms=OCCURRED_MS)
    return orjson.dumps(built)


def test_the_newest_state_wins_in_any_order(tiny: Any) -> None:
    versions = [Version(2, 2, ""), Version(2, 3, "a"), Version(2, 3, "b"), Version(1, 9, "z")]
    states = [replace(tiny.item("i", stock=n), version=version) for n, version in enumerate(versions)]
    for order in itertools.permutations(states):
        catalogue = Catalogue()
        for state in order:
            catalogue.put(state)
        assert catalogue.items["i"].version == Version(2, 3, "b")
        assert not catalogue.put(states[2])


def test_a_snapshot_keeps_what_the_stream_knows_better(tiny: Any) -> None:
    catalogue = Catalogue()
    catalogue.put(tiny.item("live-newer", stock=1, at_ms=9))
    catalogue.put(tiny.item("live-older", stock=1, at_ms=1))
    catalogue.put(tiny.item("live-only", stock=1, at_ms=9))
    snapshot = [
        tiny.item("live-newer", stock=2, at_ms=5),
        tiny.item("live-older", stock=2, at_ms=5),
        tiny.item("fresh", at_ms=5),
    ]
    catalogue.put_snapshot({item.item_id: item for item in snapshot})
    assert {i: item.stock for i, item in catalogue.items.items()} == {
        "live-newer": 1,
        "live-older": 2,
        "live-only": 1,
        "fresh": 5,
    }


def test_an_item_that_a_new_snapshot_no_longer_has_is_gone_unless_an_event_is_newer(tiny: Any) -> None:
    catalogue = Catalogue()
    catalogue.put_snapshot({i: tiny.item(i, at_ms=1) for i in ("stays", "goes", "changed-since")})
    catalogue.put(tiny.item("changed-since", at_ms=9))
    catalogue.put(tiny.item("from-an-event", at_ms=9))
    for _ in range(2):  # the second time as the first
        catalogue.put_snapshot({"stays": tiny.item("stays", at_ms=1)})
        assert sorted(catalogue.items) == ["changed-since", "from-an-event", "stays"]


def test_an_item_that_an_event_changed_is_gone_with_the_snapshot_that_has_seen_the_event(tiny: Any) -> None:
    """It was changed after one snapshot, and the next one, which knows later changes of others, does not have it."""
    hour, catalogue = 3_600_000, Catalogue()
    catalogue.put_snapshot({i: tiny.item(i, at_ms=1) for i in ("stays", "removed", "just-changed")})
    for item_id, at_ms in (("removed", hour), ("new-and-removed", hour), ("just-changed", 3 * hour), ("new", 3 * hour)):
        assert catalogue.put(tiny.item(item_id, at_ms=at_ms))
    catalogue.put_snapshot({"stays": tiny.item("stays", at_ms=2 * hour - 1)})
    assert sorted(catalogue.items) == ["just-changed", "new", "new-and-removed", "removed", "stays"]  # it may not know yet
    catalogue.put_snapshot({"stays": tiny.item("stays", at_ms=2 * hour)})
    assert sorted(catalogue.items) == ["just-changed", "new", "stays"]


def test_a_shop_whose_catalogue_is_gone_answers_nothing(tiny: Any) -> None:
    state = ShopState("a")
    state.use_release(tiny.model(["i0"]), 0.0)
    state.use_snapshot({"i0": tiny.item("i0")})
    state.use_snapshot({})
    assert state.shelf is None


def test_catalogue_and_release_may_come_in_either_order(tiny: Any) -> None:
    items = {"i0": tiny.item("i0")}
    for first in ("release", "snapshot"):
        state = ShopState("a")
        steps = [lambda s: s.use_release(tiny.model(["i0"]), 0.0), lambda s: s.use_snapshot(items)]
        for step in steps if first == "release" else reversed(steps):
            assert state.shelf is None
            step(state)
        assert state.shelf is not None
        assert state.shelf.sellable.tolist() == [True]
        assert state.apply(tiny.item("i0", stock=0, at_ms=2))
        assert state.shelf.sellable.tolist() == [False]
        assert not state.apply(tiny.item("i0", stock=5, at_ms=1))


def test_a_record_tells_the_whole_state() -> None:
    result = change_of(record(EVENT), OCCURRED_MS + 50, LATENESS)
    assert not isinstance(result, str)
    shop_id, item = result
    assert shop_id == "lanting"
    assert (item.item_id, item.title, item.stock, item.status) == ("i1", "褙子", 0, "active")
    assert item.version == Version(OCCURRED_MS, OCCURRED_MS + 50, "e1")
    assert not item.is_sellable


def test_a_late_change_still_counts() -> None:
    assert not isinstance(change_of(record(EVENT), OCCURRED_MS + 10**9, LATENESS), str)


@pytest.mark.parametrize(
    ("value", "received_at_ms", "outcome"),
    [
        (record(EVENT), OCCURRED_MS - 5_001, "future"),
        (record(EVENT | {"shop_id": "another"}), OCCURRED_MS, "other"),
        (record(EVENT | {"properties": {"item_id": "i1"}}), OCCURRED_MS, "invalid"),
        (
            record(EVENT | {"type": "search_performed", "user_id": "u", "properties": {"query": "item_changed"}}),
            OCCURRED_MS,
            "other",
        ),
        (b'{"type":"item_changed"}', OCCURRED_MS, "unreadable"),
        (b'"item_changed"', OCCURRED_MS, "unreadable"),
        (b"{", OCCURRED_MS, "unreadable"),
    ],
)
def test_what_is_no_change_says_why(value: bytes, received_at_ms: int, outcome: str) -> None:
    assert change_of(value, received_at_ms, LATENESS) in ({outcome, "invalid"} if outcome == "other" else {outcome})


FACTS = {"brand": "汉韵", "attributes": {"colour": "red", "size": "M"}, "region": "华东", "unit_cost_minor": 40}


def test_an_event_tells_brand_attributes_region_cost_and_the_home_price() -> None:
    properties = EVENT["properties"] | FACTS | {"stocked_at": "2026-10-31T00:00:00Z"}
    outcome = change_of(record(EVENT | {"properties": properties}), OCCURRED_MS, LATENESS)
    assert not isinstance(outcome, str)
    _, item = outcome
    assert (item.brand, item.attributes, item.region) == ("汉韵", (("colour", "red"), ("size", "M")), "华东")
    assert (item.home_price_minor, item.unit_cost_minor) == (100, 40)
    assert item.stocked_at_ms == OCCURRED_MS - 123 - 86_400_000


def test_the_lakes_snapshot_tells_the_same(tmp_path: Path) -> None:
    at = datetime(2026, 11, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    known = {"title": "t", "category": "c", "unit_price_minor": 5, "currency": "EUR", "status": "active", "changed_at": at}
    facts = FACTS | {
        "attributes": '{"size": "M", "colour": "red"}',
        "home_unit_price_minor": 39,
        "home_currency": "CNY",
        "stocked_at": at,
    }
    rows = [{"shop_id": "a", "item_id": "i"} | known | facts, {"shop_id": "a", "item_id": "bare"} | known]
    publish_by_hand(tmp_path, {SILVER_ITEMS: rows})
    items = read_snapshot(newest(tmp_path), {"a": "CNY"})["a"]
    item, bare = items["i"], items["bare"]
    assert (item.brand, item.attributes, item.region) == ("汉韵", (("colour", "red"), ("size", "M")), "华东")
    assert (item.home_price_minor, item.unit_cost_minor, item.stocked_at_ms) == (39, 40, OCCURRED_MS - 123)
    assert (bare.brand, bare.attributes, bare.region, bare.home_price_minor, bare.stocked_at_ms) == (None, (), None, None, None)


def test_after_the_shops_currency_has_changed_old_money_is_no_price_at_home(tmp_path: Path) -> None:
    """Of a shop in yuan that is one in dollars now: 5.00 yuan, 5.00 dollars once worth 35 yuan, 5.00 euros of either time."""
    known = {"shop_id": "a", "title": "t", "category": "c", "unit_price_minor": 500, "status": "active"}
    known |= {"changed_at": datetime(2026, 11, 1)}  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    rows = [
        known | {"item_id": "yuan", "currency": "CNY", "home_unit_price_minor": 500},
        known | {"item_id": "dollars", "currency": "USD", "home_currency": "CNY", "home_unit_price_minor": 3500},
        known | {"item_id": "euros then", "currency": "EUR", "home_currency": "CNY", "home_unit_price_minor": 3900},
        known | {"item_id": "euros now", "currency": "EUR", "home_currency": "USD", "home_unit_price_minor": 550},
    ]
    publish_by_hand(tmp_path, {SILVER_ITEMS: rows})
    items = read_snapshot(newest(tmp_path), {"a": "USD"})["a"]
    prices = {"yuan": None, "dollars": 500, "euros then": None, "euros now": 550}
    assert {item_id: item.home_price_minor for item_id, item in items.items()} == prices


def test_a_currency_that_changes_while_serving_runs_changes_what_prices_are_compared(api: Any) -> None:
    state = api.engine.states.of("a")
    api.engine.watcher.look()
    price = {"unit_price_minor": 19900, "currency": "CNY", "home_price_minor": 19900, "home_currency": "CNY"}
    state.apply(replace(state.catalogue.items["i0"], version=Version(9, 9, ""), **price))
    assert state.shelf.columns.price[state.shelf.number_of["i0"]] == 19900
    with Shops.edit(api.engine.paths.shops_file) as shops:
        shops.add(Shop(shop_id="a", name="a", currency="USD"))
    api.engine.watcher.look()
    assert state.shelf.columns.price[state.shelf.number_of["i0"]] == UNKNOWN, "199.00 yuan are not 199.00 dollars"
    state.apply(replace(state.catalogue.items["i0"], version=Version(10, 10, ""), **price))
    assert state.catalogue.items["i0"].home_price_minor is None, "an event from before that comes late"
    dollars = {"unit_price_minor": 2900, "currency": "USD", "home_price_minor": 2900, "home_currency": "USD"}
    state.apply(replace(state.catalogue.items["i0"], version=Version(11, 11, ""), **dollars))
    assert state.shelf.columns.price[state.shelf.number_of["i0"]] == 2900
