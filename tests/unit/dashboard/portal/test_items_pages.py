"""The pages of items and of recommendations show what stands in the marts, and say what they do not know."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dashboard.portal import twins as twin_shops
from tests.unit.dashboard.portal.test_numbers import row_of, tiles_of, words_of
from tests.unit.dashboard.portal.twins import NEWEST, NOW, PLAIN, TwinShops


@pytest.fixture(autouse=True)
def _clock(twins: TwinShops) -> None:
    twins.now = NOW


def cells_of(text: str, heading: str) -> list[list[str]]:
    """Rows of the first table that has a column of this heading, as a person reads them."""
    tables = re.findall(r"<table>(.*?)</table>", text, re.S)
    [table, *_] = [table for table in tables if heading in words_of(table.partition("</thead>")[0])]
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("</thead>")[2], re.S)
    return [[words_of(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.S)] for row in rows]


def directions_of(text: str) -> dict[str, list[str]]:
    """Of each tile, whether it is more or less than what it is compared with."""
    tiles = re.findall(r'<article class="tile">(.*?)</article>', text, re.S)
    titles = [words_of(re.sub(r"<a.*?</a>", "", tile[: tile.index("</h2>")], flags=re.S)) for tile in tiles]
    return {title: re.findall(r'class="direction"', tile) for title, tile in zip(titles, tiles, strict=True)}


def test_a_periods_items_are_those_of_the_mart_and_lead_to_the_item(twins: TwinShops) -> None:
    client = twins.client()
    text = client.get(f"/shops/{PLAIN}/items?days=7").text
    row = row_of(twins, NEWEST, "fct_item_periods", "first_date", period_days="7")
    [first, *_] = cells_of(text, "Sell-through")
    assert first[0] == "Dress"
    assert f"{100 * row['view_to_pay_rate']:.2f}" in first
    assert set(re.findall(rf'href="(/shops/{PLAIN}/items/[^"]+)"', text)) == {f"/shops/{PLAIN}/items/i1"}
    assert "Dress" in client.get(f"/shops/{PLAIN}/items/i1").text
    refused = client.get(f"/shops/{PLAIN}/items?days=8")
    assert (refused.status_code, "days is not one of 7, 30, 90" in refused.text) == (400, True)


def test_the_rows_behind_a_list_are_of_its_category_and_period(twins: TwinShops) -> None:
    text = twins.client().get(f"/shops/{PLAIN}/items?days=7&category=plain-category").text
    links = {unescape(link) for link in re.findall(r'href="([^"]+/rows/[^"]+)"', text)}
    expected = {
        "item-stock?is_restock_candidate=true&category=plain-category",
        "item-stock?is_slow_mover=true&category=plain-category",
        "price-bands?period_days=7",
        "categories?period_days=7",
    }
    behind = {link.partition("/rows/")[2] for link in links if re.search("stock|price-bands|categories", link)}
    assert behind <= expected
    assert behind & {"price-bands?period_days=7", "categories?period_days=7"}
    assert any("item-stock" in link for link in behind)


def test_items_of_any_days_are_summed_by_the_metric_layer(twins: TwinShops) -> None:
    days = [NEWEST - timedelta(days=back) for back in (6, 5, 4)]
    client, address = twins.client(), f"/shops/{PLAIN}/items?from={days[0]}&to={days[-1]}"
    text = client.get(address).text
    sold = [row_of(twins, day, "fct_item_days") for day in days]
    pieces = sum(int(row["units"]) for row in sold)
    [first, *others] = cells_of(text, "Visits that looked")
    assert (first[0], first[2], others) == ("Dress", f"{pieces:,}", [])
    assert tiles_of(text)["Pieces by item"][0] == f"{pieces:,} pieces"
    [hint] = re.findall(r'<p class="hint">(Not known for this choice.*?)</p>', text, re.S)
    assert words_of(hint).endswith("Item views, Sell-through, Price bands")
    assert "<h2>Price bands</h2>" not in text
    for link in {unescape(link) for link in re.findall(r'href="([^"]+rows/item-days[^"]+)"', text)}:
        exported = client.get(link.replace("/rows/item-days", "/export/item-days.csv")).text
        assert [line.partition(",")[0] for line in exported.splitlines()[1:]] == [f"{day}" for day in days[::-1]], link
    assert twins.portal.audit.newest(PLAIN)[0].detail["from"] == f"{days[0]}"
    assert len(cells_of(client.get(f"{address}&name=dre").text, "Visits that looked")) == 1
    assert "Nothing here" in client.get(f"{address}&name=hat").text
    assert "Nothing here" in client.get(f"{address}&category=nothing").text
    refused = client.get(f"/shops/{PLAIN}/items?from={NEWEST + timedelta(days=1)}")
    assert (refused.status_code, "lies after the last" in refused.text) == (400, True)


def test_days_that_marts_sum_up_are_their_period_however_they_are_asked_for(twins: TwinShops) -> None:
    client = twins.client()
    of_period = client.get(f"/shops/{PLAIN}/items?days=7").text
    of_days = client.get(f"/shops/{PLAIN}/items?from={NEWEST - timedelta(days=6)}&to={NEWEST}").text
    assert cells_of(of_period, "Sell-through") == cells_of(of_days, "Sell-through") != []
    assert "Items of 7 days" in of_days


def test_a_channel_shows_who_looked_at_categories_and_says_that_sales_of_items_are_not_known_by_it(twins: TwinShops) -> None:
    client, days = twins.client(), f"from={NEWEST - timedelta(days=3)}&to={NEWEST - timedelta(days=2)}"
    text = client.get(f"/shops/{PLAIN}/items?{days}&channel=plain-channel").text
    assert tiles_of(text)["Visits that saw an item of the category"][0] == "2 visits"
    [hint] = re.findall(r'<p class="hint">(Not known for this choice.*?)</p>', text, re.S)
    for name in ("Net revenue of items", "Pieces by item", "To restock", "Price bands", "Categories"):
        assert name in words_of(hint), name
        assert name not in tiles_of(text), name
    assert "Dress" not in text
    assert all(f"<h2>{title}</h2>" not in text for title in ("To restock", "Lies too long", "Price bands", "Categories"))
    [row] = cells_of(text, "From view to payment of the category")
    assert row[0] == "2"
    for link in {unescape(link) for link in re.findall(r'class="behind" href="([^"]+)"', text)}:
        assert client.get(link).text.count("<tr>") == 3, link
    elsewhere = client.get(f"/shops/{PLAIN}/items?{days}&channel=elsewhere").text
    assert "Nothing here" in elsewhere


def test_an_item_that_nobody_has_is_no_page(twins: TwinShops) -> None:
    client = twins.client()
    for item_id in ("nothing", "a%2Fb", "%7B%7Bx%7D%7D", "..%2F..%2Ftoday"):
        assert client.get(f"/shops/{PLAIN}/items/{item_id}").status_code == 404, item_id


def test_views_of_an_item_before_the_shop_had_pages_are_unknown(
    tmp_path: Path, semantic_manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A till sold it on these days: that nobody looked at it is not known."""
    value = twin_shops._value
    monkeypatch.setattr(
        twin_shops,
        "_value",
        lambda name, *row: None if name == "item_views" and row[-1] > 3 else value(name, *row),
    )
    text = TwinShops(tmp_path, semantic_manifest).client().get(f"/shops/{PLAIN}/items/i1").text
    charts = [json.loads(unescape(script)) for script in re.findall(r'<script type="application/json">(.*?)</script>', text)]
    views, pieces = ([day is None for day in chart["series"][0]["values"]] for chart in charts)
    assert views == [True] * (len(views) - 4) + [False] * 4
    assert not any(pieces)


