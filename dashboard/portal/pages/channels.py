"""Which channels, campaigns and sharers brought the orders, by a model of attribution, and what was spent on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from starlette.responses import Response

from dashboard.portal.columns import Column, column_named, column_of_metric
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.numbers import chart, freshness, newest_day
from dashboard.portal.pages.periods import period_tiles
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import ShopMarts, SortKey
from dashboard.portal.visit import BadRequest, PageVisit
from jishi.metrics import TimeRange, equals

# Models by their name in the marts: what they are called, and whom they give the credit to.
MODELS = {
    "last_non_direct": ("Last non-direct", "The last visit that did not come directly has all of an order."),
    "last": ("Last visit", "The last visit has all of an order."),
    "first": ("First visit", "The first visit within 30 days has all of an order."),
    "linear": ("All alike", "All visits that led to an order have the same part of it."),
    "position": ("First and last", "The first and the last visit have 40 % each, those between the rest."),
    "time_decay": ("Time decay", "A visit has half as much for each week before the last one."),
    "markov": ("Markov", "Channels by the orders that would be lost without them."),
    "shapley": ("Shapley", "Channels by what they add to the others, on average."),
}
METRICS = (
    *("attributed_revenue", "attributed_orders", "attributed_customers"),
    *("channel_spend", "roas", "roi", "acquisition_cost"),
)
_SHARED = METRICS[:3]  # nothing is spent on a sharer
_CHART, _PLOTTED = "Attributed revenue and spend by day", ("attributed_revenue", "channel_spend")
_MART, _EFFECTS = "fct_channel_days", "dim_channel_effects"
_SHOWN_DAYS = 28
_MOST_SHOWN, _MOST_CHOICES = 20, 100
_PARTS = {"channel": "credit__channel", "campaign": "credit__campaign", "sharer": "credit__sharer"}


class ChannelChoice(NamedTuple):
    """What the address asks for: days, a model, perhaps one channel."""

    first: date
    last: date
    model: str
    channel: str | None

    def question(self, metrics: Iterable[str], *by: str, every_model: bool = False, **more: Any) -> MetricQuestion:
        """Metrics of the choice, the greatest revenue first where rows are of something else than days."""
        where = [*self.where(every_model=every_model), *more.pop("where", [])]
        return MetricQuestion(tuple(metrics), by, tuple(where), TimeRange(self.first, self.last), **more)

    def where(self, *, every_model: bool = False) -> list[str]:
        """The choice without its days, for the metric layer."""
        where = [] if every_model else [equals("credit__model", self.model)]
        return where + ([equals("credit__channel", self.channel)] if self.channel else [])

    def of_days(self, last: date, days: int) -> ChannelChoice:
        """The same for so many days up to another last one."""
        return self._replace(first=last - timedelta(days=days - 1), last=last)

    def as_query(self) -> dict[str, Any]:
        """As parameters of an address."""
        channel = {"channel": self.channel} if self.channel else {}
        return {"from": self.first, "to": self.last, "model": self.model} | channel


class PartRow(NamedTuple):
    """A channel, campaign or sharer with its numbers; ``rows`` leads to the days behind them."""

    name: str
    shown: list[ShownValue]
    rows: str


class PartTable(NamedTuple):
    """The parts of the choice by one dimension."""

    title: str
    heading: str
    columns: list[Column]
    rows: list[PartRow]


def channels(visit: PageVisit) -> Response:
    """The period of the address, by default the last four weeks, by one model, of all channels or one."""
    first, last = visit.dates()
    model, channel = visit.query.get("model", next(iter(MODELS))), visit.query.get("channel")
    if model not in MODELS:
        raise BadRequest("{field} is not one of the choices.", field="model")
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest or not marts.has(_MART):
            return visit.page("unpublished.html")
        last = last or newest["shop_date"]
        choice = ChannelChoice(first or last - timedelta(days=_SHOWN_DAYS - 1), last, model, channel)
        formats = visit.formats(marts)
        columns = [column_of_metric(marts.build.metrics[name]) for name in METRICS]
        by_model = marts.metric_rows(
            choice.question(METRICS, "credit__model", "credit__channel", every_model=True, order=("-attributed_revenue",))
        )
        of_choice = [row for row in by_model if row["credit__model"] == model]
        days = marts.metric_rows(choice.question(_PLOTTED, "metric_time__day"))
        not_over = open_day(marts)
        visit.audit("saw", page="channels", **{name: f"{value}" for name, value in choice.as_query().items()})
        behind = dict.fromkeys(METRICS, visit.path("rows", "channel-days", **choice.as_query()))
        period = (choice.first, choice.last)
        return visit.page(
            "channels.html",
            choice=choice,
            models={name: texts for name, texts in MODELS.items() if any(row["credit__model"] == name for row in by_model)},
            all_channels=marts.distinct(_MART, "channel", _MOST_CHOICES),
            tiles=period_tiles(marts, formats, METRICS, period, choice.where(), behind, _MART) if by_model else [],
            channel_table=_table(visit, formats, "channel", columns, of_choice, choice),
            part_tables=_tables_of_parts(visit, marts, formats, columns, choice) if by_model else [],
            comparison=_comparison(formats, columns[0], by_model, [row["credit__channel"] for row in of_choice]),
            revenue=columns[0],
            effects=effects_of(marts, formats, channel),
            charts=[chart(formats, visit.text(_CHART), days, _PLOTTED, "metric_time__day", not_over)] if days else [],
            is_open=not_over is not None and not_over <= choice.last,
            fresh=freshness(visit, marts, newest),
            formats=formats,
            channel_name=lambda name: formats.chosen(column_named("channel"), name),
            newest=newest["shop_date"],
            last_days=lambda days: visit.path("channels", **choice.of_days(newest["shop_date"], days).as_query()),
        )


def _tables_of_parts(
    visit: PageVisit, marts: ShopMarts, formats: Formats, columns: list[Column], choice: ChannelChoice
) -> list[PartTable]:
    """Campaigns, and sharers for members who may see persons; the greatest revenue first."""
    tables = []
    for part in ("campaign", "sharer") if visit.shop.may("people") else ("campaign",):
        of_part = columns if part == "campaign" else [column for column in columns if column.name in _SHARED]
        question = choice.question(
            [column.name for column in of_part],
            _PARTS[part],
            where=["{{ Dimension('" + _PARTS[part] + "') }} is not null"],
            order=("-attributed_revenue",),
            limit=_MOST_SHOWN,
        )
        rows = [row for row in marts.metric_rows(question) if any(row[column.name] for column in of_part)]
        if rows:
            tables.append(_table(visit, formats, part, of_part, rows, choice))
    return tables


_TITLES = {"channel": ("Channels", "Channel"), "campaign": ("Campaigns", "Campaign"), "sharer": ("Sharers", "Sharer")}


def _table(
    visit: PageVisit,
    formats: Formats,
    part: str,
    columns: list[Column],
    rows: list[dict[str, Any]],
    choice: ChannelChoice,
) -> PartTable:
    column_of_part = "sharer_id" if part == "sharer" else part
    shown = []
    for row in rows:
        name = str(row[_PARTS[part]])
        behind = visit.path("rows", "channel-days", **(choice.as_query() | {column_of_part: name}))
        title = formats.chosen(column_named(column_of_part), name)
        shown.append(PartRow(title, [formats.value(column, row[column.name]) for column in columns], behind))
    of_table, heading = _TITLES[part]
    return PartTable(of_table, heading, columns, shown)


def _comparison(
    formats: Formats, revenue: Column, by_model: list[dict[str, Any]], channels: list[str]
) -> list[tuple[str, dict[str, ShownValue]]]:
    """The revenue of each channel by each model."""
    values: dict[str, dict[str, ShownValue]] = {channel: {} for channel in channels}
    for row in by_model:
        values.setdefault(row["credit__channel"], {})[row["credit__model"]] = formats.value(revenue, row[revenue.name])
    return list(values.items())


def effects_of(marts: ShopMarts, formats: Formats, channel: str | None) -> list[tuple[str, dict[str, dict[str, ShownValue]]]]:
    """What each channel brings by each fitted model, with its interval, the greatest first; nothing before the first fit."""
    shown = [column_named(name) for name in ("effect", "effect_low", "effect_high")]
    names = ["channel", "model", *(column.name for column in shown)]
    if not marts.has(_EFFECTS, *names):
        return []
    by_channel: dict[str, dict[str, dict[str, ShownValue]]] = {}
    for row in marts.select(_EFFECTS, names, order_by=[SortKey("effect", is_descending=True)]):
        if channel in (None, row["channel"]):
            values = {column.name: formats.value(column, row[column.name]) for column in shown}
            by_channel.setdefault(row["channel"], {})[row["model"]] = values
    return list(by_channel.items())
