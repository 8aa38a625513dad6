"""The tracker in a real browser against the real collector, from another site, through a lost network and a closed page."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from jishi.shops import Shops

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PAGE = """<!doctype html><meta charset="utf-8"><title>店</title>
<script src="{url}/v1/tracker.js" data-shop="a" data-key="{key}"></script><h1>shop</h1>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium; scripts/test installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def place(make_place: Callable[..., Any]) -> Any:
    """A collector, and a shop's pages on a site of their own."""
    place = make_place()
    folder = place.paths.var / "site"
    folder.mkdir()
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    place.home = f"http://127.0.0.1:{site.server_port}"
    with Shops.edit(place.paths.shops_file) as shops:
        place.track_key = shops.issue_key("a", "track", origins=[place.home])
    (folder / "index.html").write_text(PAGE.format(url=place.url, key=place.track_key), encoding="utf-8")
    (folder / "other.html").write_text("<h1>elsewhere</h1>")
    threading.Thread(target=site.serve_forever, daemon=True).start()
    place.serve()
    yield place
    site.shutdown()
    site.server_close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context
    context.close()


def open_shop(context: BrowserContext, place: Any, query: str = "") -> Page:
    page = context.new_page()
    page.goto(f"{place.home}/index.html{query}")
    page.wait_for_function("() => window.jishi")
    return page


def sent(page: Page) -> None:
    """Wait until everything is acknowledged."""
    page.evaluate("jishi.flush()")
    page.wait_for_function("() => jishi.pending() === 0")


def events(place: Any, count: int = 0) -> list[dict[str, Any]]:
    """Distinct good events, and orders as claims, in the log in the order of arrival, when there are at least ``count``."""
    deadline = time.monotonic() + 180
    while True:
        by_key = {r["event_id"]: orjson.loads(r["line"]) for r in place.stored() if r["invalid_reason"] in (None, "claim")}
        if len(by_key) >= count:
            assert [r for r in place.stored() if r["invalid_reason"] not in (None, "claim")] == []
            assert all(r["sent_by"] == "page" for r in place.stored())
            return list(by_key.values())
        assert time.monotonic() < deadline, by_key
        time.sleep(0.05)


def test_a_visit_reaches_the_log_and_ids_survive_a_reload(context: BrowserContext, place: Any) -> None:
    page = open_shop(context, place, "?utm_source=wechat&utm_campaign=autumn")
    page.evaluate(
        """() => {
            jishi.search("汉服", 3);
            jishi.view({item_id: "i-1", category: "裙装", unit_price_minor: 19900});
            jishi.cart({item_id: "i-1", quantity: 2});
            jishi.uncart({item_id: "i-1", quantity: 1});
            jishi.identify("u-1");
            jishi.checkout({cart_id: "c-1", items: 1});
            jishi.order({order_id: "o-1", currency: "CNY", lines: [{item_id: "i-1", quantity: 1, unit_price_minor: 19900}]});
        }"""
    )
    sent(page)
    page.reload()
    page.wait_for_function("() => window.jishi")
    page.evaluate("jishi.identify(null)")
    page.evaluate("jishi.view({item_id: 'i-2'})")
    sent(page)
    result = events(place)
    types = ["page_viewed", "search_performed", "item_viewed", "item_added_to_cart", "item_removed_from_cart"]
    assert [e["type"] for e in result] == [*types, "checkout_started", "order_paid", "page_viewed", "item_viewed"]
    assert len({e["anonymous_id"] for e in result}) == len({e["session_id"] for e in result}) == 1
    assert [e.get("user_id") for e in result] == [None] * 5 + ["u-1"] * 3 + [None]
    assert result[0]["context"] == {"channel": "wechat", "campaign": "autumn", "device": "desktop"}
    assert result[0]["properties"] == {"path": "/index.html", "title": "店"}
    assert result[2]["properties"] == {"item_id": "i-1", "category": "裙装", "unit_price_minor": 19900}
    assert context.cookies() == []


