"""Silver's acts with ``known_at``, the instant since which each was known: its arrival, or the repair that made it good.

A repaired event keeps the arrival that the log gave it, so a model of a cut between the two would learn from it what nobody
could have known (docs/adr/0007). Few events are repaired: the join costs next to nothing.
"""

from __future__ import annotations

from jishi.catalogue import KNOWN_AT

KNOWN_ACTS = f"""(
    select acts.*, {KNOWN_AT} as known_at from silver_interactions as acts
    left join (select shop_id, event_id, repaired_at from silver_events where repaired_at is not null) as repaired
        on acts.shop_id = repaired.shop_id and acts.event_id = repaired.event_id
)"""
