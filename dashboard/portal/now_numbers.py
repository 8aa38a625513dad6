"""What the page of this moment shows: provisional counters of the shop's day beside the same weekday of last week.

The counters are the one exception to "the portal computes no number" (docs/metrics.md): the marts do not know this day yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dashboard.portal.columns import Column, column_named
from dashboard.portal.counter_reader import ReaderState
from dashboard.portal.counter_table import CountedDay, MinuteCounts, StreamClock
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey

HOURS = "fct_shop_hours"
_COUNTED = ("orders", "gmv_minor", "cart_adds", "item_views")  # minute by minute; persons are counted of the day alone
MINUTES_SHOWN = 30
CHANNELS_SHOWN = 8
ITEMS_SHOWN = 10
BEHIND_S = 15
STOPPED_S = 600


class StreamState(StrEnum):
    """How current the counters are; each has its words on the page."""

    LIVE = "live"
    STARTING = "starting"
    BEHIND = "behind"
    STOPPED = "stopped"
    NONE = "none"
    UNREACHABLE = "unreachable"


def stream_state(reader: ReaderState, clock: StreamClock | None, now: datetime) -> StreamState:
    """From what the reader meets, and how far the stream has read the log."""
    if reader is ReaderState.UNREACHABLE:
        return StreamState.UNREACHABLE
    if clock is None:
        return StreamState.STARTING if reader is ReaderState.STARTING else StreamState.NONE
    age_s = now.timestamp() - clock.as_of_ms / 1000
    if age_s > STOPPED_S:
        return StreamState.STOPPED
    return StreamState.BEHIND if age_s > BEHIND_S else StreamState.LIVE


@dataclass(frozen=True)
class WeekBefore:
    """Hours of the same weekday of last week as the marts have them, by hour; none where they do not know the day.

    ``titles`` are those of the items that were ``asked`` for.
    """

    day: date
    hours: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    def until(self, hour: int) -> dict[str, Any] | None:
        """Sums of the hours before ``hour``; None unless all of them are known."""
        rows = [self.hours.get(before) for before in range(hour)]
        known = [row for row in rows if row is not None]
        if not rows or len(known) < len(rows):
            return None
        return {name: _added([row.get(name) for row in known], is_money=name == "gmv_minor") for name in _COUNTED}


def week_before(marts: ShopMarts, today: date, item_ids: Sequence[str], title: str) -> WeekBefore:
    """What the marts know of that day, and the titles of items."""
    day = day_before(today)
    rows = []
    if marts.has(HOURS):
        rows = marts.select(HOURS, ["shop_hour", *_COUNTED], [Condition("shop_date", "=", day)], [SortKey("shop_hour")])
    items = marts.select("dim_items", ["item_id", title, "title"], [Condition("item_id", "in", list(item_ids))])
    titles = {row["item_id"]: row.get(title) or row.get("title") for row in items}
    known = {item_id: text for item_id, text in titles.items() if text}
    return WeekBefore(day, {row["shop_hour"]: row for row in rows}, known, frozenset(item_ids))


def day_before(today: date) -> date:
    """The same weekday of last week."""
    return today - timedelta(days=7)


class NowTile(NamedTuple):
    """A counter so far; ``until``: what it was when the last whole hour ended, None unless all of the day until then was
    counted; ``then``: what it was at that hour last week, None where that or ``until`` is unknown.
    """

    column: Column
    value: ShownValue
    until: ShownValue | None
    then: ShownValue | None
    direction: int | None


class NowBar(NamedTuple):
    """A bar with its label; ``length`` is in percent of the longest, ``beside`` the bar that it is compared with."""

    label: str
    value: ShownValue
    length: float
    beside: float | None = None


class NowStrip(NamedTuple):
    """Bars over time; ``peak`` is what the longest stands for."""

    bars: Sequence[NowBar]
    peak: ShownValue


@dataclass(frozen=True)
class NowNumbers:
    """All parts of the page. ``hour`` is the last whole hour of the shop's clock, None before the first."""

    tiles: Sequence[NowTile]
    minutes: Mapping[str, NowStrip]
    hours: NowStrip
    channels: Sequence[NowBar]
    items: Sequence[tuple[str, str, Sequence[ShownValue]]]
    hour: int
    counts_from: datetime | None
    is_empty: bool


def now_numbers(
    day: CountedDay | None,
    before: WeekBefore,
    clock: StreamClock | None,
    formats: Formats,
    now: datetime,
    yesterday: CountedDay | None = None,
) -> NowNumbers:
    """The page's numbers at ``now`` (aware); ``yesterday`` holds the last minutes of soon after midnight."""
    zone = ZoneInfo(formats.time_zone)
    local = now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    counters = day or CountedDay()
    since = None if clock is None else datetime.fromtimestamp(clock.since_ms / 1000, UTC).astimezone(zone)
    return NowNumbers(
        tiles=_tiles(counters, before, formats, local, clock),
        minutes=_minutes({**(yesterday or CountedDay()).minutes, **counters.minutes}, formats, local),
        hours=_hours(counters, before, formats, zone),
        channels=_channels(counters, formats),
        items=_items(counters, before, formats),
        hour=local.hour,
        counts_from=since if since is not None and since > midnight else None,
        is_empty=day is None,
    )


