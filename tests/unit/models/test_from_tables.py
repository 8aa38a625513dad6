"""Which rows of the published tables become arrays, on tables made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.landing.columnar import to_arrow, write_parquet
from jishi.lake import Lake
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, ITEM_NEIGHBOURS, TableSchema
from models import from_tables
from models.artefact import load_ids, load_state, read_manifest
from models.from_tables import TablesMissing
from models.item_knn import ItemKNN


def publish(lake: Lake, schema: TableSchema, rows: list[dict[str, Any]]) -> None:
    with lake.publish(schema.name) as draft:
        for shop_id in {row["shop_id"] for row in rows}:
            own = [dict.fromkeys(schema.columns) | row for row in rows if row["shop_id"] == shop_id]
            write_parquet(to_arrow(schema, own), draft.path / f"shop={shop_id}" / "part-0.parquet")


def near(item: str, neighbour: str, cosine: float, within: str = "person", shop_id: str = "a") -> dict[str, Any]:
    return {"shop_id": shop_id, "within": within, "item_id": item, "neighbour_id": neighbour, "cosine": cosine}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Neighbours know i9, which the factorisation does not; rows within orders and of shop b are none of shop a's."""
    made = Lake(tmp_path / "lake")
    pairs = [near("i2", "i1", 0.5), near("i1", "i9", 0.25), near("i1", "o", 0.9, "order"), near("i1", "b", 0.9, shop_id="b")]
    publish(made, ITEM_NEIGHBOURS, pairs)
    items = {"a": ("i2", "i1"), "b": ("b",)}
    rows = [
        {"shop_id": shop, "item_id": item, "factors": [float(item[1:] or 7), 0.5]} for shop in items for item in items[shop]
    ]
    publish(made, ALS_ITEM_FACTORS, rows)
    publish(made, ALS_PERSON_FACTORS, [{"shop_id": shop, "person_id": f"p-{shop}", "factors": [3.0, 4.0]} for shop in items])
    return made


def test_items_of_both_tables_are_numbered_once_and_unknown_factors_are_zero(lake: Lake, tmp_path: Path) -> None:
    assert from_tables.write(lake, "a", tmp_path / "made") == {"items": 3, "persons": 1}
    manifest = read_manifest(tmp_path / "made")
    assert load_ids(tmp_path / "made", manifest, "items") == ["i1", "i2", "i9"]
    assert load_ids(tmp_path / "made", manifest, "persons") == ["p-a"]
    knn = ItemKNN().from_state(load_state(tmp_path / "made", manifest, "item_knn"))
    assert knn.similarities().toarray().tolist() == [[1, 0, 0.25], [0.5, 1, 0], [0, 0, 1]]
    als = load_state(tmp_path / "made", manifest, "als")
    assert als["item_factors"].tolist() == [[1, 0.5], [2, 0.5], [0, 0]]
    assert als["person_factors"].tolist() == [[3, 4]]
    assert all(array.dtype == np.float32 for array in als.values())
    assert manifest["made_from"][ITEM_NEIGHBOURS.name] == lake.current(ITEM_NEIGHBOURS.name).name


def test_neighbours_within_orders_do_not_stand_in(lake: Lake, tmp_path: Path) -> None:
    publish(lake, ITEM_NEIGHBOURS, [near("i1", "i2", 0.5, "order")])
    with pytest.raises(TablesMissing, match="item_neighbours; run: python -m spark_jobs cooccurrence --within person --shop a"):
        from_tables.write(lake, "a", tmp_path / "made")
