"""What the pages of numbers share: freshness, tiles with their comparisons, and the data of charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dashboard.portal.columns import Column, column_named
from dashboard.portal.day_flags import DayFlag, flags_until
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.held_note import HeldNote, held_note
from dashboard.portal.open_days import DAYS as DAYS
from dashboard.portal.open_days import day_of, open_part
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import PageVisit

COMPARISONS = "fct_shop_day_comparisons"
COMPARED_WITH = {"day_before": "Day before", "week_before": "Week before", "year_before": "Year before"}
_DAYS_BACK = {"day_before": 1, "week_before": 7}


@dataclass(frozen=True)
class Freshness:
    """As of when the numbers are true (the shop's clock), which build they are of, whether they are old, which of their newest
    days are unlike others, and what holds back a newer build.
    """

    as_of: str
    is_of_data: bool
    version: int
    newest_day: date | None
    is_stale: bool
    flags: Sequence[DayFlag] = ()
    held: HeldNote | None = None


@dataclass(frozen=True)
class OtherDay:
    """The same number of another day. ``direction``: 1 more today, -1 less, 0 equal, None unknown."""

    title: str
    day: date
    value: ShownValue
    direction: int | None


@dataclass(frozen=True)
class Tile:
    """One number: its column, value, what it is compared with, and where its rows are."""

    mart: str
    column: Column
    value: ShownValue
    compared: Sequence[OtherDay] = ()
    rows: str | None = None


def newest_day(marts: ShopMarts) -> dict[str, Any]:
    """The newest day's row; empty before the first."""
    rows = marts.select(DAYS, marts.columns.get(DAYS, []), order_by=[SortKey("shop_date", is_descending=True)], limit=1)
    return rows[0] if rows else {}


def freshness(visit: PageVisit, marts: ShopMarts, newest: Mapping[str, Any]) -> Freshness:
    """Data are old when their newest day lies before yesterday."""
    as_of: datetime | None = newest.get("as_of_at")
    day: date | None = newest.get("shop_date")
    instant = (as_of or marts.built_at).replace(tzinfo=UTC)
    is_stale = day is not None and day < visit.today() - timedelta(days=1)
    return Freshness(
        visit.local(instant), as_of is not None, marts.version, day, is_stale, flags_until(visit, marts, day), held_note(visit)
    )


def tiles(
    marts: ShopMarts,
    formats: Formats,
    row: Mapping[str, Any],
    wanted: Mapping[str, str | None],
    mart: str = DAYS,
    compared_with: str | None = None,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Tile]:
    """A tile for each wanted column that this build has, or that the row has of the metric layer; ``wanted`` leads to the rows
    behind it.

    Each stands beside all days that it can be compared with (``others``), or beside the one of ``compared_with``.
    """
    if others is None:
        others = _other_days(marts, row, list(wanted)) if mart == DAYS else {}
    if compared_with is not None:
        others = {key: other for key, other in others.items() if key == compared_with}
    return [
        Tile(
            mart if marts.has(mart, name) else "",
            column_named(name),
            formats.value(column_named(name), row.get(name)),
            [
                _compared(formats, column_named(name), row.get(name), key, other)
                for key, other in others.items()
                if name in other
            ],
            rows,
        )
        for name, rows in wanted.items()
        if marts.has(mart, name) or name in row
    ]


def _other_days(marts: ShopMarts, row: Mapping[str, Any], columns: list[str]) -> dict[str, dict[str, Any]]:
    """The days to compare with, by calendar date. A day that is not over is compared where the marts know the same hours."""
    day: date = row["shop_date"]
    others: dict[str, dict[str, Any]] = {}
    if row.get("is_complete") is not False:
        dates = {key: date_compared(day, key) for key in COMPARED_WITH}
        of_dates = marts.select(DAYS, ["shop_date", *columns], [Condition("shop_date", "in", list(dates.values()))])
        known = {other.pop("shop_date"): other for other in of_dates}
        for key, date_before in dates.items():
            others[key] = dict.fromkeys(columns) | known.get(date_before, {}) | {"compared_date": date_before}
    if marts.has(COMPARISONS):
        names = ["compared_with", "compared_date", *columns]
        for other in marts.select(COMPARISONS, names, [Condition("shop_date", "=", day)], [SortKey("compared_date", True)]):
            key = other.pop("compared_with")
            others[key] = others.get(key, {}) | other
    return others


def _compared(formats: Formats, column: Column, value: Any, key: str, other: Mapping[str, Any]) -> OtherDay:
    that = other[column.name]
    return OtherDay(COMPARED_WITH[key], other["compared_date"], formats.value(column, that), direction_of(value, that))


def date_compared(day: date, compared_with: str) -> date:
    """The date that a day is compared with."""
    back = _DAYS_BACK.get(compared_with)
    return year_before(day) if back is None else day - timedelta(days=back)


def year_before(day: date) -> date:
    """The same date of last year; of 29 February the last day of that month."""
    return day.replace(year=day.year - 1, day=28) if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)


