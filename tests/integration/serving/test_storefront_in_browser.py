"""The storefront in a real, headless Chromium, on a real serving, collector and broker: a visit on a phone, what it sends, and
what titles cannot do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from collector.wal.durable import read_durable
from collector.wal.reader import first_position, read_entries
from collector.wal.segments import Position
from dashboard import storefront_pictures
from jishi.shops import Shop, Shops
from ops.kafka import running_broker

pytestmark = pytest.mark.integration
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
WINDOWS = ("en-1440", "en-375", "zh-1440", "zh-375")
HOSTILE = "<img src=x onerror=\"document.title='broken in'\">"
ODD_ID, ODD_CATEGORY = 'i/1?a=1&b="#', '包/"<b>袋</b>?&#'
SKIRTS, LAMPS = [f"s{n}" for n in range(7)] + [ODD_ID], [f"l{n}" for n in range(8)]


@dataclass
class Street:
    """Serving and collector with the storefronts of three shops: one with a release, one without, one without items."""

    platform: Any
    write_keys: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def serving(self) -> str:
        return f"http://127.0.0.1:{self.platform.settings.serving_port}"

    @property
    def collector(self) -> str:
        return f"http://127.0.0.1:{self.platform.settings.collector_port}"

    def start(self, *command: str, **variables: str) -> None:
        settings = self.platform.settings
        env = (
            os.environ
            | variables
            | {
                "JISHI_VAR": str(settings.var),
                "JISHI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
                "JISHI_SERVING_PORT": str(settings.serving_port),
                "JISHI_COLLECTOR_PORT": str(settings.collector_port),
            }
        )
        with (settings.var / f"{command[-1]}.log").open("ab") as out:
            self.processes.append(subprocess.Popen([sys.executable, "-m", *command], env=env, stdout=out, stderr=out))

    def change_item(self, shop_id: str, item: dict[str, Any]) -> None:
        """Tell the collector of an item, as the shop's server does."""
        event = {"event_id": f"{shop_id}-{item['item_id']}", "shop_id": shop_id, "type": "item_changed"}
        event["occurred_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = [event | {"properties": {"title": "t", "unit_price_minor": 100, "currency": "CNY"} | item}]
        headers = {"Authorization": f"Bearer {self.write_keys[shop_id]}"}
        assert httpx.post(f"{self.collector}/v1/events", json=body, headers=headers).json()["accepted"] == 1

    def acts(self) -> list[dict[str, Any]]:
        """Every event that the collector has acknowledged."""
        wal = self.platform.paths.wal
        durable, position = read_durable(wal) or Position(), first_position(wal)
        rows: list[dict[str, Any]] = []
        while entries := read_entries(wal, position, durable):
            rows += [orjson.loads(entry.body) for entry in entries]
            position = entries[-1].after
        assert {row["invalid_reason"] for row in rows} <= {None, "claim"}  # the contract knows all of it
        return [orjson.loads(row["line"]) for row in rows if row["sent_by"] == "page"]


@pytest.fixture(scope="module")
def street(shared_platform: Any) -> Iterator[Street]:
    platform, shops = shared_platform, Shops()
    for shop_id, currency in (("lanting", "CNY"), ("young", "JPY"), ("empty", "CNY")):
        shops.add(Shop(shop_id=shop_id, name=f"店 {shop_id}", currency=currency))
    tracks = [shops.issue_key(shop_id, "track") for shop_id in shops.shops]
    street = Street(platform, {shop_id: shops.issue_key(shop_id, "write") for shop_id in shops.shops})
    platform.paths.shops_file.parent.mkdir(parents=True, exist_ok=True)
    shops.save(platform.paths.shops_file)
    rows = [{"item_id": each, "category": ODD_CATEGORY} for each in SKIRTS] + [
        {"item_id": each, "category": "灯"} for each in LAMPS
    ]
    rows[0] |= {"title": HOSTILE, "title_en": HOSTILE}
    young = {"shop_id": "young", "item_id": "y1", "category": "茶", "currency": "JPY", "unit_price_minor": 1234}
    platform.publish_items([*({"shop_id": "lanting"} | row for row in rows), young])
    platform.publish_release("lanting", "v1", [SKIRTS, LAMPS])
    with running_broker(platform.broker, platform.paths.var / "kafka.log"):
        try:
            street.start("collector", "serve")
            street.start("collector", "forward")
            street.start("serving", JISHI_STOREFRONT_KEYS=",".join(tracks), JISHI_STOREFRONT_SHOPPERS="u0")
            deadline = time.monotonic() + 180
            while not _is_up(street):
                assert time.monotonic() < deadline, (platform.settings.var / "serving.log").read_text()
                time.sleep(0.1)
            yield street
        finally:
            for process in street.processes:
                process.terminate()
                process.wait(30)


def _is_up(street: Street) -> bool:
    try:
        answers = [httpx.get(f"{street.serving}/storefront/lanting/recommendations"), httpx.get(f"{street.collector}/readyz")]
    except httpx.TransportError:
        return False
    return [answer.status_code for answer in answers] == [200, 200]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@dataclass
class StorefrontVisitor:
    """Somebody at a window; ``troubles``: errors of the page and requests to anybody else; ``asked``: what it asked serving."""

    page: Page
    street: Street
    troubles: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, address: str = "", shop: str = "lanting") -> None:
        self.page.goto(f"{self.street.serving}/storefront/{shop}{address}")
        self.page.wait_for_selector("main [data-list], main .empty")


