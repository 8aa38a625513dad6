"""What an import of orders would do, without writing: counts, sums, refusals by reason, and the first events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from jishi.contract import Refusal, check_event
from jishi.contract.fields import to_ms
from jishi.money import shown
from jishi.text_tables import TextTable, text_console

SHOWN = 3
SHOWN_REFUSALS = 200


class MonthSum(NamedTuple):
    """What was paid and refunded in a month of the shop's time zone, in minor units of a currency."""

    month: str
    currency: str
    orders: int
    paid_minor: int
    refunds: int
    refunded_minor: int


class RefusedRow(NamedTuple):
    """A row that would be kept out: where it stands, which field is wrong, and what to do."""

    file: str
    row: int | None
    reason: str
    field: str
    detail: str


@dataclass
class Totals:
    """Good and refused events; paid and refunded minor units by currency, of good events alone."""

    events: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    paid_minor: Counter[str] = field(default_factory=Counter)
    refunded_minor: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)
    rows: list[RefusedRow] = field(default_factory=list)
    by_month: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    @property
    def months(self) -> list[MonthSum]:
        """Sums by month and currency, in order."""
        return [MonthSum(*key, *numbers) for key, numbers in sorted(self.by_month.items())]


@dataclass(frozen=True)
class ImportClock:
    """Now (epoch milliseconds), and how far ahead of it an event may be dated without being future."""

    now_ms: int
    tolerance_ms: int


def totals_of(lines: Iterator[bytes], shop_id: str, time_zone: str = "UTC", clock: ImportClock | None = None) -> Totals:
    """Judge every event by the contract, as ``import history`` will; months are those of the time zone.

    Without a clock no event is future, or too far ahead.
    """
    totals, zone = Totals(), ZoneInfo(time_zone)
    for line in lines:
        event = orjson.loads(line)
        checked = check_event(event, shop_id, now_ms=None if clock is None else clock.now_ms)
        if clock and not isinstance(checked, Refusal) and to_ms(checked.occurred_at) > clock.now_ms + clock.tolerance_ms:
            detail = f"{event['occurred_at']} has not come yet; is the date right, its format, and the time zone?"
            checked = Refusal("future", "occurred_at", detail)
        if isinstance(checked, Refusal):
            reason = f"{checked.reason} {checked.field}".strip()
            totals.refused[reason] += 1
            row = event.get("source", {})
            totals.examples.setdefault(
                reason, f"{row.get('file')} row {row.get('row')}: {row.get('problem') or checked.detail}"
            )
            if len(totals.rows) < SHOWN_REFUSALS:
                detail = str(row.get("problem") or checked.detail)
                totals.rows.append(RefusedRow(str(row.get("file")), row.get("row"), checked.reason, checked.field, detail))
            continue
        totals.events[event["type"]] += 1
        if len(totals.first) < SHOWN:
            totals.first.append(event)
        properties = event["properties"]
        if event["type"] not in ("order_paid", "order_refunded"):
            continue
        is_refund = event["type"] == "order_refunded"
        amount = properties["amount_minor"] if is_refund else paid_minor(properties)
        (totals.refunded_minor if is_refund else totals.paid_minor)[properties["currency"]] += amount
        month = f"{datetime.fromisoformat(event['occurred_at']).astimezone(zone):%Y-%m}"
        of_month = totals.by_month.setdefault((month, properties["currency"]), [0, 0, 0, 0])
        of_month[2 * is_refund] += 1
        of_month[2 * is_refund + 1] += amount
    return totals


def paid_minor(properties: dict[str, Any]) -> int:
    """What an order paid: lines after their discounts, less the order's discount, with shipping; minor units."""
    lines = sum(
        line.get("amount_minor", line["unit_price_minor"] * line["quantity"] - line.get("discount_minor", 0))
        for line in properties["lines"]
    )
    return int(lines - properties.get("discount_minor", 0) + properties.get("shipping_minor", 0))


def preview_json(totals: Totals, notes: Sequence[str], sums: Sequence[dict[str, Any]] = ()) -> str:
    """A dry run for another program, in one shape for all kinds of files; ``sums`` are of spend, by channel and currency."""
    return json.dumps(
        {
            "counts": totals.events,
            "first": totals.first,
            "refused": totals.refused,
            "rows": [row._asdict() for row in totals.rows],
            "months": [month._asdict() for month in totals.months],
            "sums": list(sums),
            "notes": list(notes),
        },
        ensure_ascii=False,
    )


def preview(lines: Iterator[bytes], shop_id: str, currency: str, clock: ImportClock) -> None:
    """Print the tables of a dry run; amounts in major units of each currency."""
    totals, console = totals_of(lines, shop_id, clock=clock), text_console()
    table = TextTable("what", "events", "sum", title=f"{shop_id}: nothing was written", title_justify="left")
    sums_of = {"order_paid": totals.paid_minor, "order_refunded": totals.refunded_minor}
    for name, count in sorted(totals.events.items()):
        amounts = ", ".join(shown(minor, code) for code, minor in sorted(sums_of.get(name, {}).items()))
        table.add_row(name, f"{count:,}", amounts)
    if not totals.events:
        table.add_row("no event", "0", "")
    for reason, count in totals.refused.most_common():
        table.add_row(f"refused: {reason}", f"{count:,}", totals.examples[reason], style="red")
    console.print(table)
    for event in totals.first:
        console.print_json(data=event, ensure_ascii=False)
    others = sorted(totals.paid_minor.keys() - {currency})
    if others:
        console.print(
            f"amounts in {', '.join(others)} are added to the shop's {currency} by its rates alone (jishi import rates)",
            highlight=False,
        )
