"""A channel or a device chooses every number of a day that is known of it; others say that they are not, and are not shown."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest

from dashboard.portal.columns import column_named
from dashboard.portal.formats import Formats
from dashboard.portal.pages.day_parts import KNOWN_BY, OF_CATEGORY_VISITS, OF_ITEMS, OF_ORDERS, OF_VISITS
from dashboard.portal.published_marts import MetricQuestion, PublishedMarts
from dashboard.portal.shop_marts import marts_of_shop
from jishi.metrics import TimeRange, equals
from tests.unit.dashboard.portal.test_numbers import charts_of, tiles_of, words_of
from tests.unit.dashboard.portal.twins import NEWEST, NOW, PLAIN, TwinShops

DAY = NEWEST - timedelta(days=3)
FORMATS = Formats("en", "CNY", "Asia/Shanghai")


@pytest.fixture(autouse=True)
def _clock(twins: TwinShops) -> None:
    twins.now = NOW


def answered(twins: TwinShops, name: str, day: date, **part: str) -> str:
    """A number of a day as the metric layer answers it, as a person reads it."""
    column = column_named(name)
    where = tuple(equals(dimension, value) for dimension, value in part.items())
    assert column.metric
    with marts_of_shop(PublishedMarts(twins.settings), PLAIN) as marts:
        rows = marts.metric_rows(MetricQuestion((column.metric,), where=where, days=TimeRange(day, day)))
    return str(FORMATS.value(column, rows[0][column.metric] if rows else None))


def test_the_metric_layer_knows_each_number_by_what_it_is_chosen_by(twins: TwinShops) -> None:
    build = PublishedMarts(twins.settings).newest()
    numbers = {"purchase": OF_ORDERS, "visit": OF_VISITS, "item_day": OF_ITEMS, "visit_category": OF_CATEGORY_VISITS}
    assert numbers.keys() == KNOWN_BY.keys()
    for entity, names in numbers.items():
        for name in names:
            known = build.dimensions(column_named(name).metric or "")
            assert {f"{entity}__{each}" for each in KNOWN_BY[entity]} <= set(known), name


@pytest.mark.parametrize("channel", ["plain-channel", "it's", "<b>"])
def test_a_channel_chooses_every_number_of_the_day_and_of_the_days_beside_it(twins: TwinShops, channel: str) -> None:
    text = twins.client().get(f"/shops/{PLAIN}/today", params={"date": f"{DAY}", "channel": channel}).text
    tiles = tiles_of(text)
    for name, entity in (("orders", "purchase"), ("net_gmv_minor", "purchase"), ("visitors", "visit"), ("conversion", "visit")):
        days = [DAY - timedelta(days=back) for back in (0, 1, 7)]
        part = {f"{entity}__channel": channel}
        is_there = channel == "plain-channel"
        nothing = {"orders": "0 orders", "net_gmv_minor": "0.00 CNY", "visitors": "0 people", "conversion": "– unknown"}[name]
        expected = [answered(twins, name, day, **part) if is_there else nothing for day in days]
        assert tiles[column_named(name).en][:3] == expected, name
    links = re.findall(r'class="behind" href="([^"]+)"', text)
    assert links
    assert all("channel=" in link for link in links)
    assert [chart["title"] for chart in charts_of(text)][:2] == ["Net sales by day", "Orders by day"]


@pytest.mark.parametrize("page", ["today?channel", "traffic?device", "items?category", "channels?channel"])
def test_a_value_with_signs_of_a_template_is_refused_in_words(twins: TwinShops, page: str) -> None:
    answer = twins.client().get(f"/shops/{PLAIN}/{page}=%7B%7B%20x%20%7D%7D")
    assert (answer.status_code, "cannot be chosen by this" in answer.text) == (400, True)


def test_what_is_not_known_by_device_is_left_out_by_name(twins: TwinShops) -> None:
    for page, names in (("today", ("Net sales", "Orders", "Refunds")), ("traffic", ("Page views", "Bots"))):
        text = twins.client().get(f"/shops/{PLAIN}/{page}?device=plain-device").text
        [hint] = re.findall(r'<p class="hint">(Not known for this choice.*?)</p>', text, re.S)
        for name in names:
            assert name in words_of(hint), name
            assert name not in tiles_of(text), name
        assert "Visitors" in tiles_of(text)
        assert "Not known for this choice" not in twins.client().get(f"/shops/{PLAIN}/{page}").text


@pytest.mark.parametrize("page", ["today?date", "traffic?from=2026-11-20&to"])
def test_a_category_has_numbers_of_what_sold_and_who_looked_and_none_of_whole_orders(twins: TwinShops, page: str) -> None:
    text = twins.client().get(f"/shops/{PLAIN}/{page}={DAY}&category=plain-category").text
    tiles = tiles_of(text)
    known = OF_CATEGORY_VISITS if page.startswith("traffic") else (*OF_ITEMS, *OF_CATEGORY_VISITS)
    assert [*tiles] == [column_named(name).en for name in known]
    for name in known:
        entity = "item_day" if name in OF_ITEMS else "visit_category"
        days = [DAY - timedelta(days=back) for back in (0, 1, 7)]
        expected = [answered(twins, name, day, **{f"{entity}__category": "plain-category"}) for day in days]
        assert tiles[column_named(name).en][:3] == expected, name
    [hint] = re.findall(r'<p class="hint">(Not known for this choice.*?)</p>', text, re.S)
    assert {"Visitors", "Conversion"} <= set(words_of(hint).partition(": ")[2].split(", "))
    links = {unescape(link) for link in re.findall(r'class="behind" href="([^"]+)"', text)}
    assert {link.partition("/rows/")[2].partition("?")[0] for link in links} <= {"item-days", "visit-categories"}
    for link in links:
        assert "category=plain-category" in link
        assert twins.client().get(link).text.count("<tr>") == 2, link
    assert all(f"{title} by day" in text for title in ("Visits to the category", "Conversion of the category"))


def test_what_sold_of_a_category_is_not_known_by_channel(twins: TwinShops) -> None:
    address = f"/shops/{PLAIN}/today?date={DAY}&category=plain-category&channel=plain-channel"
    text = twins.client().get(address).text
    assert [*tiles_of(text)] == [column_named(name).en for name in OF_CATEGORY_VISITS]
    [hint] = re.findall(r'<p class="hint">(Not known for this choice.*?)</p>', text, re.S)
    assert all(column_named(name).en in words_of(hint) for name in (*OF_ITEMS, "orders", "visitors"))
    entry = twins.portal.audit.newest(PLAIN)[0]
    assert (entry.detail["category"], entry.detail["channel"]) == ("plain-category", "plain-channel")
    nothing = tiles_of(twins.client().get(f"/shops/{PLAIN}/today?date={DAY}&category=<b>it's").text)
    assert nothing["Net revenue of items"][0] == "0.00 CNY"
    assert nothing["Conversion of the category"][0] == "– unknown"


def test_a_part_of_a_day_that_is_not_over_is_compared_with_nothing(twins: TwinShops) -> None:
    text = twins.client().get(f"/shops/{PLAIN}/today?channel=plain-channel").text
    assert all(len(values) == 1 for values in tiles_of(text).values())
    assert "compared with other days once it is over" in text


def test_the_choice_stays_with_other_days_and_runs_beside_the_chart(twins: TwinShops) -> None:
    address = f"/shops/{PLAIN}/today?date={DAY}&compare=week_before&channel=plain-channel"
    text = twins.client().get(address).text
    assert f"date={DAY - timedelta(days=1)}&amp;channel=plain-channel&amp;compare=week_before" in text
    charts: dict[str, dict[str, Any]] = {chart["title"]: chart for chart in charts_of(text)}
    orders = charts["Orders by day"]
    assert orders["compared"][0]["values"][-1] == orders["series"][0]["values"][-8] is not None
    traffic = twins.client().get(f"/shops/{PLAIN}/traffic?channel=plain-channel&category=plain-category").text
    assert all("channel=plain-channel" in link for link in re.findall(r'class="button quiet" href="([^"]+)"', traffic))
    assert json.dumps(charts_of(traffic)) != json.dumps(
        charts_of(twins.client().get(f"/shops/{PLAIN}/traffic?channel=nowhere").text)
    )
