"""The storefront: closed unless an operator opens it, public and so narrow, never markup, and there for shops with nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from jishi.settings import Settings
from jishi.shops import Shops
from serving.api import make_app
from serving.catalogue import Catalogue, Version
from serving.replay import find_decision
from serving.storefront import routes
from serving.storefront.doors import Storefronts
from serving.storefront.overview import CATEGORIES, EVERY_S, NEWEST, Overview, Overviews
from serving.storefront.routes import MOST
from serving.storefront.token_buckets import TokenBuckets

FILES = Path(routes.__file__).parent / "files"
HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@dataclass
class Front:
    """Shops ``a`` (with a release) and ``b`` (without), both with open storefronts, and the keys that opened them."""

    client: TestClient
    engine: Any
    secret: str
    tracks: dict[str, str]
    doors: Storefronts

    def get(self, path: str = "", shop: str = "a", **params: Any) -> Any:
        return self.client.get(f"/storefront/{shop}{path}", params=params)


@pytest.fixture
def front(api: Any) -> Front:
    with Shops.edit(api.engine.paths.shops_file) as shops:
        tracks = {shop_id: shops.issue_key(shop_id, "track") for shop_id in ("a", "b")}
        shops.shops["a"] = shops.get("a").model_copy(update={"name": HOSTILE})
    api.engine.keys.reload()
    doors = Storefronts(tuple(tracks.values()), ("u-skirts", "u-unknown"), "http://collector.example")
    return Front(TestClient(make_app(api.engine, doors)), api.engine, api.keys["a"], tracks, doors)


def test_without_the_setting_there_is_no_storefront(api: Any, tmp_path: Path) -> None:
    assert Storefronts.of(Settings(var=tmp_path, _env_file=None)) is None  # type: ignore[call-arg]
    for path in ("/storefront", "/storefront/a", "/storefront/a/recommendations", "/storefront-files/main.js"):
        assert api.client.get(path).status_code == 404


def test_a_track_key_opens_its_own_shop_and_no_other_key_opens_one(front: Front, tmp_path: Path) -> None:
    opened = Settings(var=tmp_path, storefront_keys=f" {front.tracks['a']} ,{front.secret}", _env_file=None)  # type: ignore[call-arg]
    doors = Storefronts.of(opened)
    assert doors is not None
    keys = front.engine.keys
    assert doors.key_of(keys, "a") == front.tracks["a"]
    assert doors.key_of(keys, "b") is None
    assert [shop.shop_id for shop in doors.open_shops(keys)] == ["a"]
    assert Storefronts((front.secret,), (), "").open_shops(keys) == []


def test_a_revoked_key_closes_the_door(front: Front) -> None:
    assert front.get().status_code == 200
    with Shops.edit(front.engine.paths.shops_file) as shops:
        [key] = [key for key in shops.get("a").keys if key.right == "track"]
        shops.revoke_key(key.key_id)
    front.engine.keys.reload()
    assert front.get().status_code == 404
    assert "/storefront/a" not in front.client.get("/storefront").text


def test_the_page_has_the_track_key_and_no_secret_and_allows_itself_and_the_collector_alone(front: Front) -> None:
    answer = front.get()
    assert front.tracks["a"] in answer.text
    assert front.secret not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' http://collector.example;")
    assert "unsafe" not in policy
    sources = re.findall(r'(?:src|href)="([^"#]+)"', answer.text)
    assert [each for each in sources if not each.startswith(("/", "data:"))] == ["http://collector.example/v1/tracker.js"]
    for text in (file.read_text() for file in FILES.iterdir()):
        assert not set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}


class Tags(HTMLParser):
    """Names of the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("path", ["/storefront", "/storefront/a"])
def test_a_hostile_name_of_a_shop_is_text(front: Front, path: str) -> None:
    page = front.client.get(path).text
    assert "img" not in Tags(page).tags
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_scripts_never_write_markup(front: Front) -> None:
    scripts = [file for file in FILES.iterdir() if file.suffix == ".js"]
    assert len(scripts) > 5
    for file in scripts:
        assert front.client.get(f"/storefront-files/{file.name}").headers["content-type"].startswith("text/javascript")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", file.read_text()), file.name


