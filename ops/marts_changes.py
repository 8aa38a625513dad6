"""What a newer version of silver may change in the marts: the schema ``touched`` of dbt's database, read by macros/touched.sql.

Rows of silver that only one of two versions has are found by comparing the tables; files that both have are not read. From them
follow the persons whose visits, orders and journeys are built anew, each ``since`` the first instant that has changed, and the
local days whose counts are. A shop whose settings
or rates have changed has all its persons and days among them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from jishi import tables
from jishi.lake.plans import Plan
from jishi.lake.query import rows_of, rows_of_plan
from jishi.lake.reading import LakeVersion
from jishi.shop_counters import NOT_IN_STOREFRONT
from jishi.tables import TableSchema

MOST_SHARE = 0.25  # of the events; with more than that changed a full build is not slower
_COMPARED = (
    *(tables.SILVER_EVENTS, tables.SILVER_SESSIONS, tables.SILVER_ORDERS, tables.SILVER_ORDER_LINES),
    *(tables.SILVER_REFUNDS, tables.SILVER_REFUND_LINES, tables.SILVER_ITEMS, tables.BRONZE_FX_RATES, tables.CHANNEL_EFFECTS),
)
_STATEMENTS = """
create table touched.replaced (mart varchar, condition varchar);
create table touched.months_before as from int_shop_months_spanned;
create table touched.thresholds_before as from dim_customer_thresholds;
create table touched.acquired_before as from int_customers_acquired;
create table touched.as_of_before as from int_as_of_days_chosen;
create table touched.whole_shops as
select shop_id from unnest(cast($shops as varchar[])) as settings(shop_id) union select shop_id from touched.changed_fx_rates;
create table touched.fits as select distinct shop_id from touched.changed_channel_effects;
create table touched.concerned_orders as
with named as (
    select shop_id, order_id from touched.changed_orders
    union select shop_id, order_id from touched.changed_order_lines
    union select shop_id, order_id from touched.changed_refunds
    union select shop_id, order_id from touched.changed_refund_lines
)
select distinct shop_id, order_id, person_id, paid_at, paid_date
from (from orders_before union all from orders_now) as orders
where (shop_id, order_id) in (from named);
create table touched.persons as
with links as (
    select shop_id, share_id from touched.changed_events
    where share_id is not null and type in ('item_shared', 'share_opened')
),
changes as (
    select shop_id, person_id, occurred_at as since from touched.changed_events where person_id is not null
    union all select shop_id, person_id, started_at from touched.changed_sessions
    union all select shop_id, person_id, paid_at from touched.concerned_orders
    union all select shop_id, person_id, started_at from silver.sessions where (shop_id, share_id) in (from links)
    union all select shop_id, person_id, paid_at from silver.orders where (shop_id, share_id) in (from links)
),
of_whole_shops as (
    select shop_id, person_id from silver.events where shop_id in (from touched.whole_shops)
    union select shop_id, person_id from sessions_before where shop_id in (from touched.whole_shops)
    union select shop_id, person_id from silver.sessions where shop_id in (from touched.whole_shops)
    union select shop_id, person_id from orders_before where shop_id in (from touched.whole_shops)
    union select shop_id, person_id from silver.orders where shop_id in (from touched.whole_shops)
)
select shop_id, coalesce(person_id, '') as person_id, min(since) as since
from (from changes union all select shop_id, person_id, timestamp '0001-01-01' from of_whole_shops) as changed
group by all;
create table touched.orders as
select distinct orders.shop_id, orders.order_id, persons.person_id
from (from orders_before union all from orders_now) as orders
inner join touched.persons as persons
    on orders.shop_id = persons.shop_id and coalesce(orders.person_id, '') = persons.person_id
    and orders.paid_at >= persons.since;
create temp table visits_before as
from sessions_before where (shop_id, coalesce(person_id, '')) in (select shop_id, person_id from touched.persons);
create temp table visits_now as
from sessions_now where (shop_id, coalesce(person_id, '')) in (select shop_id, person_id from touched.persons);
create temp table visits_near_events as
select visits.* from (from visits_before union all from visits_now) as visits
inner join touched.changed_events as events
    on visits.shop_id = events.shop_id and visits.person_id = events.person_id
    and events.occurred_at >= visits.started_at - interval '1' hour
    and events.occurred_at <= visits.ended_at + interval '1' hour;
