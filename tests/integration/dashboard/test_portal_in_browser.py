"""The portal in a real, headless Chromium: it fits a phone, draws its charts, works by keyboard and asks nobody else."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, sync_playwright

from dashboard.portal.columns import column_named, column_of_metric
from dashboard.portal.formats import Formats
from dashboard.portal.pages import channels, items
from dashboard.portal.sections import SECTIONS, SETUP_SECTIONS
from dashboard.screenshot import CHROMIUM_FLAGS
from jishi.lake.reading import open_version
from jishi.metrics import TimeRange, equals, open_metrics
from ops.ports import free_port
from tests.unit.dashboard.portal.twins import NEWEST, PASSWORD, PLAIN, TwinShops

pytestmark = pytest.mark.integration
FRAMING = {section.name for section in SECTIONS if section.is_framing}  # Superset has browser tests of its own
PAGES = (
    *(section.name for section in (*SECTIONS, *SETUP_SECTIONS) if section.name not in FRAMING),
    "today?date=2026-11-25&compare=week_before",
    "today?date=2026-11-25&channel=plain-channel",
    "items/i1",
    "boards/1?days=all&metric=orders",
    "rows/orders",
    "rows/visits",
)
WITH_CHARTS = ("today", "traffic", "customers", "channels", "recommendations", "items/i1", "boards/1")

# What reaches over the right edge of the window, apart from what scrolls by itself.
BEYOND_THE_EDGE = """
[...document.querySelectorAll('main *')].filter((element) => !element.closest('.wide, .unseen, .plot')
    && getComputedStyle(element).position !== 'absolute'
    && element.getBoundingClientRect().right > innerWidth + 1).map((element) => element.outerHTML)
"""


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> TwinShops:
    return TwinShops(tmp_path_factory.mktemp("twins"), semantic_manifest)


@pytest.fixture(scope="module")
def address(twins: TwinShops) -> Iterator[str]:
    """A portal that serves twin shops on a port of its own."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(twins.app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@dataclass
