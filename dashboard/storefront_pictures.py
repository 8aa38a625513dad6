"""``python -m dashboard.storefront_pictures OUT``: pictures of a shop's storefront (of a running serving), in a real Chromium.

One visit a language and width, from the home page over an item into the cart and past the payment; without ``--all`` the three
pictures that docs/screenshots.md shows. What the visitor does counts as the shop's traffic, as every visitor's does. Exit code
1, with the pages named, when one is wider than its window or reports an error, and when no storefront is open.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.pictures import Language, Width
from dashboard.screenshot import CHROMIUM_FLAGS, chromium_path
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STEPS = ("home", "item", "cart", "paid")
_LOCALES: dict[Language, str] = {"zh": "zh-CN", "en": "en-GB"}
_SHOWN = {("home", "en", 1440), ("item", "zh", 375), ("paid", "en", 375)}
_TALLEST, _QUALITY, _WAIT_MS = 1800, 40, 30_000


@dataclass
class StorefrontPhotographer:
    """Visits storefronts of one address; ``troubles`` are what is wrong with the pages."""

    browser: Browser
    address: str
    folder: Path
    troubles: list[str] = field(default_factory=list)

    def visit(self, shop_id: str, language: Language, width: Width, steps: Sequence[str]) -> None:
        """One visit, with a picture of each of the steps."""
        context = self.browser.new_context(viewport={"width": width, "height": 900}, locale=_LOCALES[language])
        context.set_default_timeout(_WAIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(f"{page.url}: {error}"))
        for step in STEPS[: 1 + max(STEPS.index(each) for each in steps)]:
            self._go(page, shop_id, step)
            if step in steps:
                self._take(page, self.folder / f"{step}-{language}-{width}.jpg")
        context.close()

    def _go(self, page: Page, shop_id: str, step: str) -> None:
        if step == "home":
            page.goto(f"{self.address}/storefront/{shop_id}")
            page.wait_for_selector("[data-list=home] .card")
        elif step == "item":
            page.click("[data-list=home] .card > a >> nth=0")
            page.wait_for_selector("[data-list=item] .card")
            page.wait_for_timeout(3_000)  # until the list has followed the click
        elif step == "cart":
            page.click(".about button >> nth=0")
            page.click("#to-cart")
            page.wait_for_selector("[data-list=cart] .card")
        else:
            page.click("main .total ~ button")
            page.wait_for_selector("[data-list=after_payment] .card")

    def _take(self, page: Page, file: Path) -> None:
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.troubles.append(f"{file.name}: wider than its window")
        width, height = page.evaluate("[innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, _TALLEST)}
        page.screenshot(path=str(file), type="jpeg", quality=_QUALITY, full_page=True, clip=clip)  # type: ignore[arg-type]


def take_all(browser: Browser, address: str, shop_id: str, folder: Path, *, takes_all: bool = False) -> list[str]:
    """Take the pictures of a shop; what is wrong with its pages. Raises playwright's Error where no storefront is open."""
    folder.mkdir(parents=True, exist_ok=True)
    photographer = StorefrontPhotographer(browser, address, folder)
    for language in ("en", "zh"):
        for width in (1440, 375):
            steps = [step for step in STEPS if takes_all or (step, language, width) in _SHOWN]
            if steps:
                photographer.visit(shop_id, language, width, steps)
    return photographer.troubles


def main() -> int:
    """Take the pictures and name what is wrong."""
    from playwright.sync_api import Error, sync_playwright

    parser = argparse.ArgumentParser(prog="python -m dashboard.storefront_pictures", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--shop", help="a shop whose storefront is open; left out: the first that is registered")
    parser.add_argument("--all", action="store_true", help="home, item, cart and payment in both languages at both widths")
    chosen = parser.parse_args()
    settings = get_settings()
    shop_id = chosen.shop or next(iter(Shops.load(Paths.of(settings).shops_file).shops), "")
    address = f"http://{settings.host}:{settings.serving_port}"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
            troubles = take_all(browser, address, shop_id, chosen.out, takes_all=chosen.all)
            browser.close()
    except Error as error:
        troubles = [f"{address}/storefront/{shop_id}: {error.message}; is serving up, and its storefront open (/storefront)?"]
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
