"""What becomes of a refund: only money that was paid can be given back (docs/money.md).

The refunds of an order count in the order in which they became known, each up to what the ones before it left of the paid
amount; of each item, up to what the order's lines of it cost. What does not count stays in silver with its outcome.
"""

from __future__ import annotations

from enum import StrEnum


class RefundOutcome(StrEnum):
    """``over_refund`` counts in part, or not at all; ``counted`` in whole; the others not at all."""

    COUNTED = "counted"
    OVER_REFUND = "over_refund"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_ITEM = "unknown_item"
    OTHER_CURRENCY = "other_currency"


def outcome_sql(*, paid: str, order_currency: str, currency: str, amount: str, counted: str, unknown: RefundOutcome) -> str:
    """The outcome as an SQL expression; ``paid`` is null where there is nothing to give back of, which is ``unknown``."""
    return (
        f"CASE WHEN {paid} IS NULL THEN '{unknown}' WHEN {order_currency} <> {currency} THEN '{RefundOutcome.OTHER_CURRENCY}' "
        f"WHEN {counted} < {amount} THEN '{RefundOutcome.OVER_REFUND}' ELSE '{RefundOutcome.COUNTED}' END"
    )
