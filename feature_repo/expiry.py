"""Old rows leave the online store: a row that no reader can use any more, and running values of whoever went away.

A window's value holds for one slide and is kept a day longer; a daily row for ``DAILY_TTL``; a running value ends after
``JISHI_ONLINE_KEEP_DAYS`` without an act. Who comes back then begins anew; ``jishi features bootstrap`` brings back what
history knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from feast import FeatureStore
from feast.errors import FeatureViewNotFoundException

from feature_repo.definitions import DAILY_TTL
from feature_repo.store import online_store_of, view_of
from jishi.features import views
from jishi.features.daily import DAILY
from jishi.features.message import Views

_LONGER = timedelta(days=1)


def expire(store: FeatureStore, now: datetime, keep_days: int, definitions: Views | None = None) -> dict[str, int]:
    """Delete what is too old at ``now``; entities that lost their row, by view."""
    online = online_store_of(store)
    expired = {}
    for view, keep in _kept(definitions if definitions is not None else views(), keep_days):
        try:
            table = view_of(store, view)
        except FeatureViewNotFoundException:  # a daily table that is not published yet
            continue
        expired[view] = online.expire(store.config, table, now - keep)
    return expired


def _kept(definitions: Views, keep_days: int) -> Iterator[tuple[str, timedelta]]:
    for view, members in definitions.items():
        running = members[0].is_running
        yield view, timedelta(days=keep_days) if running else timedelta(seconds=members[0].slide) + _LONGER
    for table in DAILY:
        yield table.view, DAILY_TTL + _LONGER
