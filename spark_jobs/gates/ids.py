"""Reconciliation between layers by ids: every acknowledgement of a batch in bronze is in silver once, and every order of it.

``silver/events`` has the event's id, ``duplicates`` and ``quarantine`` the acknowledgement's own number. With the counts, which
the audit has compared before, both directions together leave no row without its origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jishi.held_back import GateFinding

if TYPE_CHECKING:
    import duckdb

SHOWN = 5
# ``acknowledged`` is made by the audit: shop_id, seq, and hashes of the batch's acknowledgements and of their events' ids.
_ABSENT = """
    select shop_id, 'seq ' || seq from acknowledged
    where acknowledgement not in (select hash(shop_id, collector_id, seq) from silver_duplicates where batch = $batch)
    and acknowledgement not in (select hash(shop_id, collector_id, seq) from silver_quarantine where batch = $batch)
    and (event is null or (shop_id, event) not in (select (shop_id, hash(event_id)) from silver_events where batch = $batch))"""
_INVENTED = """
    select shop_id, event_id from silver_events where batch = $batch and shop_id in (select unnest($shops))
    and (shop_id, hash(event_id)) not in (select (shop_id, event) from acknowledged where event is not null)
    union all
    select shop_id, collector_id || '#' || seq from (
        select shop_id, collector_id, seq, batch from silver_duplicates
        union all select shop_id, collector_id, seq, batch from silver_quarantine
    ) where batch = $batch and shop_id in (select unnest($shops))
    and hash(shop_id, collector_id, seq) not in (select acknowledgement from acknowledged)"""
_PAID = """
    with paid as (
        select shop_id, event_id, json_extract_string(line, '$.properties.order_id') as order_id
        from silver_events where type = 'order_paid' and batch = $batch and shop_id in (select unnest($shops))
    )"""
_ORDERS_LOST = f"""{_PAID}
    select distinct shop_id, order_id from paid
    where (shop_id, order_id) not in (select (shop_id, order_id) from silver_orders)"""
_ORDERS_INVENTED = f"""{_PAID}
    select shop_id, order_id from silver_orders where batch = $batch and shop_id in (select unnest($shops))
    and (shop_id, event_id, order_id) not in (select (shop_id, event_id, order_id) from paid where order_id is not null)"""
_LINES_LOST = """
    select orders.shop_id, orders.order_id from silver_orders as orders
    left join (select shop_id, order_id, count(*) as n from silver_order_lines group by all) as lines using (shop_id, order_id)
    where orders.batch = $batch and orders.shop_id in (select unnest($shops)) and coalesce(n, 0) <> orders.lines"""
_CHECKS = (
    ("silver/events", "acknowledged events of bronze are in no table of silver", _ABSENT),
    ("silver/events", "rows of events, duplicates or quarantine have no acknowledgement in bronze", _INVENTED),
    ("silver/orders", "paid orders of events are missing", _ORDERS_LOST),
    ("silver/orders", "orders have no event that reports them", _ORDERS_INVENTED),
    ("silver/order_lines", "orders have another number of lines than their event", _LINES_LOST),
)


def missing_ids(connection: duckdb.DuckDBPyConnection, batch: str, shops: list[str]) -> Iterator[tuple[str, GateFinding]]:
    """``(shop_id, finding)`` of each shop of a batch whose layers hold different ids; needs the table ``acknowledged``."""
    for table, says, sql in _CHECKS:
        given = {name: value for name, value in (("batch", batch), ("shops", shops)) if f"${name}" in sql}
        counted = f"select shop_id, count(*), list(id order by id)[:{SHOWN}] from ({sql}) as rows(shop_id, id) group by 1"
        for shop_id, count, sample in connection.execute(f"{counted} order by 1", given).fetchall():
            repair = f"python -m spark_jobs silver --batch {batch} --shop {shop_id}"
            yield shop_id, GateFinding("ids", table, batch, f"{count:,} {says}", tuple(sample), repair)
