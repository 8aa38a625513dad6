"""An export of order lines → ``order_paid`` and ``order_refunded`` events, in the order of time.

Rows of one order become one event. What a row cannot say is left out, and the contract then refuses the event by name: a
guessed number would be counted. Refunds are in ``imports.refunds``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from imports.order_fields import amount_of, currency_of, event, first_field, json_line, person_of, rounded
from imports.order_mapping import ExportMapping
from imports.order_rows import REFUNDS, ExportRow, groups, read_export
from imports.preview import paid_minor
from imports.refunds import UnreturnedPurchases, refund_events, sum_id
from imports.table_file import identifier

NEEDED = ("order_id", "item_id", "quantity", "occurred_at")
PRICES = ("unit_price", "line_price")
_MINOR = ("unit_price_minor", "amount_minor", "discount_minor", "shipping_minor")
OPTIONAL = (
    *("line_id", "user_id", "category", "discount", "order_discount", "coupon_id", "shipping", "line_shipping", "currency"),
    *("refunded", "line_refunded", "refunded_at", "order_total"),
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
    untimed = [row.fields["occurred_at"] for row in export.rows if row.at is None and row.fields.get("occurred_at")]
    if untimed:
        notes(f"{len(untimed):,} rows have a time that cannot be read, such as {untimed[0]!r}; set time_format")
    known = UnreturnedPurchases() if purchases is None else purchases
    done = sum(export.left_out.values())
    total = done + len(export.rows)
    for is_back, rows in groups(export.rows, mapping):
        events = refund_events(rows, mapping, shop_id, known) if is_back else _order(rows, mapping, shop_id, known)
        yield from map(json_line, events)
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
            properties[name] = abs(amount) if name == "discount_minor" and isinstance(amount, int) else amount
    at = _instant(rows)
    paid = event(f"order-{order_id or f'row-{rows[0].number}'}", "order_paid", rows, mapping, shop_id, person, at, properties)
    yield paid
    if order_id is not None:
        purchases.add_order(person, order_id, properties, at)
        yield from _refunded_sum(rows, mapping, shop_id, paid, purchases)


def _line(row: ExportRow, mapping: ExportMapping, currency: str) -> dict[str, Any]:
    if row.problem is not None:
        return {}
    quantity: Any = row.amount("quantity")
    if isinstance(quantity, Decimal) and quantity == int(quantity):
        quantity = int(quantity)
    elif isinstance(quantity, Decimal):
        quantity = str(quantity)
    line: dict[str, Any] = {"item_id": identifier(row.fields.get("item_id")), "quantity": quantity}
    discount = amount_of(row, "discount", mapping, currency)
    price, whole_line = (amount_of(row, name, mapping, currency) for name in PRICES)
    count = quantity if isinstance(quantity, int) and quantity > 0 else None
    unreadable = next((value for value in (price, whole_line) if isinstance(value, str)), None)
    price = price if isinstance(price, Decimal) else None
    whole_line = whole_line if isinstance(whole_line, Decimal) else None
    if price is None and whole_line is not None and count:
        price = whole_line / count
    gross = whole_line if whole_line is not None else price * count if price is not None and count else None
    line["unit_price_minor"] = rounded(price) if price is not None and unreadable is None else unreadable
    if isinstance(discount, str):
        line["discount_minor"] = discount
    elif discount:
        line["discount_minor"] = rounded(abs(discount))
    if price is not None and gross is not None and price != int(price) and not isinstance(discount, str):
        line["amount_minor"] = rounded(gross - abs(discount or Decimal(0)))  # a unit's price is no whole minor unit
    for name in ("category", "coupon_id"):
        if (value := row.fields.get(name)) is not None:
            line[name] = value
    return line


def _refunded_sum(
    rows: list[ExportRow], mapping: ExportMapping, shop_id: str, paid: dict[str, Any], purchases: UnreturnedPurchases
) -> Iterator[dict[str, Any]]:
    """Exports that only say how much of an order was given back, as a sum beside it or beside each line.

    Of an order that an earlier import knew it is what came to the sum since.
    """
    order_id, currency = paid["properties"]["order_id"], paid["properties"]["currency"]
    given_back, before = _sum_given_back(rows, mapping, currency), purchases.refunded_sums.get(order_id, 0)
    total: int | str = given_back if isinstance(given_back, str) else 0
    if isinstance(given_back, Decimal):
        total = rounded(given_back * _share_of_goods(rows, mapping, paid["properties"]))
        if total <= before:
            return
    at = mapping.instant(first_field(rows, "refunded_at"))
    event_id = f"{sum_id(order_id)}-{total}" if before else sum_id(order_id)
    properties = {"refund_id": event_id.removeprefix("refund-"), "order_id": order_id, "currency": currency}
    properties["amount_minor"] = total - before if isinstance(total, int) else total
    person: dict[str, str] = {key: paid[key] for key in ("user_id", "anonymous_id") if key in paid}
    when = at.isoformat() if at is not None else paid["occurred_at"]
    refund = event(event_id, "order_refunded", rows, mapping, shop_id, person, when, properties)
    if at is None:
        refund["source"]["refunded_at"] = "the export does not say; the order's time stands for it"
    yield refund


def _sum_given_back(rows: Sequence[ExportRow], mapping: ExportMapping, currency: str) -> Decimal | str:
    """Minor units, or the text of a cell that holds none. A sum of the order counts once, though each row may repeat it."""
    sums: dict[str, list[Decimal]] = {}
    for name in REFUNDS:
        amounts = [amount_of(row, name, mapping, currency) for row in rows]
        if (unreadable := next((amount for amount in amounts if isinstance(amount, str)), None)) is not None:
            return unreadable
        sums[name] = [abs(amount) for amount in amounts if isinstance(amount, Decimal)]
    of_order, of_lines = sums["refunded"], sum(sums["line_refunded"], Decimal(0))
    return of_lines + (of_order[0] if len(set(of_order)) == 1 else sum(of_order, Decimal(0)))


def _share_of_goods(rows: Sequence[ExportRow], mapping: ExportMapping, properties: dict[str, Any]) -> Decimal:
    """How much of the order's total its lines and shipping are: the rest (taxes, tips) was given back beside them."""
    total = _whole_order(rows, "order_total", mapping, properties["currency"])
    parts = [properties, *properties["lines"]]
    amounts = [part.get(name, 0) for part in parts for name in ("quantity", *_MINOR)]
    if not isinstance(total, int) or not all(isinstance(amount, int) for amount in amounts):
        return Decimal(1)  # the contract will name the part that is no number
    paid = paid_minor(properties)
    return Decimal(paid) / total if 0 < paid < total else Decimal(1)


def _whole_order(rows: Sequence[ExportRow], name: str, mapping: ExportMapping, currency: str) -> Any:
    amounts = (amount_of(row, name, mapping, currency) for row in rows)
    amount = next((amount for amount in amounts if amount is not None), None)
    return rounded(amount) if isinstance(amount, Decimal) else amount


def _shipping(rows: Sequence[ExportRow], mapping: ExportMapping, currency: str) -> Any:
    if "line_shipping" in mapping.columns:
        parts = [amount_of(row, "line_shipping", mapping, currency) for row in rows]
        unreadable = next((part for part in parts if isinstance(part, str)), None)
        return unreadable or rounded(sum((part for part in parts if isinstance(part, Decimal)), Decimal(0)))
    return _whole_order(rows, "shipping", mapping, currency)


def _instant(rows: Sequence[ExportRow]) -> str | None:
    first = next((row.at for row in rows if row.at is not None), None)
    return first.isoformat() if first is not None else first_field(rows, "occurred_at")
