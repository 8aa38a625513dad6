"""What an import of orders would do, without writing: counts, sums, refusals by reason, and the first events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from jishi.contract import Refusal, check_event
from jishi.money import MINOR_DIGITS, to_major

SHOWN = 3


@dataclass
class Totals:
    """Good and refused events; paid and refunded minor units by currency, of good events alone."""

    events: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    paid_minor: Counter[str] = field(default_factory=Counter)
    refunded_minor: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)


def totals_of(lines: Iterator[bytes], shop_id: str) -> Totals:
    """Judge every event by the contract, as ``import history`` will."""
    totals = Totals()
    for line in lines:
        event = orjson.loads(line)
        checked = check_event(event, shop_id)
        if isinstance(checked, Refusal):
            reason = f"{checked.reason} {checked.field}".strip()
            totals.refused[reason] += 1
            row = event.get("source", {})
            totals.examples.setdefault(
                reason, f"{row.get('file')} row {row.get('row')}: {row.get('problem') or checked.detail}"
            )
            continue
        totals.events[event["type"]] += 1
        if len(totals.first) < SHOWN:
            totals.first.append(event)
        properties = event["properties"]
        if event["type"] == "order_paid":
            totals.paid_minor[properties["currency"]] += paid_minor(properties)
        elif event["type"] == "order_refunded":
            totals.refunded_minor[properties["currency"]] += properties["amount_minor"]
    return totals


def paid_minor(properties: dict[str, Any]) -> int:
    """What an order paid: lines after their discounts, less the order's discount, with shipping; minor units."""
    lines = sum(
        line.get("amount_minor", line["unit_price_minor"] * line["quantity"] - line.get("discount_minor", 0))
        for line in properties["lines"]
    )
    return int(lines - properties.get("discount_minor", 0) + properties.get("shipping_minor", 0))


def preview(lines: Iterator[bytes], shop_id: str, currency: str) -> None:
    """Print the tables of a dry run; amounts in major units of each currency."""
    totals, console = totals_of(lines, shop_id), Console()
    table = Table("what", "events", "sum", title=f"{shop_id}: nothing was written", title_justify="left")
    for name, sums in (("order_paid", totals.paid_minor), ("order_refunded", totals.refunded_minor)):
        shown = ", ".join(_money(minor, code) for code, minor in sorted(sums.items()))
        table.add_row(name, f"{totals.events[name]:,}", shown)
    for reason, count in totals.refused.most_common():
        table.add_row(f"refused: {reason}", f"{count:,}", totals.examples[reason], style="red")
    console.print(table)
    for event in totals.first:
        console.print_json(data=event, ensure_ascii=False)
    others = sorted(totals.paid_minor.keys() - {currency})
    if others:
        console.print(
            f"amounts in {', '.join(others)} are not the shop's {currency}; they are never added to it", highlight=False
        )


def _money(minor: int, currency: str) -> str:
    amount = to_major(minor, currency) if currency in MINOR_DIGITS else Decimal(minor)
    return f"{amount:,} {currency}"
