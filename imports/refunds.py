"""What an export takes back → ``order_refunded`` events: one an occasion, of what was paid after discounts.

The order is the one that the row names, or the newest earlier one of the same person that has enough of the item left, also of
an earlier import. A refund whose order nobody knows keeps none: the contract quarantines it, because it would lower the revenue
of an order that was never counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from imports.order_fields import amount_of, currency_of, event, first_field, person_of, rounded
from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow
from imports.table_file import identifier

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class _PurchasedLine:
    """What is left of one item of one order: how many, and what was paid for each after all discounts."""

    order_id: str
    at: datetime
    left: int
    paid_each: Decimal
    is_discounted: bool


@dataclass
class UnreturnedPurchases:
    """What persons bought and have not given back."""

    by_person: dict[tuple[str, str], list[_PurchasedLine]] = field(default_factory=lambda: defaultdict(list))
    by_order: dict[tuple[str, str], list[_PurchasedLine]] = field(default_factory=lambda: defaultdict(list))
    orders: set[str] = field(default_factory=set)
    of_refund: dict[str, dict[str, str]] = field(default_factory=dict)  # orders by item, of refunds that are known already
    refunded_sums: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by order, of exports that only say sums

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
            order_id, name = properties.get("order_id"), str(event.get("event_id"))
            if event.get("type") == "order_paid" and isinstance(order_id, str):
                person = {k: event[k] for k in ("user_id", "anonymous_id") if isinstance(event.get(k), str)}
                purchases.add_order(person, order_id, properties, event.get("occurred_at"))
            elif event.get("type") == "order_refunded" and name not in purchases.of_refund:
                purchases._add_refund(name, order_id, properties)
        return purchases

    def _add_refund(self, name: str, order_id: Any, properties: dict[str, Any]) -> None:
        """A refund of an earlier import, once."""
        items = self.of_refund.setdefault(name, {})
        if not isinstance(order_id, str):
            return
        if name.startswith(sum_id(order_id)) and isinstance(amount := properties.get("amount_minor"), int):
            self.refunded_sums[order_id] += amount
        for part in _list(properties.get("lines")):
            if isinstance(part, dict) and isinstance(part.get("quantity"), int):
                item_id = str(part.get("item_id"))
                items[item_id] = order_id
                self.take_of_order(order_id, item_id, part["quantity"])

    def add_order(self, person: dict[str, str], order_id: str, properties: dict[str, Any], at: Any) -> None:
        """An order with its lines, once; lines that hold no numbers are nobody's to give back. ``at`` is its time as a text."""
        if order_id in self.orders:
            return
        self.orders.add(order_id)
        lines = [line for line in _list(properties.get("lines")) if _is_priced(line)]
        paid = [_paid(line) for line in lines]
        share = _order_discount_share(properties, sum(paid, Decimal(0)))
        for line, amount in zip(lines, paid, strict=True):
            full = line["unit_price_minor"] * line["quantity"]
            bought = _PurchasedLine(
                order_id, _instant(at), line["quantity"], amount * share / line["quantity"], amount * share < full
            )
            self.by_person[next(iter(person.values()), ""), line["item_id"]].append(bought)
            self.by_order[order_id, line["item_id"]].append(bought)

    def take_of_person(
        self, person: dict[str, str], item_id: str, count: int, at: datetime | None = None
    ) -> _PurchasedLine | None:
        """The newest purchase of the person up to an instant that has so many left."""
        lines = self.by_person.get((next(iter(person.values()), ""), item_id), [])
        return _take([line for line in lines if at is None or line.at <= at], count)

    def take_of_order(self, order_id: str, item_id: str, count: int) -> _PurchasedLine | None:
        """The line of the order that has so many left."""
        return _take(self.by_order.get((order_id, item_id), []), count)

    def given_back(self, name: str) -> dict[str, str]:
        """The order of each item that a refund of an earlier import gave something back of; empty for a new one."""
        items: dict[str, str] = {}
        number, event_id = 1, f"refund-{name}"
        while event_id in self.of_refund:
            items = self.of_refund[event_id] | items
            number += 1
            event_id = f"refund-{name}-{number}"
        return items


def sum_id(order_id: str) -> str:
    """How the ids of refunds begin that are what a sum beside the order came to."""
    return f"refund-{order_id}-sum"


def refund_events(
    rows: list[ExportRow], mapping: ExportMapping, shop_id: str, purchases: UnreturnedPurchases
) -> list[dict[str, Any]]:
    """Events of one occasion: one for each order that it gives something back of."""
    rule = mapping.cancellation
    assert rule is not None
    document = identifier(first_field(rows, "order_id"))
    person, currency = person_of(rows, document), currency_of(rows, mapping)
    first_name = _refund_id(rows, mapping, document)
    again = purchases.given_back(first_name)
    parts: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    rows_of: dict[str | None, list[ExportRow]] = defaultdict(list)
    for row in rows:
        item_id, quantity = identifier(row.fields.get("item_id")), row.amount("quantity")
        count = abs(int(quantity)) if isinstance(quantity, Decimal) and quantity == int(quantity) else None
        named = identifier(row.cells.get(rule.order_id)) if rule.order_id else None
        bought = None
        if count is not None and item_id is not None and item_id not in again:
            bought = (
                purchases.take_of_order(named, item_id, count)
                if rule.order_id and named
                else purchases.take_of_person(person, item_id, count, row.at)
                if not rule.order_id
                else None
            )
        order_id = named if rule.order_id else bought.order_id if bought else again.get(item_id or "")
        amount = _amount(row, mapping, currency, bought, count)
        shown: Any = count if count is not None else row.fields.get("quantity")
        parts[order_id].append({"item_id": item_id, "quantity": shown, "amount_minor": amount})
        rows_of[order_id].append(row)
    events = []
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
    price, line_amount, discount = (
        amount_of(row, name, mapping, currency) for name in ("unit_price", "line_price", "discount")
    )
    if (unreadable := next((value for value in (price, line_amount, discount) if isinstance(value, str)), None)) is not None:
        return unreadable
    if line_amount is None and isinstance(price, Decimal) and count is not None:
        line_amount = price * count
    if not isinstance(line_amount, Decimal):
        return row.fields.get("unit_price") or row.fields.get("line_price")
    if discount is None and bought is not None and count is not None and bought.is_discounted:
        return rounded(bought.paid_each * count)
    return max(0, rounded(abs(line_amount) - (abs(discount) if isinstance(discount, Decimal) else 0)))


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
    for line in sorted(reversed(lines), key=lambda line: line.at, reverse=True):
        if line.left >= count > 0:
            line.left -= count
            return line
    return None


def _instant(text: Any) -> datetime:
    """The time of an order; long ago where it has none that can be read."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return _LONG_AGO
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


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
