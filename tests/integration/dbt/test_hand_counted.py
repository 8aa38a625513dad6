"""Small shops whose numbers are counted by hand: unknown buyers, refunds upon refunds, clocks that are odd minutes ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from jishi.item_thresholds import ItemThresholds
from jishi.metrics import ALL_DAYS, MetricSql, TimeRange, macro
from jishi.paths import Paths
from tests.integration.dbt.rebuilt import Project

pytestmark = pytest.mark.integration
Row = dict[str, Any]
FIRST = datetime(2026, 9, 7, 8)  # noqa: DTZ001 (the lake keeps UTC instants without a zone); a Monday


def inserted(table: str, rows: list[Row]) -> str:
    """The statement that adds rows to a staging model; what they do not name is null."""
    names = list(rows[0])
    values = ", ".join(f"({', '.join(_literal(row[name]) for name in names)})" for row in rows)
    return f"insert into stg_lake__{table} by name select * from (values {values}) as added({', '.join(names)});"


def _literal(value: Any) -> str:
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case datetime():
            return f"timestamp '{value}'"
        case date():
            return f"date '{value}'"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def shop(shop_id: str, time_zone: str = "UTC", currency: str = "CNY") -> str:
    return inserted("shops", [{"shop_id": shop_id, "name": shop_id, "time_zone": time_zone, "currency": currency}])


def order(shop_id: str, order_id: str, person_id: str | None, at: datetime, paid_minor: int) -> str:
    """A paid order of one line, with the event that reports it and, of a person who is known, the session of it."""
    key = {"shop_id": shop_id, "order_id": order_id, "person_id": person_id, "paid_at": at, "paid_date": at.date()}
    money = {"discount_minor": 0, "net_minor": paid_minor, "quantity": 1, "unit_price_minor": paid_minor}
    whole = {"event_id": f"paid-{order_id}", "received_at": at, "currency": "CNY", "lines": 1, "units": 1, "coupons": 0}
    whole |= {"gross_minor": paid_minor, "discount_minor": 0, "shipping_minor": 0, "paid_minor": paid_minor}
    event = {"shop_id": shop_id, "event_id": f"paid-{order_id}", "type": "order_paid", "occurred_at": at, "received_at": at}
    user = {"person_id": person_id, "user_id": person_id and person_id.removeprefix("u:")}
    event |= {"occurred_date": at.date(), "is_late": False} | user
    session = {"shop_id": shop_id, "session_key": order_id, "started_at": at, "ended_at": at, "started_date": at.date()} | user
    session |= {"events": 1, "orders": 1} | dict.fromkeys(("views", "searches", "adds", "checkouts", "shares"), 0)
    return (
        inserted("orders", [key | whole])
        + inserted("order_lines", [key | money | {"line_number": 1, "item_id": "i"}])
        + inserted("events", [event])
        + (inserted("sessions", [session]) if person_id else "")
    )


@pytest.fixture(scope="module")
def project(built: Paths) -> Project:
    return Project.of(built.warehouse)


@pytest.fixture(scope="module")
def metric_sql(built: Paths) -> MetricSql:
    return MetricSql(json.loads((built.warehouse / "target" / "semantic_manifest.json").read_text()))


def asked(
    marts: duckdb.DuckDBPyConnection, metric_sql: MetricSql, metrics: list[str], shop_id: str, days: TimeRange = ALL_DAYS
) -> Row:
    """The metrics of a shop's whole time, or of these days."""
    cursor = marts.execute(metric_sql.select(metrics, shop_id=shop_id, days=days))
    names = [name for name, *_ in cursor.description or ()]
    [row] = cursor.fetchall()
    return dict(zip(names, row, strict=True))


