"""Own boards: charts equal the metric layer, a known zero is no gap, hostile questions see no other shop, makers keep them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from dashboard.portal.board_charts import answer_of, choices_of
from dashboard.portal.boards import MOST_CHARTS, BoardChart, moved
from dashboard.portal.formats import Formats
from dashboard.portal.shop_marts import ShopMarts, marts_of_shop
from jishi.metrics import ALL_DAYS, MetricSql, TimeRange
from jishi.paths import Paths
from tests.unit.dashboard.portal.twins import CANARY, DAYS, NEWEST, PLAIN, TwinShops, canaries_in, post

FORMATS = Formats("en", "JPY", "UTC")


def asked(twins: TwinShops, chart: BoardChart, days: TimeRange = ALL_DAYS) -> Any:
    """A chart's answer for the plain shop."""
    with marts_of_shop(twins.portal.marts, PLAIN) as marts:
        return answer_of(marts, FORMATS, chart, days, "unknown", may_see_persons=True)


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        ("gmv", "purchase__channel"),
        ("buyers", "metric_time__day"),
        ("conversion", "visit__device"),
        ("net_gmv", "metric_time__month"),
    ],
)
def test_a_chart_shows_what_the_metric_layer_says(
    twins: TwinShops, semantic_manifest: dict[str, Any], metric: str, by: str
) -> None:
    answer = asked(twins, BoardChart(metric=metric, kind="table", by=by))
    [file] = Paths.of(twins.settings).marts_files.glob("*.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        sql = MetricSql(semantic_manifest).select([metric], [by], shop_id=PLAIN)
        rows = connection.execute(f"select {by}, {metric} from ({sql})").fetchall()
    values = {f"{key:%Y-%m-%d}" if isinstance(key, date) else key.replace("_", " "): value for key, value in rows}
    assert {label: f"{shown}" for label, shown, _ in answer.rows} == {
        label: f"{FORMATS.value(answer.column, value)}" for label, value in values.items()
    }
    assert answer.rows


def asked_without(twins: TwinShops, chart: BoardChart, gone: Callable[[date], bool], days: TimeRange = ALL_DAYS) -> Any:
    """A chart's answer for the plain shop whose metric has no rows on the days that are gone."""
    with marts_of_shop(twins.portal.marts, PLAIN) as marts:
        rows = marts.metric_rows

        def without_some_days(question: Any, persons: Any = None) -> list[dict[str, Any]]:
            return [row for row in rows(question, persons) if not gone(row.get(chart.by or "", NEWEST))]

        object.__setattr__(marts, "metric_rows", without_some_days)
        return answer_of(marts, FORMATS, chart, days, "", False)


@pytest.mark.parametrize(
    ("metric", "value"), [("orders", 0), ("net_gmv", 0), ("buyers", 0), ("sessions", 0), ("conversion", None), ("spend", None)]
)
def test_a_known_day_without_rows_is_zero_and_the_unknown_a_gap(twins: TwinShops, metric: str, value: int | None) -> None:
    """Counts and sums of the shop's own days are 0; a ratio has no value, and spend that nobody imported is unknown."""
    gone = [NEWEST - timedelta(days=3), NEWEST - timedelta(days=4)]
    chart = BoardChart(metric=metric, kind="line", by="metric_time__day")
    lines = asked_without(twins, chart, lambda day: _date(day) in gone).lines
    assert len(lines["days"]) == DAYS
    assert {after - before for before, after in pairwise(lines["days"])} == {86400}
    [series] = lines["series"]
    assert series["values"][DAYS - 5 : DAYS - 3] == [value, value]
    assert None not in series["values"][: DAYS - 5]


def test_days_before_the_shop_and_after_its_newest_are_neither_zero_nor_drawn(twins: TwinShops) -> None:
    chart, wide = BoardChart(metric="orders", kind="line", by="metric_time__day"), timedelta(days=40)
    days = TimeRange(NEWEST - wide, NEWEST + wide)
    lines = asked_without(twins, chart, lambda _: True, days).lines
    assert len(lines["days"]) == DAYS
    assert set(lines["series"][0]["values"]) == {0}
    later = TimeRange(NEWEST + timedelta(days=1), NEWEST + wide)
    assert asked_without(twins, chart, lambda _: True, later).lines["days"] == []
    [(_, nothing, _)] = asked_without(twins, BoardChart(metric="orders", kind="number"), lambda _: True, days).rows
    assert nothing.text == "0"


def test_a_till_has_no_visits_rather_than_none_of_them(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    select = ShopMarts.select

    def without_storefront(marts: ShopMarts, mart: str, columns: Any, where: Any = (), *rest: Any, **more: Any) -> Any:
        return [] if any(each.column == "visitors" for each in where) else select(marts, mart, columns, where, *rest, **more)

    monkeypatch.setattr(ShopMarts, "select", without_storefront)
    for metric, shown in (("sessions", []), ("orders", [0] * DAYS)):
        lines = asked_without(twins, BoardChart(metric=metric, kind="line", by="metric_time__day"), lambda _: True).lines
        assert lines["series"][0]["values"] == shown


def _date(day: Any) -> date:
    return day.date() if isinstance(day, datetime) else day


def test_months_have_no_holes_either(twins: TwinShops) -> None:
    lines = asked(twins, BoardChart(metric="orders", kind="line", by="metric_time__month")).lines
    assert len(lines["days"]) == 1
    weeks = asked(twins, BoardChart(metric="orders", kind="line", by="metric_time__week")).lines["days"]
    assert {after - before for before, after in pairwise(weeks)} == {7 * 86400}


def test_a_period_is_that_of_the_days(twins: TwinShops) -> None:
    chart = BoardChart(metric="orders", kind="number")
    [(_, all_orders, _)] = asked(twins, chart).rows
    [(_, last, _)] = asked(twins, chart, TimeRange(NEWEST, NEWEST)).rows
    assert (all_orders.text, last.text) == (f"{DAYS}", "1")
    [(_, nothing, _)] = asked(twins, chart, TimeRange(date(2020, 1, 1), date(2020, 1, 2))).rows
    assert nothing.text == "–"


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "gmv from fct_orders --", "kind": "number"},
        {"metric": "nothing", "kind": "number"},
        {"metric": "gmv", "kind": "bar", "by": "shop"},
        {"metric": "gmv", "kind": "bar", "by": "shop__currency"},
        {"metric": "gmv", "kind": "table", "by": "purchase__channel, shop"},
        {"metric": "gmv", "kind": "line", "by": "purchase__channel"},
        {"metric": "gmv", "kind": "pie", "by": "purchase__channel"},
        {"metric": "gmv", "kind": "bar", "by": "purchase__channel", "filter_by": "shop", "filter_value": CANARY},
        {"metric": "gmv", "kind": "bar", "by": "purchase__channel", "filter_by": "1=1) or (shop", "filter_value": CANARY},
        {"metric": "conversion", "kind": "bar", "by": "purchase__channel"},
    ],
)
def test_a_question_that_cannot_be_answered_is_not_kept(twins: TwinShops, fields: dict[str, str]) -> None:
    client = twins.client()
    answer = post(client, f"/shops/{PLAIN}/boards/1/charts/add", **fields)
    assert answer.status_code == 400
    assert len(twins.portal.boards.get(PLAIN, f"owner@{PLAIN}.example", 1).charts) == 4