class Reader:
    """A person at a window; ``troubles`` are errors of the console and requests to anybody else."""

    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a page of the shop and wait until it is drawn."""
        self.page.goto(f"{self.address}/shops/{PLAIN}/{path}", wait_until="networkidle")


def reader(browser: Browser, address: str, width: int, locale: str, scheme: Any = "light") -> Reader:
    """Somebody who has logged in."""
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale, color_scheme=scheme)
    person = Reader(context.new_page(), address)
    person.page.on("console", lambda line: person.troubles.append(line.text) if line.type in ("error", "warning") else None)
    person.page.on("pageerror", lambda error: person.troubles.append(str(error)))
    person.page.on("request", lambda asked: None if asked.url.startswith(address) else person.troubles.append(asked.url))
    person.page.goto(f"{address}/login")
    person.page.fill("[name=login]", f"owner@{PLAIN}.example")
    person.page.fill("[name=password]", PASSWORD)
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/today")
    return person


@pytest.mark.parametrize(("width", "locale"), [(375, "zh-CN"), (375, "en-GB"), (1440, "zh-CN"), (1440, "en-GB")])
def test_every_page_fits_its_window_and_asks_nobody_else(browser: Browser, address: str, width: int, locale: str) -> None:
    person = reader(browser, address, width, locale, "dark" if locale == "zh-CN" else "light")
    for path in PAGES:
        person.open(path)
        assert person.page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert person.page.evaluate(BEYOND_THE_EDGE) == [], path
        drawn = person.page.locator(".chart canvas").count()
        assert drawn == person.page.locator(".chart").count(), path
        assert drawn or path.partition("?")[0] not in WITH_CHARTS, path
    assert person.troubles == []


def test_sections_change_without_a_reload_and_a_number_explains_itself_by_keyboard(browser: Browser, address: str) -> None:
    person = reader(browser, address, 1440, "en-GB")
    person.page.evaluate("window.isTheSame = true")
    person.page.click("nav >> text=Traffic")
    person.page.wait_for_url("**/traffic")
    person.page.wait_for_selector(".chart canvas")
    assert person.page.evaluate("window.isTheSame")
    person.page.focus(".tile .why")
    person.page.keyboard.press("Enter")
    person.page.wait_for_selector("dialog[open] >> text=Where it comes from")
    person.page.keyboard.press("Escape")
    assert person.page.locator("dialog[open]").count() == 0
    person.page.go_back()
    person.page.wait_for_url("**/today")
    assert person.troubles == []


def test_live_numbers_come_back_after_a_proxy_has_refused_them(
    browser: Browser, address: str, twins: TwinShops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """galaxy 22629: a browser gives up a stream after one answer of 502, and the page said for ever that it tries again."""
    monkeypatch.setattr(twins.portal.streams, "longest_s", 60.0)
    person = reader(browser, address, 1440, "en-GB")
    asked: list[int] = []

    def refuse_twice(route: Route) -> None:
        asked.append(len(asked))
        if len(asked) <= 2:
            route.fulfill(status=502, body="bad gateway")
        else:
            route.continue_()

    person.page.route("**/now/stream", refuse_twice)
    person.page.goto(f"{address}/shops/{PLAIN}/now")
    person.page.wait_for_selector("[data-lost]", state="visible")
    person.page.wait_for_selector("[data-lost]", state="hidden", timeout=60_000)
    assert len(asked) == 3
    person.page.context.close()


def test_the_menu_of_a_phone_holds_every_section_within_two_taps(browser: Browser, address: str) -> None:
    person = reader(browser, address, 375, "en-GB")
    for section in SECTIONS:
        person.open("today")
        if not section.is_first:
            person.page.click("nav .more summary")
        person.page.click(f"nav a[href='/shops/{PLAIN}/{section.name}']:visible")
        person.page.wait_for_url(f"**/{section.name}")
        assert person.page.locator("nav [aria-current='page'], nav .here").filter(visible=True).count() >= 1
    assert sum(section.is_first for section in SECTIONS) <= 4


def test_a_server_that_is_gone_is_said(browser: Browser, address: str) -> None:
    person = reader(browser, address, 1440, "en-GB")
    person.page.route("**/items", lambda route: route.abort())
    person.page.click("nav >> text=Items")
    person.page.wait_for_selector("#offline:not([hidden])")
    assert "what you see is from before" in person.page.inner_text("#offline")


def test_pages_work_without_scripts(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"{address}/login")
    page.fill("[name=login]", f"owner@{PLAIN}.example")
    page.fill("[name=password]", PASSWORD)
    page.click("form.card button")
    page.click("nav >> text=Items")
    assert page.inner_text("h1").startswith("Items")
    page.click(".why >> nth=0")
    assert "Who answers for it" in page.inner_text("main")


def test_axes_of_amounts_begin_at_zero_or_below(browser: Browser, address: str) -> None:
    person = reader(browser, address, 1440, "en-GB")
    for path in ("today", "traffic", "customers"):
        person.open(path)
        span = "({drawn}) => [drawn.scales.y.min, drawn.scales.y.max, drawn.data.slice(1)]"
        spans = person.page.evaluate(f"[...document.querySelectorAll('.chart')].map({span})")
        assert spans
        for low, high, lines in spans:
            values = [value for line in lines for value in line if value is not None]
            assert low == min(0, *values), path
            assert high > max(values), path


def test_the_line_to_a_day_that_is_not_over_is_dashed(browser: Browser, address: str) -> None:
    person = reader(browser, address, 1440, "en-GB")
    person.page.add_init_script("""
        window.dashed = [];
        const set = CanvasRenderingContext2D.prototype.setLineDash;
        CanvasRenderingContext2D.prototype.setLineDash = function (dash) {
            window.dashed.push(String(dash));
            set.call(this, dash);
        };
    """)
    for path, is_open in (("today", True), ("today?date=2026-11-25", False)):
        person.open(path)
        assert ("2,4" in person.page.evaluate("window.dashed")) == is_open, path
    assert person.troubles == []


def test_numbers_in_the_browser_are_those_of_the_metric_layer(browser: Browser, address: str, twins: TwinShops) -> None:
    """Read as a merchant sees them, and asked as ``jishi metrics query`` asks, past the portal's own reading."""
    person = reader(browser, address, 1440, "en-GB")
    layer, day = open_metrics(open_version(twins.settings)), NEWEST - timedelta(days=3)
    week = TimeRange(NEWEST - timedelta(days=6), NEWEST)
    of_orders = ["net_gmv_minor", "orders", "refunds_minor", "paying_customers", "order_value_minor", "customer_value_minor"]
    for path, metrics, by, days in (
        (f"today?date={day}&channel=plain-channel", of_orders, {"purchase__channel": "plain-channel"}, TimeRange(day, day)),
        (
            f"today?date={day}&channel=plain-channel",
            ["visitors", "conversion"],
            {"visit__channel": "plain-channel"},
            TimeRange(day, day),
        ),
        ("items?days=7", items.TILES, {}, week),
        (f"channels?from={day}&to={NEWEST}", channels.METRICS, {"credit__model": "last_non_direct"}, TimeRange(day, NEWEST)),
    ):
        person.open(path)
        seen = dict(
            zip(
                [title.split("?")[0].strip() for title in person.page.locator(".tile h2").all_inner_texts()],
                [" ".join(value.split()) for value in person.page.locator(".tile .big").all_inner_texts()],
                strict=True,
            )
        )
        where = [equals(dimension, value) for dimension, value in by.items()]
        for name in metrics:
            column = column_named(name) if path.startswith("today") else column_of_metric(layer.metrics[name])
            [row] = layer.rows([column.metric or name], shop_id=PLAIN, where=where, days=days)
            value = Formats("en", "CNY", "Asia/Shanghai").value(column, row[column.metric or name])
            assert seen[column.en] == f"{value}", (path, name)


def test_paper_shows_numbers_and_no_controls(browser: Browser, address: str) -> None:
    person = reader(browser, address, 1440, "zh-CN", "dark")
    person.page.emulate_media(media="print")
    for hidden in ("nav", ".filter", ".why >> nth=0", ".tools"):
        assert not person.page.is_visible(hidden), hidden
    assert person.page.is_visible(".tile .big >> nth=0")
    assert person.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    person.page.wait_for_function("document.querySelector('.chart').drawn.series[1]._stroke === '#000000'")


def test_every_page_fits_on_paper(browser: Browser, address: str) -> None:
    """718 pixels are A4 less margins of 10 mm. A table that scrolls in a window would lose its last columns on paper."""
    person = reader(browser, address, 718, "en-GB", "light")
    person.page.emulate_media(media="print")
    for page in (name for name in PAGES if name != "now"):
        person.open(page)
        assert person.page.evaluate("document.documentElement.scrollWidth") <= 718, page