def test_every_word_of_the_page_is_there_in_chinese_and_english() -> None:
    pairs = re.findall(r"^  (\w+): \[\s*\"(.+?)\",\s+\"(.+?)\",?\s*\]", (FILES / "words.js").read_text(), re.M)
    names = {name for name, _, _ in pairs}
    assert all(re.search("[\u4e00-\u9fff]", zh) for name, zh, _ in pairs if name != "language")
    assert not any(re.search("[\u4e00-\u9fff]", en) for name, _, en in pairs if name != "language")
    for name, zh, en in pairs:
        assert set(re.findall(r"{\w+}", zh)) == set(re.findall(r"{\w+}", en)), name
    used = "".join(file.read_text() for file in FILES.iterdir() if file.name != "words.js")
    wanted = set(re.findall(r"\bword\(\"(\w+)\"", used)) | set(re.findall(r"data-(?:word|label)=\"(\w+)\"", used))
    assert wanted <= names
    assert {"personalised", "item_based", "popular"} <= names  # rungs, named by the answer


def test_a_list_is_the_one_of_the_api_with_its_workings(front: Front, api: Any) -> None:
    answer = front.get("/recommendations", placement="item", item_id="i3", limit=5, why_not="i3")
    same = api.get(placement="item", item_id="i3", limit=5, explain="full", why_not="i3").json()
    assert answer.json() == same
    assert same["why_not"]["code"] == "page_item"
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    for wrong in ({"placement": "item"}, {"limit": 25}, {"placement": "nowhere"}, {"cart_item_id": [""]}):
        assert front.get("/recommendations", **wrong).status_code == 422, wrong


def test_only_made_up_shoppers_can_be_somebody(front: Front) -> None:
    front.engine.states.find("a").shelf.model.bought["u:u-skirts"] = [1]
    assert front.get("/shop").json()["shoppers"] == ["u-skirts"]  # the other one is unknown to the release
    assert front.get("/recommendations", user_id="u-skirts").json()["served_by"] == "personalised"
    refused = front.get("/recommendations", user_id="u-real")
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "user_id")
    off = front.get("/recommendations", user_id="u-skirts", personalised="false").json()
    assert off["served_by"] == "popular"


def test_what_a_category_shows_is_what_is_logged(front: Front, tiny: Any) -> None:
    for number in range(MOST + 10):
        front.engine.states.of("a").apply(tiny.item(f"more{number:02d}", "tea"))
    answer = front.get("/category", category="tea")
    front.engine.decisions.flush()
    entry = find_decision(front.engine.paths.served_decisions, answer.headers["x-request-id"])
    assert entry["items"] == [each["item_id"] for each in answer.json()["items"]]
    assert len(entry["items"]) == MOST


def test_a_category_comes_in_the_visitors_order_and_without_what_is_sold_out(front: Front, tiny: Any) -> None:
    front.engine.states.of("a").apply(tiny.item("i13", "tea", stock=0, at_ms=9))
    answer = front.get("/category", category="tea").json()
    assert answer["placement"] == "category"
    assert sorted(item["item_id"] for item in answer["items"]) == [f"i{number}" for number in range(10, 20) if number != 13]
    assert front.get("/category", category="none").status_code == 404
    sold_out = front.get("/item", item_id="i13").json()
    assert (sold_out["category"], sold_out["is_sellable"]) == ("tea", False)
    assert front.get("/item", item_id="none").status_code == 404


def test_a_shop_without_items_is_empty_and_one_without_a_release_is_bundled(front: Front, tiny: Any) -> None:
    assert front.get("/shop", "b").json() | {"minor_digits": {}} == {
        "categories": [],
        "new": [],
        "minor_digits": {},
        "shoppers": [],
    }
    empty = front.get("/recommendations", "b")
    assert (empty.status_code, empty.json()["error"]["code"]) == (503, "no_release")
    yen = replace(tiny.item("i1", "tea"), currency="JPY")
    front.engine.states.of("b").use_snapshot({"i1": yen})
    shop = front.get("/shop", "b").json()
    assert shop["categories"] == [{"category": "tea", "items": 1}]
    assert [item["item_id"] for item in shop["new"]] == ["i1"]
    assert shop["minor_digits"] == {"JPY": 0, "CNY": 2}
    assert front.get("/recommendations", "b").json()["model"] == "bundled"


