"""How far visits get: the funnel of the days and the kind of visits that the address chooses, and that of each category."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from dashboard.portal.columns import Column, column_of_metric
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import ShopMarts
from dashboard.portal.visit import PageVisit
from jishi.lake import TableNotPublished
from jishi.metrics import TimeRange, equals

VISIT_STEPS = ("viewed_sessions", "cart_sessions", "checkout_sessions", "paid_sessions")
CATEGORY_STEPS = tuple(f"category_{name}" for name in VISIT_STEPS)
CONVERSION = "category_conversion"
DIMENSIONS = ("channel", "device", "visitor_type")
_CATEGORY = "visit_category__category"
_MOST_CHOICES, _MOST_CATEGORIES = 200, 50


class FunnelChoice(NamedTuple):
    """Which visits: those that began on these days, of the chosen values, and perhaps that saw one category."""

    first: date
    last: date
    values: dict[str, str]
    category: str | None

    @classmethod
    def of(cls, visit: PageVisit, first: date, last: date) -> FunnelChoice:
        """What the address asks for; an empty field is no choice."""
        values = {name: visit.query[name] for name in DIMENSIONS if visit.query.get(name)}
        return cls(first, last, values, visit.query.get("category") or None)

    def of_days(self, first: date, last: date) -> FunnelChoice:
        """The same on other days."""
        return self._replace(first=first, last=last)

    def as_query(self) -> dict[str, Any]:
        """As parameters of an address."""
        category = {"category": self.category} if self.category else {}
        return {"from": self.first, "to": self.last} | self.values | category


class FunnelStep(NamedTuple):
    """A step with its number of visits, and its length of 100 against the first."""

    column: Column
    value: ShownValue
    length: float


class CategoryFunnel(NamedTuple):
    """A category, None for what the catalogue does not know, with its steps and its conversion."""

    category: str | None
    shown: list[ShownValue]
    path: str


def choices_of(marts: ShopMarts) -> dict[str, list[str]]:
    """The values that visits may be chosen by."""
    choices = {name: marts.distinct("fct_funnel_days", name, _MOST_CHOICES) for name in DIMENSIONS}
    return choices | {"category": marts.distinct("fct_visit_categories", "category", _MOST_CHOICES)}


def funnel_of(marts: ShopMarts, formats: Formats, choice: FunnelChoice) -> list[FunnelStep]:
    """The steps of the choice; empty where no visit viewed anything, and in a build without these metrics."""
    names = CATEGORY_STEPS if choice.category else VISIT_STEPS
    rows = _rows(marts, choice, names, "visit_category" if choice.category else "visit", _of_category(choice))
    widest = max((row[names[0]] or 0 for row in rows), default=0)
    if not widest:
        return []
    columns = [column_of_metric(marts.build.metrics[name]) for name in names]
    return [
        FunnelStep(column, formats.value(column, row[column.name]), 100 * (row[column.name] or 0) / widest)
        for row in rows
        for column in columns
    ]


def category_funnels(
    visit: PageVisit, marts: ShopMarts, formats: Formats, choice: FunnelChoice
) -> tuple[list[Column], list[CategoryFunnel]]:
    """The funnel of each category, or the chosen one, in visits of the choice's kind, most viewed first, with the columns."""
    names = (*CATEGORY_STEPS, CONVERSION)
    rows = _rows(marts, choice, names, "visit_category", _of_category(choice), _CATEGORY)
    columns = [column_of_metric(marts.build.metrics[name]) for name in names if rows]
    funnels = []
    for row in rows:
        query = choice._replace(category=row[_CATEGORY]).as_query()
        shown = [formats.value(column, row[column.name]) for column in columns]
        funnels.append(CategoryFunnel(row[_CATEGORY], shown, visit.path("traffic", **query)))
    return columns, funnels


def _of_category(choice: FunnelChoice) -> list[str]:
    return [equals(_CATEGORY, choice.category)] if choice.category else []


def _rows(
    marts: ShopMarts, choice: FunnelChoice, names: tuple[str, ...], entity: str, where: list[str], *by: str
) -> list[dict[str, Any]]:
    try:
        if not set(names) <= marts.build.metrics.keys():
            return []
    except TableNotPublished:  # marts without metrics: the page shows the rest
        return []
    chosen = (*where, *(equals(f"{entity}__{name}", value) for name, value in choice.values.items()))
    order, limit = ((f"-{names[0]}", *by), _MOST_CATEGORIES) if by else ((), None)
    return marts.metric_rows(MetricQuestion(names, by, chosen, TimeRange(choice.first, choice.last), order, limit))
