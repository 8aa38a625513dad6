"""An export of items → ``item_changed`` events: one row, one state of an item."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from imports.order_fields import identifier, in_minor, rounded
from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow, read_export

NEEDED = ("item_id", "title", "category", "unit_price", "stock")
OPTIONAL = ("title_en", "brand", "status", "region", "changed_at", "currency")
_TEXTS = ("title", "title_en", "category", "brand", "status", "region")
Progress = Callable[[int, int], None]


def item_lines(
    files: Sequence[Path],
    mapping: ExportMapping,
    shop_id: str,
    changed_at: str | None,
    progress: Progress,
    notes: Callable[[str], None] = lambda line: None,
) -> Iterator[bytes]:
    """Events of the export as JSON lines, in its order. ``changed_at`` stands for rows that name no time of their own.

    ``progress`` gets rows done and rows in all, ``notes`` a line on each file and on what was left out. Raises LandingError.
    """
    mapping.require(NEEDED, OPTIONAL)
    export = read_export(files, mapping)
    for name, read_as in export.read_as.items():
        notes(f"{name}: read as {read_as}")
    for reason, count in export.left_out.most_common():
        notes(f"left out {count:,} rows: {reason}")
    for done, row in enumerate(export.rows, 1):
        yield orjson.dumps(_event(row, mapping, shop_id, changed_at))
        if done % 1000 == 0 or done == len(export.rows):
            progress(done, len(export.rows))


def _event(row: ExportRow, mapping: ExportMapping, shop_id: str, changed_at: str | None) -> dict[str, Any]:
    currency = (row.fields.get("currency") or mapping.currency).upper()
    properties: dict[str, Any] = {"item_id": identifier(row.fields.get("item_id"))}
    properties |= {name: value for name in _TEXTS if (value := row.fields.get(name)) is not None}
    price = in_minor(row.amount("unit_price"), mapping, currency)
    properties["unit_price_minor"] = row.fields.get("unit_price") if price is None else rounded(price)
    properties["currency"] = currency
    stock = row.amount("stock")
    properties["stock"] = int(stock) if isinstance(stock, Decimal) and stock == int(stock) else row.fields.get("stock")
    properties = {name: value for name, value in properties.items() if value is not None}
    noted = mapping.instant(row.fields.get("changed_at"))
    at = noted.isoformat() if noted is not None else row.fields.get("changed_at") or changed_at
    digest = hashlib.blake2b(orjson.dumps([at, properties]), digest_size=8).hexdigest()
    head = {"event_id": f"item-{digest}", "shop_id": shop_id, "type": "item_changed", "occurred_at": at}
    source = {"file": row.file, "row": row.number} | ({"problem": row.problem} if row.problem else {})
    return head | {"properties": properties, "source": source}