def _tiles(day: CountedDay, before: WeekBefore, formats: Formats, local: datetime, clock: StreamClock | None) -> list[NowTile]:
    so_far, then = day.until(), before.until(local.hour)
    # An hour that the clock shows twice is over when both are, as in the hours of the marts.
    whole = local.replace(minute=0, second=0, microsecond=0, fold=0)
    midnight = whole.replace(hour=0)
    is_counted = (
        clock is not None and clock.since_ms <= 1000 * midnight.timestamp() and clock.as_of_ms >= 1000 * whole.timestamp()
    )
    until = day.until(_minute(whole)) if is_counted else None
    tiles = [
        _tile(
            formats,
            name,
            so_far.known(name),
            None if until is None else until.known(name),
            None if until is None or then is None else then[name],
        )
        for name in _COUNTED
    ]
    visitors = _tile(formats, "visitors", day.visitors)
    return [*tiles[:2], visitors, *tiles[2:], _tile(formats, "buyers_per_visitor", _share(day.buyers, day.visitors))]


def _tile(formats: Formats, name: str, value: Any, until: Any = None, then: Any = None) -> NowTile:
    column = column_named(name)
    then = None if until is None else then
    direction = None if until is None or then is None else (until > then) - (until < then)
    shown = [None if number is None else formats.value(column, number) for number in (until, then)]
    return NowTile(column, formats.value(column, value), shown[0], shown[1], direction)


def _minutes(minutes: Mapping[int, MinuteCounts], formats: Formats, local: datetime) -> dict[str, NowStrip]:
    """The last minutes up to this one, by column."""
    last = _minute(local)
    shown = range(last - MINUTES_SHOWN + 1, last + 1)
    counts = [(minute, minutes.get(minute, MinuteCounts())) for minute in shown]
    zone = local.tzinfo
    strips = {}
    for name in _COUNTED:
        column = column_named(name)
        most = max(getattr(counted, name) for _, counted in counts)
        bars = [
            NowBar(
                f"{datetime.fromtimestamp(minute * 60, zone):%H:%M}",
                formats.value(column, counted.known(name)),
                100 * getattr(counted, name) / max(most, 1),
            )
            for minute, counted in counts
        ]
        strips[name] = NowStrip(bars, formats.value(column, most))
    return strips


def _hours(day: CountedDay, before: WeekBefore, formats: Formats, zone: ZoneInfo) -> NowStrip:
    """Money by hour of the shop's clock, beside the same weekday of last week."""
    column = column_named("gmv_minor")
    today = [0] * 24
    for minute, counts in day.minutes.items():
        today[datetime.fromtimestamp(minute * 60, zone).hour] += counts.gmv_minor
    then = [before.hours.get(hour, {}).get("gmv_minor") for hour in range(24)]
    most = max([*today, *(value for value in then if value is not None)])
    scale = 100 / float(most or 1)
    bars = [
        NowBar(
            f"{hour:02d}:00",
            formats.value(column, today[hour]),
            scale * today[hour],
            None if then[hour] is None else scale * float(then[hour] or 0),
        )
        for hour in range(24)
    ]
    return NowStrip(bars, formats.value(column, most))


def _channels(day: CountedDay, formats: Formats) -> list[NowBar]:
    """Visitors by the channel with which their day began; an event without one has the empty name."""
    column = column_named("visitors")
    largest = sorted(day.channels.items(), key=lambda pair: (-pair[1], pair[0]))[:CHANNELS_SHOWN]
    return [NowBar(name, formats.value(column, count), 100 * count / max(largest[0][1], 1)) for name, count in largest]


def _items(day: CountedDay, before: WeekBefore, formats: Formats) -> list[tuple[str, str, list[ShownValue]]]:
    """Items by what was ordered, else added, else seen: id, title and counts."""
    largest = sorted(day.items.items(), key=lambda pair: (*(-count for count in pair[1]), pair[0]))[:ITEMS_SHOWN]
    columns = [column_named(name) for name in ("order_lines", "cart_adds", "item_views")]
    return [
        (item_id, before.titles.get(item_id, item_id), [formats.value(c, n) for c, n in zip(columns, counts, strict=True)])
        for item_id, counts in largest
    ]


def _minute(instant: datetime) -> int:
    return int(instant.timestamp()) // 60


def _share(above: Any, below: Any) -> float | None:
    return float(above) / float(below) if above is not None and below else None


def _added(values: list[Any], *, is_money: bool) -> Any:
    """A sum; None where a part is unknown, of money where all are: orders without a rate are in no sum of sales."""
    known = [value for value in values if value is not None]
    return sum(known) if known and (is_money or len(known) == len(values)) else None
