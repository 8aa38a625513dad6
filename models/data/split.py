"""A time split that cannot leak.

It is honest because a model that is trained on it could have existed: training takes only what had happened **and was known**
before one instant ``cut``, for every person alike; what a model is judged by happened after it, with a gap between, because a
shop needs time to train and publish. A per-person split (leave the last item out) would let one person's future teach another's
past.

Intervals are half-open: training ``[…, cut)``, gap ``[cut, cut + gap)``, test ``[cut + gap, end)``. An act at exactly ``cut``
is in the gap; an act at exactly ``cut + gap`` is a test act.

>>> import numpy as np
>>> times = np.array(["2026-09-01T23:59", "2026-09-02T00:00", "2026-09-03T00:00", "2026-09-04T00:00"], dtype="datetime64[us]")
>>> cut, test_from, end = np.array(["2026-09-02", "2026-09-03", "2026-09-04"], dtype="datetime64[us]")
>>> window = SplitWindow(cut, test_from, end)
>>> window.is_training(times, known_at=times).tolist()
[True, False, False, False]
>>> window.is_test(times).tolist()
[False, False, True, False]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class SplitWindow:
    """The three instants of a split, UTC."""

    cut: np.datetime64
    test_from: np.datetime64
    end: np.datetime64

    def __post_init__(self) -> None:
        """Refuse instants out of order."""
        if not self.cut <= self.test_from < self.end:
            raise ValueError(f"a split needs cut <= test_from < end, got {self.cut}, {self.test_from}, {self.end}")

    def is_training(self, occurred_at: Instants, known_at: Instants) -> npt.NDArray[np.bool_]:
        """Acts that had happened and were known before the cut."""
        return (occurred_at < self.cut) & (known_at < self.cut)

    def is_test(self, occurred_at: Instants) -> npt.NDArray[np.bool_]:
        """Acts within the test interval."""
        return (occurred_at >= self.test_from) & (occurred_at < self.end)


class TooShort(ValueError):
    """The history does not hold enough days to judge a model."""


def last_active_days(payments: Instants, *, test_days: int = 7, gap_days: int = 1, least_training_days: int = 7) -> SplitWindow:
    """The window whose test interval starts with the ``test_days``-th last UTC day that has a payment.

    Counting days with payments, not calendar days, keeps a pause of the shop out of the test. Raises TooShort when fewer than
    ``least_training_days`` days with payments would be left for training.
    """
    days = np.unique(payments.astype("datetime64[D]"))
    if len(days) < test_days + least_training_days:
        raise TooShort(f"only {len(days)} days with payments; {test_days + least_training_days} are needed to judge a model")
    test_from = days[-test_days]
    end = days[-1] + np.timedelta64(1, "D")
    return SplitWindow(cut=test_from - np.timedelta64(gap_days, "D"), test_from=test_from, end=end)