def test_recommendations_stand_beside_the_period_before_where_it_is_known(twins: TwinShops) -> None:
    client = twins.client()
    days = {"from": NEWEST - timedelta(days=2), "to": NEWEST}
    address = f"/shops/{PLAIN}/recommendations?from={days['from']}&to={days['to']}"
    text = client.get(address).text
    impressions = [
        sum(row_of(twins, NEWEST - timedelta(days=back + n), "fct_recommendation_days")["impressions"] for n in range(3))
        for back in (0, 3)
    ]
    assert tiles_of(text)["Recommended items shown"] == [f"{n:,} impressions" for n in impressions]
    clicks = [row_of(twins, NEWEST - timedelta(days=n), "fct_recommendation_days")["clicks"] for n in range(3)]
    share = f"{100 * sum(clicks) / impressions[0]:.2f} %"
    assert tiles_of(text)["Click-through rate of recommendations"][0] == share
    [row] = cells_of(text, "Placement")
    assert row[:3] == ["plain-placement", f"{impressions[0]:,}", f"{sum(clicks):,}"]
    assert "need not have been caused by it" in text
    # The last day is not over: fewer items shown than in three whole days say nothing, a share does.
    assert directions_of(text)["Recommended items shown"] == []
    assert len(directions_of(text)["Click-through rate of recommendations"]) == 1
    over = client.get(f"/shops/{PLAIN}/recommendations?from={NEWEST - timedelta(days=3)}&to={NEWEST - timedelta(days=1)}").text
    assert len(directions_of(over)["Recommended items shown"]) == 1
    # The shop is not old enough for a period before: nothing is compared, rather than with nothing sold.
    long = client.get(f"/shops/{PLAIN}/recommendations?from={NEWEST - timedelta(days=9)}&to={NEWEST}").text
    assert len(tiles_of(long)["Recommended items shown"]) == 1