def test_a_shared_link_leads_back_to_who_shared(context: BrowserContext, browser: Browser, place: Any) -> None:
    page = open_shop(context, place)
    link = page.evaluate("jishi.share({item_id: 'i-1', share_channel: 'wechat'})")
    sent(page)
    friend = browser.new_context().new_page()
    friend.goto(link["url"])
    friend.evaluate("jishi.view({item_id: 'i-1'})")
    sent(friend)
    shared, opened, viewed = (
        next(e for e in events(place) if e["type"] == t) for t in ("item_shared", "share_opened", "item_viewed")
    )
    assert shared["properties"]["share_id"] == opened["properties"]["share_id"] == viewed["properties"]["share_id"]
    assert shared["anonymous_id"] != opened["anonymous_id"]


def test_nothing_is_lost_while_the_network_is_away(context: BrowserContext, place: Any) -> None:
    page = open_shop(context, place)
    sent(page)
    context.set_offline(True)
    wanted = [page.evaluate(f"jishi.view({{item_id: 'i-{n}'}})") for n in range(30)]
    page.evaluate("jishi.flush()")
    page.wait_for_timeout(300)
    assert page.evaluate("jishi.pending()") == 30
    page.close()  # the tab is closed while there is no network
    context.set_offline(False)
    later = open_shop(context, place)
    sent(later)
    result = events(place, 32)
    assert [e["event_id"] for e in result if e["type"] == "item_viewed"] == wanted, "each, in the order in which it happened"
    assert len({e["anonymous_id"] for e in result}) == 1


def test_events_wait_for_a_collector_that_is_away(context: BrowserContext, place: Any) -> None:
    page = open_shop(context, place)
    sent(page)
    place.processes[0].send_signal(signal.SIGTERM)
    place.processes[0].wait(20)
    page.evaluate("jishi.view({item_id: 'i-1'})")
    page.evaluate("jishi.flush()")
    page.wait_for_timeout(200)
    place.serve()
    page.wait_for_function("() => jishi.pending() === 0")  # by itself
    assert [e["type"] for e in events(place)] == ["page_viewed", "item_viewed"]


def test_what_happened_last_is_sent_when_the_page_is_left(context: BrowserContext, place: Any) -> None:
    page = open_shop(context, place)
    sent(page)
    page.evaluate("jishi.configure({waitMs: 60000})")
    wanted = page.evaluate("jishi.view({item_id: 'i-last'})")
    page.goto(f"{place.home}/other.html")  # has no tracker
    assert wanted in [e["event_id"] for e in events(place, 2)]
    page.goto(f"{place.home}/index.html")
    sent(page)  # sends it again, because nobody read the beacon's answer
    assert [e["type"] for e in events(place)] == ["page_viewed", "item_viewed", "page_viewed"]
    assert len(place.stored()) == 4, "acknowledged twice, and one event"


def test_consent_decides_what_is_kept_and_sent(context: BrowserContext, place: Any) -> None:
    page = open_shop(context, place)
    page.evaluate("jishi.view({item_id: 'i-1'})")
    sent(page)
    known = page.evaluate("jishi.anonymousId()")
    page.evaluate("jishi.consent('anonymous')")
    page.evaluate("jishi.view({item_id: 'i-2'})")
    sent(page)
    assert page.evaluate("Object.keys(localStorage)") == ["jishi.a.consent"]
    page.reload()
    page.wait_for_function("() => window.jishi")
    sent(page)
    changed, second, third = events(place)[-3:]
    assert (changed["type"], changed["anonymous_id"], changed["properties"]) == (
        "consent_changed",
        known,
        {"personalisation": False},
    )
    assert len({known, second["anonymous_id"], third["anonymous_id"]}) == 3, "no id that lasts"
    page.evaluate("jishi.consent('denied')")
    before = len(place.stored())
    assert page.evaluate("jishi.view({item_id: 'i-3'})") is None
    page.reload()
    page.wait_for_function("() => window.jishi")
    page.wait_for_timeout(300)
    assert len(place.stored()) == before
    page.evaluate("jishi.consent('granted')")
    sent(page)
    assert events(place)[-1]["properties"] == {"personalisation": True}


def test_another_site_cannot_use_the_key(context: BrowserContext, place: Any) -> None:
    messages: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.goto(place.home.replace("127.0.0.1", "localhost") + "/index.html")
    page.wait_for_function("() => window.jishi")
    page.evaluate("jishi.flush()")
    page.wait_for_timeout(500)
    assert place.stored() == []
    assert any("refuses the key: 403" in text for text in messages)
