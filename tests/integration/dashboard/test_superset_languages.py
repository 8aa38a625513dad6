"""Superset's own words, such as those of a chart without rows, come in the language of the portal's page."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from dashboard.screenshot import CHROMIUM_FLAGS
from jishi.shops import Shop, Shops
from tests.integration.dashboard.superset_twins import SupersetTwins
from tests.unit.dashboard.portal.twins import PASSWORD

pytestmark = pytest.mark.integration
NEW_SHOP = "sold-nothing-yet"
EMPTY = {"en": "No results were returned for this query", "zh": "此查询没有数据返回"}


@pytest.fixture(scope="module")
def portal(superset: SupersetTwins) -> Iterator[str]:
    """The twins' portal, with a further shop that has no rows anywhere."""
    twins = superset.twins
    with Shops.edit(twins.paths.shops_file) as shops:
        shops.add(Shop(shop_id=NEW_SHOP, name="New", currency="JPY", time_zone="Asia/Tokyo"))
    twins.add(f"owner@{NEW_SHOP}.example", NEW_SHOP, "owner")
    server = uvicorn.Server(uvicorn.Config(twins.app, port=twins.settings.portal_port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{twins.settings.portal_port}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(("language", "locale"), [("en", "en-GB"), ("zh", "zh-CN")])
def test_a_chart_without_rows_says_so_in_the_language_of_the_page(portal: str, language: str, locale: str) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        page = chromium.new_context(viewport={"width": 1440, "height": 2000}, locale=locale).new_page()
        page.goto(f"{portal}/login")
        page.fill("[name=login]", f"owner@{NEW_SHOP}.example")
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/today")
        page.goto(f"{portal}/shops/{NEW_SHOP}/workbench/items")
        board = page.frame_locator("#workbench iframe")
        board.get_by_text(EMPTY[language]).first.wait_for(timeout=60_000)
        assert board.get_by_text(EMPTY["zh" if language == "en" else "en"]).count() == 0
        chromium.close()
