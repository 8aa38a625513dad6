"""Times as exports and spreadsheets write them → instants; a day and a month that could be swapped are never guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# The year first tells day from month: 2026/3/1 9:05, 2026.03.01, 2026年3月1日 下午9:05, 2026-03-01 10:00:00 UTC
_YEAR_FIRST = re.compile(
    r"""(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?
    (?:(?:T|\s+|(?<=日))(?P<before>上午|下午)?\s*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:[.,]\d+)?秒?|分)?
    \s*(?P<behind>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?""",
    re.VERBOSE,
)


def year_first(text: str) -> datetime | None:
    """The time of a text that begins with the year, with its offset if it has one; None when it is none."""
    if not (match := _YEAR_FIRST.fullmatch(text.strip())):
        return None
    year, month, day = (int(match[n]) for n in (1, 2, 3))
    hour, minute, second = (int(match[n] or 0) for n in (5, 6, 7))
    half = (match["before"] or match["behind"] or "").lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in ("pm", "下午") else 0)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=_offset(match["zone"]))
    except ValueError:
        return None


def excel_serial(text: str) -> datetime:
    """Days since 1899-12-30 as spreadsheets count. Raises ValueError."""
    days = float(text)
    if not 1 <= days < 2_958_466:  # 9999-12-31
        raise ValueError(text)
    return datetime(1899, 12, 30) + timedelta(seconds=round(days * 86_400))  # noqa: DTZ001


def _offset(zone: str | None) -> timezone | None:
    if zone is None:
        return None
    if zone in ("Z", "UTC", "GMT"):
        return UTC
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
