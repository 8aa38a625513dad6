"""Ten million events of one shop as a bronze table, made column by column: visits of about fifteen events over thirty days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jishi.arrow_tables import arrow_schema, write_parquet
from jishi.tables import BRONZE_EVENTS

SHOP, CHUNK = "bench", 500_000
START_MS, DAYS = 1_785_542_400_000, 30
PERSONS, ITEMS, CATEGORIES, OF_VISIT = 100_000, 5_000, 50, 15
TYPES = np.array(
    ["item_viewed"] * 14
    + ["item_added_to_cart"] * 2
    + ["search_performed", "recommendation_clicked", "order_paid", "item_shared"]
)


def write_bronze(folder: Path, count: int, seed: int = 11) -> None:
    """Write ``count`` events into Parquet files of ``folder``, in the order of knowing; a few are repeated or late."""
    chance = np.random.default_rng(seed)
    visits = -(-count // OF_VISIT)
    begins_ms = START_MS + chance.integers(0, DAYS * 86_400_000, visits)
    person = (PERSONS * chance.random(visits) ** 3).astype(np.int64)
    of_visit = np.repeat(np.arange(visits), OF_VISIT)[:count]
    occurred_ms = begins_ms[of_visit] + np.sort(chance.integers(0, 1_200_000, (visits, OF_VISIT)), axis=1).ravel()[:count]
    order = np.argsort(occurred_ms, kind="stable")
    for first in range(0, count, CHUNK):
        chosen = order[first : first + CHUNK]
        table = _table(first, of_visit[chosen], person[of_visit[chosen]], occurred_ms[chosen], chance)
        write_parquet(table, folder / f"part-{first // CHUNK:04}.parquet")


def _table(first: int, visit: np.ndarray, person: np.ndarray, known_ms: np.ndarray, chance: np.random.Generator) -> pa.Table:
    size = len(visit)
    number = np.arange(first, first + size)
    event_type = chance.choice(TYPES, size)
    category = (person * 7 + 11 * chance.integers(0, 3, size)) % CATEGORIES
    item = (ITEMS // CATEGORIES * chance.random(size) ** 3).astype(np.int64) * CATEGORIES + category
    delay_ms = np.where(chance.random(size) < 0.01, 60_000, chance.integers(0, 5_000, size))
    ids = {name: _text(prefix, values) for name, prefix, values in (("item", "i-", item), ("category", "c-", category))}
    price = pa.array(item % 500 * 100 + 99)
    of_item = pa.array(~np.isin(event_type, ("order_paid", "search_performed")))
    is_priced = pa.array(np.isin(event_type, ("item_viewed", "item_added_to_cart")))
    kind, person_id = pa.array(event_type), _text("u-", person)
    columns: dict[str, pa.Array] = {
        "collector_id": pa.repeat(f"history:{SHOP}", size),
        "seq": pa.array(number),
        "shop_id": pa.repeat(SHOP, size),
        "event_id": _text("e-", number - (chance.random(size) < 0.01)),
        "type": kind,
        "schema_version": pa.array(np.ones(size, dtype=np.int32)),
        "occurred_at_ms": pa.array(known_ms - delay_ms),
        "collected_at_ms": pa.array(known_ms),
        "user_id": person_id,
        "person_id": person_id,
        "session_id": _text("s-", visit),
        "item_id": pc.if_else(of_item, ids["item"], None),
        "category": pc.if_else(is_priced, ids["category"], None),
        "unit_price_minor": pc.if_else(is_priced, price, None),
        "line": _line(kind, ids, price, number),
        "received_at_ms": pa.array(known_ms),
    }
    schema = arrow_schema(BRONZE_EVENTS)
    arrays = [columns[field.name].cast(field.type) if field.name in columns else pa.nulls(size, field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _line(kind: pa.Array, ids: dict[str, pa.Array], price: pa.Array, number: np.ndarray) -> pa.Array:
    """The events' own lines, with the properties that acts are read from."""
    line = _joined(
        '{"item_id":"', ids["item"], '","quantity":1,"unit_price_minor":', price.cast(pa.string()),
        ',"category":"', ids["category"], '"}',
    )  # fmt: skip
    orders = _joined('{"lines":[', line, ",", line, '],"shipping_minor":800}')
    others = _joined('{"item_id":"', ids["item"], '","share_id":"h-', pa.array(number).cast(pa.string()), '"}')
    properties = pc.if_else(pc.equal(kind, "order_paid"), orders, others)
    return _joined('{"type":"', kind, '","properties":', properties, "}")


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _text(prefix: str, values: np.ndarray) -> pa.Array:
    return _joined(prefix, pa.array(values).cast(pa.string()))