@pytest.mark.parametrize(
    "value",
    [
        f"x' or shop = '{CANARY}",
        "x') union all select shop_id, channel, 1 from published.fct_orders --",
        f"x' in (select channel from published.fct_orders where shop_id = '{CANARY}') or 'x' = 'x",
        "{{ Entity('shop') }}",
        "{% raw %}",
    ],
)
def test_a_hostile_filter_shows_nothing_of_another_shop(twins: TwinShops, value: str) -> None:
    chart = BoardChart(metric="gmv", kind="table", by="purchase__channel", filter_by="purchase__channel", filter_value=value)
    answer = asked(twins, chart)
    assert not canaries_in(repr(answer).encode())
    assert answer.rows == () or list(answer.rows) == []


def test_a_board_is_made_ordered_shared_and_deleted(twins: TwinShops) -> None:
    analyst, marketer, reader = twins.client("analyst"), twins.client("marketer"), twins.client("read_only")
    address = post(analyst, f"/shops/{PLAIN}/boards/create", title="周会 <i>").headers["location"]
    assert marketer.get(address).status_code == 404
    for metric in ("orders", "buyers", "gmv"):
        assert post(analyst, f"{address}/charts/add", metric=metric, kind="number", by="metric_time__day").status_code == 303
    post(analyst, f"{address}/charts/change", place="2", act="up")
    post(analyst, f"{address}/charts/change", place="0", act="remove")
    page = analyst.get(f"{address}?days=all&metric=orders").text
    assert re.findall(r'href="\S+/metrics/(\w+)"', page) == ["gmv", "buyers"]
    assert "周会 &lt;i&gt;" in page
    assert 'value="customer__segment"' in page
    assert 'value="customer__segment_zh"' not in page
    assert post(analyst, f"{address}/rename", title="Weekly", shared="on").status_code == 303
    # Others see what is shared and change nothing; an owner may.
    assert reader.get(address).status_code == 200
    assert "Add a chart" not in marketer.get(address).text
    assert post(marketer, f"{address}/delete").status_code == 404
    assert post(twins.client(shop_id=CANARY), f"/shops/{CANARY}/boards/{address.rsplit('/')[-1]}/delete").status_code == 404
    for _ in range(MOST_CHARTS - 2):
        post(analyst, f"{address}/charts/add", metric="orders", kind="number")
    assert "at most 12" in post(analyst, f"{address}/charts/add", metric="orders", kind="number").text
    assert post(twins.client(), f"{address}/delete").status_code == 303
    assert analyst.get(address).status_code == 404


