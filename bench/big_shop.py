"""A shop of millions of events as rows of silver, made by DuckDB in seconds: what marts and pages are measured on.

Visits of many persons over a year, most by a few of them, with views, carts, checkouts, orders of some lines and refunds. Each
device is one visit, so that silver's own rules hold without running them. Only sizes and shares are like a shop's.
``add_day`` makes the next day of it, as silver's job of that day would have written it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from bench.one_shop import publish_folder, settings_of
from jishi.lake.query import open_lake, quoted
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import (
    SILVER_EVENTS,
    SILVER_ITEMS,
    SILVER_ORDER_LINES,
    SILVER_ORDERS,
    SILVER_REFUND_LINES,
    SILVER_REFUNDS,
    SILVER_SESSIONS,
    TableSchema,
)

SHOP = "big"
DAYS = 365
EVENTS_A_VISIT = 4.35  # of the shares below, measured
_VISITS = """
create table visits as
with drawn as (
    select
        n,
        cast(floor({persons} * pow(random(), 3)) as bigint) as person,
        {day} as day,
        cast(floor(86000 * sqrt(random())) as bigint) as second,
        1 + cast(floor(-3.2 * ln(1 - random())) as bigint) as views,
        random() < 0.32 as has_cart,
        random() < 0.6 as has_checkout,
        random() < 0.55 as has_paid,
        1 + cast(floor(3 * random()) as bigint) as lines
    from range({before}, {before} + {visits}) as numbers(n)
)
select
    n, 'u:' || person as person_id, cast(person as varchar) as user_id, 'd' || n as anonymous_id, views, lines,
    timestamp '{first}' + to_days(cast(day as integer)) + to_seconds(second) as started_at,
    ['wechat', 'app', 'search', 'kol', null][1 + cast(floor(5 * pow(random(), 2)) as bigint)] as channel,
    ['ios', 'android', 'web'][1 + n % 3] as device,
    cast(has_cart as bigint) as adds,
    cast(has_cart and has_checkout as bigint) as checkouts,
    cast(has_cart and has_checkout and has_paid as bigint) as orders
