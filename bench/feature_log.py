"""A made log for the features bench: one shop, 20,000 persons with three favourite categories each, 2,000 items.

Persons and items are popular by a cubic law: the first hundredth of either gets a fifth of the events. One event in a hundred
is repeated, another one late. A full hour begins two thirds into the log, so that every window of the live views slides within
it, the hourly ones once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from jishi.tables import BRONZE_EVENTS

PERSONS, ITEMS, FAVOURITES, OF_CATEGORY = 20_000, 2_000, 3, 50
FULL_HOUR_MS = 1_788_220_800_000
TYPES = (
    ("item_viewed",) * 14
    + ("item_added_to_cart",) * 2
    + ("search_performed", "recommendation_clicked", "order_paid", "item_shared")
)


def write_log(folder: Path, count: int, per_s: int, files: int, seed: int = 7) -> None:
    """Write the records as JSON lines into ``files`` files, a person's events all into one of them, as Kafka partitions do."""
    folder.mkdir(parents=True)
    parts = [(folder / f"part-{number}.jsonl").open("wb") for number in range(files)]
    try:
        for record in records(count, per_s, seed):
            parts[int(record["person_id"][2:]) % files].write(orjson.dumps(record) + b"\n")
    finally:
        for part in parts:
            part.close()


def records(count: int, per_s: int, seed: int, persons: int = PERSONS, items: int = ITEMS) -> Iterator[dict[str, Any]]:
    """Records of a log of ``per_s`` events a second, in the order of knowing."""
    chance = random.Random(seed)
    start_ms, categories = FULL_HOUR_MS - count * 667 // per_s, max(1, items // OF_CATEGORY)
    blank: dict[str, Any] = dict.fromkeys(BRONZE_EVENTS.columns)
    for number in range(count):
        received_ms = start_ms + number * 1000 // per_s
        person, event_type = int(persons * chance.random() ** 3), chance.choice(TYPES)
        category = (person * 7 + 11 * chance.randrange(FAVOURITES)) % categories
        item = int(items // categories * chance.random() ** 3) * categories + category
        record = blank | {
            "collector_id": "bench",
            "seq": number,
            "shop_id": "bench",
            "event_id": f"e-{number - (chance.random() < 0.01)}",
            "type": event_type,
            "schema_version": 1,
            "occurred_at_ms": received_ms - (60_000 if chance.random() < 0.01 else chance.randrange(5_000)),
            "collected_at_ms": received_ms,
            "received_at_ms": received_ms,
            "user_id": f"u-{person}",
            "person_id": f"u-{person}",
            "session_id": f"s-{person}-{received_ms // 1_800_000}",
            "log_partition": 0,
            "log_offset": number,
        }
        properties = _properties(event_type, number, item, category)
        if event_type != "order_paid" and event_type != "search_performed":
            record["item_id"] = properties["item_id"]
        if event_type in ("item_viewed", "item_added_to_cart"):
            record |= {name: properties[name] for name in ("category", "unit_price_minor")}
        record["line"] = orjson.dumps(_line(record, properties)).decode()
        yield record


def _properties(event_type: str, number: int, item: int, category: int) -> dict[str, Any]:
    item_id, price = f"i-{item}", 100 * (item % 500) + 99
    if event_type == "order_paid":
        line = {"item_id": item_id, "quantity": 1, "unit_price_minor": price, "category": f"c-{category}"}
        return {"order_id": f"o-{number}", "currency": "CNY", "shipping_minor": 800, "lines": [line, line]}
    if event_type == "search_performed":
        return {"query": f"裙 {number % 99}"}
    if event_type == "item_shared":
        return {"item_id": item_id, "share_id": f"h-{number}", "channel": "wechat"}
    return {"item_id": item_id, "category": f"c-{category}", "unit_price_minor": price}


def _line(record: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """The event as the storefront sent it, about 400 bytes."""
    head = {name: record[name] for name in ("event_id", "shop_id", "type", "user_id", "session_id")}
    context = {"channel": "wechat", "campaign": "autumn", "referrer": "moments", "device": "ios", "city": "杭州"}
    return head | {"occurred_at": "2026-08-31T23:59:59.999+08:00", "context": context, "properties": properties}
