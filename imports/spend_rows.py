"""A file of marketing spend → what was spent by date, channel and campaign, and the rows that say no such thing, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from imports.order_fields import rounded
from imports.order_mapping import ExportMapping
from imports.table_file import NumberCell, TableRow, read_table
from jishi.amounts import DecimalSign, clear_decimal_sign_of, number
from jishi.currency_signs import currencies_named
from jishi.landing import LandingError
from jishi.money import CURRENCY_DIGITS, MOST_MINOR

NEEDED = ("date", "channel", "amount")
OPTIONAL = ("campaign", "currency", "clicks", "impressions")


class SpendKey(NamedTuple):
    """Where money went on a date of the shop; ``campaign`` None: to the channel as a whole."""

    spend_date: date
    channel: str
    campaign: str | None


@dataclass(frozen=True)
class Spend:
    """Minor units of ``currency``; clicks and impressions are None where the file does not say."""

    amount_minor: int
    currency: str
    clicks: int | None
    impressions: int | None

    def __add__(self, other: Spend) -> Spend:
        """Two rows of one date and campaign, such as its ad groups. Raises ValueError."""
        if self.currency != other.currency:
            raise ValueError(f"currency: {other.currency}, but an earlier row of its campaign and date has {self.currency}")
        return Spend(
            _bounded("amount", self.amount_minor + other.amount_minor),
            self.currency,
            _sum(self.clicks, other.clicks),
            _sum(self.impressions, other.impressions),
        )


class Rejected(NamedTuple):
    """A row that is left out: where it stands, and what to change."""

    file: str
    row: int
    problem: str


@dataclass(frozen=True)
class SpendFile:
    """What one file holds. ``rows`` counts all of them, ``read_as`` says how they were read."""

    spend: dict[SpendKey, Spend]
    rejected: list[Rejected]
    rows: int
    read_as: str


def read_spend(file: Path, mapping: ExportMapping) -> SpendFile:
    """The spend of a file; rows of one date, channel and campaign are added up. Raises LandingError when no row is good."""
    mapping.require(NEEDED, OPTIONAL)
    table = read_table(file, mapping.wanted, mapping.reading)
    columns = {name: [column for column in mapping.names_of(name) if column in table.columns] for name in (*NEEDED, *OPTIONAL)}
    cells = [_fields(row, columns, mapping) for row in table.rows]
    signs = _decimal_signs(file, cells, mapping)
    spend: dict[SpendKey, Spend] = {}
    rejected = []
    for place, (row, fields) in enumerate(zip(table.rows, cells, strict=True), start=2):
        try:
            if row.problem is not None:
                raise ValueError(row.problem)
            key, new = _key(fields, mapping), _spend(fields, mapping, signs)
            spend[key] = spend[key] + new if key in spend else new
        except ValueError as error:
            rejected.append(Rejected(file.name, place, str(error)))
    if not spend:
        first = f"; row {rejected[0].row}: {rejected[0].problem}" if rejected else ""
        raise LandingError(f"{file} has no row of spend{first}; write rows of date, channel, campaign, amount, currency")
    return SpendFile(spend, rejected, len(table.rows), table.read_as)


def _fields(row: TableRow, columns: dict[str, list[str]], mapping: ExportMapping) -> dict[str, str | None]:
    defaults = {name: str(value) for name, value in mapping.defaults.items()}
    return {
        name: next((cell for column in of_field if (cell := row.cells.get(column)) is not None), defaults.get(name))
        for name, of_field in columns.items()
    }


def _decimal_signs(file: Path, rows: Sequence[dict[str, str | None]], mapping: ExportMapping) -> dict[str, DecimalSign]:
    """The decimal sign of the amounts of each currency: ``12.345`` is thousands of yen, and dinars with decimals."""
    amounts: dict[str, list[str | None]] = {}
    for fields in rows:
        of_currency = amounts.setdefault(_code(fields, mapping), [])
        of_currency += [] if isinstance(fields["amount"], NumberCell) else [fields["amount"]]
    signs: dict[str, DecimalSign] = {}
    for code, cells in amounts.items():
        digits = mapping.amount_digits if code == mapping.currency else CURRENCY_DIGITS.get(code, 2)
        sign = mapping.decimal or clear_decimal_sign_of(cells, digits)
        if sign is None:
            raise LandingError(
                f"{file}: nothing tells whether the amounts in {code} have decimals or thousands; name it: --decimal . or ,"
            )
        signs[code] = sign
    return signs


def _code(fields: dict[str, str | None], mapping: ExportMapping) -> str:
    """The currency of a row, also where its column holds a sign (RMB, €)."""
    named = currencies_named(fields["currency"]) if fields["currency"] else None
    return next(iter(named)) if named and len(named) == 1 else fields["currency"] or mapping.currency


def _key(fields: dict[str, str | None], mapping: ExportMapping) -> SpendKey:
    on, channel = fields["date"], fields["channel"]
    day = mapping.instant(on)
    if day is None:
        raise ValueError(f"date: {on or 'nothing'!r} is no date; write it as 2026-03-01, or name --time-format")
    if channel is None:
        raise ValueError("channel: it is empty; write the channel as visits name it (utm_source)")
    return SpendKey(day.date(), channel, fields["campaign"])


def _spend(fields: dict[str, str | None], mapping: ExportMapping, signs: dict[str, DecimalSign]) -> Spend:
    code = _code(fields, mapping)
    sign = signs[code]
    if code not in CURRENCY_DIGITS:
        raise ValueError(f"currency: {code!r} is not an ISO 4217 code in capitals, such as USD")
    amount = _number("amount", fields["amount"], sign)
    if amount is None:
        raise ValueError("amount: it is empty; write 0 where nothing was spent")
    digits = 0 if mapping.money == "minor" else mapping.digits if mapping.digits is not None else CURRENCY_DIGITS[code]
    counts = [_count(name, fields[name], sign) for name in ("clicks", "impressions")]
    return Spend(_bounded("amount", rounded(amount.scaleb(digits))), code, *counts)


def _number(name: str, cell: str | None, sign: DecimalSign) -> Decimal | None:
    if cell is None:
        return None
    value = number(cell, "." if isinstance(cell, NumberCell) else sign)
    if value is None:
        raise ValueError(f"{name}: {cell[:40]!r} is no number")
    if value < 0:
        raise ValueError(f"{name}: {cell[:40]} is below 0; a credit note belongs into the amount of its date")
    return value


def _count(name: str, cell: str | None, sign: DecimalSign) -> int | None:
    value = _number(name, cell, sign)
    if value is not None and value != int(value):
        raise ValueError(f"{name}: {cell} is no whole number")
    return None if value is None else _bounded(name, int(value))


def _bounded(name: str, value: int) -> int:
    if value > MOST_MINOR:
        raise ValueError(f"{name}: {value} is more than {MOST_MINOR}")
    return value


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
