"""Checks on silver before it is published: grain, counts between layers, visits. A failed one stops the publication."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jishi.lake.rows import Rows
from jishi.tables import BRONZE_EVENTS, BRONZE_LIVE, SILVER
from spark_jobs.audits import AuditFailed, audit_key, opened, view_of
from spark_jobs.publication import Publication
from spark_jobs.silver.bronze import HISTORY, before_batch, source_of

if TYPE_CHECKING:
    import duckdb

_KEPT = ("silver_events", "silver_duplicates", "silver_quarantine")


@dataclass(frozen=True)
class Audited:
    """Rows of each table of the audited shops."""

    rows: dict[str, int]


def audit(publication: Publication, shops: list[str], batches: dict[str, list[str]]) -> Audited:
    """Check silver of some shops; ``batches`` were built, each for its shops.

    Every table: its key is unique and never null. Every batch: the acknowledgements in bronze equal events + duplicates +
    quarantine of that batch, shop by shop. Sessions: they hold every act of a person in events once. Raises AuditFailed at the
    first difference.
    """
    mine = Rows.of(shop_id=shops)
    with opened(publication, {view_of(schema): (schema, mine) for schema in SILVER}) as connection:
        rows = {schema.name: audit_key(connection, schema) for schema in SILVER}
        for batch, shops_of in batches.items():
            _audit_counts(connection, publication, batch, shops_of)
        _audit_visits(connection, shops)
    return Audited(rows)


def _audit_counts(connection: duckdb.DuckDBPyConnection, publication: Publication, batch: str, shops: list[str]) -> None:
    accepted = _acknowledged(publication, batch, shops)
    kept: Counter[str] = Counter()
    for view in _KEPT:
        counted = f"select shop_id, count(*) from {view} where batch = ? group by 1"
        for shop_id, count in connection.execute(counted, [batch]).fetchall():
            kept[shop_id] += count
    for shop_id in shops:
        if accepted[shop_id] != kept[shop_id]:
            raise AuditFailed(
                f"batch {batch} of shop {shop_id}: {accepted[shop_id]} acknowledged events in bronze, but "
                f"{kept[shop_id]} in events, duplicates and quarantine together"
            )


def _acknowledged(publication: Publication, batch: str, shops: list[str]) -> Counter[str]:
    """Acknowledgements by shop that the log knew first in the batch."""
    identity = ", ".join(BRONZE_EVENTS.key)
    views = {"batch": source_of(batch, shops)}
    known = ""
    if batch != HISTORY:
        views["before"] = (BRONZE_LIVE, before_batch(batch, shops))
        known = f"where ({identity}) not in (select ({identity}) from before where seq >= (select min(seq) from batch))"
    with opened(publication, views) as connection:
        sql = f"select shop_id, count(*) from (select distinct shop_id, {identity} from batch {known}) group by 1"
        return Counter(dict(connection.execute(sql).fetchall()))


def _audit_visits(connection: duckdb.DuckDBPyConnection, shops: list[str]) -> None:
    """Sessions are computed for some persons only, so their events are counted against those of all."""
    counted = {
        "silver_events": "count(*) filter (type not in ('order_refunded', 'order_paid'))",
        "silver_orders": "count(*)",
        "silver_sessions": "-sum(events)",
    }
    missing: Counter[str] = Counter()
    for view, count in counted.items():
        sql = f"select shop_id, {count} from {view} where person_id is not null group by 1"
        for shop_id, number in connection.execute(sql).fetchall():
            missing[shop_id] += int(number)
    for shop_id in shops:
        if missing[shop_id]:
            raise AuditFailed(
                f"silver/sessions of shop {shop_id} miss {missing[shop_id]} acts of its events and orders (below 0: they hold "
                "too many); build the shop again from its first batch, mostly: python -m spark_jobs silver --batch history"
            )
