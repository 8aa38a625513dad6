"""Checks on silver before it is published: grain, ranges, layers by counts and ids, visits, history. A failed one stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jishi.held_back import GateFinding, accepted
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.tables import BRONZE_EVENTS, BRONZE_LIVE, BRONZE_REPAIRS, SILVER
from spark_jobs.audits import AuditFailed, audit_key, opened, view_of
from spark_jobs.gates.history import judged_days, unlike_history
from spark_jobs.gates.ids import missing_ids
from spark_jobs.gates.ranges import rows_out_of_range
from spark_jobs.publication import Publication
from spark_jobs.silver.bronze import HISTORY, before_batch, source_of

if TYPE_CHECKING:
    import duckdb

_ROWS = 100_000  # of bronze in memory beside the table
_KEPT = ("silver_events", "silver_duplicates", "silver_quarantine")


@dataclass(frozen=True)
class Audited:
    """Rows of each table of the audited shops."""

    rows: dict[str, int]


def audit(
    publication: Publication,
    shops: list[str],
    batches: dict[str, list[str]],
    asked: dict[str, list[str]] | None = None,
    now: datetime | None = None,
) -> Audited:
    """Check silver of some shops; ``batches`` were built, each for its shops, of which ``asked`` are held against history, too.

    Every table: its key is unique and never null, its values are in their ranges. Every batch: the acknowledgements in bronze
    are those of events, duplicates and quarantine of that batch, shop by shop and id by id; its orders are those of its events.
    Sessions: they hold every act of a person in events once. Every asked live day: its shop's history explains it, unless a
    person has accepted it; at ``now`` (UTC) a day may not be over. Raises AuditFailed at the first difference.
    """
    mine = Rows.of(shop_id=shops)
    with opened(publication, {view_of(schema): (schema, mine) for schema in SILVER}) as connection:
        rows = {schema.name: audit_key(connection, schema) for schema in SILVER}
        _refuse(rows_out_of_range(connection))
        for batch, shops_of in batches.items():
            _load_acknowledged(connection, publication, batch, shops_of)
            _audit_counts(connection, batch, shops_of)
            _refuse(missing_ids(connection, batch, shops_of))
        _audit_visits(connection, shops)
        marks = accepted(Paths.of(publication.settings))
        unlike = unlike_history(connection, judged_days(asked or {}, now))
        _refuse((shop, finding) for shop, finding in unlike if (shop, finding.batch, finding.check) not in marks)
    return Audited(rows)


def _refuse(findings: Iterable[tuple[str, GateFinding]]) -> None:
    """Raise AuditFailed with the findings of the first shop, if there is any."""
    all_found = list(findings)
    if all_found:
        first = all_found[0][0]
        of_shop = [finding for shop_id, finding in all_found if shop_id == first]
        raise AuditFailed(f"shop {first}: {' | '.join(map(str, of_shop))}", of_shop)


def _audit_counts(connection: duckdb.DuckDBPyConnection, batch: str, shops: list[str]) -> None:
    rows = connection.execute("select shop_id, count(*) from acknowledged group by 1").fetchall()
    acknowledged: Counter[str] = Counter(dict(rows))
    kept: Counter[str] = Counter()
    for view in _KEPT:
        counted = f"select shop_id, count(*) from {view} where batch = ? group by 1"
        for shop_id, count in connection.execute(counted, [batch]).fetchall():
            kept[shop_id] += count
    for shop_id in shops:
        if acknowledged[shop_id] != kept[shop_id]:
            raise AuditFailed(
                f"batch {batch} of shop {shop_id}: {acknowledged[shop_id]} acknowledged events in bronze, but "
                f"{kept[shop_id]} in events, duplicates and quarantine together"
            )


def _load_acknowledged(connection: duckdb.DuckDBPyConnection, publication: Publication, batch: str, shops: list[str]) -> None:
    """Table ``acknowledged`` of what the log knew first in the batch: shop, number, and hashes of what names it and its event.

    Event ids are those that repairs gave. Hashes of 64 bits in place of names keep ten million rows in 400 MB; that one of them
    hides a loss has a chance of 10⁻¹².
    """
    identity = ", ".join(BRONZE_EVENTS.key)
    views = {"batch": source_of(batch, shops), "repairs": (BRONZE_REPAIRS, Rows.of(shop_id=shops))}
    known = ""
    if batch != HISTORY:
        views["before"] = (BRONZE_LIVE, before_batch(batch, shops))
        known = f"where ({identity}) not in (select ({identity}) from before where seq >= (select min(seq) from batch))"
    event_id = "coalesce(any_value(repairs.event_id), any_value(batch.event_id))"
    with opened(publication, views) as bronze:
        sql = f"""
            select shop_id, seq, hash(shop_id, {identity}) as acknowledgement,
                case when {event_id} is not null then hash({event_id}) end as event
            from batch left join repairs using (shop_id, {identity}) {known} group by shop_id, {identity}"""
        connection.register("incoming", bronze.execute(sql).to_arrow_reader(_ROWS))
        connection.execute("create or replace table acknowledged as select * from incoming")
        connection.unregister("incoming")


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
