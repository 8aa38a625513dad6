"""The newest counters of every shop's running day, in memory (jishi.shop_counters); a page sees one shop's alone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import orjson

DAYS_KEPT = 2


class MinuteCounts(NamedTuple):
    """What happened in one minute."""

    orders: int = 0
    gmv_minor: int = 0
    item_views: int = 0
    cart_adds: int = 0
    orders_without_rate: int = 0

    def known(self, name: str) -> int | None:
        """A count by name; sales are unknown where there are orders and none has a rate."""
        is_unknown = name == "gmv_minor" and 0 < self.orders == self.orders_without_rate
        return None if is_unknown else int(getattr(self, name))


class ItemCounts(NamedTuple):
    """What happened to an item on the day, in the order by which items are listed."""

    order_lines: int
    cart_adds: int
    item_views: int


@dataclass
class CountedDay:
    """One day of a shop so far: minutes by their number since 1970, persons, and what is largest."""

    minutes: dict[int, MinuteCounts] = field(default_factory=dict)
    visitors: int = 0
    buyers: int = 0
    channels: dict[str, int] = field(default_factory=dict)
    items: dict[str, ItemCounts] = field(default_factory=dict)

    def until(self, minute: int | None = None) -> MinuteCounts:
        """What happened before a minute, or so far."""
        counted = [counts for at, counts in self.minutes.items() if minute is None or at < minute]
        return MinuteCounts(*(sum(column) for column in zip(*counted, strict=True))) if counted else MinuteCounts()


class StreamClock(NamedTuple):
    """Since when and until when the stream has read every partition of the log (epoch milliseconds)."""

    since_ms: int
    as_of_ms: int


class CounterTable:
    """Written by one thread, read by all. ``version_of`` changes with each change of a shop's counters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._days: dict[str, dict[str, CountedDay]] = {}
        self._as_of: dict[bytes, int] = {}
        self._keys: dict[tuple[str, str], list[bytes]] = {}
        self._clocks: dict[int, StreamClock] = {}
        self._versions: dict[str, int] = {}

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take in one message; a value that is not newer than the known one changes nothing."""
        place = orjson.loads(key)
        counts = None if value is None else orjson.loads(value)
        with self._lock:
            if place["kind"] == "clock":
                if counts is not None:
                    self._set_clock(place["log_partition"], StreamClock(counts["since_ms"], counts["as_of_ms"]))
                return
            if counts is not None and counts["as_of_ms"] < self._as_of.get(key, 0):
                return
            shop_id, on = place["shop_id"], place["occurred_date"]
            day = self._day(shop_id, on)
            if day is None:
                return
            if counts is not None:
                if key not in self._as_of:
                    self._keys.setdefault((shop_id, on), []).append(key)
                self._as_of[key] = counts["as_of_ms"]
            _set(day, place, counts)
            self._versions[shop_id] = self._versions.get(shop_id, 0) + 1

    def day(self, shop_id: str, on: date) -> CountedDay | None:
        """A copy of a shop's counters of a day; None when there are none."""
        with self._lock:
            day = self._days.get(shop_id, {}).get(on.isoformat())
            if day is None:
                return None
            return CountedDay(dict(day.minutes), day.visitors, day.buyers, dict(day.channels), dict(day.items))

    def version_of(self, shop_id: str) -> int:
        """How often the shop's counters have changed."""
        with self._lock:
            return self._versions.get(shop_id, 0)

    @property
    def clock(self) -> StreamClock | None:
        """As far as every partition was read; None when the stream never said."""
        with self._lock:
            clocks = list(self._clocks.values())
        if not clocks:
            return None
        return StreamClock(max(clock.since_ms for clock in clocks), min(clock.as_of_ms for clock in clocks))

    def _set_clock(self, partition: int, clock: StreamClock) -> None:
        known = self._clocks.get(partition)
        if known is None or clock.as_of_ms >= known.as_of_ms:
            self._clocks[partition] = clock

    def _day(self, shop_id: str, on: str) -> CountedDay | None:
        """The day to change; older days than the newest two are forgotten, and are none."""
        days = self._days.setdefault(shop_id, {})
        if on not in days:
            newest = sorted([*days, on])[-DAYS_KEPT:]
            if on not in newest:
                return None
            days[on] = CountedDay()
            for old in days.keys() - set(newest):
                del days[old]
                for key in self._keys.pop((shop_id, old), ()):
                    del self._as_of[key]
        return days[on]


def _set(day: CountedDay, place: Mapping[str, Any], counts: Mapping[str, Any] | None) -> None:
    match place["kind"]:
        case "minute" if counts is not None:
            day.minutes[place["minute"]] = MinuteCounts(
                counts["orders"],
                int(counts["gmv_minor"]),
                counts["item_views"],
                counts["cart_adds"],
                counts.get("orders_without_rate", 0),
            )
        case "persons" if counts is not None:
            day.visitors, day.buyers = counts["visitors"], counts["buyers"]
        case "channel" if counts is not None:
            day.channels[place["channel"]] = counts["visitors"]
        case "item" if counts is not None:
            day.items[place["item_id"]] = ItemCounts(counts["order_lines"], counts["cart_adds"], counts["item_views"])
        case "channel":  # no longer among the largest
            day.channels.pop(place["channel"], None)
        case "item":
            day.items.pop(place["item_id"], None)