@pytest.fixture(scope="module")
def till(project: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    """A shop with a till: one customer buys for 10 and 30, and thrice somebody whom nobody knows for 5."""
    day = timedelta(days=1)
    rows = shop("till") + order("till", "o1", "u:p", FIRST, 1000) + order("till", "o2", "u:p", FIRST + day, 3000)
    rows += "".join(order("till", f"g{number}", None, FIRST + number * day, 500) for number in range(3))
    # The first order is reported again on the third day, under another event id.
    again = {"shop_id": "till", "event_id": "again", "type": "order_paid", "person_id": "u:p", "user_id": "p", "is_late": False}
    again |= {"occurred_at": FIRST + 2 * day, "received_at": FIRST + 2 * day, "occurred_date": (FIRST + 2 * day).date()}
    rows += inserted("events", [again])
    with project.built(rows) as marts:
        yield marts


def test_an_unknown_buyer_is_no_repeat_buyer_and_nobodys_money_is_no_buyers(
    till: duckdb.DuckDBPyConnection, metric_sql: MetricSql
) -> None:
    """Before, all unknown buyers were one person: every order of theirs but the first was a repeat one, and the value per
    buyer was everybody's money by the known buyers (WooCommerce Admin #1476, WooCommerce #33410).
    """
    numbered = till.execute("select order_id, order_number, is_repeat from fct_orders where shop_id = 'till' order by all")
    assert numbered.fetchall() == [
        ("g0", None, None),
        ("g1", None, None),
        ("g2", None, None),
        ("o1", 1, False),
        ("o2", 2, True),
    ]
    names = ["orders", "gmv", "buyers", "aov_per_order", "aov_per_buyer", "repeat_orders", "repeat_order_share"]
    row = asked(till, metric_sql, names, "till")
    assert {name: float(row[name]) for name in names} == {
        "orders": 5,
        "gmv": 5500,
        "buyers": 1,
        "aov_per_order": 1100,
        "aov_per_buyer": 4000,
        "repeat_orders": 1,
        "repeat_order_share": 0.5,
    }


def test_nobody_knows_what_was_looked_at_in_a_till(project: Project, metric_sql: MetricSql) -> None:
    """It is not 0, by day, period, category and band, nor of the item; its pages are unknown until the first is told."""
    day, item = timedelta(days=1), {"shop_id": "till", "item_id": "i", "title": "x", "category": "c", "currency": "CNY"}
    item |= {"status": "active", "unit_price_minor": 1}
    rows = inserted("items", [item, item | {"item_id": "j"}])
    rows += shop("till") + order("till", "o1", None, FIRST, 100) + order("till", "o2", None, FIRST + 2 * day, 100)
    view = {"shop_id": "till", "event_id": "v", "type": "item_viewed", "item_id": "i", "person_id": "u:p", "is_late": False}
    view |= {"occurred_at": FIRST + day, "received_at": FIRST + day, "occurred_date": (FIRST + day).date()}
    seen = (
        "select array_agg(views order by shop_date) from fct_item_days where shop_id = 'till' union all "
        "select array_agg(viewed_visits order by shop_date) from fct_item_days where shop_id = 'till' union all "
        "select array_agg(distinct views) from fct_item_periods where shop_id = 'till' union all "
        "select array_agg(distinct views) from fct_category_periods where shop_id = 'till' union all "
        "select array_agg(distinct adds) from fct_price_bands where shop_id = 'till' union all "
        "select array_agg(views order by item_id) from dim_items where shop_id = 'till'"
    )
    with project.built(rows) as marts:
        assert [each for (each,) in marts.execute(seen).fetchall()] == [[None] * 2, [None] * 2, *[[None]] * 3, [None] * 2]
        till = asked(marts, metric_sql, ["orders", "sessions", "visitors", "viewed_item_visits", "conversion"], "till")
        assert till == {"shop": "till", "orders": 2} | dict.fromkeys(
            ("sessions", "visitors", "viewed_item_visits", "conversion")
        )
    with project.built(rows + inserted("events", [view])) as marts:
        days, _, periods, categories, bands, items = [each for (each,) in marts.execute(seen).fetchall()]
        names = ["orders", "sessions", "viewed_item_visits", "visitors"]
        by_day = marts.execute(metric_sql.select(names, ["metric_time__day"], shop_id="till")).fetchall()
        opened = asked(marts, metric_sql, names, "till")
        before = asked(marts, metric_sql, names, "till", days=TimeRange(FIRST.date(), FIRST.date()))
        marts.execute(macro("viewed_item_visits", metric_sql))
        by_macro = [
            marts.execute(f"select viewed_item_visits from viewed_item_visits('till', null, {until})").fetchone()
            for until in (f"date '{FIRST.date()}'", f"date '{FIRST.date() + day}'", "null")
        ]
    assert (days, periods, categories, bands, items) == ([None, 1, 0], [1], [1], [0], [1, 0])
    # The metric layer says so, too: after its first act a shop has 0 visits where it has none. (This view is of no session.)
    by_name = [dict(zip(("shop", "day", *names), row, strict=True)) for row in by_day]
    assert [[row[name] for name in names] for row in by_name if row["orders"]] == [[1, None, None, None], [1, 0, 0, 0]]
    assert [opened[name] for name in names] == [2, 0, 0, 0]
    # Before, days that ended before that act had 0 visits when they were asked for as one.
    assert [before[name] for name in names] == [1, None, None, None]
    assert by_macro == [(None,), (0,), (0,)]


def test_the_value_per_buyer_of_a_day_is_one_number(till: duckdb.DuckDBPyConnection, metric_sql: MetricSql) -> None:
    """The column of the day's mart and the metric of the digest have the same name for people."""
    days = till.execute(
        "select shop_date, customer_value_minor, order_value_minor from fct_shop_days where shop_id = 'till' order by 1"
    ).fetchall()
    assert [value for _, *value in days] == [[1000.0, 750.0], [3000.0, 1750.0], [None, 500.0]]
    by_day = metric_sql.select(["aov_per_buyer", "aov_per_order"], ["metric_time__day"], shop_id="till")
    answered = till.execute(
        f"select metric_time__day::date, aov_per_buyer, aov_per_order from ({by_day}) order by 1"
    ).fetchall()
    assert answered == days


def test_who_bought_in_a_currency_without_a_rate_does_not_make_the_others_poorer(
    project: Project, metric_sql: MetricSql
) -> None:
    """What they spent is unknown, and not nothing."""
    rows = shop("port") + order("port", "o1", "u:p", FIRST, 1000)
    rows += order("port", "o2", "u:q", FIRST, 9000).replace("'CNY'", "'XAF'")
    names = ["customers", "customer_spend", "spend_per_customer", "aov_per_buyer", "aov_per_order"]
    with project.built(rows) as marts:
        row = asked(marts, metric_sql, names, "port")
    assert [float(row[name]) for name in names] == [2, 1000, 1000, 1000, 1000]


def test_an_order_that_is_reported_twice_is_one(till: duckdb.DuckDBPyConnection) -> None:
    """On the day of the first report, in every mart (Matomo #15266)."""
    sums = """
        select sum(orders), (select sum(orders) from fct_shop_hours where shop_id = 'till'),
            (select sum(orders) from fct_item_days where shop_id = 'till'),
            (select count(*) from fct_touchpoints where shop_id = 'till'),
            (select sum(orders) from dim_customers where shop_id = 'till'), sum(gmv_minor)
        from fct_shop_days where shop_id = 'till'
    """
    assert till.execute(sums).fetchall() == [(5, 5, 5, 5, 2, 5500)]
    last = (
        "select orders, paying_customers, gmv_minor from fct_shop_days where shop_id = 'till' order by shop_date desc limit 1"
    )
    assert till.execute(last).fetchall() == [(1, 0, 500)]


def test_a_customer_of_long_ago_is_in_every_week_since(project: Project) -> None:
    """Before, a cohort ended with its thousandth week, so that an order of the year 2000 kept all shops' marts back."""
    rows = shop("old") + order("old", "o1", "u:p", datetime(2000, 1, 3, 8), 1000)  # noqa: DTZ001 (a Monday)
    rows += order("old", "o2", "u:p", FIRST, 500) + order("old", "o3", "u:q", FIRST + timedelta(days=40), 500)
    with project.built(rows, only="fct_cohorts") as marts:
        bought = marts.execute(
            "select period, period_number, orders, customers from fct_cohorts where shop_id = 'old' and orders > 0 order by all"
        )
        weeks, months = (FIRST.date() - date(2000, 1, 3)).days // 7, 12 * 26 + 8
        assert bought.fetchall() == [("month", 0, 1, 1), ("month", months, 1, 1), ("week", 0, 1, 1), ("week", weeks, 1, 1)]
    failing = {name for name, shops in project.failing_tests(rows).items() if "old" in shops}
    assert failing == set()


def test_items_of_a_category_without_a_name_and_items_of_none_stay_apart(project: Project) -> None:
    """Before, both had the rows of both, so that no marts of such a shop could be published."""
    at = FIRST + timedelta(hours=1)
    item = {"shop_id": "blank", "item_id": "i", "title": "x", "category": "", "currency": "CNY", "status": "active"}
    rows = shop("blank") + inserted("items", [item | {"unit_price_minor": 100}])
    rows += order("blank", "o1", "u:p", at, 100) + order("blank", "o2", "u:q", at, 40).replace("'i'", "'outside'")
    with project.built(rows, only="fct_category_periods") as marts:
        weeks = marts.execute(
            "select category, items, items_sold, revenue_minor from fct_category_periods "
            "where shop_id = 'blank' and period_days = 7 order by 1"
        )
        assert weeks.fetchall() == [("", 1, 1, 100), (None, 0, 1, 40)]


def test_views_of_an_item_are_those_of_its_days(till: duckdb.DuckDBPyConnection) -> None:
    """Before, the item itself counted bots, its days did not."""
    views = """
        with days as (select shop_id, item_id, sum(views) as views from fct_item_days group by all)
        select shop_id, item_id, items.views, coalesce(days.views, 0)::bigint as of_days
        from dim_items as items left join days using (shop_id, item_id) order by all
    """
    rows = till.execute(views).fetchall()
    assert any(row[2] for row in rows)
    assert [row for row in rows if row[2] != row[3]] == []
    [(bots,)] = till.execute("select sum(bot_item_views) from fct_shop_days").fetchall()
    assert bots > 0


def test_a_refund_of_all_after_one_of_a_part_gives_back_what_was_left(project: Project, metric_sql: MetricSql) -> None:
    """Each day shows what went back on it, and never more than was paid (WooCommerce #66217, #48954)."""
    paid, later = FIRST, FIRST + timedelta(days=200)
    refund = {"shop_id": "back", "order_id": "o1", "currency": "CNY"}
    rows = shop("back") + order("back", "o1", "u:p", paid, 1000) + order("back", "o2", "u:q", later, 400)
    rows += inserted(
        "refunds",
        [
            refund
            | {"refund_id": name, "refunded_at": at, "refunded_date": at.date(), "received_at": at}
            | {"amount_minor": amount, "outcome": outcome, "counted_minor": counted}
            for name, at, amount, outcome, counted in (
                ("part", paid + timedelta(days=1), 300, "counted", 300),
                ("all", later, 1000, "over_refund", 700),
            )
        ],
    )
    with project.built(rows) as marts:
        days = marts.execute(
            "select shop_date, gmv_minor, refunds_minor, net_gmv_minor, refund_rate_by_refund_day from fct_shop_days "
            "where shop_id = 'back' and (gmv_minor > 0 or refunds_minor > 0) order by 1"
        ).fetchall()
        assert days == [
            (paid.date(), 1000, 0, 1000, 0.0),
            ((paid + timedelta(days=1)).date(), 0, 300, -300, None),
            (later.date(), 400, 700, -300, 1.75),
        ]
        sums = marts.execute(
            "select (select sum(net_minor) from fct_orders where shop_id = 'back'), "
            "(select sum(net_revenue_minor) from fct_item_days where shop_id = 'back'), "
            "(select sum(spent_minor) from dim_customers where shop_id = 'back'), "
            "(select sum(net_gmv_minor) from fct_shop_days where shop_id = 'back')"
        ).fetchall()
        assert sums == [(400, 400, 400, 400)]
        row = asked(marts, metric_sql, ["net_gmv", "refunds", "refund_rate_by_payment_day"], "back")
        assert [float(row[name]) for name in ("net_gmv", "refunds")] == [400, 1000]
        assert row["refund_rate_by_payment_day"] == pytest.approx(1000 / 1400)
    failing = {name for name, shops in project.failing_tests(rows).items() if "back" in shops}
    assert failing == set()


def test_an_order_of_a_till_whose_clock_is_ahead_is_in_its_hour_too(project: Project) -> None:
    """It was paid at 09:00:02 by the till and received at 08:59:58, as the newest of its shop. Before, no hour had it, so that
    the hours did not add up to the day and the shop's marts were kept back.
    """
    paid, received = FIRST + timedelta(hours=1, seconds=2), FIRST + timedelta(minutes=59, seconds=58)
    rows = shop("ahead") + order("ahead", "o1", "u:p", FIRST, 300) + order("ahead", "o2", "u:q", paid, 500)
    for table, which in (("orders", "order_id = 'o2'"), ("events", "event_id = 'paid-o2'")):
        rows += f"update stg_lake__{table} set received_at = timestamp '{received}' where shop_id = 'ahead' and {which};"
    with project.built(rows, only="fct_shop_hours") as marts:
        hours = marts.execute(
            "select shop_hour, orders, gmv_minor, paying_customers from fct_shop_hours "
            "where shop_id = 'ahead' and shop_date = ? and shop_hour >= 7 order by 1",
            [FIRST.date()],
        )
        assert hours.fetchall() == [(7, 0, 0, 0), (8, 1, 300, 1), (9, 1, 500, 1)]
    failing = {name for name, shops in project.failing_tests(rows).items() if "ahead" in shops}
    assert failing == set()


def test_an_hour_that_is_missed_is_one_of_the_shops_clock(project: Project) -> None:
    """In Kathmandu an hour begins a quarter past one of UTC: before, two hours were named for one that was missing. On the last
    day nobody came from 10 to 12 and from 20 to 21; before, the flag of it named all hours from 10 to 21.
    """
    began = datetime(2026, 9, 7, 4, 15)  # noqa: DTZ001 (10:00 in Kathmandu)
    rows, events = shop("quarter", "Asia/Kathmandu"), []
    for day in range(7 * 9):
        for number in range(24):
            at = began + timedelta(days=day, minutes=120 + 2.5 * number)
            last_day = day == 7 * 9 - 1
            hours = [at, *(at + timedelta(hours=hours) for hours in (-2, -1, 8))] if not last_day else [at]
            events += [
                {
                    "shop_id": "quarter",
                    "event_id": f"{moment:%d%H%M%S}-{day}",
                    "type": "item_viewed",
                    "person_id": f"a:{number}",
                }
                | {"occurred_at": moment, "received_at": moment, "occurred_date": (moment + timedelta(hours=5.75)).date()}
                | {"is_late": False, "anonymous_id": f"{number}", "item_id": "i"}
                for moment in hours
            ]
    after = began + timedelta(days=7 * 9)
    events.append(events[-1] | {"event_id": "after", "occurred_at": after, "received_at": after, "occurred_date": after.date()})
    with project.built(rows + inserted("events", events), only="fct_quality_flags") as marts:
        missed = marts.execute("select shop_date, hour from int_hours_missed where shop_id = 'quarter' order by 2").fetchall()
        flags = marts.execute(
            "select shop_date, observed, detail from fct_quality_flags "
            "where shop_id = 'quarter' and check_name = 'hours_missing'"
        ).fetchall()
    last_date = (began + timedelta(days=7 * 9 - 1)).date()
    assert missed == [(last_date, 10), (last_date, 11), (last_date, 20)]
    assert flags == [(last_date, 3, "10–12, 20–21")]


def test_spend_without_a_rate_is_named_where_it_is_missing(project: Project) -> None:
    """Before, it was left out of ROAS and nobody was told; the spend of shop a on October 2 is in euros without a rate."""
    with project.built(only="fct_quality_flags") as marts:
        flags = marts.execute(
            "select shop_id, shop_date, severity, observed, detail from fct_quality_flags "
            "where check_name = 'spend_without_rate'"
        ).fetchall()
    assert flags == [("a", date(2026, 10, 2), "warning", 1.0, "app")]


def catalogued(shop_id: str, item_id: str, stock: int | None = None, **fields: Any) -> Row:
    """An item of the catalogue."""
    row = {"shop_id": shop_id, "item_id": item_id, "title": item_id, "category": "c", "status": "active", "stock": stock}
    return row | {"currency": "CNY", "unit_price_minor": 100, "home_currency": None, "home_unit_price_minor": 100} | fields


def test_an_item_is_there_since_it_was_sold_or_seen_whatever_the_catalogue_says(project: Project) -> None:
    """Before, a catalogue that came after the orders made 30 days of sales those of its own day: 90 pieces a day for one."""
    last = FIRST + timedelta(days=29)
    rows = shop("late") + "".join(order("late", f"o{n}", f"u:{n}", FIRST + timedelta(days=n), 100) for n in range(30))
    rows += inserted("items", [catalogued("late", "i", 100), catalogued("late", "seen", 5), catalogued("late", "new", 5)])
    rules = [dict(zip(("measure", "number", "threshold"), rule, strict=True)) for rule in ItemThresholds().thresholds]
    rows += inserted("item_settings", [{"shop_id": "late"} | rule for rule in rules])
    event = {"shop_id": "late", "type": "item_changed", "person_id": None, "is_late": False}
    view = {"type": "item_viewed", "person_id": "u:0"}
    events = [
        event
        | more
        | {"event_id": f"e-{more['item_id']}-{at}", "occurred_at": at, "received_at": at, "occurred_date": at.date()}
        for more, at in (
            *(({"item_id": name}, last) for name in ("i", "seen", "new")),
            (view | {"item_id": "seen"}, FIRST - timedelta(days=60)),
        )
    ]
    with project.built(rows + inserted("events", events), only="fct_item_stock") as marts:
        stock = marts.execute(
            "select item_id, listed_date, units_30d, selling_days_30d, days_of_stock, is_slow_mover from fct_item_stock "
            "where shop_id = 'late' order by 1"
        ).fetchall()
    whole = pytest.approx(29 + 8 / 24)  # the newest day is known until eight o'clock
    assert stock == [
        ("i", last.date(), 30, whole, pytest.approx(100 * (29 + 8 / 24) / 30), False),
        ("new", last.date(), 0, pytest.approx(8 / 24), None, False),
        ("seen", last.date(), 0, whole, None, True),
    ]


def test_a_price_in_a_currency_that_was_the_shops_is_none_of_its_prices_now(project: Project) -> None:
    """Before, 10 euros of a shop that had kept its books in euros were 10 yuan."""
    euros: Row = {"currency": "EUR", "unit_price_minor": 1000}
    rows = shop("moved") + inserted(
        "items",
        [
            catalogued("moved", "own", unit_price_minor=500, home_unit_price_minor=500),
            catalogued("moved", "stamped", **euros, home_currency="CNY", home_unit_price_minor=7900),
            catalogued("moved", "of-dollars", **euros, home_currency="USD", home_unit_price_minor=1100),
            catalogued("moved", "of-euros", **euros, home_unit_price_minor=1000),
        ],
    )
    with project.built(rows, only="int_items_banded") as marts:
        prices = marts.execute(
            "select item_id, price_minor, price_band from int_items_banded where shop_id = 'moved' order by 1"
        )
        assert prices.fetchall() == [("of-dollars", None, 0), ("of-euros", None, 0), ("own", 500, 1), ("stamped", 7900, 5)]


def test_no_more_pieces_come_back_for_a_reason_than_were_bought(project: Project) -> None:
    """Before, each refund that named a piece gave one back, and a refund that named what is of no order was one of that."""
    at = FIRST + timedelta(days=1)
    refund = {"shop_id": "again", "order_id": "o1", "currency": "CNY", "refunded_at": at, "refunded_date": at.date()}
    refund |= {"outcome": "counted", "amount_minor": 100, "counted_minor": 100}
    line = {
        "shop_id": "again",
        "order_id": "o1",
        "quantity": 1,
        "amount_minor": 100,
        "outcome": "counted",
        "counted_minor": 100,
    }
    other = line | {"item_id": "other", "quantity": 5, "outcome": "unknown_item", "counted_minor": 0}
    rows = shop("again") + order("again", "o1", "u:p", FIRST, 1000)
    rows += inserted(
        "refunds",
        [
            refund | {"refund_id": reason, "reason": reason, "received_at": at + timedelta(hours=hour)}
            for hour, reason in enumerate(("broken", "late", "wrong"))
        ],
    )
    rows += inserted(
        "refund_lines",
        [
            *(line | {"item_id": "i", "refund_id": name} for name in ("broken", "late")),
            *(other | {"refund_id": name} for name in ("broken", "wrong")),
        ],
    )
    with project.built(rows) as marts:
        reasons = marts.execute(
            "select item_id, reason, refunds, returned_units from fct_item_return_reasons "
            "where shop_id = 'again' and period_days = 7 order by 2"
        ).fetchall()
        returned = marts.execute("select returned_units, refunded_minor from fct_item_days where shop_id = 'again'").fetchall()
    assert reasons == [("i", "broken", 1, 1), ("i", "late", 1, 0), ("i", "wrong", 1, None)]
    assert returned == [(1, 300)]
    failing = {name for name, shops in project.failing_tests(rows).items() if "again" in shops}
    assert failing == set()
