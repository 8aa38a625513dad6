"""A category's page in order, and lists for many shoppers in one call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jishi.rules.complaints import rules_of
from jishi.rules.versions import RuleVersions
from serving.catalogue import Version

ORDER, BATCH = "/v1/shops/a/category-order", "/v1/shops/a/recommendations/batch"


def post(api: Any, url: str, **body: Any) -> Any:
    return api.client.post(url, json=body, headers={"Authorization": f"Bearer {api.keys['a']}"})


def ids(answer: dict[str, Any]) -> list[str]:
    return [each["item_id"] for each in answer["items"]]


def test_every_given_item_that_may_be_shown_comes_once_the_best_for_the_shopper_first(api: Any, shop: Any) -> None:
    state = api.engine.states.of("a")
    state.apply(replace(shop.catalogue.items["i5"], stock=0, version=Version(9, 9, "")))
    for item_id in ("too-new", "newest"):
        state.apply(replace(shop.catalogue.items["i0"], item_id=item_id))
    given = ["newest", "i9", "i4", "i5", "too-new", "i3", "i9", "nowhere", "i0"]
    answer = post(api, ORDER, item_ids=given, user_id="u-skirts")
    assert answer.status_code == 200, answer.text
    assert ids(answer.json()) == ["i3", "i4", "i0", "i9", "newest", "too-new"]
    assert (answer.json()["placement"], len(answer.headers["x-request-id"])) == ("category", 32)
    assert ids(post(api, ORDER, item_ids=given).json()) == ["i0", "i3", "i4", "i9", "newest", "too-new"]
    plain = post(api, ORDER, item_ids=given, user_id="u-skirts", personalised=False).json()
    assert ids(plain) == ["i0", "i3", "i4", "i9", "newest", "too-new"]


def test_rules_of_the_page_hold_and_pin_no_item_that_is_not_on_it(api: Any, shop: Any) -> None:
    scope = {"placements": ["category"], "page_categories": ["tea"]}
    rules = [
        {"kind": "pin", "name": "first", "item_id": "i15", "slot": 1} | scope,
        {"kind": "pin", "name": "elsewhere", "item_id": "i1", "slot": 2} | scope,
        {"kind": "hide", "name": "gone", "items": {"item_ids": ["i11"]}} | scope,
    ]
    RuleVersions.of(api.engine.paths, "a").publish(rules_of({"rules": rules}), "mei", datetime(2026, 11, 30, tzinfo=UTC))
    api.engine.watcher.look()
    given = [f"i{number}" for number in range(10, 16)]
    assert ids(post(api, ORDER, item_ids=given, category="tea").json()) == ["i15", "i10", "i12", "i13", "i14"]
    assert ids(post(api, ORDER, item_ids=given, category="lamps").json()) == given


def test_a_batch_is_the_lists_that_each_would_get_alone(api: Any) -> None:
    shoppers = [{"user_id": "u-skirts"}, {"anonymous_id": "phone"}, {}]
    answer = post(api, BATCH, shoppers=shoppers, limit=3, exclude_item_ids=["i4"])
    assert answer.status_code == 200, answer.text
    lists = answer.json()["lists"]
    alone = [api.get(limit=3, exclude_item_id="i4", **shopper).json() for shopper in shoppers]
    assert [each["recommendations"] for each in lists] == alone
    assert [(each["user_id"], each["anonymous_id"]) for each in lists] == [("u-skirts", None), (None, "phone"), (None, None)]
    assert len({each["request_id"] for each in lists}) == 3


@pytest.mark.parametrize(
    ("url", "body", "field"),
    [
        (ORDER, {"item_ids": []}, "item_ids"),
        (ORDER, {"item_ids": [f"i{n}" for n in range(1_001)]}, "item_ids"),
        (ORDER, {"items": ["i1"]}, "item_ids"),
        (BATCH, {"shoppers": [{"user_id": "7"}] * 101}, "shoppers"),
        (BATCH, {"shoppers": [{"user_id": ""}]}, "shoppers"),
        (BATCH, {"shoppers": [{}], "limit": 51}, "limit"),
    ],
)
def test_a_call_that_is_too_large_or_wrong_is_refused_by_name(api: Any, url: str, body: dict[str, Any], field: str) -> None:
    answer = post(api, url, **body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