from drawn
"""
_HEAD = "'{shop}' as shop_id, '{batch}' as batch, "
_TABLES = {
    SILVER_EVENTS: """
        select {head} 'e' || n || '-' || place as event_id, type, started_at + to_seconds(5 * place) as occurred_at,
            occurred_at as received_at, cast(occurred_at as date) as occurred_date, false as is_late, person_id, anonymous_id,
            user_id, channel, device,
            case when place < views + adds then 'i' || ((n * 7 + place * place) % {items}) end as item_id
        from (
            select visits.*, unnest(range(views + adds + checkouts + orders)) as place,
                case
                    when place < views then 'item_viewed'
                    when place = views then 'item_added_to_cart'
                    when place = views + 1 then 'checkout_started'
                    else 'order_paid'
                end as type
            from visits
        )""",
    SILVER_SESSIONS: """
        select {head} person_id || '@' || n as session_key, person_id, anonymous_id, user_id, started_at,
            started_at + to_seconds(5 * (views + adds + checkouts + orders - 1)) as ended_at,
            cast(started_at as date) as started_date, channel, device, views + adds + checkouts + orders as events, views,
            0 as searches, adds, checkouts, orders, 0 as shares
        from visits""",
    SILVER_ORDER_LINES: """
        select {head} 'o' || n as order_id, cast(line as integer) as line_number, person_id, paid_at,
            cast(paid_at as date) as paid_date, 'i' || ((n * 11 + line * 17) % {items}) as item_id, 1 + n % 2 as quantity,
            990 + 10 * ((n + line) % 400) as unit_price_minor, 10 as discount_minor,
            quantity * unit_price_minor - discount_minor as net_minor
        from (select *, unnest(range(1, lines + 1)) as line, {paid_at} as paid_at from visits where orders > 0)""",
    SILVER_ORDERS: """
        select {head} 'o' || n as order_id, 'e' || n || '-' || (views + 2) as event_id, person_id, {paid_at} as paid_at,
            paid_at as received_at, cast(paid_at as date) as paid_date, 'CNY' as currency, lines, lines * (1 + n % 2) as units,
            list_sum([(1 + n % 2) * (990 + 10 * ((n + line) % 400)) for line in range(1, lines + 1)]) as gross_minor,
            10 * lines as discount_minor, 800 as shipping_minor, gross_minor - discount_minor + 800 as paid_minor, 0 as coupons,
            channel, device
        from visits where orders > 0""",
    SILVER_REFUNDS: """
        select {head} 'r' || n as refund_id, 'o' || n as order_id, person_id, {paid_at} + to_days(3) as refunded_at,
            refunded_at as received_at, cast(refunded_at as date) as refunded_date, 'CNY' as currency, 900 as amount_minor,
            'counted' as outcome, 900 as counted_minor
        from visits where orders > 0 and n % 17 = 0 and cast(started_at as date) < date '{last}' - 4""",
    SILVER_REFUND_LINES: "select {head} '' as refund_id from visits limit 0",
    SILVER_ITEMS: """
        select '{shop}' as shop_id, 'i' || n as item_id, '商品 ' || n as title, 'Item ' || n as title_en,
            'category ' || n % 40 as category, 'brand ' || n % 90 as brand, '{{}}' as attributes,
            990 + 10 * (n % 400) as unit_price_minor, 'CNY' as currency, n % 300 as stock, 'active' as status,
            timestamp '{first}' as changed_at, changed_at as known_at
        from range({items}) as numbers(n)""",
}


# Of the day that comes: refunds of orders of any time before, and events that come late, of the two days before.
_OF_THE_DAY = {
    SILVER_REFUNDS: """
        select {head} 'late-{first}-' || order_id as refund_id, order_id, person_id,
            timestamp '{first}' + to_seconds(cast(hash(order_id) % 80000 as bigint)) as refunded_at, refunded_at as received_at,
            date '{first}' as refunded_date, 'CNY' as currency, 800 as amount_minor, 'counted' as outcome, 800 as counted_minor
        from {orders} where batch = 'history' and hash(order_id || '{first}') % 6000 = 0""",
    SILVER_EVENTS: """
        select shop_id, '{batch}' as batch, event_id || '-late-{first}' as event_id, type, occurred_at,
            timestamp '{first}' + to_seconds(cast(hash(event_id) % 80000 as bigint)) as received_at, occurred_date,
            true as is_late, person_id, anonymous_id, user_id, channel, device, item_id
        from {events} where occurred_date >= date '{first}' - 2 and occurred_date < date '{first}' and type = 'item_viewed'
            and hash(event_id) % 100 = 0""",
}

_VISITS_WITH_LATE = """
    select visits.* replace (
        visits.events + coalesce(late.views, 0) as events, visits.views + coalesce(late.views, 0) as views
    )
    from silver_sessions as visits
    left join (select anonymous_id, count(*) as views from ({late}) group by all) as late using (anonymous_id)"""


def make_big_shop(var: Path, events: int, *, last: date, days: int = DAYS, shop_id: str = SHOP) -> int:
    """Publish a shop of about so many events, whose last day is ``last``, below ``var``; returns how many it has."""
    settings = settings_of(var)
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        shops.add(Shop(shop_id=shop_id, name=shop_id, time_zone="UTC", currency="CNY"))
    visits = max(100, round(events / EVENTS_A_VISIT))
    names = _names(shop_id, "history", visits, visits, last - timedelta(days=days - 1), last)
    names |= {"days": days, "before": 0, "day": f"cast(floor({days} * random()) as bigint)"}
    with tempfile.TemporaryDirectory(prefix="jishi-big-shop-", dir=var) as name, _drawn(names) as connection:
        for schema, sql in _TABLES.items():
            publish_folder(var, schema, _written(connection, Path(name), schema, sql.format(**names)))
        [(count,)] = connection.execute("select sum(views + adds + checkouts + orders)::bigint from visits").fetchall()
    return int(count)


def add_day(var: Path, shop_id: str = SHOP, days: int = DAYS) -> int:
    """Publish the day after the last one of a shop of ``make_big_shop``; returns how many events it has.

    Events and orders are a batch of their own, with some events of the two days before, which come late, and refunds of orders
    of any time; visits are all written anew, as silver's job does.
    """
    settings = settings_of(var)
    lake = open_version(settings)
    with tempfile.TemporaryDirectory(prefix="jishi-big-shop-", dir=var) as name, open_lake(lake) as rows:
        [(last, visits)] = rows.execute("select max(started_date), count(*) from silver_sessions").fetchall()
        first = last + timedelta(days=1)
        batch = f"live-{first}"
        names = _names(shop_id, batch, max(1, visits // days), visits, first, first)
        names |= {"days": 1, "before": visits, "day": "0", "orders": "silver_orders", "events": "silver_events"}
        sources = {schema: _written(rows, Path(name), schema, sql.format(**names)) for schema, sql in _OF_THE_DAY.items()}
        visits_now = _VISITS_WITH_LATE.format(late=_OF_THE_DAY[SILVER_EVENTS].format(**names))
        sources[SILVER_SESSIONS] = _written(rows, Path(name), SILVER_SESSIONS, visits_now)
        with _drawn(names) as connection:
            for schema, sql in _TABLES.items():
                if schema not in (SILVER_ITEMS, SILVER_REFUND_LINES):
                    folder = _written(connection, Path(name), schema, sql.format(**names), sources.get(schema))
                    where = Rows.all() if schema is SILVER_SESSIONS else Rows.of(shop_id=[shop_id], batch=[batch])
                    publish_folder(var, schema, folder, where)
            [(count,)] = connection.execute("select sum(views + adds + checkouts + orders)::bigint from visits").fetchall()
    return int(count)


def _names(shop_id: str, batch: str, visits: int, of_visits: int, first: date, last: date) -> dict[str, Any]:
    """What stands in the places of the queries; a shop of ``of_visits`` has so many items and persons."""
    names: dict[str, Any] = {"shop": shop_id, "batch": batch, "first": first, "last": last, "visits": visits}
    names |= {"items": max(50, min(20_000, of_visits // 50)), "persons": max(20, of_visits // 6)}
    return names | {"paid_at": "started_at + to_seconds(5 * (views + 2))", "head": _HEAD.format(shop=shop_id, batch=batch)}


@contextmanager
def _drawn(names: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The table ``visits``."""
    with duckdb.connect() as connection:
        connection.execute("select setseed(0.5)")
        connection.execute("set threads = 1")  # the seed holds for one thread alone
        connection.execute(_VISITS.format(**names))
        connection.execute("set threads = 2")
        yield connection


def _written(
    connection: duckdb.DuckDBPyConnection, parent: Path, schema: TableSchema, sql: str, folder: Path | None = None
) -> Path:
    """The folder with the rows of a query as a file, one more where there is a folder."""
    folder = folder or parent / schema.name.replace("/", "-")
    folder.mkdir(exist_ok=True)
    file = folder / f"{len(list(folder.iterdir()))}.parquet"
    connection.execute(f"copy ({sql}) to {quoted(str(file))} (format parquet)")
    return folder
