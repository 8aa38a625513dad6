"""Numbers, money, days and instants as a person of one language reads them, always with their unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dashboard.portal.columns import Column, Unit
from dashboard.portal.values import name_of_value
from dashboard.portal.words import Language
from jishi.money import rounded_major, shown

UNITS: dict[Unit, tuple[str, str]] = {
    "orders": ("单", "orders"),
    "persons": ("人", "people"),
    "visits": ("次", "visits"),
    "views": ("次", "views"),
    "times": ("次", "times"),
    "pieces": ("件", "pieces"),
    "impressions": ("次", "impressions"),
    "clicks": ("次", "clicks"),
    "refunds": ("笔", "refunds"),
    "coupons": ("张", "coupons"),
    "lines": ("行", "lines"),
    "days": ("天", "days"),
    "share": ("%", "%"),
    "multiple": ("倍", "times"),
    "models": ("个", "models"),
}
UNKNOWN = "–"


class ShownValue(NamedTuple):
    """A value in two parts, so that a page can set the unit smaller; an unknown value has no unit."""

    text: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.unit}".strip()


@dataclass(frozen=True)
class Formats:
    """``currency`` is the shop's home currency as the marts have it, ``time_zone`` that of its days."""

    language: Language
    currency: str
    time_zone: str

    def value(self, column: Column, value: Any, own_currency: str | None = None) -> ShownValue:
        """A column's value in its unit; ``own_currency`` is the row's where it has one."""
        if value is None:
            return ShownValue(UNKNOWN)
        match column.unit:
            case "money" | "own_money":
                number, _, unit = shown(value, self._currency(column, own_currency)).rpartition(" ")
                return ShownValue(number, unit)
            case "share":
                return ShownValue(f"{value:.2%}".rstrip("%"), "%")
            case "date":
                return ShownValue(self.day(value))
            case "instant":
                return ShownValue(self.instant(value))
            case "flag":
                return ShownValue(("是" if value else "否") if self.language == "zh" else "yes" if value else "no")
            case "text":
                return ShownValue(name_of_value(column.name, str(value), self.language))
            case _:
                is_whole = value == int(value)
                return ShownValue(f"{int(value):,}" if is_whole else f"{value:,.2f}", self.unit(column))

    def cell(self, column: Column, row: Mapping[str, Any]) -> ShownValue:
        """A column of a row; an item without an English title shows its own."""
        value = row.get(column.name)
        if value is None and column.name == "title_en":
            value = row.get("title")
        if column.unit == "text" and value is not None:
            return ShownValue(name_of_value(column.name, str(value), self.language, row))
        return self.value(column, value, row.get("currency"))

    def unit(self, column: Column) -> str:
        """The unit of a column; empty where it has none."""
        if column.unit == "money":
            return self.currency
        zh, en = UNITS.get(column.unit, ("", ""))
        return zh if self.language == "zh" else en

    def unit_beside_label(self, column: Column) -> str:
        """The unit for a heading of its label; empty where the label says it: pieces, and not pieces (pieces)."""
        unit, label = self.unit(column), self.label(column).casefold()
        is_there = unit in label if self.language == "zh" else unit.casefold() in label.split()
        return "" if is_there else unit

    def label(self, column: Column) -> str:
        """What a column is called."""
        return column.zh if self.language == "zh" else column.en

    def chosen(self, column: Column, text: str) -> str:
        """A value that an address asks for, as its column would show it."""
        match column.unit:
            case "flag":
                return self.value(column, text == "true").text
            case "text":
                return self.value(column, text).text
            case _:
                return text

    def file_cell(self, column: Column, row: Mapping[str, Any]) -> Any:
        """A column of a row for a file."""
        value = row.get(column.name)
        if column.unit == "text" and value is not None:
            return name_of_value(column.name, str(value), self.language, row)
        return self.plain(column, value, row.get("currency"))

    def plain(self, column: Column, value: Any, own_currency: str | None = None) -> Any:
        """A value for a file: money in major units, rounded as its currency is, instants on the shop's clock."""
        if value is None:
            return None
        if column.unit in ("money", "own_money"):
            return rounded_major(value, self._currency(column, own_currency))
        if column.unit == "instant":
            return self._local(value).replace(tzinfo=None)
        return value

    def day(self, value: date) -> str:
        """A day with its weekday."""
        weekday = "一二三四五六日"[value.weekday()] if self.language == "zh" else f"{value:%a}"
        return f"{value:%Y-%m-%d} {'周' if self.language == 'zh' else ''}{weekday}"

    def instant(self, value: datetime) -> str:
        """An instant (UTC, as the marts keep it) on the shop's clock."""
        return f"{self._local(value):%Y-%m-%d %H:%M}"

    def _currency(self, column: Column, own_currency: str | None) -> str:
        return own_currency if column.unit == "own_money" and own_currency else self.currency

    def _local(self, value: datetime) -> datetime:
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(ZoneInfo(self.time_zone))
