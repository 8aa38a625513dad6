"""Whether a day's count is beyond what its weekday can explain: a fault of the pipeline rather than a quiet or a busy day.

The bounds are wide on purpose. A sale or a holiday is no fault, and the marts flag what is merely unusual
(``fct_quality_flags``); a refusal costs the shop a night. A level that holds for two days is taken for true: then a day is
unlike its weekday and like its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

WEEKS = 8
LEAST_WEEKS = 4  # with fewer same weekdays known a shop has no history
FACTOR = 20.0  # times less or more than the median of the weekday
NEIGHBOUR_FACTOR = 5.0  # and than the days beside it
SPREADS = 6.0  # a shop whose weekdays differ much is given more room
LEAST_USUAL = 50  # a shop of fewer events a day may have none by chance
LEAST_MANY = 100
# What the tests hold the rule to, refusals a day and measure: of a shop whose days are Poisson, and of one that swings by half
# around its usual day, with a sale of six times or a holiday of a fifth every tenth day.
FALSE_ALARM_RATE, FALSE_ALARM_RATE_SWINGING = 1e-4, 1e-3


@dataclass(frozen=True)
class CountOfDay:
    """``amount`` of a day, of its weekday in the weeks before (newest first) and of the days beside it, None where unknown."""

    amount: int
    weekdays: Sequence[int]
    before: int | None = None
    after: int | None = None


def judge_count(count: CountOfDay) -> Literal["collapse", "explosion"] | None:
    """What is wrong with a count; None where nothing is, or the history is too short to tell.

    Counts are compared as logarithms of (count + 1) with the median m of the weekday: beyond
    max(log ``FACTOR``, ``SPREADS`` · 1.4826 · MAD), MAD being the median of |log − m|, and beyond log ``NEIGHBOUR_FACTOR`` of
    each known neighbour.
    """
    if len(count.weekdays) < LEAST_WEEKS:
        return None
    logs = [math.log1p(earlier) for earlier in count.weekdays]
    usual = median(logs)
    spread = 1.4826 * median(abs(value - usual) for value in logs)
    bound = max(math.log(FACTOR), SPREADS * spread)
    amount = math.log1p(count.amount)
    beside = [math.log1p(other) for other in (count.before, count.after) if other is not None]
    near = math.log(NEIGHBOUR_FACTOR)
    if median(count.weekdays) >= LEAST_USUAL and amount < usual - bound and all(amount < other - near for other in beside):
        return "collapse"
    if count.amount >= LEAST_MANY and amount > usual + bound and all(amount > other + near for other in beside):
        return "explosion"
    return None
