"""``python -m dashboard.pictures OUT``: pictures of every page of a running portal and of every board, in a real Chromium.

Without options the set that docs/screenshots.md shows; with ``--all`` every page of each shop in both languages at 1440 and 375
pixels. It logs in as an owner of its own making. Exit code 1, with the pages named, when one is wider than its window, has a
chart that is not drawn, or reports an error to the browser's console.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dashboard.portal.people import LastOwner, People
from dashboard.portal.sections import SECTIONS, SETUP_SECTIONS
from dashboard.screenshot import CHROMIUM_FLAGS, chromium_path
from dashboard.superset_boards import boards
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect, Page

Language = Literal["zh", "en"]
Width = Literal[1440, 375]
_LOCALES: dict[Language, str] = {"zh": "zh-CN", "en": "en-GB"}
_TALLEST, _BOARD_HEIGHT = 1800, 3600  # pixels of a picture, and of a board's window, so that its charts need no scrolling
_QUALITY = 40
_WAIT_MS = 60_000
_BOARDS = tuple(f"workbench/{name}" for name in boards())
_PAGES = (*(each.name for each in (*SECTIONS, *SETUP_SECTIONS) if each.name != "workbench"), "rows/orders", *_BOARDS)
# Of docs/screenshots.md: each page once, so that both widths and languages occur, then the dark and the printed page.
_WIDE_EN = ("today", "customers", "channels", "segments", "settings", "workbench/today", "workbench/channels")
_WIDE_ZH = ("traffic", "items", "recommendations", "uploads", "workbench/customers", "workbench/recommendations")
_NARROW_EN = ("now", "alerts", "keys", "members", "workbench/items", "rows/orders")


@dataclass(frozen=True)
class Picture:
    """One page of a shop as somebody sees it."""

    page: str
    language: Language
    width: Width
    is_dark: bool = False
    is_printed: bool = False

    @property
    def file_name(self) -> str:
        """Such as ``today-en-1440.jpg``."""
        marks = ["dark"] * self.is_dark + ["print"] * self.is_printed
        return "-".join([self.page.replace("/", "-"), self.language, f"{self.width}", *marks]) + ".jpg"


@dataclass
class Photographer:
    """A browser of somebody who is logged in; ``troubles`` are what is wrong with pages that were taken."""

    browser: Browser
    address: str
    login: str
    password: str
    troubles: list[str] = field(default_factory=list)

    def take(self, shop_id: str, pictures: list[Picture], folder: Path) -> None:
        """Take pictures of the same window: language, width, light and paper."""
        first = pictures[0]
        context = self.browser.new_context(
            viewport={"width": first.width, "height": 900},
            locale=_LOCALES[first.language],
            color_scheme="dark" if first.is_dark else "light",
        )
        context.set_default_timeout(_WAIT_MS)
        page = context.new_page()
        if first.is_printed:
            page.emulate_media(media="print")
        page.on("pageerror", lambda error: self._note(page.url, f"{error}"))
        page.goto(f"{self.address}/login")
        page.fill("[name=login]", self.login)
        page.fill("[name=password]", self.password)
        page.keyboard.press("Enter")
        page.wait_for_url("**/shops**")
        for picture in pictures:
            self._take(page, f"{self.address}/shops/{shop_id}/{picture.page}", folder / picture.file_name)
        context.close()

    def _note(self, address: str, error: str) -> None:
        """Keep what a script of the portal's own reports; a board's frame is Superset's."""
        if "/workbench" not in address:
            self.troubles.append(f"{address}: {error}")

    def _take(self, page: Page, address: str, file: Path) -> None:
        page.goto(address, wait_until="load")
        if "/workbench/" in address:
            self._wait_for_board(page, address)
        elif not page.url.endswith("/now"):  # whose stream never ends
            page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        width = page.viewport_size["width"] if page.viewport_size else 0
        if page.evaluate("document.documentElement.scrollWidth") > width:
            self.troubles.append(f"{file.name}: wider than its window")
        if page.locator(".chart canvas").count() < page.locator(".chart").count():
            self.troubles.append(f"{file.name}: a chart is not drawn")
        height = int(page.evaluate("document.documentElement.scrollHeight"))
        if "/workbench/" not in address:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(300)
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(height, _TALLEST)}
        page.screenshot(path=str(file), type="jpeg", quality=_QUALITY, clip=clip)
        page.set_viewport_size({"width": width, "height": 900})

    def _wait_for_board(self, page: Page, address: str) -> None:
        """Until each chart of the frame has drawn; what a chart says in the place of its data is a trouble."""
        board = page.frame_locator("#workbench iframe")
        holders = board.locator(".dashboard-component-chart-holder")
        holders.first.wait_for()
        page.set_viewport_size({"width": (page.viewport_size or {"width": 375})["width"], "height": _BOARD_HEIGHT})
        page.wait_for_timeout(1500)  # a chart loads when it comes into sight
        for number in range(holders.count()):
            holder = holders.nth(number)
            holder.locator(".loading, [data-test=loading-indicator]").first.wait_for(state="hidden")
            text = holder.inner_text()
            if any(word in text for word in ("Unexpected error", "Data error", "cannot be shown")):
                self.troubles.append(f"{address}: {' '.join(text.split())[:200]}")
        page.wait_for_timeout(1500)  # charts animate