@pytest.fixture
def visit(browser: Browser, street: Street) -> Iterator[Callable[..., StorefrontVisitor]]:
    contexts = []

    def enter(width: int = 375, locale: str = "en-GB", scheme: Any = "light") -> StorefrontVisitor:
        context = browser.new_context(viewport={"width": width, "height": 800}, locale=locale, color_scheme=scheme)
        context.set_default_timeout(15_000)
        contexts.append(context)
        visitor = StorefrontVisitor(context.new_page(), street)
        visitor.page.on(
            "console", lambda line: visitor.troubles.append(line.text) if line.type in ("error", "warning") else None
        )
        visitor.page.on("pageerror", lambda error: visitor.troubles.append(str(error)))

        def note(request: Any) -> None:
            if request.url.startswith(street.serving):
                visitor.asked.append(request.url)
            elif not request.url.startswith((street.collector, "data:")):
                visitor.troubles.append(request.url)

        visitor.page.on("request", note)
        return visitor

    yield enter
    for context in contexts:
        context.close()


BEYOND_THE_EDGE = """
[...document.querySelectorAll('main *:not(svg *)')].filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
    .map((element) => element.outerHTML)
"""


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(BEYOND_THE_EDGE) == []


def test_a_visit_on_a_phone_is_told_as_events_and_pays(visit: Callable[..., StorefrontVisitor], street: Street) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open()
    expect(page.locator("[data-list=home] .card")).to_have_count(12)
    expect(page.locator("[data-list=home] .reason").first).to_contain_text("Popular in this shop")
    fits(page)
    card = page.locator(f"[data-list=home] .card[data-item='{LAMPS[0]}'] > a")
    card.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"标题{LAMPS[0]}")
    expect(page.locator("[data-list=item] .reason").first).to_contain_text('People who like "标题l0" like this too')
    page.click("[data-list=item] .card >> nth=0 >> summary")
    expect(page.locator("[data-list=item] .card >> nth=0")).to_contain_text("context ")
    page.click("text=Why is this not on my home page?")
    expect(page.locator(".about")).to_contain_text("It is in the list, at place")
    fits(page)
    page.click("text=Add to cart")
    expect(page.locator("#to-cart")).to_have_text("Cart 1")
    page.click("#to-cart")
    expect(page.locator("[data-list=cart] .card").first).to_be_visible()
    expect(page.locator(".total")).to_contain_text("CN¥1.00")
    fits(page)
    page.click("text=Check out and pay")
    expect(page.locator("h1")).to_have_text("Paid. Thank you.")
    expect(page.locator("[data-list=after_payment] .card").first).to_be_visible()
    expect(page.locator(f"[data-list=after_payment] .card[data-item='{LAMPS[0]}']")).to_have_count(0)
    expect(page.locator("#to-cart")).to_have_text("Cart 0")
    fits(page)
    page.wait_for_function("() => jishi.pending() === 0")
    assert visitor.troubles == []

    acts = [act for act in street.acts() if act["anonymous_id"] == page.evaluate("jishi.anonymousId()")]
    kinds = {"page_viewed", "recommendation_shown", "recommendation_clicked", "item_viewed", "item_added_to_cart"}
    assert {act["type"] for act in acts} == kinds | {"checkout_started", "order_paid"}
    [clicked] = [act["properties"] for act in acts if act["type"] == "recommendation_clicked"]
    shown = {act["properties"]["request_id"]: act["properties"] for act in acts if act["type"] == "recommendation_shown"}
    assert shown[clicked["request_id"]]["item_ids"][clicked["position"]] == clicked["item_id"] == LAMPS[0]
    assert {each["placement"] for each in shown.values()} >= {"home", "cart", "after_payment"}
    [order] = [act["properties"] for act in acts if act["type"] == "order_paid"]
    assert [(line["item_id"], line["quantity"], line["unit_price_minor"]) for line in order["lines"]] == [(LAMPS[0], 1, 100)]


