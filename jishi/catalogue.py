"""The catalogue of a shop as of any instant, rebuilt from its ``item_changed`` events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion


@dataclass(frozen=True)
class ItemState:
    """The whole state of an item, since when it was so and since when that was known; ``properties`` as in the event."""

    item_id: str
    changed_at: datetime
    known_at: datetime
    properties: dict[str, Any]


def catalogue_as_of(lake: LakeVersion, shop_id: str, as_of: datetime, known_by: datetime | None = None) -> list[ItemState]:
    """Items of a shop as they were at ``as_of``, by item id, as far as was known by ``known_by`` (None: by now).

    The state of an item is its newest one: latest ``occurred_at``, then ``received_at``, then ``event_id``. Both instants are
    inclusive and carry an offset.
    """
    with open_lake(lake) as connection:
        rows = connection.execute(
            """
            select item_id, occurred_at, coalesce(repaired_at, received_at), line from silver_events
            where shop_id = $shop and type = 'item_changed' and occurred_at <= $as_of
                and (coalesce(repaired_at, received_at) <= $known_by or $known_by is null)
            qualify row_number() over (partition by item_id order by occurred_at desc, received_at desc, event_id desc) = 1
            order by item_id
            """,
            {"shop": shop_id, "as_of": _naive(as_of), "known_by": None if known_by is None else _naive(known_by)},
        ).fetchall()
    return [
        ItemState(item_id, at.replace(tzinfo=UTC), known.replace(tzinfo=UTC), json.loads(line)["properties"])
        for item_id, at, known, line in rows
    ]


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
