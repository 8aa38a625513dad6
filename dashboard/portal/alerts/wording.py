"""What a rule found, as a page and a message say it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dashboard.delivery import Message
from dashboard.portal.alerts.usual import Usual
from dashboard.portal.columns import Column, column_named
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.words import translated
from jishi.shops import Shop


@dataclass(frozen=True)
class ShownFinding:
    """A value of a day with the ends of the band that is usual of its weekday."""

    column: Column
    day: date
    value: ShownValue
    low: ShownValue
    high: ShownValue
    is_more: bool
    until_hour: int | None = None

    def sentence(self, formats: Formats) -> str:
        """The value of the day, or of its hours so far, and what would have been usual."""
        text = "{day}: {value}; usual on this weekday: {low} to {high}."
        if self.until_hour is not None:
            text = "{day} until {hour}: {value}; usual by then on this weekday: {low} to {high}."
        hour = f"{self.until_hour or 0}:00"
        ends = {"low": self.low, "high": self.high}
        return translated(text, formats.language, day=formats.day(self.day), hour=hour, value=self.value, **ends)


def shown_finding(
    formats: Formats, metric: str, day: date, value: float, usual: Usual, until_hour: int | None = None
) -> ShownFinding:
    """In the unit of the column. The band's ends are rounded as the values are."""
    column = column_named(metric)
    is_whole = column.unit not in ("money", "share", "number", "score")
    shown, low, high = (formats.value(column, round(each) if is_whole else each) for each in (value, *usual.beside(value)))
    return ShownFinding(column, day, shown, low, high, value > usual.high, until_hour)


def message_of(shop: Shop, finding: ShownFinding, formats: Formats, portal: str) -> Message:
    """An alert to send: the number, its day and what would have been usual."""
    language = formats.language
    title = "{shop}: {number} higher than usual" if finding.is_more else "{shop}: {number} lower than usual"
    return Message(
        translated(title, language, shop=shop.name, number=formats.label(finding.column)),
        (finding.sentence(formats),),
        f"{portal}/shops/{shop.shop_id}/today?date={finding.day}",
        translated("See the day", language),
    )