create temp table visits_near_orders as
select visits.*, orders.order_id from (from visits_before union all from visits_now) as visits
inner join touched.concerned_orders as orders
    on visits.shop_id = orders.shop_id and visits.person_id = orders.person_id
    and orders.paid_at >= visits.started_at - interval '1' hour
    and orders.paid_at <= visits.ended_at + interval '1' hour;
create table touched.visits as
select shop_id, session_key, person_id, started_at, ended_at, started_date from touched.changed_sessions
union
from visits_near_events
union
select * exclude (order_id) from visits_near_orders
union
select * from visits_before where shop_id in (from touched.whole_shops)
union
select * from visits_now where shop_id in (from touched.whole_shops);
create table touched.sessions as
with firsts as (
    select shop_id, coalesce(person_id, '') as person, arg_min(session_key, (started_at, session_key)) as session_key
    from visits_before group by all
    union all
    select shop_id, coalesce(person_id, '') as person, arg_min(session_key, (started_at, session_key)) as session_key
    from visits_now group by all
)
select shop_id, session_key from touched.visits
union
select shop_id, session_key from firsts
where (shop_id, person) in (select shop_id, person from firsts group by all having count(distinct session_key) > 1);
create temp table visits_by_day as
select distinct shop_id, person_id, started_at, ended_at, unnest(generate_series(
    date_trunc('day', started_at - interval '1' hour), ended_at + interval '1' hour, interval '1' day
)) as day
from touched.visits;
create table touched.events_near as
select distinct events.*
from (
    select {events} from silver.events
    where hash(shop_id, person_id, date_trunc('day', occurred_at)) in (select hash(shop_id, person_id, day) from visits_by_day)
) as events
inner join visits_by_day as visits
    on events.shop_id = visits.shop_id and events.person_id = visits.person_id
    and date_trunc('day', events.occurred_at) = visits.day
    and events.occurred_at >= visits.started_at - interval '1' hour
    and events.occurred_at <= visits.ended_at + interval '1' hour;
