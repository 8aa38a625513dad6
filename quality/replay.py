"""Replay quarantined events through a mapping: what the contract then takes becomes a row of ``bronze/repairs``.

Bronze stays as it is. The batch job puts the repaired record in the place of the refused one, with the same identity and the
original ``received_at``; so an event moves from quarantine to silver, and acknowledgements are neither more nor fewer. An event
that has a repair is not replayed again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from jishi.arrow_tables import arrow_schema, to_arrow, write_parquet
from jishi.contract import Refusal, record_of
from jishi.contract.fields import to_ms
from jishi.contract.reading import read_event
from jishi.contract.sender import OrderSource, sender_of
from jishi.lake import Lake
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.outcomes import Outcome, outcome_without_history
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import BRONZE_REPAIRS
from quality.quarantine import Quarantined, quarantined
from quality.repair import Mapping


@dataclass
class Replayed:
    """What a replay did. ``batches`` are to be built anew, with their shops: those with repairs that no build has taken up."""

    matched: int = 0
    repaired: Counter[str] = field(default_factory=Counter)
    still: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    batches: dict[str, list[str]] = field(default_factory=dict)


def replay(
    settings: Settings,
    mapping: Mapping,
    *,
    now: datetime,
    future_tolerance_s: int,
    shop: str | None = None,
    is_trial: bool = False,
) -> Replayed:
    """Replay the open quarantined events that ``mapping`` is for; a trial writes nothing."""
    replayed = Replayed()
    sources = {shop.shop_id: shop.orders_from for shop in Shops.load(Paths.of(settings).shops_file).shops.values()}
    repaired: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in reversed(quarantined(settings, shop=shop, states=("open",))):  # in the order of knowing
        if not mapping.is_for(type=row.type, outcome=row.outcome, reason=row.reason, field=row.field):
            continue
        replayed.matched += 1
        record = _repaired(row, mapping, future_tolerance_s, sources.get(row.shop_id, "server"))
        if isinstance(record, Refusal):
            replayed.still[record.reason] += 1
            if len(replayed.examples) < 3:
                replayed.examples.append(f"{row.identity}: {record.detail}")
            continue
        replayed.repaired[row.shop_id] += 1
        repaired[row.shop_id].append(
            {
                **record,
                "repaired_at": now.astimezone(UTC).replace(tzinfo=None),
                "mapping": mapping.name,
                "original_reason": row.reason,
                "original_field": row.field,
            }
        )
    if repaired and not is_trial:
        _mark_repeated(settings, repaired)
        _publish(settings, repaired)
    if not is_trial:
        replayed.batches = _waiting_batches(settings, shop)
    return replayed


def _repaired(
    row: Quarantined, mapping: Mapping, future_tolerance_s: int, orders_from: OrderSource
) -> dict[str, Any] | Refusal:
    raw, refusal = read_event(row.line.encode())
    if raw is None and refusal is not None:
        return refusal  # nothing that a mapping could mend
    try:
        raw, refusal = read_event(orjson.dumps(mapping.apply(raw, row.identity)))
    except TypeError:
        return refusal or Refusal("bad_text", "", "the repaired event cannot be written as JSON")
    received_at_ms = to_ms(row.received_at.replace(tzinfo=UTC))
    record, checked = record_of(
        raw,
        shop_id=row.shop_id,
        collector_id=row.collector_id,
        seq=row.seq,
        collected_at_ms=received_at_ms,
        refusal=refusal,
        now_ms=received_at_ms,
        sent_by=sender_of(row.event_id),
        orders_from=orders_from,
    )
    if isinstance(checked, Refusal):
        return checked
    outcome = outcome_without_history(
        invalid_reason=None,
        occurred_at_ms=record["occurred_at_ms"],
        received_at_ms=received_at_ms,
        allowed_lateness_s=0,
        future_tolerance_s=future_tolerance_s,
    )
    if outcome is Outcome.FUTURE:
        return Refusal("future", "occurred_at", "occurred_at still lies after the time at which the event was known")
    return {**record, "received_at_ms": received_at_ms}


def _good_ids(settings: Settings, event_ids: list[str]) -> set[tuple[str, str]]:
    """``(shop_id, event_id)`` of those that are good already, in silver or by an earlier repair."""
    with open_lake(open_version(settings)) as lake:
        return {
            row
            for view in ("silver_events", "bronze_repairs")
            for row in lake.execute(
                f"select shop_id, event_id from {view} where event_id in (select unnest($ids))", {"ids": event_ids}
            ).fetchall()
        }


def _mark_repeated(settings: Settings, repaired: dict[str, list[dict[str, Any]]]) -> None:
    """Set ``is_repeated`` of records in the order of knowing: another delivery is good already, or becomes so before."""
    good = _good_ids(settings, [row["event_id"] for rows in repaired.values() for row in rows])
    for rows in repaired.values():
        for row in rows:
            key = (row["shop_id"], row["event_id"])
            row["is_repeated"] = key in good
            good.add(key)


def _publish(settings: Settings, repaired: dict[str, list[dict[str, Any]]]) -> None:
    lake = Lake(Paths.of(settings).lake)
    partitions = {shop_id: f"shop={shop_id}" for shop_id in repaired}
    earlier = {
        shop_id: [
            pq.read_table(file, schema=arrow_schema(BRONZE_REPAIRS), partitioning=None) for file in _files(lake, partition)
        ]
        for shop_id, partition in partitions.items()
    }
    with lake.publish(BRONZE_REPAIRS.name, replace=partitions.values()) as draft:
        for shop_id, rows in repaired.items():
            table = pa.concat_tables([*earlier[shop_id], to_arrow(BRONZE_REPAIRS, rows)])
            write_parquet(table, draft.path / partitions[shop_id] / "repairs.parquet")


def _files(lake: Lake, partition: str) -> list[Path]:
    if not lake.has(BRONZE_REPAIRS.name):
        return []
    return sorted((lake.current(BRONZE_REPAIRS.name) / partition).glob("*.parquet"))


def _waiting_batches(settings: Settings, shop: str | None) -> dict[str, list[str]]:
    batches: dict[str, set[str]] = defaultdict(set)
    for row in quarantined(settings, shop=shop, states=("waiting",)):
        if row.batch is not None:
            batches[row.batch].add(row.shop_id)
    in_order = sorted(batches, key=lambda batch: (batch != "history", batch))
    return {batch: sorted(batches[batch]) for batch in in_order}
