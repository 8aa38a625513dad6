"""The data dictionary has every mart, column and metric, says what each means in both languages, and needs no internet."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from jishi.lake.reading import open_version
from jishi.lake.versions import MartsFile, Versions
from jishi.metrics import metrics_of
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from jishi.tables import SILVER_EVENTS
from ops.site.dictionary import in_both, mart_entries, write_dictionary
from ops.site.home import write_home
from tests.lake import record, settings_in
from tests.marts import create_marts

CHINESE = re.compile("[\u4e00-\u9fff]")


class DictionaryPage(HTMLParser):
    """Ids, links and texts by language; ``rows`` are the words of code in each entry."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.languages = Counter[str]()
        self.codes: dict[str, list[str]] = {}
        self._in_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert "src" not in values
        self._in_code = tag == "code"
        if tag == "details":
            self.ids.append(values["id"] or "")
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag == "span":
            self.languages[values["lang"] or ""] += 1

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.codes.setdefault(self.ids[-1], []).append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False


def contracts() -> dict[str, dict[str, Any]]:
    """The marts as their YAML has them."""
    files = (PROJECT_ROOT / "dbt" / "models" / "marts").rglob("*__models.yml")
    return {model["name"]: model for file in files for model in yaml.safe_load(file.read_text())["models"]}


@pytest.fixture
def page(tmp_path: Path, parsed_project: Path, semantic_manifest: dict[str, Any]) -> DictionaryPage:
    settings = settings_in(tmp_path / "var")
    paths = Paths.of(settings)
    paths.marts_files.mkdir(parents=True)
    (paths.warehouse / "target").mkdir()
    shutil.copy(parsed_project / "manifest.json", paths.warehouse / "target")
    with duckdb.connect(str(paths.marts_files / "hand.duckdb")) as marts:
        create_marts(marts, semantic_manifest)
        known = datetime(2026, 11, 2, 15, 30)  # noqa: DTZ001 (marts keep UTC instants without a zone)
        days = [("a<b", date(2026, 11, day), known) for day in (1, 2)]
        marts.executemany("insert into fct_shop_days (shop_id, shop_date, as_of_at) values (?, ?, ?)", days)
    versions, version = Versions.of(settings), record(settings.var, {SILVER_EVENTS: []})
    file = MartsFile("marts/hand.duckdb", "", version.number)
    versions.commit(replace(version, number=version.number + 1, base=version.number, marts=file, changes={}))
    text = write_dictionary(paths, open_version(settings)).read_text("utf-8")
    assert "<td>a&lt;b</td><td>2026-11-02</td><td>2026-11-02 15:30</td>" in text
    assert not re.search("https?://", text)
    assert "/dictionary/" in write_home(settings, paths).read_text("utf-8")
    return DictionaryPage(text)


def test_every_mart_column_and_metric_is_there(page: DictionaryPage, semantic_manifest: dict[str, Any]) -> None:
    marts, metrics = contracts(), metrics_of(semantic_manifest)
    assert sorted(page.ids) == sorted([*marts, *metrics])
    for name, mart in marts.items():
        assert page.codes[name] == [name, *(column["name"] for column in mart["columns"])]
    for name, metric in metrics.items():
        assert page.codes[name] == [name, metric.formula]
    assert page.languages["zh"] == page.languages["en"] > 500


def test_lineage_leads_to_what_is_on_the_page(page: DictionaryPage, parsed_project: Path) -> None:
    assert {"#fct_orders", "#gmv"} <= set(page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    entries = {entry.name: entry for entry in mart_entries(json.loads((parsed_project / "manifest.json").read_text()))}
    assert "int_orders_valued" in entries["fct_orders"].sources
    assert {"fct_shop_days", "gmv (metric)", "portal (page or job)"} <= set(entries["fct_orders"].readers)
    assert entries["fct_orders"].owner.en == "Merchant analytics"
    assert entries["person_daily"].owner.en == "Recommendations"


def test_every_mart_and_column_is_described_in_english_and_chinese() -> None:
    wrong = []
    for name, mart in contracts().items():
        english = in_both(mart.get("description", "")).en
        if not english.endswith(".") or CHINESE.search(english):
            wrong.append(f"{name}: {english!r}")
        for column in mart["columns"]:
            text = in_both(column.get("description", ""))
            if not text.en.endswith(".") or CHINESE.search(text.en) or not CHINESE.search(text.zh):
                wrong.append(f"{name}.{column['name']}: {text}")
    assert wrong == [], 'write an English sentence with a full stop, then the Chinese: "Pieces sold. 销量"'
