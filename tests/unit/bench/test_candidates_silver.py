"""The silver tables of ``jishi bench candidates``: declared columns, known items, and pairs that persons have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.candidates_silver import write_interactions, write_items
from jishi.arrow_tables import arrow_schema
from jishi.preference import WEIGHTS
from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS


def read(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.ParquetFile(file).read() for file in sorted(folder.glob("*.parquet")))


def test_acts_are_on_known_items_and_share_pairs(tmp_path: Path) -> None:
    write_items(tmp_path / "items", 990)
    write_interactions(tmp_path / "acts", items=990, persons=200, acts=3_000)
    items, acts = read(tmp_path / "items"), read(tmp_path / "acts")
    assert items.schema.equals(arrow_schema(SILVER_ITEMS))
    assert acts.schema.equals(arrow_schema(SILVER_INTERACTIONS))
    assert acts.num_rows == len(set(acts["event_id"].to_pylist())) == 3_000
    assert set(acts["item_id"].to_pylist()) <= set(items["item_id"].to_pylist())
    assert set(acts["kind"].to_pylist()) == set(WEIGHTS)
    sellable = [stock > 0 for stock in items["stock"].to_pylist()]
    assert 0 < sellable.count(False) < sellable.count(True)
    baskets = defaultdict(set)
    for person, item in zip(acts["person_id"].to_pylist(), acts["item_id"].to_pylist(), strict=True):
        baskets[person].add(item)
    together = Counter(pair for basket in baskets.values() for pair in combinations(sorted(basket), 2))
    assert sum(count >= 2 for count in together.values()) > 990


def test_the_same_seed_gives_the_same_acts(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_interactions(tmp_path / name, items=100, persons=20, acts=300)
    assert read(tmp_path / "one").equals(read(tmp_path / "two"))
