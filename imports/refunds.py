"""What an export takes back → ``order_refunded`` events: one an occasion, of what was paid after discounts.

The order is the one that the row names, or the newest earlier one of the same person that has enough of the item left, also of
an earlier import. A refund whose order nobody knows keeps none: the contract quarantines it, because it would lower the revenue
of an order that was never counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from imports.order_fields import currency_of, event, first_field, identifier, in_minor, person_of, rounded
from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow


@dataclass
class _PurchasedLine:
    """What is left of one item of one order: how many, and what was paid for each after all discounts."""

    order_id: str
    left: int
    paid_each: Decimal
    is_discounted: bool


@dataclass
class UnreturnedPurchases:
    """What persons bought and have not given back, oldest first."""

    by_person: dict[tuple[str, str], list[_PurchasedLine]] = field(default_factory=lambda: defaultdict(list))
    by_order: dict[tuple[str, str], list[_PurchasedLine]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of_events(cls, lines: Iterable[bytes]) -> UnreturnedPurchases:
        """What earlier imports of the shop sold and took back, from their events."""
        purchases = cls()
        for line in lines:
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if not isinstance(event, dict) or not isinstance(properties := event.get("properties"), dict):
                continue
            order_id = properties.get("order_id")
            if event.get("type") == "order_paid" and isinstance(order_id, str):
                purchases.add_order({k: event[k] for k in ("user_id", "anonymous_id") if k in event}, order_id, properties)
            elif event.get("type") == "order_refunded" and isinstance(order_id, str):
                for part in properties.get("lines", []):
                    if isinstance(part, dict) and isinstance(part.get("quantity"), int):
                        purchases.take_of_order(order_id, str(part.get("item_id")), part["quantity"])
        return purchases

    def add_order(self, person: dict[str, str], order_id: str, properties: dict[str, Any]) -> None:
        """An order with its lines; lines that hold no numbers are nobody's to give back."""
        lines = [line for line in properties.get("lines", []) if _is_priced(line)]
        paid = [_paid(line) for line in lines]
        share = _order_discount_share(properties, sum(paid, Decimal(0)))
        for line, amount in zip(lines, paid, strict=True):
            full = line["unit_price_minor"] * line["quantity"]
            bought = _PurchasedLine(order_id, line["quantity"], amount * share / line["quantity"], amount * share < full)
            self.by_person[next(iter(person.values()), ""), line["item_id"]].append(bought)
            self.by_order[order_id, line["item_id"]].append(bought)

    def take_of_person(self, person: dict[str, str], item_id: str, count: int) -> _PurchasedLine | None:
        """The newest purchase of the person that has so many left."""
        return _take(self.by_person.get((next(iter(person.values()), ""), item_id), []), count)

    def take_of_order(self, order_id: str, item_id: str, count: int) -> _PurchasedLine | None:
        """The line of the order that has so many left."""
        return _take(self.by_order.get((order_id, item_id), []), count)


def refund_events(
    rows: list[ExportRow], mapping: ExportMapping, shop_id: str, purchases: UnreturnedPurchases
) -> list[dict[str, Any]]:
    """Events of one occasion: one for each order that it gives something back of."""
    rule = mapping.cancellation
    assert rule is not None
    document = identifier(first_field(rows, "order_id"))
    person, currency = person_of(rows, document), currency_of(rows, mapping)
    parts: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    rows_of: dict[str | None, list[ExportRow]] = defaultdict(list)
    for row in rows:
        item_id, quantity = identifier(row.fields.get("item_id")), row.amount("quantity")
        count = abs(int(quantity)) if isinstance(quantity, Decimal) and quantity == int(quantity) else None
        named = identifier(row.cells.get(rule.order_id)) if rule.order_id else None
        bought = None
        if count is not None and item_id is not None:
            bought = (
                purchases.take_of_order(named, item_id, count)
                if rule.order_id and named
                else purchases.take_of_person(person, item_id, count)
                if not rule.order_id
                else None
            )
        order_id = named if rule.order_id else bought.order_id if bought else None
        amount = _amount(row, mapping, currency, bought, count)
        shown: Any = count if count is not None else row.fields.get("quantity")
        parts[order_id].append({"item_id": item_id, "quantity": shown, "amount_minor": amount})
        rows_of[order_id].append(row)
    events = []
    first_name = _refund_id(rows, mapping, document)
    for number, (order_id, lines) in enumerate(parts.items(), 1):
        name = first_name if number == 1 else f"{first_name}-{number}"
        total = sum(line["amount_minor"] for line in lines if isinstance(line["amount_minor"], int))
        properties = {"refund_id": name, "currency": currency, "amount_minor": total, "lines": lines}
        if order_id is not None:
            properties["order_id"] = order_id
        at = next((row.at for row in rows_of[order_id] if row.at is not None), None)
        when = at.isoformat() if at is not None else first_field(rows_of[order_id], "occurred_at")
        events.append(event(f"refund-{name}", "order_refunded", rows_of[order_id], mapping, shop_id, person, when, properties))
    return events


def _amount(row: ExportRow, mapping: ExportMapping, currency: str, bought: _PurchasedLine | None, count: int | None) -> Any:
    """What a row gives back: its own amount less its own discount; where it shows none, what was paid for a discounted line."""
    price = in_minor(row.amount("unit_price"), mapping, currency)
    line_amount = in_minor(row.amount("line_price"), mapping, currency)
    if line_amount is None and price is not None and count is not None:
        line_amount = price * count
    if line_amount is None:
        return row.fields.get("unit_price") or row.fields.get("line_price")
    discount = in_minor(row.amount("discount"), mapping, currency)
    if discount is None and bought is not None and count is not None and bought.is_discounted:
        return rounded(bought.paid_each * count)
    return max(0, rounded(abs(line_amount) - abs(discount or Decimal(0))))


def _refund_id(rows: list[ExportRow], mapping: ExportMapping, document: str | None) -> str:
    """The refund's own number, or the document's where refunds have documents of their own, else order and instant."""
    rule = mapping.cancellation
    assert rule is not None
    if rule.refund_id and (named := rows[0].cells.get(rule.refund_id)):
        return named
    if rule.starts_with is not None or rows[0].at is None:
        return str(document)
    return f"{document}-{rows[0].at:%Y%m%dT%H%M%S%z}"


def _take(lines: list[_PurchasedLine], count: int) -> _PurchasedLine | None:
    for line in reversed(lines):
        if line.left >= count > 0:
            line.left -= count
            return line
    return None


def _is_priced(line: Any) -> bool:
    return (
        isinstance(line, dict)
        and isinstance(line.get("quantity"), int)
        and line["quantity"] > 0
        and isinstance(line.get("unit_price_minor"), int)
        and isinstance(line.get("item_id"), str)
    )


def _paid(line: dict[str, Any]) -> Decimal:
    if isinstance(line.get("amount_minor"), int):
        return Decimal(line["amount_minor"])
    discount = line.get("discount_minor", 0)
    return Decimal(max(0, line["unit_price_minor"] * line["quantity"] - (discount if isinstance(discount, int) else 0)))


def _order_discount_share(properties: dict[str, Any], lines_paid: Decimal) -> Decimal:
    """What is left of each line after the order's own discount, which falls on lines by their amounts."""
    discount = properties.get("discount_minor", 0)
    if not isinstance(discount, int) or lines_paid <= 0:
        return Decimal(1)
    return max(Decimal(0), 1 - Decimal(discount) / lines_paid)
