"""Durations as SQL interval literals."""

from __future__ import annotations


def interval(milliseconds: int) -> str:
    """Interval literal of a duration below 100 days: ``interval(30_001)`` is ``INTERVAL '0 00:00:30.001' DAY TO SECOND``.

    The short form ``INTERVAL '3600' SECOND`` is refused for more than two digits.
    """
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"INTERVAL '{days} {hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}' DAY TO SECOND"
