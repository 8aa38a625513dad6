"""Amounts that nobody can know are unknown: orders of which none has a rate are not worth nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest

from jishi.metrics import MetricSql
from jishi.metrics.days import TimeRange
from jishi.paths import Paths
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.test_home_money import insert, order, refund, shop

pytestmark = pytest.mark.integration
# Two orders in a currency without a rate, a refund of one of them, and an order in the shop's own.
NO_RATES = (
    shop("eur", "CNY")
    + order("eur", "o1", "2026-09-03", "EUR", [100, 5])
    + order("eur", "o2", "2026-09-03", "EUR", [70], discount=20, shipping=3)
    + refund("eur", "r1", "o1", "2026-09-04", "EUR", 50, "counted", 50)
    + order("eur", "o3", "2026-09-05", "CNY", [700])
)
# By day: orders, sales, refunds, net sales, value at list prices.
KNOWN = {
    date(2026, 9, 3): (2, None, 0, None, None),
    date(2026, 9, 4): (0, 0, None, None, 0),
    date(2026, 9, 5): (1, 700, 0, 700, 700),
}


@pytest.fixture(scope="module")
def project(built: Paths) -> Project:
    return Project.of(built.warehouse)


def answers(marts: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Rows by column."""
    result = marts.execute(sql)
    names = [name for name, *_ in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_a_day_whose_orders_have_no_rate_sold_an_unknown_amount(project: Project, semantic_manifest: dict[str, Any]) -> None:
    metrics = MetricSql(semantic_manifest)
    with project.built(NO_RATES) as marts:
        columns = "orders, gmv_minor, refunds_minor, net_gmv_minor, gross_minor"
        days = marts.execute(f"select shop_date, {columns} from fct_shop_days where shop_id = 'eur'").fetchall()
        assert {day: tuple(row) for day, *row in days if day in KNOWN} == KNOWN
        hours = marts.execute("select orders, gmv_minor from fct_shop_hours where shop_id = 'eur' and shop_date = '2026-09-03'")
        assert set(hours.fetchall()) == {(0, 0), (2, None)}
        names = ("orders", "gmv", "refunds", "net_gmv", "list_value")
        by_day = answers(marts, metrics.select(names, ["metric_time__day"], shop_id="eur"))
        assert {row["metric_time__day"].date(): tuple(row[name] for name in names) for row in by_day} == KNOWN
        shown = answers(marts, f"from ({metrics.saved('board_days')}) where shop = 'eur'")
        kept = names[:-1]
        assert {row["metric_time__day"].date(): tuple(row[name] for name in kept) for row in shown} == {
            day: values[:-1] for day, values in KNOWN.items()
        }
        assert {"priced_refunds", "refund_count"}.isdisjoint(shown[0])
        rates = ("gmv", "refund_rate_by_refund_day", "aov_per_order", "gmv_of_buyers")
        [early] = answers(marts, metrics.select(rates, shop_id="eur", days=TimeRange(None, date(2026, 9, 4))))
        assert [early[name] for name in rates] == [None] * 4
        [all_days] = answers(marts, metrics.select(["gmv", "orders", "customer_spend"], shop_id="eur"))
        assert (all_days["gmv"], all_days["orders"], all_days["customer_spend"]) == (700, 3, 700)
    failing = project.failing_tests(NO_RATES)
    assert {shop_id for shops in failing.values() for shop_id in shops} <= {"a"}


# The buyer of the first order was shown the item an hour before, and the buyer of the third clicked on it.
SHOWN = """
insert into stg_lake__recommendations_shown by name
select 'eur' as shop_id, 'shown-' || person_id as event_id, person_id, shown_at, shown_at::date as shown_date,
    'list-' || person_id as request_id, 'home' as placement, ['gold'] as item_ids, ['popular'] as reasons
from (values ('p-o1', timestamp '2026-09-03 09:00:00'), ('p-o3', timestamp '2026-09-05 09:00:00')) as of(person_id, shown_at);
insert into stg_lake__recommendations_clicked by name
select 'eur' as shop_id, 'clicked' as event_id, 'p-o3' as person_id, timestamp '2026-09-05 09:30:00' as clicked_at,
    'list-p-o3' as request_id, 'home' as placement, 'gold' as item_id;
"""


def test_what_orders_without_a_rate_brought_by_item_channel_and_recommendation_is_unknown(
    project: Project, semantic_manifest: dict[str, Any]
) -> None:
    metrics, spend = MetricSql(semantic_manifest), {"spend_date": "2026-09-03", "channel": "unknown", "currency": "CNY"}
    rows = NO_RATES + SHOWN + insert("spend", [{"shop_id": "eur", "amount_minor": 100} | spend])
    early = TimeRange(None, date(2026, 9, 4))
    names: tuple[str, ...] = ("item_revenue", "item_refunds", "item_net_revenue", "attributed_revenue", "roas", "roi")
    names += ("recommendation_click_revenue", "recommendation_shown_revenue", "item_units", "attributed_orders")
    with project.built(rows) as marts:
        [before] = answers(marts, metrics.select(names, shop_id="eur", days=early))
        assert [before[name] for name in names] == [None, None, None, None, None, None, 0, None, 3, 2]
        [after] = answers(marts, metrics.select(names, shop_id="eur"))
        assert [after[name] for name in names] == [700, 0, 700, 700, 7.0, 6.0, 700, None, 4, 3]
        columns = "shop_date, revenue_minor, refunded_minor, net_revenue_minor"
        days = f"select {columns} from fct_item_days where shop_id = 'eur' order by 1"
        assert [row[1:] for row in marts.execute(days).fetchall()] == [(None, None, None), (700, 0, 700)]
        channels = (
            "select net_minor, roas, roi from fct_channel_days where shop_id = 'eur' and model = 'last' order by shop_date"
        )
        assert marts.execute(channels).fetchall() == [(None, None, None), (700, None, None)]
        month = "select orders, revenue_minor from {} where shop_id = 'eur' and period_days = 30 and orders > 0"
        for mart in ("fct_item_periods", "fct_price_bands", "fct_category_periods"):
            assert marts.execute(month.format(mart)).fetchall() == [(3, 700)], mart
    failing = project.failing_tests(rows)
    assert {shop_id for shops in failing.values() for shop_id in shops} <= {"a"}


# A cohort whose orders have no rate until one of the next month, an item of which no order has one, and one that nobody bought.
COHORT = (
    shop("cohort", "CNY")
    + order("cohort", "o1", "2026-08-03", "EUR", [100]).replace("'gold'", "'ore'")
    + refund("cohort", "r1", "o1", "2026-08-04", "EUR", 50, "counted", 50)
    + order("cohort", "o2", "2026-09-03", "CNY", [700]).replace("'p-o2'", "'p-o1'")
    + order("cohort", "o3", "2026-10-03", "EUR", [30]).replace("'p-o3'", "'p-o1'")
    + refund("cohort", "r2", "o2", "2026-10-04", "CNY", 50, "counted", 50)
    + order("cohort", "o4", "2026-11-03", "EUR", [9])
    + insert(
        "items",
        [
            {"shop_id": "cohort", "item_id": each, "title": each, "category": "metal", "status": "active"}
            | {"unit_price_minor": 100, "currency": "CNY"}
            for each in ("gold", "ore", "tin")
        ],
    )
    + insert("spend", [{"shop_id": "cohort", "spend_date": "2026-08-03", "channel": "x", "currency": "EUR", "amount_minor": 9}])
)


def test_what_a_cohort_paid_and_an_item_sold_is_unknown_without_a_rate(
    project: Project, semantic_manifest: dict[str, Any]
) -> None:
    metrics = MetricSql(semantic_manifest)
    amounts = "paid_minor, refunded_minor, net_minor, net_so_far_minor, net_per_customer_minor"
    with project.built(COHORT) as marts:
        months = (
            f"select {amounts} from fct_cohorts where shop_id = 'cohort' and period = 'month' order by cohort_date, period_date"
        )
        assert marts.execute(months).fetchall() == [
            (None, None, None, None, None),
            (700, 0, 700, 700, 700),
            (None, 50, -50, 650, 650),
            (None,) * 5,
            (None,) * 5,
        ]
        names = ("monthly_cohort_revenue", "monthly_cohort_revenue_per_customer", "spend", "expected_customer_value")
        by_period = answers(marts, metrics.select(names[:2], ["cohort__period_number"], shop_id="cohort"))
        revenue = {int(row["cohort__period_number"]): tuple(row[name] for name in names[:2]) for row in by_period}
        of_weeks_too = dict.fromkeys(range(14), (None, None))
        assert revenue == of_weeks_too | {1: (700, 700), 2: (-50, -50)}
        [row] = answers(marts, metrics.select(names, shop_id="cohort", days=TimeRange(None, date(2026, 10, 31))))
        assert [row[name] for name in names[2:]] == [None, None]
        items = (
            "select item_id, orders, revenue_minor, refunded_minor, net_revenue_minor from dim_items where shop_id = 'cohort'"
        )
        unsold, unknown = ("tin", 0, 0, 0, 0), ("ore", 1, None, None, None)
        assert sorted(marts.execute(items).fetchall()) == [("gold", 3, 700, 50, 650), unknown, unsold]
    failing = project.failing_tests(COHORT)
    assert {shop_id for shops in failing.values() for shop_id in shops} <= {"a"}


@pytest.mark.parametrize(
    ("spend", "spent", "cost"), [(None, None, None), (0, 0, None), (250, 250, 250)], ids=["none known", "nothing", "something"]
)
def test_spend_of_nothing_has_no_return(
    project: Project, semantic_manifest: dict[str, Any], spend: int | None, spent: int | None, cost: int | None
) -> None:
    rows = shop("ads", "CNY") + order("ads", "o1", "2026-09-03", "CNY", [500])
    if spend is not None:
        imported = {"shop_id": "ads", "spend_date": "2026-09-03", "channel": "unknown", "currency": "CNY"}
        rows += insert("spend", [imported | {"amount_minor": spend}])
    names = ("channel_spend", "roas", "roi", "acquisition_cost", "attributed_revenue")
    with project.built(rows) as marts:
        [row] = answers(marts, MetricSql(semantic_manifest).select(names, ["credit__channel"], shop_id="ads"))
        [of_mart] = answers(
            marts, "select roas, roi, acquisition_cost_minor from fct_channel_days where shop_id = 'ads' and model = 'last'"
        )
    returns = (None, None, None) if not spend else (2.0, 1.0, cost)
    assert tuple(row[name] for name in names) == (spent, *returns, 500)
    assert tuple(of_mart.values()) == returns


def test_a_channel_whose_ads_ended_raises_nobodys_return(project: Project, semantic_manifest: dict[str, Any]) -> None:
    """Ads on unknown ended on 2 September, and 30 days later no visit counts any more; tv has its spend in October."""
    rows = shop("ended", "CNY")
    for number, day in enumerate(("2026-08-31", "2026-09-02", "2026-10-02", "2026-10-03", "2026-11-20"), 1):
        rows += order("ended", f"o{number}", day, "CNY", [number * 100])
    spent = {"shop_id": "ended", "currency": "CNY"}
    rows += insert(
        "spend",
        [
            spent | {"channel": channel, "spend_date": day, "amount_minor": amount}
            for channel, day, amount in (("unknown", "2026-09-02", 50), ("unknown", "2026-10-03", 0), ("tv", "2026-10-03", 200))
        ],
    )
    metrics, names = MetricSql(semantic_manifest), ("channel_spend", "roas", "acquisition_cost", "attributed_revenue")

    def of_days(marts: Any, first: date, last: date) -> tuple[Any, ...]:
        [row] = answers(marts, metrics.select(names, shop_id="ended", days=TimeRange(first, last)))
        return tuple(row[name] for name in names)

    with project.built(rows) as marts:
        days = (
            "select shop_date, channel, has_spend from fct_channel_days where shop_id = 'ended' and model = 'last' order by all"
        )
        counting = [(f"{day:%m-%d}", channel) for day, channel, has_spend in marts.execute(days).fetchall() if has_spend]
        assert counting == [("09-02", "unknown"), ("10-02", "unknown"), ("10-03", "tv")]
        assert of_days(marts, date(2026, 9, 1), date(2026, 9, 30)) == (50, 200 / 50, 50, 200)
        # Nothing of the 400 that unknown brought is tv's, or was bought in October.
        assert of_days(marts, date(2026, 10, 3), date(2026, 10, 31)) == (200, 0, None, 400)
        assert of_days(marts, date(2026, 11, 1), date(2026, 11, 30)) == (None, None, None, 500)
