"""A week of a shop, from Monday to Sunday on the shop's calendar, as the metric layer cuts weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Week:
    """The week that begins on ``first``, a Monday.

    >>> Week.of(date(2026, 11, 26)).last, Week.of(date(2026, 11, 26)).year_before.first
    (datetime.date(2026, 11, 29), datetime.date(2025, 11, 24))
    """

    first: date

    @classmethod
    def of(cls, day: date) -> Week:
        """The week of a day."""
        return cls(day - timedelta(days=day.weekday()))

    @property
    def last(self) -> date:
        """Its Sunday."""
        return self.first + timedelta(days=6)

    @property
    def before(self) -> Week:
        """The week before."""
        return self.earlier(1)

    @property
    def year_before(self) -> Week:
        """The same week of last year: 52 weeks before, so that weekdays stand beside weekdays."""
        return self.earlier(52)

    def earlier(self, weeks: int) -> Week:
        """The week so many weeks before."""
        return Week(self.first - timedelta(weeks=weeks))
