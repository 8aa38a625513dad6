"""An export of items → ``item_changed`` events: one row, one state of an item.

Where rows name their product (``product_id``), what an item lacks of title, category and the like is what the product's first
row with it says: shops write what the variants of a product share only once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from imports.order_fields import amount_of, currency_of, json_line, rounded
from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow, read_export
from imports.table_file import identifier

NEEDED = ("item_id", "title", "category", "unit_price")
OPTIONAL = ("stock", "stock_tracked_by", "product_id", "title_en", "brand", "status", "region", "changed_at", "currency")
_TEXTS = ("title", "title_en", "category", "brand", "status", "region")
_STATUS = {  # what other systems call the contract's states
    **dict.fromkeys(("active", "published", "enabled", "上架", "出售中", "销售中"), "active"),
    **dict.fromkeys(("inactive", "draft", "archived", "disabled", "下架", "已下架", "仓库中"), "inactive"),
}
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
    changed = Counter[str]()
    items = [_settled(row, changed) for row in _with_what_variants_share(export.rows) if not _names_no_item(row)]
    if no_item := len(export.rows) - len(items):
        notes(f"left out {no_item:,} rows: neither item_id nor unit_price, such as further pictures")
    for what, count in changed.most_common():
        notes(f"{count:,} rows: {what}")
    for done, row in enumerate(items, 1):
        yield json_line(_event(row, mapping, shop_id, changed_at))
        if done % 1000 == 0 or done == len(items):
            progress(done, len(items))


def _names_no_item(row: ExportRow) -> bool:
    return row.problem is None and row.fields.get("item_id") is None and row.fields.get("unit_price") is None


def _with_what_variants_share(rows: Sequence[ExportRow]) -> list[ExportRow]:
    """The rows, with the texts that an earlier row of the same product had and they lack."""
    of_product: dict[str, dict[str, str]] = {}
    full = []
    for row in rows:
        product = row.fields.get("product_id")
        if product is None or row.problem is not None:
            full.append(row)
            continue
        shared = of_product.setdefault(product, {})
        texts = {name: value for name in _TEXTS if (value := row.fields.get(name)) is not None}
        of_product[product] = texts | shared
        full.append(replace(row, fields={**row.fields, **of_product[product], **texts}))
    return full


def _settled(row: ExportRow, changed: Counter[str]) -> ExportRow:
    """The row with the contract's word for its status, and its stock as far as it is known (both counted).

    Nothing is left where more was sold than there was. Where the column ``stock_tracked_by`` is empty, nobody counts the
    stock, and the number beside it says nothing.
    """
    fields: dict[str, str | None] = {}
    status = row.fields.get("status")
    if status is not None and (word := _STATUS.get(status.lower())) is not None and word != status:
        fields["status"] = word
        changed[f"status {status} is {word}"] += 1
    stock = row.amount("stock")
    if row.fields.get("stock_tracked_by", "") is None:
        fields["stock"] = None
        changed["stock that nobody counts is unknown"] += 1
    elif isinstance(stock, Decimal) and stock < 0:
        fields["stock"] = "0"
        changed["stock below 0 (sold before it came) is 0"] += 1
    return replace(row, fields=row.fields | fields) if fields else row


def _event(row: ExportRow, mapping: ExportMapping, shop_id: str, changed_at: str | None) -> dict[str, Any]:
    currency = currency_of([row], mapping)
    properties: dict[str, Any] = {"item_id": identifier(row.fields.get("item_id"))}
    properties |= {name: value for name in _TEXTS if (value := row.fields.get(name)) is not None}
    price = amount_of(row, "unit_price", mapping, currency)
    properties["unit_price_minor"] = rounded(price) if isinstance(price, Decimal) else price
    properties["currency"] = currency
    stock = row.amount("stock")
    # Below 0 is what was sold beyond the stock: nothing is left.
    properties["stock"] = max(0, int(stock)) if isinstance(stock, Decimal) and stock == int(stock) else row.fields.get("stock")
    properties = {name: value for name, value in properties.items() if value is not None}
    noted = mapping.instant(row.fields.get("changed_at"))
    at = noted.isoformat() if noted is not None else row.fields.get("changed_at") or changed_at
    digest = hashlib.blake2b(json_line([at, properties]), digest_size=8).hexdigest()
    head = {"event_id": f"item-{digest}", "shop_id": shop_id, "type": "item_changed", "occurred_at": at}
    source = {"file": row.file, "row": row.number} | ({"problem": row.problem} if row.problem else {})
    return head | {"properties": properties, "source": source}
