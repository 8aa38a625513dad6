"""A made shop of four tastes with orders, visits and a catalogue that changes, as silver tables; and the same cut short."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from typing import Any

from jishi.tables import (
    SILVER_EVENTS,
    SILVER_INTERACTIONS,
    SILVER_ITEMS,
    SILVER_ORDER_LINES,
    SILVER_ORDERS,
    TableSchema,
)

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
GROUPS, ITEMS, PERSONS, DAYS = 4, 40, 80, 24
CUT = START + timedelta(days=16)  # a day before the seven test days
LATE = timedelta(days=3)
Tables = dict[TableSchema, list[dict[str, Any]]]

# Item → (day, properties) of each time that its state was told.
SOLD = {"status": "active", "stock": 3}
STATES: dict[str, list[tuple[int, dict[str, Any]]]] = {f"i{item:02}": [(0, SOLD)] for item in range(ITEMS)}
STATES["i08"] += [(20, {"status": "withdrawn", "stock": 3})]  # after the cut
STATES["i12"] += [(10, {"status": "active", "stock": 0}), (20, SOLD)]  # out of stock at the cut
STATES["i16"] = [(20, SOLD)]  # nobody had told of it by the cut


def made_shop(shop_id: str = "a") -> Tables:
    """Persons look at items of their taste and buy two of them together; one act in twenty becomes known three days late."""
    luck = random.Random(11)
    acts: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for person in range(PERSONS):
        liked = [f"i{item:02}" for item in range(ITEMS) if item % GROUPS == person % GROUPS]
        for day in range(DAYS):
            if luck.random() < 0.4:
                at = START + timedelta(days=day, seconds=luck.randrange(80_000))
                bought, seen = luck.sample(liked, 2), luck.sample(liked, 2)
                who = {"shop_id": shop_id, "person_id": f"p{person:02}"}
                late = LATE if luck.random() < 0.05 else timedelta(seconds=1)
                for step, item in enumerate(seen):
                    acts.append(_act(who, f"v{len(acts)}", item, "view", at + timedelta(minutes=step), late))
                at += timedelta(minutes=5)
                order = who | {"order_id": f"o{len(orders)}", "event_id": f"e{len(orders)}"}
                orders.append(order | {"paid_at": at, "received_at": at + late})
                for number, item in enumerate(bought, start=1):
                    lines.append(order | {"line_number": number, "item_id": item, "paid_at": at})
                    acts.append(_act(who, order["event_id"], item, "pay", at, late, number))
    # The half-open end: at exactly the cut by either clock is too late, a microsecond earlier is not.
    tick = timedelta(microseconds=1)
    for name, happened, after in (("at", CUT, tick), ("known", CUT - tick, tick), ("before", CUT - 2 * tick, tick)):
        who = {"shop_id": shop_id, "person_id": f"q-{name}"}
        acts += [_act(who, f"q{name}{item}", item, "pay", happened, after) for item in ("i00", "i04")]
    lines = [{name: value for name, value in line.items() if name != "event_id"} for line in lines]
    events = [_item_changed(shop_id, item, *state) for item, states in STATES.items() for state in states]
    return {
        SILVER_INTERACTIONS: acts,
        SILVER_ORDERS: orders,
        SILVER_ORDER_LINES: lines,
        SILVER_EVENTS: events,
        SILVER_ITEMS: _newest(events),
    }


def cut_short(tables: Tables) -> Tables:
    """The same shop as its log was at the cut, in which an item that nobody had told of is one to sell."""
    kept_rows = {schema: rows for schema, rows in tables.items() if schema is not SILVER_ITEMS}
    for schema, happened in ((SILVER_INTERACTIONS, "occurred_at"), (SILVER_ORDERS, "paid_at"), (SILVER_EVENTS, "occurred_at")):
        kept_rows[schema] = [row for row in tables[schema] if row[happened] < CUT and row["received_at"] < CUT]
    known = {row["order_id"] for row in kept_rows[SILVER_ORDERS]}
    kept_rows[SILVER_ORDER_LINES] = [row for row in tables[SILVER_ORDER_LINES] if row["order_id"] in known]
    states = _newest(kept_rows[SILVER_EVENTS])
    silent = {row["item_id"] for row in tables[SILVER_ITEMS]} - {row["item_id"] for row in states}
    shop_id = tables[SILVER_ITEMS][0]["shop_id"]
    return kept_rows | {SILVER_ITEMS: [*states, *({"shop_id": shop_id, "item_id": item} | SOLD for item in sorted(silent))]}


def publish_shop(platform: Any, tables: Tables) -> None:
    for schema, rows in tables.items():
        platform.publish(schema, rows)


def _act(
    who: dict[str, Any], event_id: str, item: str, kind: str, at: datetime, late: timedelta, line: int = 0
) -> dict[str, Any]:
    what = {"event_id": event_id, "line_number": line, "item_id": item, "kind": kind, "quantity": 1}
    return who | what | {"occurred_at": at, "received_at": at + late}


def _item_changed(shop_id: str, item: str, day: int, state: dict[str, Any]) -> dict[str, Any]:
    at = START + timedelta(days=day)
    line = json.dumps({"properties": {"item_id": item, "title": item, "title_en": item, "category": "c"} | state})
    head = {"shop_id": shop_id, "batch": "history", "event_id": f"{item}@{day}", "type": "item_changed", "item_id": item}
    return head | {"occurred_at": at, "received_at": at, "line": line}


def _newest(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    newest = {event["item_id"]: event for event in sorted(events, key=lambda event: event["occurred_at"])}
    kept = ("title", "title_en", "category", "status", "stock")
    return [
        {"shop_id": event["shop_id"], "item_id": item} | {name: json.loads(event["line"])["properties"][name] for name in kept}
        for item, event in newest.items()
    ]
