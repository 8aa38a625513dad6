"""The truth table of an event's fate."""

from __future__ import annotations

import pytest

from jishi.fates import Fate, fate_without_history

NOW = 1_788_220_800_000

# reason, occurred_at_ms, received_at_ms, fate
CASES = [
    (None, NOW, NOW, Fate.GOOD),
    (None, NOW, NOW + 30_000, Fate.GOOD),  # exactly the allowed lateness is on time
    (None, NOW, NOW + 30_001, Fate.LATE),  # one millisecond more is late
    (None, NOW + 5_000, NOW, Fate.GOOD),  # exactly the tolerance ahead
    (None, NOW + 5_001, NOW, Fate.FUTURE),
    ("missing_field", None, NOW, Fate.INVALID),
    ("missing_field", NOW, NOW, Fate.INVALID),  # a refused event is invalid whatever its clocks say
    (None, None, NOW, Fate.INVALID),  # no clock, no fate but this
]


@pytest.mark.parametrize(("reason", "occurred", "received", "fate"), CASES)
def test_fate(reason: str | None, occurred: int | None, received: int, fate: Fate) -> None:
    decided = fate_without_history(
        invalid_reason=reason,
        occurred_at_ms=occurred,
        received_at_ms=received,
        allowed_lateness_s=30,
        future_tolerance_s=5,
    )
    assert decided is fate