def test_recommendations_are_not_compared_with_days_on_which_there_were_none_yet(
    tmp_path: Path, semantic_manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They began four days ago, in a shop that is older: two days may be compared with two, three with none."""
    fill = twin_shops._fill

    def fill_late(connection: Any, mart: str) -> None:
        fill(connection, mart)
        if mart == "fct_recommendation_days":
            connection.execute(f"delete from {mart} where shop_date <= ?", [NEWEST - timedelta(days=4)])

    monkeypatch.setattr(twin_shops, "_fill", fill_late)
    client = TwinShops(tmp_path, semantic_manifest).client()
    for days, compared in ((2, 1), (3, 0)):
        address = f"/shops/{PLAIN}/recommendations?from={NEWEST - timedelta(days=days - 1)}&to={NEWEST}"
        assert len(tiles_of(client.get(address).text)["Recommended items shown"]) == 1 + compared, days


def test_a_choice_of_recommendations_leads_to_its_rows_and_one_without_any_says_so(twins: TwinShops) -> None:
    client = twins.client()
    text = client.get(f"/shops/{PLAIN}/recommendations?by=person_kind&placement=plain-placement").text
    links = {unescape(link) for link in re.findall(r'href="([^"]+rows/recommendation-[^"]+)"', text)}
    assert len(links) >= 3
    for link in links:
        assert "plain-placement" in link
        assert client.get(link).text.count("<tr>") > 1, link
    for by in ("served_by", "model", "model_version", "reason", "person_kind", "rules_version", "arm"):
        text = client.get(f"/shops/{PLAIN}/recommendations?by={by}").text
        links = re.findall(r'href="([^"]+rows/recommendation-days[^"]+)"', text)
        of_values = [unescape(link) for link in links if f"{by}=" in link]
        assert of_values, by
        assert all(client.get(link).text.count("<tr>") > 1 for link in of_values), by
    empty = client.get(f"/shops/{PLAIN}/recommendations?placement=nowhere")
    assert (empty.status_code, "Send recommendation_shown" in empty.text) == (200, True)
    template = client.get(f"/shops/{PLAIN}/recommendations?placement=%7B%7B%20x%20%7D%7D")
    assert (template.status_code, "Nothing here" in template.text) == (200, True)
    assert client.get(f"/shops/{PLAIN}/recommendations?by=shop_id").status_code == 400