def test_titles_ids_and_categories_are_text(visit: Callable[..., StorefrontVisitor]) -> None:
    visitor = visit(locale="zh-CN")
    page = visitor.page
    visitor.open()
    expect(page.locator("[data-list=home] .title", has_text=HOSTILE)).to_have_count(1)
    page.click(f"nav >> text={ODD_CATEGORY}")
    expect(page.locator("[data-list=category] .card")).to_have_count(len(SKIRTS))
    expect(page.locator("nav a[aria-current=page]")).to_have_text(ODD_CATEGORY)
    fits(page)
    page.click(f"[data-list=category] .title >> text=标题{ODD_ID}")
    expect(page.locator("h1")).to_have_text(f"标题{ODD_ID}")
    expect(page.locator("[data-list=item] .reason").first).to_contain_text("喜欢「")
    page.goto(f"{visitor.street.serving}/storefront/lanting#/item/s0")
    expect(page.locator("h1")).to_have_text(HOSTILE)
    fits(page)
    assert page.locator("img, main b:not(.total b)").count() == 0
    assert page.title().startswith(HOSTILE)
    assert visitor.troubles == []


def test_language_shopper_and_personal_off_change_every_list(visit: Callable[..., StorefrontVisitor]) -> None:
    visitor = visit(1440, "zh-CN", "dark")
    page = visitor.page
    visitor.open()
    expect(page.locator("h2").first).to_have_text("为你推荐")
    fits(page)
    page.click("#language")
    expect(page.locator("h2").first).to_have_text("Recommended for you")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    expect(page.locator("h2").first).to_have_text("Recommended for you")
    # Nobody has bought anything in this release's purchases, so nobody is there to be.
    assert page.locator("#shopper option").all_text_contents() == ["a new visitor"]
    visitor.asked.clear()
    page.focus("#personal")
    page.keyboard.press("Space")
    expect(page.locator("[data-list=home] .status")).to_contain_text("Personal is off")
    lists = [url for url in visitor.asked if "/recommendations" in url]
    assert lists
    assert all("personalised=false" in url for url in lists)
    assert page.get_by_role("switch", name="Personal").is_checked() is False
    assert page.get_by_label("Shop as").count() == 1
    assert visitor.troubles == []


def test_a_shop_without_a_release_and_one_without_items(visit: Callable[..., StorefrontVisitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open(shop="young")
    expect(page.locator("[data-list=home] .price").first).to_have_text("¥1,234")
    expect(page.locator(".made summary")).to_contain_text("bundled")
    visitor.open(shop="empty")
    expect(page.locator("[data-list=home] .empty")).to_have_text("This shop has no items yet.")
    visitor.street.change_item("empty", {"item_id": "first", "category": "鞋", "stock": 3})
    expect(page.locator("[data-list=home] .card")).to_have_count(1)  # without a reload
    expect(page.locator("nav a")).to_have_text("鞋")
    page.goto(f"{visitor.street.serving}/storefront")
    assert page.locator(".doors a").all_text_contents() == ["店 empty", "店 lanting", "店 young"]
    assert [line for line in visitor.troubles if not re.search("503", line)] == []


def test_pictures_of_a_visit(browser: Browser, street: Street, tmp_path: Path) -> None:
    assert storefront_pictures.take_all(browser, street.serving, "lanting", tmp_path, takes_all=True) == []
    taken = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert taken.keys() == {f"{step}-{window}.jpg" for step in storefront_pictures.STEPS for window in WINDOWS}
    assert min(taken.values()) > 10_000


def test_what_sells_out_leaves_the_list(visit: Callable[..., StorefrontVisitor], street: Street) -> None:
    """A change of stock, from the collector through the log into serving."""
    visitor = visit()
    visitor.open()
    gone = visitor.page.locator("[data-list=home] .card").last.get_attribute("data-item")
    street.change_item("lanting", {"item_id": gone, "category": "灯" if gone in LAMPS else ODD_CATEGORY, "stock": 0})
    deadline = time.monotonic() + 180
    while visitor.page.locator(f"[data-list=home] .card[data-item='{gone}']").count():
        assert time.monotonic() < deadline
        visitor.open(f"?{time.monotonic()}")
        visitor.page.wait_for_selector("[data-list=home] .card")
    visitor.page.goto(f"{street.serving}/storefront/lanting#/item/{gone}")
    expect(visitor.page.locator(".about")).to_contain_text("Sold out")
