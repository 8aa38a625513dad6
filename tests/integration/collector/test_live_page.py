"""The live page in a real browser of a phone's size: it follows what arrives, says how to mend it, and asks nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import sync_playwright

from jishi.shops import Shops

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def test_a_phone_shows_what_arrives_and_the_fix(
    make_place: Callable[..., Any], viewed: Callable[..., Any], tmp_path: Any
) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium; scripts/test installs it")
    place = make_place()
    with Shops.edit(place.paths.shops_file) as shops:
        test_key = shops.issue_key("a", "write", is_test=True)
    place.serve()
    hosts: set[str] = set()
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 360, "height": 740}, locale="zh-CN")
        page.set_default_timeout(20_000)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{place.url}/v1/live")
        page.fill("#key", "jk_write_wrong")
        page.click("#entry button")
        page.wait_for_function("() => document.getElementById('state').textContent.includes('没有这个密钥')")
        page.fill("#key", place.key)
        page.click("#entry button")
        page.wait_for_selector("#empty:visible")
        bad = viewed("<img src=x onerror=alert(1)>") | {"properties": {"item_id": "i", "unit_price_minor": "9.99"}}
        with place.client() as client:
            assert client.post("/v1/events", json=[viewed("e-1"), bad]).status_code == 200
        tested = httpx.post(f"{place.url}/v1/events", json=[viewed("t-1")], headers={"Authorization": f"Bearer {test_key}"})
        assert tested.json()["test"] is True
        page.wait_for_function("() => document.querySelectorAll('#events li').length === 3")
        texts = page.locator("#events li").all_inner_texts()
        assert "t-1" in texts[0]
        assert "测试，不计数" in texts[0]
        assert "properties.unit_price_minor" in texts[1]
        assert "应为整数；收到 str '9.99'" in texts[1]
        assert "1999" in texts[1]
        assert "<img" in texts[1]  # an event's text stays a text
        page.check("#problems")
        page.click("#language")
        late = page.locator("#events li").first.inner_text()
        assert "late" in late
        assert "before it arrived" in late
        assert "早" not in late
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.screenshot(path=str(tmp_path / "live.png"), full_page=True)
        browser.close()
    assert hosts == {urlsplit(place.url).netloc}
    assert errors == []
    assert [row["event_id"] for row in place.stored()] == ["e-1", "<img src=x onerror=alert(1)>"]
