"""What keeps an item out of a list, and what explains one that is in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jishi.rules.complaints import rules_of
from jishi.rules.versions import RuleVersions
from serving.catalogue import Version
from serving.recent import LastAct
from serving.request import Request

RULES = [
    {"kind": "hide", "name": "no tea", "items": {"item_ids": ["i10"]}},
    {"kind": "bury", "name": "old", "items": {"item_ids": ["i1"]}},
]


@pytest.fixture
def ruled(api: Any) -> Any:
    RuleVersions.of(api.engine.paths, "a").publish(rules_of({"rules": RULES}), "mei", datetime(2026, 11, 30, tzinfo=UTC))
    api.engine.watcher.look()
    state = api.engine.states.of("a")
    for item_id, changed in {"i5": {"stock": 0}, "i6": {"status": "inactive"}}.items():
        state.apply(replace(state.catalogue.items[item_id], version=Version(9, 9, ""), **changed))
    state.apply(replace(state.catalogue.items["i0"], item_id="newest"))
    api.engine.recent.last_acts = lambda shop_id, persons: [LastAct("i2", 60.0)] if persons else []
    return api


@pytest.mark.parametrize(
    ("query", "item_id", "code", "words"),
    [
        ("", "i0", "listed", "place 1"),
        ("", "none", "unknown_item", "catalogue"),
        ("", "i5", "sold_out", "stock"),
        ("", "i6", "not_active", "inactive"),
        ("placement=item&item_id=i7", "i7", "page_item", "page"),
        ("placement=cart&cart_item_id=i8", "i8", "in_cart", "cart"),
        ("exclude_item_id=i0", "i0", "excluded", "excludes"),
        ("placement=after_payment&order_item_id=i9", "i9", "bought", "bought"),
        ("category=lamps", "i0", "filtered", "filters"),
        ("", "i10", "hidden_by_rule", '"no tea"'),
        ("", "newest", "not_in_release", "release"),
        ("", "i1", "put_last_by_rule", '"old"'),
        ("user_id=7", "i2", "just_seen", "just looked"),
        ("", "i12", "below_limit", "number 9, and the list has 3"),
    ],
)
def test_the_first_thing_that_keeps_an_item_out_is_told(ruled: Any, query: str, item_id: str, code: str, words: str) -> None:
    answer = ruled.get(f"/v1/shops/a/recommendations?limit=3&why_not={item_id}&{query}")
    assert answer.status_code == 200, answer.text
    why = answer.json()["why_not"]
    assert (why["code"], words in why["en"]) == (code, True), why
    assert why["zh"]
    listed = [each["item_id"] for each in answer.json()["items"]]
    assert (item_id in listed) == (code == "listed")


def test_an_item_that_gave_way_to_a_pin_says_so(api: Any) -> None:
    pin = {"kind": "pin", "name": "p", "item_id": "i20", "slot": 1}
    RuleVersions.of(api.engine.paths, "a").publish(rules_of({"rules": [pin]}), "mei", datetime(2026, 11, 30, tzinfo=UTC))
    api.engine.watcher.look()
    payload = api.get(limit=2, why_not="i1", explain="full").json()
    assert (payload["why_not"]["code"], payload["why_not"]["rank"]) == ("gave_way", 2)
    assert payload["rules_version"] == 1
    assert payload["explain"]["rules"] == ["p"]
    assert payload["items"][0]["explain"]["rules"] == [{"rule": "p", "kind": "pin", "effect": "slot 1"}]


def test_full_explanation_names_sources_and_the_features_used(ruled: Any) -> None:
    payload = ruled.get(limit=3, user_id="u-skirts", explain="full").json()
    assert payload["explain"]["last_items"] == [{"item_id": "i2", "age_s": 60.0}]
    for each in payload["items"]:
        assert each["score"] == pytest.approx(sum(each["explain"]["sources"].values()), abs=1e-5)
    plain = ruled.get(limit=3, user_id="u-skirts").json()
    assert not {"explain", "why_not"} & (plain.keys() | plain["items"][0].keys())


def test_a_release_that_came_since_has_no_say(ruled: Any, tiny: Any) -> None:
    engine, request = ruled.engine, Request("a", "home", 3)
    answer = engine.answer(request, "r")
    engine.states.of("a").use_release(tiny.model(["i12"], {}), 0.0)
    why = engine.why_not("i12", request, answer)
    assert (why.code, why.rank) == ("below_limit", 9)
