"""What is usual of a number: the median of earlier ones, and how far these lie from it (median absolute deviation).

Both do not follow single outliers: a sale or an outage in one of the weeks hardly moves them (Rousseeuw and Croux, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

WEEKS = 8
LEAST_WEEKS = 3
# Twice the deviation that a normal distribution would have: what differs less is noise, whatever its share.
_NOISE = 2 * 1.4826


class Usual(NamedTuple):
    """The band of usual values, ends included."""

    low: float
    high: float

    def beside(self, value: float) -> Usual:
        """The band as people read it beside a value: few numbers can be below zero, so that it begins there at the earliest,
        unless the value or all of the band is below.

        >>> Usual(-5, 9).beside(12), Usual(-5, 9).beside(-8), Usual(-5, -2).beside(12)
        (Usual(low=0.0, high=9), Usual(low=-5, high=9), Usual(low=-5, high=-2))
        """
        return self if min(value, self.high) < 0 else Usual(max(self.low, 0.0), self.high)


def usual_of(earlier: Sequence[float], size: float) -> Usual | None:
    """The band around earlier values; None for fewer than three, of which nothing is usual.

    It reaches ``size`` (0.3 is 30 %) of the median to both sides, further where the values themselves vary more.

    >>> usual_of([100, 104, 96, 100], 0.3), usual_of([100, 100], 0.3)
    (Usual(low=70.0, high=130.0), None)
    """
    if len(earlier) < LEAST_WEEKS:
        return None
    middle = float(median(earlier))
    deviation = float(median([abs(value - middle) for value in earlier]))
    half = max(size * abs(middle), _NOISE * deviation)
    return Usual(middle - half, middle + half)
