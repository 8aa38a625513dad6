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


def test_items_are_known_however_their_ids_are_spelt(api: Any, shop: Any) -> None:
    """Events have ids trimmed and in NFC; a page, or a rule, may have é as two characters, or a space behind an id."""
    api.engine.states.of("a").apply(replace(shop.catalogue.items["i0"], item_id="caf\u00e9"))
    page = ["cafe\u0301", " i3 ", "i4", "caf\u00e9", "i3"]
    assert sorted(ids(post(api, ORDER, item_ids=page).json())) == ["caf\u00e9", "i3", "i4"]
    rules = [
        {"kind": "pin", "name": "first", "item_id": "cafe\u0301", "slot": 1, "placements": ["category"]},
        {"kind": "hide", "name": "gone", "items": {"item_ids": ["i4 "]}},
    ]
    RuleVersions.of(api.engine.paths, "a").publish(rules_of({"rules": rules}), "mei", datetime(2026, 11, 30, tzinfo=UTC))
    api.engine.watcher.look()
    assert ids(post(api, ORDER, item_ids=page).json()) == ["caf\u00e9", "i3"]


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


def catalogued(api: Any, shop: Any, item_id: str, **facts: Any) -> None:
    item = replace(shop.catalogue.items[item_id], version=Version(9, 9, ""), **facts)
    api.engine.states.of("a").apply(item)


FILTERS: list[dict[str, Any]] = [
    {"brand": ["red"]},
    {"attribute": ["size:m", "size:l"]},
    {"price_min": 100, "price_max": 200},
    {"region": "north"},
    {"exclude_item_ids": ["i1", "i2"]},
    {"exclude_purchased": True},
    {"personalised": False},
    {"explain": "full"},
]


@pytest.mark.parametrize("asked", [*FILTERS, FILTERS[0] | FILTERS[3] | FILTERS[7]], ids=str)
def test_lists_and_pages_take_what_a_single_list_takes(api: Any, shop: Any, asked: dict[str, Any]) -> None:
    catalogued(api, shop, "i3", brand="red", attributes=(("size", "m"),), home_price_minor=150, region="north")
    catalogued(api, shop, "i4", brand="red", attributes=(("size", "s"),), home_price_minor=250, region="south")
    shop.model.bought = {"u:u-skirts": [5, 6]}
    alone = {"exclude_item_id" if name == "exclude_item_ids" else name: value for name, value in asked.items()}
    expected = api.get(user_id="u-skirts", limit=30, **alone).json()
    [mailed] = post(api, BATCH, shoppers=[{"user_id": "u-skirts"}], limit=30, **asked).json()["lists"]
    assert mailed["recommendations"] == expected
    ordered = post(api, ORDER, item_ids=[f"i{number}" for number in range(30)], user_id="u-skirts", **asked)
    assert ordered.status_code == 200, ordered.text
    assert sorted(ids(ordered.json())) == sorted(ids(expected))
    assert all(("explain" in each) == ("explain" in asked) for each in ordered.json()["items"])


def test_lists_of_a_mailing_are_of_any_placement_and_category(api: Any) -> None:
    shoppers = [{"item_id": "i12", "cart_item_ids": ["i14"], "order_item_ids": ["i1"]}, {"item_id": "i3"}]
    for placement in ("item", "cart", "after_payment"):
        answer = post(api, BATCH, shoppers=shoppers, placement=placement, category=["tea"], limit=3)
        named = {"placement": placement, "category": "tea", "limit": 3, "item_id": "i12", "cart_item_id": "i14"}
        assert answer.json()["lists"][0]["recommendations"] == api.get(**named, order_item_id="i1").json()
    assert post(api, BATCH, shoppers=[*shoppers, {}], placement="item").json()["error"]["field"] == "shoppers"
    assert post(api, BATCH, shoppers=[{"order_id": "none"}], placement="after_payment").status_code == 200


def test_lists_and_pages_and_drafts_say_by_what_they_are_looked_at(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer, preview = [], api.engine.answer, api.engine.preview

    def noted(request: Any, *others: Any) -> Any:
        asked.append(request.visit)
        return answer(request, *others)

    def tried(request: Any, *others: Any) -> Any:
        asked.append(request.visit)
        return preview(request, *others)

    monkeypatch.setattr(api.engine, "answer", noted)
    monkeypatch.setattr(api.engine, "preview", tried)
    visit = {"channel": "wechat", "device": "ios", "region": "north"}
    assert post(api, BATCH, shoppers=[{}, {"user_id": "u-skirts"}], personalised=False, **visit).status_code == 200
    assert post(api, ORDER, item_ids=["i1"], **visit).status_code == 200
    for more in ({}, {"placement": "category", "category": "tea"}):
        assert post(api, "/v1/shops/a/rules/preview", rules=[], **visit, **more).status_code == 200
    assert asked == [("wechat", "ios", "north")] * 5
    assert post(api, ORDER, item_ids=["i1"], device="").json()["error"]["field"] == "device"


def test_a_page_may_ask_for_its_best_items_alone(api: Any, shop: Any) -> None:
    api.engine.states.of("a").apply(replace(shop.catalogue.items["i0"], item_id="too-new"))
    page = {"item_ids": ["too-new", "i9", "i4", "i3"], "user_id": "u-skirts"}
    assert [ids(post(api, ORDER, **page, limit=limit).json()) for limit in (1, 3, 4)] == [
        ["i3"],
        ["i3", "i4", "i9"],
        ["i3", "i4", "i9", "too-new"],
    ]
    assert post(api, ORDER, **page, limit=0).json()["error"]["field"] == "limit"


def test_every_answer_has_an_id_and_is_kept_by_nobody(api: Any) -> None:
    answers = [
        api.get(),
        api.get(explain="full"),
        api.get(key="wrong"),
        api.get(key="b"),
        api.get(limit=0),
        api.get("/v1/shops/b/recommendations", key="b"),
        api.get("/v1/shops/a/readiness"),
        api.get("/v1/nowhere"),
        post(api, BATCH, shoppers=[{}]),
        post(api, ORDER, item_ids=["i1"]),
        post(api, "/v1/shops/a/rules/preview", rules=[]),
    ]
    assert {answer.status_code for answer in answers} == {200, 401, 403, 404, 422, 503}
    assert {answer.headers.get("cache-control") for answer in answers} == {"no-store"}
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    operation = api.client.app.openapi()["paths"]
    for url in ("category-order", "recommendations/batch"):
        assert "X-Request-ID" in operation[f"/v1/shops/{{shop_id}}/{url}"]["post"]["responses"]["200"]["headers"]


@pytest.mark.parametrize(
    ("url", "body", "field"),
    [
        (ORDER, {"item_ids": []}, "item_ids"),
        (ORDER, {"item_ids": [f"i{n}" for n in range(1_001)]}, "item_ids"),
        (ORDER, {"items": ["i1"]}, "item_ids"),
        (BATCH, {"shoppers": [{"user_id": "7"}] * 101}, "shoppers"),
        (BATCH, {"shoppers": [{"user_id": ""}]}, "shoppers"),
        (BATCH, {"shoppers": [{}], "limit": 51}, "limit"),
        (BATCH, {"shoppers": [{}], "attribute": ["red"]}, "attribute"),
        (ORDER, {"item_ids": ["i1"], "price_min": 2, "price_max": 1}, "price_max"),
        (ORDER, {"item_ids": ["i1"], "region": ""}, "region"),
    ],
)
def test_a_call_that_is_too_large_or_wrong_is_refused_by_name(api: Any, url: str, body: dict[str, Any], field: str) -> None:
    answer = post(api, url, **body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
