"""Whether anybody looks at online parity: dates on which serving logged values that nobody has compared."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from jishi.paths import Paths
from jishi.settings import Settings

# ``daily`` waits six hours for a day's bronze and has eight; ``online_parity``, which follows, has two.
DUE_AFTER = timedelta(hours=12)


def end_of(on: date) -> datetime:
    """When a UTC date is over."""
    return datetime(on.year, on.month, on.day, tzinfo=UTC) + timedelta(days=1)


def waiting_date(settings: Settings, compared: date | None, now: datetime) -> date | None:
    """The oldest date before today of which serving has logged values, after the newest date that was ``compared``; None
    where nothing waits, or serving is to log none.
    """
    if settings.served_values_rate == 0:
        return None
    dates = [_date(folder) for folder in Paths.of(settings).served_values.glob("*/") if any(folder.glob("*.jsonl"))]
    return min((on for on in dates if on and end_of(on) <= now and (compared is None or on > compared)), default=None)


def _date(folder: Path) -> date | None:
    try:
        return date.fromisoformat(folder.name)
    except ValueError:
        return None
