"""The outcome of an event, decided from the event alone, so that every engine decides the same (docs/adr/0004).

An event is a ``claim`` when it is an order from another source than the shop's (jishi.contract.sender), ``invalid`` when the
contract refused it otherwise, ``future`` when it claims to have happened further ahead of the time at which it became known
than the tolerance, ``late`` when it became known later than the allowed lateness, ``duplicate`` when an event with the same
``(shop_id, event_id)`` was known before, else ``good``. The tests come in the order claim, invalid, future, duplicate, late,
good. Late events are kept in the batch tables (marked) and left out of real-time features.
"""

from __future__ import annotations

from enum import StrEnum

CLAIM = "claim"  # the reason of an order that is a claim


class Outcome(StrEnum):
    """What became of an accepted event."""

    GOOD = "good"
    LATE = "late"
    DUPLICATE = "duplicate"
    FUTURE = "future"
    INVALID = "invalid"
    CLAIM = "claim"


# Outcomes that lie in quarantine.
KEPT_OUT = (Outcome.INVALID, Outcome.CLAIM, Outcome.FUTURE)


def outcome_without_history(
    *,
    invalid_reason: str | None,
    occurred_at_ms: int | None,
    received_at_ms: int,
    allowed_lateness_s: int,
    future_tolerance_s: int,
) -> Outcome:
    """Outcome of an event as far as the event itself shows (all but ``duplicate``). Times are epoch milliseconds, UTC."""
    if invalid_reason == CLAIM:
        return Outcome.CLAIM
    if invalid_reason is not None or occurred_at_ms is None:
        return Outcome.INVALID
    if occurred_at_ms - received_at_ms > future_tolerance_s * 1000:
        return Outcome.FUTURE
    if received_at_ms - occurred_at_ms > allowed_lateness_s * 1000:
        return Outcome.LATE
    return Outcome.GOOD


def outcome_sql(*, allowed_lateness_s: int, future_tolerance_s: int, occurrence: str = "occurrence") -> str:
    """The same rule as one SQL expression that Flink SQL, Spark SQL and DuckDB all read.

    ``occurrence`` names a column that numbers the deliveries of one ``(shop_id, event_id)`` from 1 in the order of knowing,
    counted among events that are neither invalid nor future.
    """
    return (
        f"CASE WHEN invalid_reason = '{CLAIM}' THEN 'claim' "
        "WHEN invalid_reason IS NOT NULL OR occurred_at_ms IS NULL THEN 'invalid' "
        f"WHEN occurred_at_ms - received_at_ms > {future_tolerance_s * 1000} THEN 'future' "
        f"WHEN {occurrence} > 1 THEN 'duplicate' "
        f"WHEN received_at_ms - occurred_at_ms > {allowed_lateness_s * 1000} THEN 'late' "
        "ELSE 'good' END"
    )
