"""Which items and days the page of items is of; the metric layer answers for days that no mart sums up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import Condition, ShopMarts
from dashboard.portal.visit import BadRequest, PageVisit
from jishi.metrics import TimeRange, equals

PERIODS = ("7", "30", "90")
_USUAL_DAYS = 30
_ITEM, _CATEGORY = "item_day__item_id", "item_day__category"
# Columns of an item's period by the metric that answers them of any days.
_METRICS = {
    "net_revenue_minor": "item_net_revenue",
    "units": "item_units",
    "orders": "item_orders",
    "viewed_visits": "viewed_item_visits",
    "view_to_pay_rate": "view_to_pay_rate",
    "return_rate": "return_rate",
}
_OF_CATALOGUE = ("title", "title_en", "category", "currency", "stock")


class ItemChoice(NamedTuple):
    """Days, and perhaps a category, a channel and a part of the name; ``period`` where the days are one that marts sum up."""

    first: date
    last: date
    period: str | None
    category: str | None
    channel: str | None
    name: str | None

    @classmethod
    def of(cls, visit: PageVisit, newest: date) -> ItemChoice:
        """What the address asks for, by default the newest 30 days. Raises BadRequest."""
        (first, last), period = visit.dates(), visit.query.get("days")
        if period is not None and period not in PERIODS:
            raise BadRequest("{field} is not one of {choices}.", field="days", choices=", ".join(PERIODS))
        if period is not None:
            first = last = None
        last = last or newest
        first = first or last - timedelta(days=int(period or _USUAL_DAYS) - 1)
        if first > last:
            raise BadRequest("The first date lies after the last.")
        length = f"{(last - first).days + 1}"
        is_period = last == newest and length in PERIODS
        names = (visit.query.get(name) for name in ("category", "channel", "name"))
        return cls(first, last, length if is_period else None, *names)

    @property
    def days(self) -> tuple[date, date]:
        """First and last day."""
        return self.first, self.last

    def as_query(self) -> dict[str, Any]:
        """As parameters of an address, without the name."""
        values = {"category": self.category, "channel": self.channel}
        return {"from": self.first, "to": self.last} | {name: value for name, value in values.items() if value}

    def where(self) -> list[str]:
        """The category for the metric layer."""
        return [equals(_CATEGORY, self.category)] if self.category else []

    def named(self, language: str) -> list[Condition]:
        """The part of the name, in the reader's language."""
        return [Condition("title" if language == "zh" else "title_en", "contains", self.name)] if self.name else []


def items_of_days(
    marts: ShopMarts, choice: ItemChoice, language: str, by: str, limit: int, offset: int
) -> list[dict[str, Any]]:
    """Items of any days with the columns of an item's period, the greatest ``by`` first."""
    columns = {name: metric for name, metric in _METRICS.items() if metric in marts.build.metrics}
    if by not in columns:
        return []
    order = tuple(dict.fromkeys((f"-{columns[by]}", f"-{columns['net_revenue_minor']}", _ITEM)))
    most = None if choice.name else offset + limit  # who has the name is asked of the catalogue
    question = MetricQuestion(tuple(columns.values()), (_ITEM,), tuple(choice.where()), TimeRange(*choice.days), order, most)
    answers = marts.metric_rows(question)
    if choice.name:
        named = {row["item_id"] for row in marts.select("dim_items", ["item_id"], choice.named(language))}
        answers = [row for row in answers if row[_ITEM] in named]
    shown = answers[offset : offset + limit]
    ids = [row[_ITEM] for row in shown]
    in_catalogue = [Condition("item_id", "in", ids)]
    about = {row.pop("item_id"): row for row in marts.select("dim_items", ["item_id", *_OF_CATALOGUE], in_catalogue)}
    nothing = dict.fromkeys(_OF_CATALOGUE)
    return [
        {"item_id": row[_ITEM], **about.get(row[_ITEM], nothing), **{name: row[metric] for name, metric in columns.items()}}
        for row in shown
    ]


def categories_of_days(marts: ShopMarts, choice: ItemChoice, limit: int) -> list[dict[str, Any]]:
    """Categories of any days, the greatest revenue first."""
    names = ("net_revenue_minor", "units", "view_to_pay_rate", "return_rate")
    metrics = {name: _METRICS[name] for name in names if _METRICS[name] in marts.build.metrics}
    if len(metrics) < len(names):
        return []
    order = (f"-{metrics['net_revenue_minor']}", _CATEGORY)
    question = MetricQuestion(
        tuple(metrics.values()), (_CATEGORY,), tuple(choice.where()), TimeRange(*choice.days), order, limit
    )
    rows = marts.metric_rows(question)
    return [{"category": row[_CATEGORY], **{name: row[metric] for name, metric in metrics.items()}} for row in rows]