create table touched.recategorised_items as
select coalesce(items.shop_id, items_before.shop_id) as shop_id, coalesce(items.item_id, items_before.item_id) as item_id
from silver.items full join items_before using (shop_id, item_id)
where items.category is distinct from items_before.category;
create table touched.categorised as
select shop_id, session_key from touched.visits
union
select shop_id, session_key from int_item_acts_in_visits
where (shop_id, item_id) in (from touched.recategorised_items);
create table touched.known_anew as
with known as (select shop_id, min(shop_date) as traffic_from from int_traffic_days_counted group by shop_id)
select distinct changed.shop_id
from touched.changed_events as changed
left join known using (shop_id)
where changed.person_id is not null and changed.type not in ({no_acts})
and (known.traffic_from is null or changed.occurred_date <= known.traffic_from);
create table touched.event_days as
select shop_id, occurred_date as shop_date from touched.changed_events
union select shop_id, shop_date from int_traffic_days_counted where shop_id in (from touched.whole_shops)
union select shop_id, occurred_date from silver.events where shop_id in (from touched.whole_shops);
create table touched.days as
from touched.event_days
union select shop_id, started_date from touched.changed_sessions
union select shop_id, started_date from visits_near_events
union select shop_id, shop_date from fct_item_days where (shop_id, item_id) in (from touched.recategorised_items)
union select shop_id, shop_date from fct_item_days where shop_id in (from touched.whole_shops)
union select shop_id, shop_date from fct_item_days where shop_id in (from touched.known_anew)
union select shop_id, started_date from silver.sessions where shop_id in (from touched.whole_shops)
union select shop_id, paid_date from silver.orders where shop_id in (from touched.whole_shops);
create table touched.order_days as
select shop_id, order_id, paid_date as shop_date from touched.concerned_orders
union
select shop_id, order_id, started_date from visits_near_orders;
create table touched.item_days as
select distinct days.shop_id, days.shop_date, items.item_id
from touched.order_days as days
inner join fct_order_items as items on days.shop_id = items.shop_id and days.order_id = items.order_id;
"""


class CannotCompare(RuntimeError):
    """Two versions are too far apart, or one is no longer there whole; the message says which."""


@dataclass(frozen=True)
class Touched:
    """Numbers of what is built anew; ``whole_shops`` are refreshed fully."""

    events: int
    persons: int
    days: int
    whole_shops: list[str]

    def __str__(self) -> str:
        whole = f"; wholly anew, for their settings or rates: {', '.join(self.whole_shops)}" if self.whole_shops else ""
        return f"{self.events} events changed, which touch {self.persons} persons and {self.days} days of shops{whole}"


def write_touched(database: Path, before: LakeVersion, lake: LakeVersion, changed_shops: list[str]) -> Touched:
    """Write what changed from one version to the other into dbt's database, whose sources are those of the newer one.

    ``changed_shops`` have other settings than before. Raises CannotCompare.
    """
    with duckdb.connect(str(database)) as connection:
        connection.execute("begin; drop schema if exists touched cascade; create schema touched")
        for schema in _COMPARED:
            connection.execute(f"create table touched.changed_{_name(schema)} as {_changed(before, lake, schema)}")
        [(changed,)] = connection.execute("select count(*) from touched.changed_events").fetchall()
        [(events,)] = connection.execute("select count(*) from silver.events").fetchall()
        if changed > MOST_SHARE * events:
            raise CannotCompare(f"{changed} of {events} events have changed")
        for schema, columns in (
            (tables.SILVER_ORDERS, "shop_id, order_id, person_id, paid_at, paid_date"),
            (tables.SILVER_SESSIONS, "shop_id, session_key, person_id, started_at, ended_at, started_date"),
            (tables.SILVER_ITEMS, "shop_id, item_id, category"),
        ):
            name, old = _name(schema), rows_of(before, schema.name, schema)
            connection.execute(f"create temp view {name}_before as select {columns} from ({old})")
            connection.execute(f"create temp view {name}_now as select {columns} from silver.{name}")
        events_columns = ", ".join(name for name in tables.SILVER_EVENTS.columns if name != "line")
        no_acts = ", ".join(f"'{name}'" for name in NOT_IN_STOREFRONT)
        for statement in filter(str.strip, _STATEMENTS.split(";\n")):
            statement = statement.replace("{events}", events_columns).replace("{no_acts}", no_acts)
            connection.execute(statement, {"shops": changed_shops} if "$shops" in statement else None)
        [(persons, days)] = connection.execute(
            "select (select count(*) from touched.persons), (select count(*) from "
            "(from touched.days union select shop_id, shop_date from touched.order_days))"
        ).fetchall()
        whole = [shop for (shop,) in connection.execute("from touched.whole_shops order by 1").fetchall()]
        connection.execute("commit")
        return Touched(changed, persons, days, whole)


def _changed(before: LakeVersion, lake: LakeVersion, schema: TableSchema) -> str:
    """Rows that only one of the versions has, without the events' own lines.

    Where both have files of their own, rows are compared by a hash within that of their key: EXCEPT of two million visits takes
    seven times as long. A change is missed where the old and the new row have the same two hashes of 64 bits.
    """
    old, new = (each.plan(schema.name) if each.has(schema.name) else _empty(schema) for each in (before, lake))
    files = {file.path for file in old.files} & {file.path for file in new.files}
    only_old, only_new = (replace(p, files=tuple(f for f in p.files if f.path not in files)) for p in (old, new))
    for file in only_old.files:
        if "://" not in file.path and not Path(file.path).exists():
            raise CannotCompare(f"a file of {schema.name} in version {before.number} is gone")
    columns = ", ".join(f'"{name}"' for name in schema.columns if name != "line")
    left, right = (f"select {columns} from ({rows_of_plan(p, schema)})" for p in (only_old, only_new))
    if not only_old.files or not only_new.files:
        return f"{left} union all {right}"
    keys = ", ".join(f'"{name}"' for name in schema.key)
    hashed = f"select hash({keys}) as key, hash({columns}) as content, -1 as one from ({left})"
    hashed += f" union all select hash({keys}), hash({columns}), 1 from ({right})"
    different = f"select key from ({hashed}) group by key, content having sum(one) <> 0"
    return f"select * from ({left} union all {right}) where hash({keys}) in ({different})"  # a key may have nulls


def _empty(schema: TableSchema) -> Plan:
    return Plan(schema.name, 0, (), ())


def _name(schema: TableSchema) -> str:
    return schema.name.partition("/")[2]
