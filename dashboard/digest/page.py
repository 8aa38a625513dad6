"""A week as a page, as mail and as the text of a group chat, in one language."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.delivery import Message
from dashboard.digest.changes import Change
from dashboard.digest.numbers import TopItem, WeekNumber, WeekNumbers, direction
from dashboard.digest.pictures import days_picture
from dashboard.portal.alerts.wording import ShownFinding
from dashboard.portal.columns import Column, column_named
from dashboard.portal.formats import Formats
from dashboard.portal.values import named
from dashboard.portal.words import translated
from jishi.shops import Shop

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PICTURES = ("net_gmv_minor", "visitors")
_ARROWS = {1: "▲", -1: "▼", 0: "=", None: ""}


@dataclass(frozen=True)
class Digest:
    """A shop's week in the language of ``formats``; ``alerts`` are those of its days."""

    shop: Shop
    numbers: WeekNumbers
    alerts: list[ShownFinding]
    formats: Formats
    portal: str

    @property
    def title(self) -> str:
        """Shop and week."""
        return self.text("{shop}: the week of {day}", shop=self.shop.name, day=self.numbers.week.first)

    @property
    def link(self) -> str:
        """The last day of the week in the portal."""
        return f"{self.portal}/shops/{self.shop.shop_id}/today?date={self.numbers.week.last}&compare=week_before"

    def text(self, text: str, **values: object) -> str:
        """A text of words."""
        return translated(text, self.formats.language, **values)

    def shown(self, column: Column, value: Any) -> str:
        """A value with its unit."""
        return str(self.formats.value(column, value))

    def changed(self, change: Change) -> str:
        """A change with its sign and unit."""
        return change.shown(self.formats.language)

    def page(self) -> str:
        """A page that stands alone, with its pictures in it."""
        return self._html(lambda name: f"data:image/png;base64,{base64.b64encode(self.pictures[name]).decode()}")

    def message(self) -> Message:
        """To send: mail refers to its pictures by their content ids."""
        return Message(
            self.title,
            tuple(self._paragraphs()),
            self.link,
            self.text("Open the portal"),
            self._html(lambda name: f"cid:{name}"),
            self.pictures,
        )

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        """By name, those of which something is known."""
        week, days = self.numbers.week, self.numbers.days
        drawn = {name: days_picture(days, week, name, self.formats) for name in _PICTURES}
        return {name: picture for name, picture in drawn.items() if picture is not None}

    @property
    def notes(self) -> list[str]:
        """What to look at: weeks outside of the usual, the alerts of its days, and best items that are sold out."""
        notes = [self._unusual(number) for number in self.numbers.unusual]
        notes += [self._alert(unusual) for unusual in self.alerts]
        return notes + [self.text("Sold out: {item}", item=self._title(item)) for item in self.numbers.items if item.stock == 0]

    @property
    def items(self) -> list[tuple[str, str, str]]:
        """The best items: title, pieces, revenue."""
        units, revenue = column_named("units"), column_named("revenue_minor")
        return [
            (self._title(item), self.shown(units, item.units), self.shown(revenue, item.revenue_minor))
            for item in self.numbers.items
        ]

    def _title(self, item: TopItem) -> str:
        return item.title_en or item.title if self.formats.language == "en" else item.title

    def _unusual(self, number: WeekNumber) -> str:
        assert number.usual is not None
        is_more = number.value > number.usual.high
        low, high = (self.shown(number.column, end) for end in number.usual.beside(float(number.value)))
        text = "{number}: {value}, above the usual {low} to {high}."
        if not is_more:
            text = "{number}: {value}, below the usual {low} to {high}."
        label = self.formats.label(number.column)
        return self.text(text, number=label, value=self.shown(number.column, number.value), low=low, high=high)

    def _alert(self, unusual: ShownFinding) -> str:
        return f"{self.formats.label(unusual.column)} · {unusual.sentence(self.formats)}"

    def _paragraphs(self) -> list[str]:
        week = self.numbers.week
        lines = [f"{self.formats.day(week.first)} – {self.formats.day(week.last)}"]
        for number in self.numbers.numbers:
            then = [
                f"{self.text(title)} {self.shown(number.column, value)}{_ARROWS[direction(number.value, value)]}"
                + (f" {self.changed(change)}" if change else "")
                for title, value, change in (
                    ("The week before", number.before, number.change),
                    ("Last year", number.year_before, number.year_change),
                )
            ]
            lines.append(f"{self.formats.label(number.column)}: {self.shown(number.column, number.value)} ({', '.join(then)})")
        if self.items:
            lines += [
                self.text("Items of the week"),
                *(f"· {title}: {units}, {revenue}" for title, units, revenue in self.items),
            ]
        if self.notes:
            lines += [self.text("What to look at"), *(f"· {note}" for note in self.notes)]
        return lines

    def _html(self, source: Callable[[str], str]) -> str:
        segment = "customer__segment_zh" if self.formats.language == "zh" else "customer__segment"
        return _TEMPLATES.get_template("digest.html").render(
            digest=self,
            t=self.text,
            week=self.numbers.week,
            arrows=_ARROWS,
            direction=direction,
            pictures={name: (column_named(name), source(name)) for name in self.pictures},
            segments=[
                (
                    named(row[segment] or self.text("unknown")),
                    self.shown(column_named("customers"), row["customers"]),
                    self.shown(column_named("customer_spend"), row["customer_spend"]),
                )
                for row in self.numbers.segments
            ],
        )
