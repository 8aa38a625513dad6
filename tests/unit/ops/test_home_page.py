"""The home page links every part in two languages and takes nothing from the internet."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jishi.paths import Paths
from jishi.settings import Settings
from ops.parts import parts
from ops.site.home import PARTS, write_home


class Page(HTMLParser):
    """Links, and texts by language."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: dict[str, list[str]] = {"zh": [], "en": []}
        self._language: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert tag not in ("img", "iframe", "link")
        assert "src" not in values
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag == "span" and values.get("lang"):
            self._language = values["lang"]

    def handle_data(self, data: str) -> None:
        if self._language:
            self.texts[self._language].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._language = None


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3"])
def test_every_part_and_page_is_there_in_both_languages(tmp_path: Path, host: str) -> None:
    settings = Settings(var=tmp_path / "var", host=host, superset_port=4001, _env_file=None)  # type: ignore[call-arg]
    paths = Paths.of(settings)
    (paths.site / "notebooks").mkdir(parents=True)
    (paths.site / "notebooks" / "sales & more.html").write_text("x")
    text = write_home(settings, paths).read_text(encoding="utf-8")
    page = Page(text)
    assert f"http://{host}:4001/superset/dashboard/jishi-today/" in page.links
    assert {
        f"http://{host}:18081/docs",
        f"http://{host}:18081/storefront",
        f"http://{host}:18080/v1/live",
        f"http://{host}:18084/",
    } <= set(page.links)
    assert "/notebooks/sales & more.html" in page.links
    assert all(re.match(rf"http://{host}:\d+/|/", link) for link in page.links)
    assert not re.search(r"(?<!href=\")https?://(?!10\.1\.2\.3|127\.0\.0\.1)", text)
    assert len(page.texts["zh"]) == len(page.texts["en"]) > 20
    assert re.search("[\u4e00-\u9fff]", "".join(page.texts["zh"]))
    assert {part.name for part in parts(settings, paths)} == PARTS.keys()


def test_a_platform_on_every_address_is_linked_by_one_that_works(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var", host="0.0.0.0", _env_file=None)  # type: ignore[call-arg]
    page = Page(write_home(settings, Paths.of(settings)).read_text(encoding="utf-8"))
    assert all("0.0.0.0" not in link for link in page.links)