def shown_set() -> list[Picture]:
    """The pictures of docs/screenshots.md."""
    pictures = []
    for page in _PAGES:
        language: Language = "en" if page in (*_WIDE_EN, *_NARROW_EN) else "zh"
        pictures.append(Picture(page, language, 1440 if page in (*_WIDE_EN, *_WIDE_ZH) else 375))
    return [*pictures, Picture("today", "zh", 375, is_dark=True), Picture("customers", "en", 1440, is_printed=True)]


def whole_set() -> list[Picture]:
    """Every page in both languages at both widths, and a sample of dark and printed ones."""
    languages: tuple[Language, ...] = ("zh", "en")
    widths: tuple[Width, ...] = (1440, 375)
    pictures = [Picture(page, language, width) for language in languages for width in widths for page in _PAGES]
    samples = [Picture(page, "en", 1440, is_dark=True) for page in ("today", "customers", "settings", "workbench/today")]
    return [*pictures, *samples, *(Picture(page, "zh", 1440, is_printed=True) for page in ("today", "channels"))]


@contextmanager
def member(people: People, shop_ids: list[str], now: datetime) -> Iterator[tuple[str, str]]:
    """Login and password of an owner of the shops, who stays no longer than the block."""
    login, password = f"pictures-{secrets.token_hex(4)}@example.org", secrets.token_urlsafe(16)
    for shop_id in shop_ids:
        people.accept(people.invite(login, shop_id, "owner", now), "Pictures", password, now)
    try:
        yield login, password
    finally:
        for shop_id in shop_ids:
            with suppress(LastOwner):  # a shop without people keeps this one, whose password nobody knows
                people.set_role(login, shop_id, None)


def take_all(settings: Settings, people: People, shop_ids: list[str], pictures: list[Picture], folder: Path) -> list[str]:
    """Take the pictures of each shop, of several below a folder each; what is wrong with them."""
    from playwright.sync_api import sync_playwright

    windows: dict[tuple[str, int, bool, bool], list[Picture]] = {}
    for each in pictures:
        windows.setdefault((each.language, each.width, each.is_dark, each.is_printed), []).append(each)
    with member(people, shop_ids, datetime.now(UTC)) as (login, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        photographer = Photographer(browser, settings.portal_address, login, password)
        for shop_id in shop_ids:
            of_shop = folder / shop_id if len(shop_ids) > 1 else folder
            of_shop.mkdir(parents=True, exist_ok=True)
            for window in windows.values():
                photographer.take(shop_id, window, of_shop)
        browser.close()
    return photographer.troubles


def main() -> int:
    """Take the pictures and name what is wrong."""
    from dashboard.portal.app import people_of

    parser = argparse.ArgumentParser(prog="python -m dashboard.pictures", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--shop", action="append", help="a shop; may repeat; left out: the first that is registered")
    parser.add_argument("--all", action="store_true", help="every page in both languages at both widths")
    parser.add_argument("--page", action="append", choices=_PAGES, help="only this page; may repeat")
    chosen = parser.parse_args()
    settings = get_settings()
    paths = Paths.of(settings)
    shop_ids = chosen.shop or [*Shops.load(paths.shops_file).shops][:1]
    pictures = whole_set() if chosen.all else shown_set()
    pictures = [each for each in pictures if each.page in (chosen.page or _PAGES)]
    troubles = take_all(settings, people_of(paths), shop_ids, pictures, chosen.out)
    print(f"{len(pictures) * len(shop_ids)} pictures in {chosen.out}")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
