"""The lake takes no publish from a clock that is behind its newest write."""

from __future__ import annotations

import time

import pytest

from jishi.lake.release import ClockBehind, refuse_earlier_clock


def test_a_table_written_an_hour_ahead_is_refused_by_name_and_both_times() -> None:
    with pytest.raises(ClockBehind, match=r"silver\.items was last written at .* UTC and it is .* by this machine's clock"):
        refuse_earlier_clock("silver.items", int((time.time() + 3600) * 1000))


@pytest.mark.parametrize("ahead_s", [-86_400, 0, 30])
def test_machines_whose_clocks_are_seconds_apart_write_to_one_table(ahead_s: float) -> None:
    refuse_earlier_clock("silver.items", int((time.time() + ahead_s) * 1000))
