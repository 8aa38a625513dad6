"""Fields of an order or refund as its event has them: ids, person, currency, exact amounts, the source of each event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from imports.order_mapping import ExportMapping
from imports.order_rows import ExportRow
from jishi.contract.ids import IMPORT_PREFIX
from jishi.money import MINOR_DIGITS

_ROUNDED_BY_A_SPREADSHEET = re.compile(r"^\d+(?:[.,]\d+)?[eE]\+\d+$")
_WHOLE_AS_FLOAT = re.compile(r"^(\d+)\.0+$")


def identifier(text: str | None) -> str | None:
    """An id as its system has it: ``17850.0`` is 17850. None for one that a spreadsheet has rounded (``2.16E+18``)."""
    if text is None or _ROUNDED_BY_A_SPREADSHEET.match(text):
        return None
    match = _WHOLE_AS_FLOAT.match(text)
    return match.group(1) if match else text


def first_field(rows: Sequence[ExportRow], name: str) -> str | None:
    """A field of the whole order: the first row that has it tells; exports leave it blank on the others."""
    return next((row.fields[name] for row in rows if row.fields.get(name) is not None), None)


def person_of(rows: Sequence[ExportRow], document: str | None) -> dict[str, str]:
    """Whose order it is: the customer, or a guest of this one order, whose id no storefront can have."""
    user_id = identifier(first_field(rows, "user_id"))
    return {"user_id": user_id} if user_id else {"anonymous_id": f"{IMPORT_PREFIX}guest-{document}"}


def currency_of(rows: Sequence[ExportRow], mapping: ExportMapping) -> str:
    """The order's own currency where a column names it, else the mapping's."""
    return (first_field(rows, "currency") or mapping.currency).upper()


def in_minor(value: object, mapping: ExportMapping, currency: str) -> Decimal | None:
    """An amount of the export in minor units of its currency, exact and perhaps with a fraction; None when it is no number."""
    if not isinstance(value, Decimal):
        return None
    if mapping.money == "minor":
        return value
    return value.scaleb(mapping.digits if mapping.digits is not None else MINOR_DIGITS.get(currency, 2))


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
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
