"""Open the board in a real, headless Chromium, wait until every chart has drawn, and save a picture (main environment).

``python -m dashboard.screenshot OUT.png`` exits with 1 and names the charts when one shows an error or no data.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dashboard.admin import ADMIN, admin_password_file
from jishi.paths import Paths
from jishi.settings import get_settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

VISITS = 2
BOARD_SLUG = "jishi-today"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class BoardView:
    """What the browser saw: titles of the charts and, by title, what is wrong with one."""

    charts: list[str]
    troubles: dict[str, str]


class LoginRefused(RuntimeError):
    """Superset did not take name and password; the message says what its page says."""


def capture(base_url: str, password: str, out: Path, timeout_s: float = 90) -> BoardView:
    """Log in as admin, open the board, save its picture to ``out`` and tell what was seen.

    A visit that runs out of time, as it may on a busy machine, is tried once more, and so is a login that is refused: Superset
    was seen to count a login and not to know its session at the next request. What the board shows is never asked twice.
    Raises LoginRefused, or RuntimeError when no Chromium is installed or the board does not open within the time.
    """
    from playwright.sync_api import TimeoutError as PlaywrightTimeout
    from playwright.sync_api import sync_playwright

    chromium = chromium_path()
    out.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        for visit in range(1, VISITS + 1):
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 1900})
            page.set_default_timeout(timeout_s * 1000)
            try:
                _log_in(page, base_url, password)
                return _look(page, base_url, out)
            except LoginRefused:
                if visit == VISITS:
                    raise
            except PlaywrightTimeout as error:
                if visit == VISITS:
                    page.screenshot(path=str(out), full_page=True)
                    raise RuntimeError(f"the board did not open within {timeout_s:.0f} s, see {out}: {error}") from error
            finally:
                browser.close()
    raise AssertionError("every visit returns or raises")


def chromium_path() -> str:
    """The browser of this machine. Raises RuntimeError when none is installed."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("no Chromium found; install it (Debian: apt-get install chromium)")
    return path


def _log_in(page: Page, base_url: str, password: str) -> None:
    """Wait for the answer to the form, not for the welcome page behind it, which loads much that the board does not need.

    Raises LoginRefused.
    """
    page.goto(f"{base_url}/login/", wait_until="domcontentloaded")
    page.fill("#username", ADMIN)
    page.fill("#password", password)
    with page.expect_navigation(wait_until="commit"):
        page.click("button[type=submit], input[type=submit]")
    if urlsplit(page.url).path.startswith("/login"):
        page.wait_for_selector("#username")
        raise LoginRefused(f"Superset refused the login of {ADMIN!r}: {' '.join(page.inner_text('body').split())[:300]}")


def _look(page: Page, base_url: str, out: Path) -> BoardView:
    """Open the board, wait until every chart has drawn, and save its picture."""
    page.goto(f"{base_url}/superset/dashboard/{BOARD_SLUG}/", wait_until="domcontentloaded")
    page.wait_for_selector("[data-test='dashboard-header-container'], .dashboard-header")
    page.wait_for_selector(".chart-slice, [data-test='chart-grid-component']")
    page.wait_for_function("() => document.querySelectorAll('.loading, [data-test=loading-indicator]').length === 0")
    page.wait_for_timeout(2500)  # charts animate; a picture of a half-drawn bar would mislead
    charts = page.eval_on_selector_all(
        ".dashboard-component-chart-holder",
        """holders => holders.map(h => {
            const title = h.querySelector("[data-test='editable-title'], .header-title");
            const body = h.innerText;
            const bad = ["Unexpected error", "Data error", "No results", "Error:", "See more"].find(w => body.includes(w));
            return [title ? title.innerText.trim() : body.slice(0, 40), bad ? body.slice(0, 200) : ""];
        })""",
    )
    page.screenshot(path=str(out), full_page=True)
    return BoardView(charts=[title for title, _ in charts], troubles={t: bad for t, bad in charts if bad})


def main() -> None:
    """Take the picture of the running platform's board."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m dashboard.screenshot OUT.png")
    settings = get_settings()
    password = admin_password_file(Paths.of(settings)).read_text(encoding="utf-8").strip()
    view = capture(f"http://{settings.host}:{settings.superset_port}", password, Path(sys.argv[1]))
    print(f"{len(view.charts)} charts: {', '.join(view.charts)}")
    if view.troubles or not view.charts:
        sys.exit("charts with an error: " + "; ".join(f"{t}: {bad}" for t, bad in view.troubles.items()))


if __name__ == "__main__":
    main()