def direction_of(value: Any, other: Any) -> int | None:
    """1: more than the other, -1 less, 0 as much; None where one is unknown."""
    return None if value is None or other is None else (value > other) - (value < other)


def compared_days(
    marts: ShopMarts, history: Sequence[Mapping[str, Any]], columns: Sequence[str], compared_with: str
) -> list[dict[str, Any]]:
    """What each day of a history is compared with, in its order; a column that the marts do not carry is null.

    A day that is not over is compared where the marts know the same hours alone; ``history`` says so in ``is_complete``.
    """
    if not history:
        return []
    first, last = history[0]["shop_date"], history[-1]["shop_date"]
    others: dict[date, dict[str, Any]] = {day["shop_date"]: dict.fromkeys(columns) for day in history}
    if compared_with in _DAYS_BACK:
        back = timedelta(days=_DAYS_BACK[compared_with])
        before = {row.pop("shop_date") + back: row for row in days_between(marts, first - back, last - back, columns)}
        for day in history:
            if day.get("is_complete") is not False:
                others[day["shop_date"]] |= before.get(day["shop_date"], {})
    if marts.has(COMPARISONS):
        where = [
            Condition("compared_with", "=", compared_with),
            Condition("shop_date", ">=", first),
            Condition("shop_date", "<=", last),
        ]
        for row in marts.select(COMPARISONS, ["shop_date", *columns], where):
            others[row.pop("shop_date")] |= row
    return [others[day["shop_date"]] for day in history]


def charts(
    visit: PageVisit,
    formats: Formats,
    history: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, Sequence[str]],
    others: Sequence[Mapping[str, Any]] = (),
    other_title: str = "",
    not_over: date | None = None,
) -> list[dict[str, Any]]:
    """The charts, by title, of which something is known; ``others`` are the days to compare with, called ``other_title``."""
    return [
        chart(formats, visit.text(title), history, names, not_over=not_over)
        | {"compared": _compared_lines(formats, names, others, other_title)}
        for title, names in wanted.items()
        if any(day.get(name) is not None for day in history for name in names)
    ]


def columns_of(history: Sequence[Mapping[str, Any]], wanted: Mapping[str, Sequence[str]]) -> list[Column]:
    """The day and what is plotted of a history, as far as it has them, for its table."""
    names = ["shop_date", *(name for plotted in wanted.values() for name in plotted)]
    return [column_named(name) for name in names if history and name in history[0]]


def chart(
    formats: Formats,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    day: str = "shop_date",
    not_over: date | None = None,
) -> dict[str, Any]:
    """Lines over days for the page's script: days as seconds, values in the unit that people read, unknown ones null.

    Lines are dashed from ``open_from`` on, the first day that is not over (``not_over``).
    """
    shown = [column_named(name) for name in columns if rows and name in rows[0]]
    return {
        "title": title,
        "day_label": formats.label(column_named("shop_date")),
        "unit": formats.unit(shown[0]) if shown else "",
        "days": [int(datetime(row[day].year, row[day].month, row[day].day, tzinfo=UTC).timestamp()) for row in rows],
        **open_part(formats, [day_of(row[day]) for row in rows], not_over),
        "series": [
            {"label": formats.label(column), "values": [_plotted(formats, column, row[column.name]) for row in rows]}
            for column in shown
        ],
        "is_share": bool(shown) and shown[0].unit == "share",
    }


def _compared_lines(
    formats: Formats, columns: Sequence[str], others: Sequence[Mapping[str, Any]], title: str
) -> list[dict[str, Any]]:
    lines = [(column_named(name), [other.get(name) for other in others]) for name in columns]
    return [
        {"label": title, "values": [_plotted(formats, column, value) for value in values]}
        for column, values in lines
        if any(value is not None for value in values)
    ]


def _plotted(formats: Formats, column: Column, value: Any) -> float | None:
    return None if value is None else float(formats.plain(column, value))


def days_between(marts: ShopMarts, first: date, last: date, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Days of a period, oldest first."""
    where = [Condition("shop_date", ">=", first), Condition("shop_date", "<=", last)]
    return marts.select(DAYS, ["shop_date", *columns], where, [SortKey("shop_date")])
