"""The truth table of an event's outcome."""

from __future__ import annotations

import pytest

from jishi.outcomes import Outcome, outcome_without_history

NOW = 1_788_220_800_000

# reason, occurred_at_ms, received_at_ms, outcome
CASES = [
    (None, NOW, NOW, Outcome.GOOD),
    (None, NOW, NOW + 30_000, Outcome.GOOD),  # exactly the allowed lateness is on time
    (None, NOW, NOW + 30_001, Outcome.LATE),  # one millisecond more is late
    (None, NOW + 5_000, NOW, Outcome.GOOD),  # exactly the tolerance ahead
    (None, NOW + 5_001, NOW, Outcome.FUTURE),
    ("missing_field", None, NOW, Outcome.INVALID),
    ("claim", NOW, NOW, Outcome.CLAIM),  # a page's order, whatever its clocks say
    ("claim", NOW, NOW + 30_001, Outcome.CLAIM),
    ("missing_field", NOW, NOW, Outcome.INVALID),  # a refused event is invalid whatever its clocks say
    (None, None, NOW, Outcome.INVALID),  # no clock, no outcome but this
]


@pytest.mark.parametrize(("reason", "occurred", "received", "outcome"), CASES)
def test_outcome(reason: str | None, occurred: int | None, received: int, outcome: Outcome) -> None:
    decided = outcome_without_history(
        invalid_reason=reason,
        occurred_at_ms=occurred,
        received_at_ms=received,
        allowed_lateness_s=30,
        future_tolerance_s=5,
    )
    assert decided is outcome
