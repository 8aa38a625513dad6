"""A chart of a board: its question to the metric layer, asked of one shop's rows, and what a page shows of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dashboard.portal.boards import TIMES, BoardChart
from dashboard.portal.columns import Column, column_named, column_of_metric
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.open_days import DAYS, day_of, open_day, open_part
from dashboard.portal.published_marts import MartsBuild, MetricQuestion, TooSlow
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.values import name_of_value
from jishi.metrics import MetricQueryRefused, TimeRange, equals

_MOST_BARS, _MOST_ROWS, _MOST_POINTS = 20, 100, 4000
_OF_PERSONS = frozenset({"credit__sharer"})  # shown to members who may see persons, and to nobody else who sees the board
_BY_MONTH = "_date__month"  # a date of something else than the metric, such as a customer's first order


@dataclass(frozen=True)
class ChartAnswer:
    """What a page shows: ``rows`` are labels with values and, for bars, their lengths of 100; ``lines`` is for the script.

    Without a column the metric is gone; ``is_too_slow``: it took longer than a page may; ``is_of_persons``: it names persons,
    whom the visitor may not see.
    """

    chart: BoardChart
    column: Column | None
    rows: Sequence[tuple[str, ShownValue, float]] = ()
    lines: dict[str, Any] | None = None
    is_too_slow: bool = False
    is_of_persons: bool = False


@dataclass(frozen=True)
class Choices:
    """What a metric can be shown by besides time. ``by_time`` are its own dates, which by day, week or month shows already;
    ``of_persons`` names persons, whom this member may not see.
    """

    dimensions: Sequence[str]
    by_time: Sequence[str]
    of_persons: Sequence[str]


def choices_of(build: MartsBuild, metric: str, may_see_persons: bool) -> Choices:
    """Every dimension of a metric, in one of three lists; one in two languages stands for both. Raises MetricQueryRefused."""
    own_dates, names = build.dates_of(metric) if metric in build.metrics else set(), build.dimensions(metric)
    hidden = [] if may_see_persons else [name for name in names if name in _OF_PERSONS]
    shown = [name for name in names if not name.endswith("_zh") and name not in own_dates and name not in hidden]
    dimensions = [f"{name}__month" if name.endswith("_date") else name for name in shown]
    return Choices(dimensions, [name for name in names if name in own_dates], hidden)


def is_of_persons(chart: BoardChart) -> bool:
    """Whether a chart names persons."""
    return bool(_OF_PERSONS & {chart.by, chart.filter_by})


def check_chart(build: MartsBuild, chart: BoardChart, may_see_persons: bool) -> None:
    """Raise MetricQueryRefused for a chart that the metric layer cannot answer, or of a kind that does not fit."""
    known = choices_of(build, chart.metric, may_see_persons).dimensions
    if chart.by is not None and chart.by not in (*TIMES, *known):
        raise MetricQueryRefused(f"{chart.metric} is not known by {chart.by}")
    if chart.filter_by is not None and (chart.filter_by not in known or chart.filter_by.endswith(_BY_MONTH)):
        raise MetricQueryRefused(f"{chart.metric} cannot be restricted by {chart.filter_by}")
    is_grouped = chart.by is not None
    fits = {"line": chart.by in TIMES, "bar": is_grouped, "table": is_grouped, "number": not is_grouped}
    if not fits[chart.kind]:
        raise MetricQueryRefused(f"a {chart.kind} is not shown by {chart.by}")


def answer_of(
    marts: ShopMarts, formats: Formats, chart: BoardChart, days: TimeRange, unknown: str, may_see_persons: bool
) -> ChartAnswer:
    """The chart of these days, from one shop's rows; ``unknown`` is the word for a dimension without a value."""
    if is_of_persons(chart) and not may_see_persons:
        return ChartAnswer(chart, None, is_of_persons=True)
    try:
        check_chart(marts.build, chart, may_see_persons)
        column = column_of_metric(marts.build.metrics[chart.metric])
        by = _in_language(marts.build, chart, formats.language)
        answer = marts.metric_rows(_question(chart, by, days))
    except MetricQueryRefused:
        return ChartAnswer(chart, None)
    except TooSlow:
        return ChartAnswer(chart, None, is_too_slow=True)
    known = _known_days(marts, chart.metric, days)
    nothing = 0 if known and marts.build.metrics[chart.metric].is_zero_without_rows else None
    if chart.kind == "line":
        lines = _lines(formats, column, chart, answer, known, nothing, open_day(marts))
        return ChartAnswer(chart, column, lines=lines)
    pairs = [(_label(formats, chart, row.get(by) if by else None, unknown), row[chart.metric]) for row in answer]
    if chart.kind == "number":
        pairs = pairs or [("", nothing)]
    widest = max((float(value) for _, value in pairs if value is not None), default=0.0)
    return ChartAnswer(
        chart,
        column,
        [
            (label, formats.value(column, value), 100 * max(float(value or 0), 0.0) / widest if widest > 0 else 0.0)
            for label, value in pairs
        ],
    )


