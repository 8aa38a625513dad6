"""Silver interactions and catalogue of one shop with a million items, made column by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jishi.arrow_tables import arrow_schema, write_parquet
from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS, TableSchema

SHOP, CHUNK = "bench", 500_000
START_US, DAYS = 1_785_542_400_000_000, 30
KINDS = np.array(["view"] * 14 + ["add"] * 3 + ["pay"] * 2 + ["share"])
OF_GROUP, TASTES = 50, 3  # items of a group that go together; groups that a person likes


def write_items(folder: Path, items: int) -> None:
    """The catalogue; every twentieth item is out of stock."""
    number = np.arange(items)
    columns = {
        "item_id": _text("i-", number),
        "status": pa.repeat("active", items),
        "stock": pa.array(np.where(number % 20 == 0, 0, 5)),
    }
    write_parquet(_table(SILVER_ITEMS, columns, items), folder / "part-0.parquet")


def write_interactions(folder: Path, items: int, persons: int, acts: int, seed: int = 13) -> None:
    """Acts of persons on items of the groups they like; groups are equally liked, items of a group are not."""
    chance = np.random.default_rng(seed)
    tastes = chance.integers(0, -(-items // OF_GROUP), (persons, TASTES))
    for part, first in enumerate(range(0, acts, CHUNK)):
        size = min(CHUNK, acts - first)
        person = chance.integers(0, persons, size)
        group = tastes[person, chance.integers(0, TASTES, size)]
        item = np.minimum(group * OF_GROUP + (OF_GROUP * chance.random(size) ** 3).astype(np.int64), items - 1)
        at = pa.array(START_US + chance.integers(0, DAYS * 86_400_000_000, size)).cast(pa.timestamp("us"))
        columns = {
            "event_id": _text("e-", np.arange(first, first + size)),
            "line_number": pa.array(np.zeros(size, dtype=np.int32)),
            "person_id": _text("u-", person),
            "item_id": _text("i-", item),
            "kind": pa.array(chance.choice(KINDS, size)),
            "quantity": pa.array(np.ones(size, dtype=np.int64)),
            "occurred_at": at,
            "received_at": at,
        }
        write_parquet(_table(SILVER_INTERACTIONS, columns, size), folder / f"part-{part:04}.parquet")


def _table(declared: TableSchema, columns: dict[str, pa.Array], size: int) -> pa.Table:
    given = columns | {"shop_id": pa.repeat(SHOP, size)}
    schema = arrow_schema(declared)
    arrays = [given[field.name].cast(field.type) if field.name in given else pa.nulls(size, field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _text(prefix: str, values: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(values).cast(pa.string()), "")
