"""The catalogue of a shop as of any instant, rebuilt from its ``item_changed`` events.

One rule for all who ask: a state counts from the instant at which it had begun and was known, that instant included, as
features do. A repaired event was known from its repair on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion

KNOWN_AT = "coalesce(repaired_at, received_at)"  # of a row of silver/events
NEWEST = "occurred_at desc, received_at desc, event_id desc"  # which of two states of an item counts
_COLUMNS = f"item_id, occurred_at, {KNOWN_AT}, received_at, event_id, line"
_AT_ONCE = 10_000


@dataclass(frozen=True)
class ItemState:
    """The whole state of an item, since when it was so and since when that was known; ``properties`` as in the event."""

    item_id: str
    changed_at: datetime
    known_at: datetime
    received_at: datetime
    event_id: str
    properties: dict[str, Any]

    @property
    def counts_from(self) -> datetime:
        """When it had begun and was known."""
        return max(self.changed_at, self.known_at)


def catalogue_as_of(lake: LakeVersion, shop_id: str, as_of: datetime, known_by: datetime | None = None) -> Iterator[ItemState]:
    """Items of a shop as they were at ``as_of``, by item id, as far as was known by ``known_by`` (None: by now).

    The state of an item is its newest one: latest ``occurred_at``, then ``received_at``, then ``event_id``. Both instants are
    inclusive and carry an offset.
    """
    asked = f"""
        select {_COLUMNS} from silver_events
        where shop_id = $shop and type = 'item_changed' and line is not null and occurred_at <= $as_of
            and ({KNOWN_AT} <= $known_by or $known_by is null)
        qualify row_number() over (partition by item_id order by {NEWEST}) = 1
        order by item_id
    """
    return _states(lake, asked, {"shop": shop_id, "as_of": _naive(as_of), "known_by": known_by and _naive(known_by)})


def catalogue_changes(lake: LakeVersion, shop_id: str, after: datetime) -> Iterator[ItemState]:
    """The states that count from later than ``after`` on, in the order of counting."""
    asked = f"""
        select {_COLUMNS} from silver_events
        where shop_id = $shop and type = 'item_changed' and line is not null and greatest(occurred_at, {KNOWN_AT}) > $after
        order by greatest(occurred_at, {KNOWN_AT}), occurred_at, received_at, event_id
    """
    return _states(lake, asked, {"shop": shop_id, "after": _naive(after)})


def _states(lake: LakeVersion, asked: str, values: dict[str, Any]) -> Iterator[ItemState]:
    with open_lake(lake) as connection:
        rows = connection.execute(asked, values)
        while some := rows.fetchmany(_AT_ONCE):
            for item_id, *instants, event_id, line in some:
                changed_at, known_at, received_at = (each.replace(tzinfo=UTC) for each in instants)
                yield ItemState(item_id, changed_at, known_at, received_at, event_id, json.loads(line)["properties"])


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
