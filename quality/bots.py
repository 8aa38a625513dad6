"""Who is no shopper: a label with its reason, never a deletion.

The rule, on visits (``silver/sessions``): at least 30 item views, two seconds or less a view on average, and neither a cart
nor a checkout nor an order. Nobody reads a page in two seconds thirty times in a row. A person with such a visit is labelled;
their events stay in every table, and a reader decides whether to leave them out. On the simulated shops, whose truth is
known, the rule finds every bot that was active and nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion

MIN_VIEWS = 30
MAX_S_PER_VIEW = 2.0
REASON = "views_too_fast"

_LABELS = f"""
select
    shop_id, person_id, '{REASON}' as reason, count(*) as visits, sum(views)::bigint as views,
    min((epoch(ended_at) - epoch(started_at)) / views) as s_per_view, min(started_at) as first_at, max(ended_at) as last_at
from silver_sessions
where views >= {MIN_VIEWS} and adds = 0 and checkouts = 0 and orders = 0
    and epoch(ended_at) - epoch(started_at) <= {MAX_S_PER_VIEW} * views
    and (shop_id = $shop or $shop is null)
group by shop_id, person_id
order by shop_id, person_id
"""


@dataclass(frozen=True)
class BotLabel:
    """A person that behaves like a program: in how many visits, with how many views, and the seconds a view of the fastest."""

    shop_id: str
    person_id: str
    reason: str
    visits: int
    views: int
    s_per_view: float
    first_at: datetime
    last_at: datetime


def bot_labels(lake: LakeVersion, shop: str | None = None) -> list[BotLabel]:
    """Labelled persons of one shop or all, by shop and person."""
    with open_lake(lake) as connection:
        return [BotLabel(*row) for row in connection.execute(_LABELS, {"shop": shop}).fetchall()]
