"""How often the volume gate refuses a shop that has nothing wrong, and what it never lets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.gates.volume import FALSE_ALARM_RATE, FALSE_ALARM_RATE_SWINGING, WEEKS, CountOfDay, judge_count

DAYS = 20_000


def days_of(draw: np.ndarray) -> list[CountOfDay]:
    """Each row of counts: the day, the days beside it and its weekdays before."""
    return [CountOfDay(int(row[0]), [int(n) for n in row[3:]], int(row[1]), int(row[2])) for row in draw]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(rate=st.floats(0.01, 5_000), weeks=st.integers(4, WEEKS), seed=st.integers(0, 2**32 - 1))
def test_a_stationary_poisson_shop_is_refused_at_most_at_the_declared_rate(rate: float, weeks: int, seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(rate, (DAYS, 3 + weeks))
    refused = sum(judge_count(day) is not None for day in days_of(counts))
    assert refused <= FALSE_ALARM_RATE * DAYS


@pytest.mark.parametrize("usual", [30, 100, 1_000, 50_000])
def test_swinging_shops_with_sales_and_holidays_are_seldom_refused(usual: int) -> None:
    """Negative binomial days that vary by half; one in 20 is a sale of 6 times, one in 20 a holiday of a fifth."""
    luck = np.random.default_rng(usual)
    shape = (DAYS, 3 + WEEKS)
    level = usual * luck.gamma(4, 1 / 4, shape)
    level *= luck.choice([1.0, 6.0, 0.2], p=[0.9, 0.05, 0.05], size=shape)
    refused = sum(judge_count(day) is not None for day in days_of(luck.poisson(level)))
    assert refused <= FALSE_ALARM_RATE_SWINGING * DAYS


WEEKDAYS = [980, 1_010, 1_050, 890, 1_000, 940, 1_100, 1_020]


@pytest.mark.parametrize(
    ("amount", "before", "after", "fault"),
    [
        (990, 1_000, None, None),
        (2_000, 1_000, None, None),  # twice as much is a sale, or a copy, which the repeats show
        (200, 1_000, None, None),  # a holiday
        (10, 1_000, None, "collapse"),
        (10, 1_000, 1_000, "collapse"),
        (10, 1_000, 12, None),  # the shop is closed: the next day says the same
        (10, 12, None, None),
        (0, 0, None, None),  # a quiet day after a quiet day
        (30_000, 1_000, None, "explosion"),
        (30_000, 1_000, 28_000, None),
    ],
)
def test_a_fault_is_unlike_weekdays_and_neighbours(amount: int, before: int, after: int | None, fault: str | None) -> None:
    assert judge_count(CountOfDay(amount, WEEKDAYS, before, after)) == fault


def test_a_shop_without_history_or_with_few_events_is_not_judged() -> None:
    assert judge_count(CountOfDay(0, WEEKDAYS[:3], 1_000)) is None
    assert judge_count(CountOfDay(0, [9, 12, 7, 10], 11)) is None
    assert judge_count(CountOfDay(90, [0, 1, 0, 2], 1)) is None
