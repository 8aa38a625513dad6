"""An export of items → ``item_changed`` events: one row, one state of an item."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from imports.export_table import instant, minor, open_rows, rounded, whole
from imports.order_mapping import ExportMapping

NEEDED = ("item_id", "title", "category", "unit_price", "stock")
OPTIONAL = ("title_en", "brand", "status", "region", "changed_at")
_TEXTS = ("item_id", "title", "title_en", "category", "brand", "status", "region")
Progress = Callable[[int, int], None]


def item_lines(
    files: Sequence[Path], mapping: ExportMapping, shop_id: str, changed_at: str | None, progress: Progress
) -> Iterator[bytes]:
    """Events of the export as JSON lines, in its order. ``changed_at`` stands for rows that name no time of their own.

    ``progress`` is told rows done and rows in all. Raises LandingError.
    """
    import duckdb

    mapping.require(NEEDED, OPTIONAL)
    with duckdb.connect() as connection:
        open_rows(connection, files, list(dict.fromkeys(mapping.columns.values())))
        total = connection.execute("select count(*) from rows").fetchone()[0]  # type: ignore[index]
        result = connection.execute('select * from rows order by "jishi:row"')
        names = [column[0] for column in result.description]
        done = 0
        while chunk := result.fetchmany(20_000):
            for values in chunk:
                yield orjson.dumps(_event(dict(zip(names, values, strict=True)), mapping, shop_id, changed_at))
            done += len(chunk)
            progress(done, total)


def _event(row: dict[str, Any], mapping: ExportMapping, shop_id: str, changed_at: str | None) -> dict[str, Any]:
    def value(name: str) -> Any:
        column = mapping.columns.get(name)
        found = None if column is None else row[column]
        return mapping.defaults.get(name) if found in (None, "") else found

    properties = {name: found for name in _TEXTS if (found := value(name)) is not None}
    price = minor(value("unit_price"), mapping)
    properties["unit_price_minor"] = value("unit_price") if price is None else rounded(price)
    properties["currency"] = mapping.currency
    properties["stock"] = whole(value("stock"))
    at = instant(value("changed_at"), mapping) or changed_at
    digest = hashlib.blake2b(orjson.dumps([at, properties]), digest_size=8).hexdigest()
    head = {"event_id": f"item-{digest}", "shop_id": shop_id, "type": "item_changed", "occurred_at": at}
    return head | {"properties": properties, "source": {"file": row["jishi:file"], "row": row["jishi:row"]}}
