"""A visit of the storefront in which a click changes the list that stands on the same page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class ReadClick:
    """What the page says of its list once the click is in it, after how many seconds, and the reasons of its items."""

    status: str
    took_s: float
    titles: list[str]
    reasons: list[str]
    title: str


def click_an_item(page: Page, address: str, place: int = 0) -> ReadClick:
    """Open the storefront, its last category, and the item at ``place`` of it; wait until the page's own list has the click."""
    page.goto(address)
    page.wait_for_selector("[data-list=home] .card")
    page.click("nav a >> nth=-1")
    page.wait_for_selector("[data-list=category] .card")
    page.click(f"[data-list=category] .card >> nth={place} >> a")
    page.wait_for_selector("[data-list=home][data-took-s]", timeout=30_000)
    home = page.locator("[data-list=home]")
    return ReadClick(
        home.locator(".status").first.inner_text(),
        float(home.get_attribute("data-took-s") or "nan"),
        home.locator(".title").all_inner_texts(),
        home.locator(".reason").all_inner_texts(),
        page.locator("h1").inner_text(),
    )
