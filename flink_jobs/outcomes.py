"""Views that give every readable record of the log its outcome: ``readable`` → ``numbered`` → ``events``."""

from __future__ import annotations

from functools import partial

from jishi.outcomes import outcome_sql

# What a record needs to be a row of bronze at all; the contract lets none through without them.
IDENTITY = ("collector_id", "seq", "shop_id", "line")

# Deliveries of one event are remembered this long after the last of them, by the clock of the job. It must exceed the allowed
# lateness: a later repetition is late by its own clocks, so that no feature counts it even when the first is forgotten. While
# the job is down the log's time stands still for it: what it goes on from is remembered for as much longer (plan.limit_state).
DEDUPLICATION_TTL_S = 3600
# A person who does nothing for so long is forgotten by the stream, also one who will never come back under that id. Lists of
# one who comes back begin anew; the online store keeps the first instant (feature_repo.writer).
QUIET_TTL_S = 30 * 24 * 3600
# The longest day has 25 hours (clocks put back), and an event on time may come after it.
COUNTED_DAY_TTL_S = 27 * 3600


def outcome_views(*, allowed_lateness_s: int, future_tolerance_s: int) -> list[str]:
    """Statements that create the views over ``log``; ``events`` has every column of the log, ``occurrence`` and ``outcome``.

    Raises ValueError when the allowed lateness reaches the time for which deliveries are remembered.
    """
    if allowed_lateness_s >= DEDUPLICATION_TTL_S:
        raise ValueError(
            f"allowed_lateness_s is {allowed_lateness_s}; the stream remembers deliveries for {DEDUPLICATION_TTL_S} s, "
            "so it must be less (setting JISHI_ALLOWED_LATENESS_S)"
        )
    outcome = partial(outcome_sql, allowed_lateness_s=allowed_lateness_s, future_tolerance_s=future_tolerance_s)
    counts_as_delivery = f"({outcome(occurrence='1')}) IN ('good', 'late')"
    present = " AND ".join(f"{column} IS NOT NULL" for column in IDENTITY)
    return [
        f"CREATE TEMPORARY VIEW readable AS SELECT *, {counts_as_delivery} AS is_delivery FROM log WHERE {present}",
        # In processing order, which is the log's: an event-time OVER would drop late rows in silence.
        """\
CREATE TEMPORARY VIEW numbered AS
SELECT *, COUNT(*) OVER (
  PARTITION BY shop_id, event_id, is_delivery ORDER BY decided_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
) AS occurrence FROM readable""",
        f"CREATE TEMPORARY VIEW events AS SELECT *, {outcome()} AS outcome FROM numbered",
    ]