def title_of_dimension(formats: Formats, name: str) -> str:
    """What a dimension is called."""
    return formats.label(column_named(name.partition("__")[2].removesuffix("__month")))


def _question(chart: BoardChart, by: str | None, days: TimeRange) -> MetricQuestion:
    where = (equals(chart.filter_by, chart.filter_value),) if chart.filter_by else ()
    if by is None:
        return MetricQuestion((chart.metric,), (), where, days)
    if chart.by in TIMES or str(chart.by).endswith(_BY_MONTH):
        return MetricQuestion((chart.metric,), (by,), where, days, (f"-{by}",), _MOST_POINTS)
    most = _MOST_BARS if chart.kind == "bar" else _MOST_ROWS
    return MetricQuestion((chart.metric,), (by,), where, days, (f"-{chart.metric}",), most)


def _in_language(build: MartsBuild, chart: BoardChart, language: str) -> str | None:
    is_named = chart.by is not None and language == "zh" and f"{chart.by}_zh" in build.dimensions(chart.metric)
    return f"{chart.by}_zh" if is_named else chart.by


def _label(formats: Formats, chart: BoardChart, value: Any, unknown: str) -> str:
    match value:
        case None:
            return unknown
        case bool():
            return str(formats.value(column_named("is_repeat"), value))
        case date() if str(chart.by).endswith(_BY_MONTH):
            return f"{value:%Y-%m}"
        case date():
            return f"{value:%Y-%m-%d}"
        case str() if chart.by in _OF_PERSONS:
            return value
        case _:
            return name_of_value(str(chart.by).partition("__")[2], value, formats.language)


def _known_days(marts: ShopMarts, metric: str, days: TimeRange) -> tuple[date, date] | None:
    """The first and last of these days that the shop's marts know of a metric, also where nothing happened; None: no day."""
    condition = {"shop": (), "storefront": (Condition("visitors", ">=", 0),)}.get(marts.build.metrics[metric].known_from or "")
    if condition is None or not marts.has(DAYS, "shop_date", "visitors"):
        return None
    ends = [
        row["shop_date"]
        for newest in (False, True)
        for row in marts.select(DAYS, ["shop_date"], condition, [SortKey("shop_date", newest)], limit=1)
    ]
    if not ends:
        return None
    first, last = max(ends[0], days.since or ends[0]), min(ends[1], days.until or ends[1])
    return (first, last) if first <= last else None


def _lines(
    formats: Formats,
    column: Column,
    chart: BoardChart,
    answer: Sequence[dict[str, Any]],
    known: tuple[date, date] | None,
    nothing: int | None,
    not_over: date | None,
) -> dict[str, Any]:
    """Points of each step: ``nothing`` where known days have no rows; what is unknown is null, and a gap is drawn there."""
    grain = str(chart.by)
    by_day: dict[date, Any] = {}
    if known:
        steps = list(_steps(_step_of(known[0], grain), known[1], grain))[-_MOST_POINTS:]
        by_day = dict.fromkeys(steps, nothing)
    by_day |= {day_of(row[grain]): row[chart.metric] for row in answer}
    days = list(_steps(min(by_day), max(by_day), grain)) if by_day else []
    values = [None if by_day.get(day) is None else float(formats.plain(column, by_day[day])) for day in days]
    return {
        "title": formats.label(column),
        "day_label": formats.label(column_named("shop_date")),
        "unit": formats.unit(column),
        "days": [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in days],
        **open_part(formats, days, not_over and _step_of(not_over, grain)),
        "series": [{"label": formats.label(column), "values": values}],
        "is_share": column.unit == "share",
    }


def _step_of(day: date, grain: str) -> date:
    """The first day of its week (a Monday) or month."""
    match grain:
        case "metric_time__week":
            return day - timedelta(days=day.weekday())
        case "metric_time__month":
            return day.replace(day=1)
        case _:
            return day


def _steps(first: date, last: date, grain: str) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        if grain == "metric_time__month":
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        else:
            day += timedelta(days=7 if grain == "metric_time__week" else 1)