def test_the_page_hands_the_script_what_it_draws(twins: TwinShops) -> None:
    page = twins.client().get(f"/shops/{PLAIN}/boards/1?days=28").text
    [text] = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert json.loads(text)["series"][0]["values"][-1] is not None


def test_a_metric_that_is_gone_is_said(twins: TwinShops) -> None:
    answer = asked(twins, BoardChart(metric="no_such_metric", kind="number"))
    assert answer.column is None


def test_every_dimension_of_the_metric_layer_can_be_chosen_or_is_named_with_its_reason(
    twins: TwinShops, semantic_manifest: dict[str, Any]
) -> None:
    """MetricFlow's own list of dimensions is the measure; each chart that may be chosen is then answered."""
    layer = MetricSql(semantic_manifest)
    with marts_of_shop(twins.portal.marts, PLAIN) as marts:
        for metric in marts.build.metrics:
            choices = choices_of(marts.build, metric, may_see_persons=True)
            listed = {name.removesuffix("__month") for name in choices.dimensions} | set(choices.by_time)
            whole = layer.dimensions(metric)
            assert listed == {name.removesuffix("_zh") for name in whole}, metric
            assert not choices.of_persons
            hidden = choices_of(marts.build, metric, may_see_persons=False)
            assert {*hidden.dimensions, *hidden.of_persons} == {*choices.dimensions}, metric
            for by in choices.dimensions:
                answer = answer_of(marts, FORMATS, BoardChart(metric=metric, kind="bar", by=by), ALL_DAYS, "unknown", True)
                assert answer.column is not None, (metric, by)
        assert "credit__sharer" in choices_of(marts.build, "attributed_revenue", True).dimensions


@pytest.mark.parametrize("dimension", ["by", "filter_by"])
def test_sharers_are_shown_to_those_who_may_see_persons(twins: TwinShops, dimension: str) -> None:
    marketer, analyst = twins.client("marketer"), twins.client("analyst")
    address = post(marketer, f"/shops/{PLAIN}/boards/create", title="Sharers").headers["location"]
    chart = {"metric": "attributed_revenue", "kind": "table", "by": "credit__channel"} | {dimension: "credit__sharer"}
    chart |= {"filter_value": "the sharer"} if dimension == "filter_by" else {}
    assert post(marketer, f"{address}/charts/add", **chart).status_code == 303
    post(marketer, f"{address}/rename", title="Sharers", shared="on")
    shown = [client.get(f"{address}?days=all").text for client in (marketer, analyst)]
    assert ["names persons" in page for page in shown] == [False, True]
    with marts_of_shop(twins.portal.marts, PLAIN) as marts:
        sharers = marts.distinct("fct_channel_days", "sharer_id", 3)
    [name] = sharers if dimension == "by" else ["the sharer"]
    assert [name in page for page in shown] == [True, False]
    # Who may not see them cannot make such a chart either, and is told why.
    of_analyst = post(analyst, f"/shops/{PLAIN}/boards/create", title="Sharers").headers["location"]
    assert post(analyst, f"{of_analyst}/charts/add", **chart).status_code == 400
    assert "your role may not see persons: Sharer" in analyst.get(f"{of_analyst}?metric=attributed_revenue").text
    assert 'value="credit__sharer"' in marketer.get(f"{address}?metric=attributed_revenue").text
    for client, board in ((marketer, address), (analyst, of_analyst)):
        post(client, f"{board}/delete")


def test_a_date_of_the_customer_is_shown_by_month(twins: TwinShops) -> None:
    rows = asked(twins, BoardChart(metric="gmv", kind="bar", by="customer__first_paid_date__month")).rows
    assert rows
    assert all(re.fullmatch(r"\d{4}-\d\d|unknown", label) for label, _, _ in rows)


def test_charts_are_moved_within_bounds() -> None:
    charts = [BoardChart(metric=name, kind="number") for name in ("a", "b", "c")]
    orders = {(0, -1): "abc", (0, 1): "bac", (2, 1): "abc", (1, 0): "ac", (9, 0): "abc", (2, -1): "acb"}
    for (place, step), order in orders.items():
        assert "".join(chart.metric for chart in moved(charts, place, step)) == order
