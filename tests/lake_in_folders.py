"""A lake as Jishi kept it before Iceberg: Parquet files in folders, and a pointer beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.tables import BRONZE_EVENTS, BRONZE_REPAIRS, TableSchema

NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000


def write_folder(var: Path, schema: TableSchema, parts: dict[str, list[dict[str, Any]]]) -> None:
    """A table in folders as the version before wrote it: rows by ``shop=…/batch=…``; ``old`` was published before."""
    root = var / "lake" / schema.name
    for version in ("old", "new"):
        for part, rows in parts.items():
            complete = [dict.fromkeys(schema.columns) | row for row in rows[: None if version == "new" else 0]]
            write_parquet(to_arrow(schema, complete), root / "versions" / version / part / "part-0.parquet")
    (root / "CURRENT").write_text("new\n")


def old_lake(var: Path, *, has_live: bool = True) -> None:
    """Histories of two shops, a repair, and a batch of live events if wanted."""
    row = {"collector_id": "history:a", "shop_id": "a", "received_at_ms": NOON_MS, "line": "{}", "person_id": "x"}
    live = row | {"collector_id": "c", "log_partition": 0, "log_offset": 5}
    parts = {
        "shop=a/batch=history": [row | {"seq": 0, "user_id": "x"}, row | {"seq": 1, "anonymous_id": "x"}],
        "shop=b/batch=history": [row | {"seq": 0, "shop_id": "b", "collector_id": "history:b"}],
    }
    if has_live:
        parts["shop=a/batch=live-2026-09-21"] = [live | {"seq": 7, "user_id": "u", "anonymous_id": "x"}]
    write_folder(var, BRONZE_EVENTS, parts)
    write_folder(var, BRONZE_REPAIRS, {"shop=a": [row | {"seq": 1, "user_id": "x", "is_repeated": False}]})