def test_who_asks_too_often_is_told_when_to_ask_again(front: Front) -> None:
    slow = TokenBuckets(0.5, 2, now=lambda: 100.0)
    front.client.app.state.storefronts = replace(front.doors, of_address=slow)  # type: ignore[attr-defined]
    statuses = [front.get("/shop").status_code, front.get("/item", item_id="i1").status_code]
    refused = front.get("/recommendations")
    assert statuses == [200, 200]
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert front.get("", "nobody-has-this-shop").status_code == 429


def test_behind_proxies_the_limit_is_each_visitors(front: Front) -> None:
    def ask(doors: Storefronts, *forwarded: str) -> list[int]:
        slow = replace(doors, of_address=TokenBuckets(0.5, 1, now=lambda: 100.0))
        front.client.app.state.storefronts = slow  # type: ignore[attr-defined]
        return [front.client.get("/storefront/a/shop", headers={"X-Forwarded-For": each}).status_code for each in forwarded]

    assert ask(front.doors, "1.1.1.1", "2.2.2.2") == [200, 429], "without proxies it is anybody's word"
    behind = replace(front.doors, proxies=1)
    assert ask(behind, "1.1.1.1", "2.2.2.2", "1.1.1.1") == [200, 200, 429]
    assert ask(behind, "made up, 1.1.1.1", "also made up,1.1.1.1") == [200, 429], "only what the proxy adds counts"
    assert ask(behind, "2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1") == [200, 429, 200], "IPv6 by line"
    assert replace(behind, proxies=2).address_of("10.0.0.1", "made up, 1.1.1.1, 10.0.0.2") == "1.1.1.1"
    assert behind.address_of("10.0.0.1", "") == "10.0.0.1"


def test_tokens_come_back_with_time_and_old_names_are_forgotten() -> None:
    at = [0.0]
    limit = TokenBuckets(2, 3, now=lambda: at[0], most=2)
    assert [limit.take("x") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limit.take("y") == 0
    at[0] = 0.5
    assert [limit.take("x"), limit.take("x")] == [0, 0.5]
    at[0] = 1_000.0
    assert [limit.take("x") for _ in range(4)] == [0, 0, 0, 0.5]  # never more than at once
    limit.take("y"), limit.take("z")
    assert [limit.take("x") for _ in range(3)] == [0, 0, 0]


def test_the_newest_stock_comes_first_and_categories_by_size(tiny: Any) -> None:
    catalogue = Catalogue()
    for number in range(NEWEST + 3):
        item = tiny.item(f"i{number:02d}", "tea" if number % 3 else "lamps", at_ms=number)
        catalogue.put(replace(item, stocked_at_ms=10_000 if number == 1 else None))
    catalogue.put(tiny.item("gone", "lamps", stock=0, at_ms=99_999))
    summary = Overview.of(catalogue)
    assert summary.newest[:3] == ("i01", f"i{NEWEST + 2}", f"i{NEWEST + 1}")
    assert len(summary.newest) == NEWEST
    assert list(summary.counts.items()) == [("tea", 10), ("lamps", 5)]
    for number in range(CATEGORIES):
        catalogue.put(tiny.item(f"r{number}", f"rare {number:02d}", at_ms=0))
    many = Overview.of(catalogue)
    assert len(many.counts) == CATEGORIES
    assert many.by_category["rare 49"] == ("r49",)  # not among those listed, and an item's page links it
    for number in range(CATEGORIES):
        catalogue.put(tiny.item(f"r{number}", stock=0, at_ms=1))
    at = [0.0]
    kept = Overviews(lambda: at[0])
    assert kept.of("a", catalogue) == summary
    catalogue.put(replace(tiny.item("i01", "tea"), version=Version(7, 7, "e"), stock=0))
    assert kept.of("a", catalogue) == summary
    at[0] = EVERY_S
    assert kept.of("a", catalogue).counts["tea"] == 9


def test_a_list_is_asked_with_channel_and_device_of_the_visit(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = [], front.engine.answer

    def noted(request: Any, *others: Any) -> Any:
        asked.append(request.visit)
        return answer(request, *others)

    monkeypatch.setattr(front.engine, "answer", noted)
    assert front.get("/recommendations", channel="wechat", device="mobile").status_code == 200
    [category, *_] = front.get("/shop").json()["categories"]
    assert front.get("/category", category=category["category"], device="mobile").status_code == 200
    assert asked == [("wechat", "mobile", None), (None, "mobile", None)]
    assert front.get("/recommendations", channel="x" * 201).status_code == 422
