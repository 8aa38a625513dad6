"""Rules are tried before they are published: before and after, what each meets, and who may ask."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jishi.rules.preview_passes import LASTS_S, PreviewPasses

URL = "/v1/shops/a/rules/preview"
LAMPS = {"kind": "boost", "name": "lamps", "items": {"categories": ["lamps"]}, "factor": 9}


def preview(api: Any, *rules: dict[str, Any], key: str = "a", **asked: Any) -> Any:
    headers = {"Authorization": f"Bearer {api.keys.get(key, key)}"}
    return api.client.post(URL, json={"rules": list(rules), "limit": 3} | asked, headers=headers)


def ids(answer: dict[str, Any]) -> list[str]:
    return [each["item_id"] for each in answer["items"]]


def test_the_list_before_and_after_and_what_each_rule_meets(api: Any) -> None:
    catalogue = api.engine.states.of("a").catalogue
    catalogue.items["i29"] = replace(catalogue.items["i29"], stock=0)
    rules = [
        LAMPS,
        {"kind": "margin", "name": "margin", "weight": 1},
        {"kind": "pin", "name": "gone", "item_id": "i29", "slot": 1},
        {"kind": "pin", "name": "nowhere", "item_id": "none", "slot": 2},
        {"kind": "bury", "name": "on pages", "items": {"categories": ["tea"]}, "placements": ["item"]},
        {"kind": "new_items", "name": "new", "share": 0.3},
        {"kind": "hide", "name": "hide", "items": {"brands": ["x"]}},
    ]
    payload = preview(api, *rules).json()
    assert (ids(payload["before"]), ids(payload["after"])) == (["i0", "i1", "i2"], ["i20", "i21", "i22"])
    assert payload["in_use"] is None
    assert [(note["rule"], note["code"], note["items"], note["unknown"]) for note in payload["notes"]] == [
        ("lamps", "ok", 10, 0),
        ("margin", "nothing_known", 0, 30),
        ("gone", "not_sellable", 0, 0),
        ("nowhere", "no_item", 0, 0),
        ("on pages", "does_not_hold_here", 10, 0),
        ("new", "no_item", 0, 0),
        ("hide", "no_item", 0, 0),
    ]
    explain = payload["after"]["items"][0]["explain"]
    assert explain["rules"] == [{"rule": "lamps", "kind": "boost", "effect": "x9"}]
    assert set(explain["sources"]) == {"popularity"}
    assert "jishi_recommendation_seconds_count 0.0" in api.client.get("/metrics").text, "no shopper was answered"
    assert api.get(limit=3).json()["items"][0]["item_id"] == "i0", "nothing was published"


def test_a_draft_is_tried_on_the_page_of_its_category(api: Any) -> None:
    pin = {
        "kind": "pin",
        "name": "i15 first",
        "item_id": "i15",
        "slot": 1,
        "page_categories": ["tea"],
        "placements": ["category"],
    }
    tea = preview(api, pin, placement="category", category="tea").json()
    assert (ids(tea["before"]), ids(tea["after"])) == (["i10", "i11", "i12"], ["i15", "i10", "i11"])
    assert (tea["after"]["placement"], tea["notes"][0]["code"]) == ("category", "ok")
    page = preview(api, pin, placement="category", category="tea", item_ids=["i12", "i15", "i1"], limit=9).json()
    assert (ids(page["before"]), ids(page["after"])) == (["i1", "i12", "i15"], ["i15", "i1", "i12"])
    lamps = preview(api, pin, placement="category", category="lamps").json()
    assert (ids(lamps["after"]), lamps["notes"][0]["code"]) == (["i20", "i21", "i22"], "does_not_hold_here")


def test_a_draft_is_tried_on_what_is_sold_in_a_region(api: Any) -> None:
    catalogue = api.engine.states.of("a").catalogue
    for item_id in ("i0", "i10"):
        catalogue.items[item_id] = replace(catalogue.items[item_id], region="south")
    for asked, first in (({}, "i1"), ({"placement": "category", "category": "tea"}, "i11")):
        assert ids(preview(api, LAMPS, region="north", **asked).json()["before"])[0] == first


def test_a_draft_is_tried_on_the_list_after_a_payment(api: Any) -> None:
    answer = preview(
        api, LAMPS | {"placements": ["after_payment"]}, placement="after_payment", order_item_ids=["i12", "i20"]
    ).json()
    assert ids(answer["before"])[0] == "i13"
    assert ids(answer["after"])[0] == "i21"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"rules": [LAMPS | {"factor": 0}]}, "rules"),
        ({"placement": "item"}, "item_id"),
        ({"placement": "category"}, "category"),
        ({"placement": "category", "category": ""}, "category"),
        ({"order_item_ids": [""]}, "order_item_ids"),
        ({"placement": "sofa"}, "placement"),
        ({"limit": 0}, "limit"),
        ({"draft": 1}, "draft"),
    ],
)
def test_a_bad_draft_is_named(api: Any, asked: dict[str, Any], field: str) -> None:
    answer = preview(api, **asked) if "rules" not in asked else preview(api, *asked["rules"])
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    text = api.client.post(URL, content="{", headers={"Authorization": f"Bearer {api.keys['a']}"})
    assert (text.status_code, text.json()["error"]["field"]) == (422, "body")


def test_a_pass_of_the_platform_opens_the_preview_of_one_shop_and_nothing_else(api: Any) -> None:
    text = PreviewPasses.of(api.engine.paths).issue("a", time.time())
    assert preview(api, LAMPS, key=text).status_code == 200
    assert api.get(key=text).status_code == 401
    other = PreviewPasses.of(api.engine.paths).issue("b", time.time())
    old = PreviewPasses.of(api.engine.paths).issue("a", time.time() - LASTS_S - 1)
    for wrong in (other, old, text[:-1] + ("0" if text[-1] != "0" else "1"), "jp_", "jp_²_x", "jp_9_é"):
        header = f"Bearer {wrong}".encode()
        assert api.client.post(URL, json={"rules": []}, headers={"Authorization": header}).status_code == 401, wrong


def test_a_pass_lasts_a_minute(tmp_path: Path) -> None:
    passes = PreviewPasses(b"secret")
    text = passes.issue("a", 1_000)
    assert [passes.opens(text, "a", at) for at in (999, 1_000, 1_000 + LASTS_S - 1, 1_000 + LASTS_S)] == [
        False,
        True,
        True,
        False,
    ]
    assert not PreviewPasses(b"another").opens(text, "a", 1_000)
