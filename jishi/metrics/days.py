"""Generated SQL with its days left open: generated once, then asked for any days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class TimeRange:
    """Days of the shop from ``since`` to ``until``, both included; None: open on that side."""

    since: date | None = None
    until: date | None = None


ALL_DAYS = TimeRange()
# MetricFlow knows days since 2000; nobody asks for one of these years.
STAND_IN = TimeRange(date(2001, 2, 3), date(2004, 5, 6))
_NEAR_STAND_IN = re.compile(r"'200[0-5]-\d\d-\d\d[^']*'")


def stand_in_for(days: TimeRange) -> TimeRange:
    """Days that hold the places of these ones, open on the same sides."""
    return TimeRange(days.since and STAND_IN.since, days.until and STAND_IN.until)


def with_days(sql: str, days: TimeRange) -> str | None:
    """SQL that was generated for ``stand_in_for(days)``, for these days.

    None where that cannot be: it holds a day that follows from them, or a filter that looks like one.
    """
    days_of = {f"'{STAND_IN.since}'": days.since, f"'{STAND_IN.until}'": days.until}
    held = _NEAR_STAND_IN.findall(sql)
    if any(days_of.get(place) is None for place in held):
        return None
    return _NEAR_STAND_IN.sub(lambda place: f"'{days_of[place[0]]}'", sql)
