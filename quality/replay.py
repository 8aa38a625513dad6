"""Replay quarantined events through a mapping: what the contract then takes becomes a row of ``bronze/repairs``.

Bronze stays as it is. The batch job puts the repaired record in the place of the refused one, with the same identity and the
original ``received_at``; so an event moves from quarantine to silver, and acknowledgements are neither more nor fewer. An event
that has a repair is not replayed again. What an import brought is repaired as an import: its own time, once that can be read,
says since when it was known, as it does for the lines around it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from jishi.arrow_tables import to_arrow
from jishi.contract import Refusal, known_since_ms, record_of
from jishi.contract.fields import to_ms
from jishi.contract.home_money import ShopMoney, shop_money
from jishi.contract.reading import read_event
from jishi.contract.sender import sender_of
from jishi.lake.publishing import Replacement, publish, rows_at
from jishi.lake.quarantine import Quarantined, quarantined
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.lake.versions import TableVersion
from jishi.outcomes import Outcome, outcome_without_history
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_REPAIRS
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
    shops, rates = Shops.load(Paths.of(settings).shops_file).shops, Paths.of(settings).fx_rates
    moneys: dict[str, ShopMoney] = {}
    repaired: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in reversed(quarantined(settings, shop=shop, states=("open",))):  # in the order of knowing
        if not mapping.is_for(type=row.type, outcome=row.outcome, reason=row.reason, field=row.field):
            continue
        replayed.matched += 1
        known = shops.get(row.shop_id) or Shop(shop_id=row.shop_id, name="")
        if row.shop_id not in moneys:
            moneys[row.shop_id] = shop_money(rates, known.shop_id, known.currency, known.time_zone)
        record = repaired_record(row, mapping, future_tolerance_s, known, moneys[row.shop_id], now)
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
        _publish(settings, repaired, f"quality replay {mapping.name}")
    if not is_trial:
        replayed.batches = _waiting_batches(settings, shop)
    return replayed


def repaired_record(
    row: Quarantined, mapping: Mapping, future_tolerance_s: int, shop: Shop, money: ShopMoney, now: datetime
) -> dict[str, Any] | Refusal:
    """The record of a quarantined event as ``mapping`` makes it, with the identity that it had; or why it is still refused."""
    raw, refusal = read_event(row.line.encode())
    if raw is None and refusal is not None:
        return refusal  # nothing that a mapping could mend
    try:
        raw, refusal = read_event(orjson.dumps(mapping.apply(raw, row.identity, shop.currency)))
    except TypeError:
        return refusal or Refusal("bad_text", "", "the repaired event cannot be written as JSON")
    received_at_ms = to_ms(row.received_at.replace(tzinfo=UTC))
    is_imported = row.collector_id == f"history:{row.shop_id}"
    record, checked = record_of(
        raw,
        shop_id=row.shop_id,
        collector_id=row.collector_id,
        seq=row.seq,
        collected_at_ms=received_at_ms,
        refusal=refusal,
        now_ms=to_ms(now) if is_imported else received_at_ms,
        sent_by="import" if is_imported else sender_of(row.event_id),
        orders_from=shop.orders_from,
        money=money,
    )
    if isinstance(checked, Refusal):
        return checked
    if is_imported:
        # Nothing was known before it happened, nor will be after this repair.
        received_at_ms = max(received_at_ms, min(known_since_ms(raw, record, checked) or 0, to_ms(now)))
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


def _publish(settings: Settings, repaired: dict[str, list[dict[str, Any]]], writer: str) -> None:
    """Add repairs to those of their shops; an event that another replay has repaired meanwhile stays as that one made it."""

    def build(base: TableVersion | None) -> list[Replacement]:
        where = Rows.of(shop_id=sorted(repaired))
        earlier = rows_at(settings, BRONZE_REPAIRS, base, where)
        known = set(zip(earlier["collector_id"].to_pylist(), earlier["seq"].to_pylist(), strict=True))
        new = {
            shop_id: [row for row in rows if (row["collector_id"], row["seq"]) not in known]
            for shop_id, rows in repaired.items()
        }
        _mark_repeated(settings, new)
        rows = to_arrow(BRONZE_REPAIRS, [row for of_shop in new.values() for row in of_shop])
        return [Replacement(BRONZE_REPAIRS, where, pa.concat_tables([earlier, rows]))]

    publish(settings, writer, build)


def _waiting_batches(settings: Settings, shop: str | None) -> dict[str, list[str]]:
    batches: dict[str, set[str]] = defaultdict(set)
    for row in quarantined(settings, shop=shop, states=("waiting",)):
        if row.batch is not None:
            batches[row.batch].add(row.shop_id)
    in_order = sorted(batches, key=lambda batch: (batch != "history", batch))
    return {batch: sorted(batches[batch]) for batch in in_order}
