"""Days that are not over: the first of them, and from where on a chart over days is drawn as open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from dashboard.portal.formats import Formats
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.words import translated

DAYS = "fct_shop_days"


def open_day(marts: ShopMarts) -> date | None:
    """The first day that is not over; None where all are."""
    days = marts.select(DAYS, ["shop_date"], [Condition("is_complete", "=", False)], [SortKey("shop_date")], limit=1)
    return days[0]["shop_date"] if days else None


def open_part(formats: Formats, days: Sequence[date], not_over: date | None) -> dict[str, Any]:
    """For the page's script: the place of the first of these days whose numbers may still grow, and the words for that."""
    later = (place for place, day in enumerate(days) if not_over is not None and day >= not_over)
    place = next(later, None)
    return {"open_from": place, "open_text": "" if place is None else translated("Not over yet", formats.language)}


def day_of(value: Any) -> date:
    """A day; MetricFlow's is an instant at midnight."""
    return value.date() if isinstance(value, datetime) else value
