"""Local time of shops: by how much a shop's clocks are ahead of UTC at an instant.

Engines have time-zone tables of their own that may differ, so Python's is read once (``zoneinfo``) and cut into *spans* of one
offset, which the oracle searches, Flink gets as SQL and Spark as rows. Before 1990 and from 2070 on the nearest span holds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

# Time zones (IANA names) by shop; a shop that is not there lives in UTC.
Zones = Mapping[str, str]
NO_ZONES: Zones = {}
_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2070, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=7)  # no zone changes its clocks there and back within a week


class Span(NamedTuple):
    """From ``from_ms`` (epoch ms) until the next span the local time is UTC plus ``offset_ms``."""

    from_ms: int
    offset_ms: int


@cache
def spans(zone: str) -> tuple[Span, ...]:
    """The spans of a zone in the order of time. Raises zoneinfo.ZoneInfoNotFoundError."""
    info = ZoneInfo(zone)
    changes = [Span(_ms(_FIRST), _offset_ms(info, _FIRST))]
    before = _FIRST
    while before < _LAST:
        after = before + _STEP
        if _offset_ms(info, after) != changes[-1].offset_ms:
            changed = _change(info, before, after)
            changes.append(Span(_ms(changed), _offset_ms(info, changed)))
        before = after
    return tuple(changes)


def offset_ms(zone: str, at_ms: int) -> int:
    """How far the zone's clocks are ahead of UTC at an instant, in milliseconds."""
    of_zone = spans(zone)
    return of_zone[max(0, bisect_right(of_zone, at_ms, key=lambda span: span.from_ms) - 1)].offset_ms


def offset_sql(zones: Zones) -> str:
    """The offset of ``shop_id`` at ``occurred_at_ms`` as SQL, in milliseconds."""
    shops_of: dict[str, list[str]] = {}
    for shop_id, zone in sorted(zones.items()):
        if any(span.offset_ms for span in spans(zone)):
            shops_of.setdefault(zone, []).append("'" + shop_id.replace("'", "''") + "'")
    cases = [f"WHEN shop_id IN ({', '.join(shop_ids)}) THEN {_of_zone(zone)}" for zone, shop_ids in shops_of.items()]
    return f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"


def _of_zone(zone: str) -> str:
    latest, *earlier = reversed(spans(zone))
    if not earlier:
        return str(latest.offset_ms)
    later = [latest, *earlier]
    whens = [f"WHEN occurred_at_ms >= {span.from_ms} THEN {span.offset_ms}" for span in later[:-1]]
    return f"CASE {' '.join(whens)} ELSE {later[-1].offset_ms} END"


def _change(info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first whole minute at which the offset is no longer that of ``before``."""
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) // timedelta(minutes=2) * timedelta(minutes=1)
        before, after = (middle, after) if _offset_ms(info, middle) == _offset_ms(info, before) else (before, middle)
    return after


def _offset_ms(info: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(info).utcoffset()
    assert offset is not None
    return int(offset / timedelta(milliseconds=1))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
