"""An export of order lines → ``order_paid`` and ``order_refunded`` events, in the order of time.

Rows of one order become one event. What a row cannot say is left out, and the contract then refuses the event by name: a
guessed number would be counted. Refunds are in ``imports.refunds``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from imports.order_fields import currency_of, event, first_field, identifier, in_minor, person_of, rounded
from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow, groups, read_export
from imports.refunds import UnreturnedPurchases, refund_events

NEEDED = ("order_id", "item_id", "quantity", "occurred_at")
PRICES = ("unit_price", "line_price")
OPTIONAL = (
    *("line_id", "user_id", "category", "discount", "order_discount", "coupon_id", "shipping", "line_shipping", "currency"),
    *("refunded", "refunded_at"),
)
Progress = Callable[[int, int], None]


def require_fields(mapping: ExportMapping) -> None:
    """Raises LandingError when a needed field is neither a column nor a default, or a column's field is unknown."""
    has_line_price = "line_price" in mapping.columns
    mapping.require((*NEEDED, "line_price" if has_line_price else "unit_price"), (*PRICES, *OPTIONAL))


def order_lines(
    files: Sequence[Path],
    mapping: ExportMapping,
    shop_id: str,
    progress: Progress,
    purchases: UnreturnedPurchases | None = None,
    notes: Callable[[str], None] = lambda line: None,
) -> Iterator[bytes]:
    """Events of the export as JSON lines.

    ``progress`` gets rows done and rows in all, ``notes`` a line on how each file was read and on what was left out.
    ``purchases`` are what earlier imports sold, so that their refunds find them. Raises LandingError.
    """
    require_fields(mapping)
    export = read_export(files, mapping)
    for name, read_as in export.read_as.items():
        notes(f"{name}: read as {read_as}")
    for reason, count in export.left_out.most_common():
        notes(f"left out {count:,} rows: {reason}")
    known = UnreturnedPurchases() if purchases is None else purchases
    done = sum(export.left_out.values())
    total = done + len(export.rows)
    for is_back, rows in groups(export.rows, mapping):
        events = refund_events(rows, mapping, shop_id, known) if is_back else _order(rows, mapping, shop_id, known)
        yield from map(orjson.dumps, events)
        done += len(rows)
        progress(done, total)


def _order(
    rows: list[ExportRow], mapping: ExportMapping, shop_id: str, purchases: UnreturnedPurchases
) -> Iterator[dict[str, Any]]:
    order_id = identifier(first_field(rows, "order_id"))
    person, currency = person_of(rows, order_id), currency_of(rows, mapping)
    lines = [_line(row, mapping, currency) for row in rows]
    properties: dict[str, Any] = {"order_id": order_id, "currency": currency, "lines": lines}
    if order_id is None:
        del properties["order_id"]
    for name, amount in (
        ("discount_minor", _whole_order(rows, "order_discount", mapping, currency)),
        ("shipping_minor", _shipping(rows, mapping, currency)),
    ):
        if amount is not None:
            properties[name] = abs(amount) if name == "discount_minor" else amount
    at = _instant(rows)
    paid = event(f"order-{order_id or f'row-{rows[0].number}'}", "order_paid", rows, mapping, shop_id, person, at, properties)
    yield paid
    if order_id is not None:
        purchases.add_order(person, order_id, properties)
        yield from _refunded_sum(rows, mapping, shop_id, paid, currency)


def _line(row: ExportRow, mapping: ExportMapping, currency: str) -> dict[str, Any]:
    if row.problem is not None:
        return {}
    quantity: Any = row.amount("quantity")
    if isinstance(quantity, Decimal) and quantity == int(quantity):
        quantity = int(quantity)
    elif isinstance(quantity, Decimal):
        quantity = str(quantity)
    line: dict[str, Any] = {"item_id": identifier(row.fields.get("item_id")), "quantity": quantity}
    discount = in_minor(row.amount("discount"), mapping, currency)
    price = in_minor(row.amount("unit_price"), mapping, currency)
    whole_line = in_minor(row.amount("line_price"), mapping, currency)
    count = quantity if isinstance(quantity, int) and quantity > 0 else None
    if price is None and whole_line is not None and count:
        price = whole_line / count
    gross = whole_line if whole_line is not None else price * count if price is not None and count else None
    line["unit_price_minor"] = (
        rounded(price) if price is not None else row.fields.get("unit_price") or row.fields.get("line_price")
    )
    if discount is not None and discount != 0:
        line["discount_minor"] = rounded(abs(discount))
    if price is not None and gross is not None and price != int(price):
        line["amount_minor"] = max(0, rounded(gross - abs(discount or Decimal(0))))  # a unit's price is no whole minor unit
    for name in ("category", "coupon_id"):
        if (value := row.fields.get(name)) is not None:
            line[name] = value
    return line


def _refunded_sum(
    rows: list[ExportRow], mapping: ExportMapping, shop_id: str, paid: dict[str, Any], currency: str
) -> Iterator[dict[str, Any]]:
    """Exports that only say how much of an order was given back, as a sum beside it (or beside each line)."""
    amounts = [in_minor(row.amount("refunded"), mapping, currency) for row in rows]
    total = sum((abs(amount) for amount in amounts if amount is not None), Decimal(0))
    if total == 0:
        return
    order_id = paid["properties"]["order_id"]
    at = mapping.instant(first_field(rows, "refunded_at"))
    properties = {"refund_id": f"{order_id}-sum", "order_id": order_id, "currency": currency, "amount_minor": rounded(total)}
    person: dict[str, str] = {key: paid[key] for key in ("user_id", "anonymous_id") if key in paid}
    when = at.isoformat() if at is not None else paid["occurred_at"]
    refund = event(f"refund-{order_id}-sum", "order_refunded", rows, mapping, shop_id, person, when, properties)
    if at is None:
        refund["source"]["refunded_at"] = "the export does not say; the order's time stands for it"
    yield refund


def _whole_order(rows: Sequence[ExportRow], name: str, mapping: ExportMapping, currency: str) -> Any:
    text = next((row.amount(name) for row in rows if row.amount(name) is not None), None)
    amount = in_minor(text, mapping, currency)
    return text if amount is None else rounded(amount)


def _shipping(rows: Sequence[ExportRow], mapping: ExportMapping, currency: str) -> Any:
    if "line_shipping" in mapping.columns:
        parts = [in_minor(row.amount("line_shipping"), mapping, currency) for row in rows]
        return rounded(sum((part for part in parts if part is not None), Decimal(0)))
    return _whole_order(rows, "shipping", mapping, currency)


def _instant(rows: Sequence[ExportRow]) -> str | None:
    first = next((row.at for row in rows if row.at is not None), None)
    return first.isoformat() if first is not None else first_field(rows, "occurred_at")
