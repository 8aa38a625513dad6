"""Silver of a shop of any size, made by DuckDB file by file: what training reads.

Persons like a few groups of items that go together, some groups and items more than others; a visit looks at items of one
group, may put one into the cart and may pay for some, so that what goes with what, what a person likes and what is bought again
can all be learnt. One visit in twenty names a device beside the user. One item in a hundred was listed in the last weeks.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from bench.one_shop import publish_folder, register
from jishi.lake.query import quoted
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS

SHOP, DAYS, OF_GROUP, TASTES = "large", 60, 50, 3
ACTS_A_VISIT = 3.5  # of the shares below, measured
VISITS_A_FILE = 400_000
_ITEMS = """
select '{shop}' as shop_id, 'i' || n as item_id, '商品 ' || n as title, 'Item ' || n || ' of ' || n // {of_group} as title_en,
    'category ' || (n // {of_group}) % 400 as category, 'brand ' || hash(n) % 900 as brand, '{{}}' as attributes,
    990 + 10 * (n % 400) as unit_price_minor, 'CNY' as currency, if(n % 20 = 0, 0, 5 + n % 300) as stock, 'active' as status,
    timestamp '{first}' as changed_at, changed_at as known_at
from range({items}) as numbers(n)
"""
# Groups are liked unequally (the square), so are the items of a group and persons' zeal.
_ACTS = """
create or replace temp table acts as
with visits as (
    select n, cast(floor({persons} * pow(random(), 1.4)) as bigint) as person,
        cast(floor({tastes} * random()) as bigint) as taste,
        timestamp '{first}' + to_days(cast(floor({days} * sqrt(random())) as integer))
            + to_seconds(cast(floor(80000 * random()) as bigint)) as started_at,
        1 + cast(floor(-2.2 * ln(1 - random())) as bigint) as views, random() < 0.35 as adds,
        if(random() < 0.22, 1 + cast(floor(3 * random()) as bigint), 0) as lines
    from range({before}, {before} + {visits}) as numbers(n)
),
placed as (
    select visits.*, unnest(range(views + if(adds, 1, 0) + lines)) as place,
        cast(floor({groups} * pow((hash(person, taste) % 1000003) / 1000003.0, 2)) as bigint) as group_number
    from visits
)
select n, place, person, 'e' || n || '-' || place as event_id, 'u:' || person as person_id,
    case when place < views then 'view' when place = views and adds then 'add' else 'pay' end as kind,
    'i' || least({items} - 1, group_number * {of_group} + cast(floor({of_group} * pow(random(), 3)) as bigint)) as item_id,
    started_at + to_seconds(20 * if(kind = 'pay', views + 1, place)) as occurred_at
from placed
"""
_INTERACTIONS = """
select '{shop}' as shop_id, 'history' as batch, event_id, cast(0 as integer) as line_number, person_id, item_id, kind,
    cast(1 as bigint) as quantity, occurred_at, occurred_at as received_at
from acts qualify row_number() over (partition by n, item_id, kind order by place) = 1 or kind = 'view'
"""
_EVENTS = """
select '{shop}' as shop_id, 'history' as batch, event_id,
    case kind when 'view' then 'item_viewed' when 'add' then 'item_added_to_cart' else 'order_paid' end as type, occurred_at,
    occurred_at as received_at, cast(occurred_at as date) as occurred_date, false as is_late, person_id,
    if(n % 20 = 0, 'd' || person, null) as anonymous_id, cast(person as varchar) as user_id, item_id
from acts
"""
_LISTED = f"""
select shop_id, 'history' as batch, 'c' || n as event_id, 'item_changed' as type,
    if(n % 100 = 7, timestamp '{{last}}' - to_hours(cast(n % 400 as integer)), timestamp '{{first}}' - to_days(30))
        as occurred_at,
    occurred_at as received_at, cast(occurred_at as date) as occurred_date, false as is_late, item_id,
    to_json({{{{properties: {{{{
        item_id: item_id, title: title, title_en: title_en, category: category, brand: brand,
        unit_price_minor: unit_price_minor, currency: currency, stock: stock, status: status
    }}}}}}}}) as line
from (select *, cast(item_id[2:] as bigint) as n from ({_ITEMS}))
"""


def make_large_shop(var: Path, items: int, persons: int, acts: int, last: date) -> None:
    """Publish the silver tables of a shop of about so many acts, whose last day is ``last``, below ``var``; register it."""
    register(var, SHOP)
    folders = {schema: var / "made" / schema.name for schema in (SILVER_ITEMS, SILVER_INTERACTIONS, SILVER_EVENTS)}
    for folder in folders.values():
        folder.mkdir(parents=True)
    first, visits = last - timedelta(days=DAYS - 1), max(50, round(acts / ACTS_A_VISIT))
    names: dict[str, Any] = {"shop": SHOP, "items": items, "persons": persons, "first": first, "last": last, "days": DAYS}
    names |= {"of_group": OF_GROUP, "tastes": TASTES, "groups": -(-items // OF_GROUP)}
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")  # the seed holds for one thread alone
        connection.execute("select setseed(0.5)")

        def write(file: Path, sql: str) -> None:
            connection.execute(f"copy ({sql.format(**names)}) to {quoted(str(file))} (format parquet)")

        write(folders[SILVER_ITEMS] / "items.parquet", _ITEMS)
        write(folders[SILVER_EVENTS] / "listed.parquet", _LISTED)
        for before in range(0, visits, VISITS_A_FILE):
            names |= {"before": before, "visits": min(VISITS_A_FILE, visits - before)}
            connection.execute(_ACTS.format(**names))
            write(folders[SILVER_INTERACTIONS] / f"{before}.parquet", _INTERACTIONS)
            write(folders[SILVER_EVENTS] / f"{before}.parquet", _EVENTS)
    for schema, folder in folders.items():
        publish_folder(var, schema, folder)
