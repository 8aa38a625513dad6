"""Fields of an order or refund as its event has them: ids, person, currency, exact amounts, the source of each event."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson

from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow
from imports.table_file import identifier
from jishi.contract.ids import IMPORT_PREFIX
from jishi.currency_signs import currencies_named, currency_code
from jishi.money import CURRENCY_DIGITS


def first_field(rows: Sequence[ExportRow], name: str) -> str | None:
    """A field of the whole order: the first row that has it tells; exports leave it blank on the others."""
    return next((row.fields[name] for row in rows if row.fields.get(name) is not None), None)


def person_of(rows: Sequence[ExportRow], document: str | None) -> dict[str, str]:
    """Whose order it is: the customer, or a guest of this one order, whose id no storefront can have."""
    user_id = identifier(first_field(rows, "user_id"))
    return {"user_id": user_id} if user_id else {"anonymous_id": f"{IMPORT_PREFIX}guest-{document}"}


def currency_of(rows: Sequence[ExportRow], mapping: ExportMapping) -> str:
    """The order's own currency: that of a column, the one that its prices name (``12.50 USD``), or else the mapping's."""
    if column := first_field(rows, "currency"):
        return currency_code(column)
    for row in rows:
        named = currencies_named(row.fields.get("unit_price")) or currencies_named(row.fields.get("line_price"))
        if named is not None and len(named) == 1:
            return next(iter(named))
    return mapping.currency


def amount_of(row: ExportRow, name: str, mapping: ExportMapping, currency: str) -> Decimal | str | None:
    """An amount in minor units of the order's currency, exact and perhaps with a fraction; None where the cell is empty.

    What is no amount of this currency stays the text that it is, for the contract to refuse by name.
    """
    text = row.fields.get(name)
    if text is None:
        return None
    value = row.amount(name)
    if not isinstance(value, Decimal):
        return value
    row_currency = row.fields.get("currency")
    if row_currency is not None and currency_code(row_currency) != currency:
        return f"{text} {row_currency} in an order of {currency}"
    named = currencies_named(text)
    if named is not None and currency not in named:
        return f"{text} in an order of {currency}"
    if mapping.money == "minor":
        return value
    return value.scaleb(mapping.digits if mapping.digits is not None else CURRENCY_DIGITS.get(currency, 2))


def event(
    event_id: str,
    name: str,
    rows: Sequence[ExportRow],
    mapping: ExportMapping,
    shop_id: str,
    person: dict[str, str],
    at: object,
    properties: dict[str, Any],
) -> dict[str, Any]:
    """One event with its source; ``at`` is an instant, or the text that should have been one."""
    row = rows[0]
    source: dict[str, Any] = {"file": row.file, "row": row.number}
    problem = next((r.problem for r in rows if r.problem is not None), None)
    if problem is not None:
        source["problem"] = problem
    head = {"event_id": event_id, "shop_id": shop_id, "type": name, "occurred_at": at}
    return head | person | {"properties": properties, "source": source}


def rounded(amount: Decimal) -> int:
    """To whole minor units, half up."""
    return int(amount.to_integral_value(ROUND_HALF_UP))  # quantize would refuse 29 digits


def json_line(event: Any) -> bytes:
    """The event, or a part of it, as JSON, also with a number that no engine holds, for the contract to refuse by name."""
    try:
        return orjson.dumps(event)
    except TypeError:  # beyond 64 bits
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
