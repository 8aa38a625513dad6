"""Forecasts of customers' purchases against what happened: fitted up to a day of the past, judged on the days since.

The marts keep the hold-out of each shop (``fct_value_calibration``); models of placements are judged on their last days every
night, before they are released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from jishi.lake import TableNotPublished
from jishi.lake.reading import LakeVersion
from jishi.marts import mart_rows

FACTOR = 1.5  # times more or fewer purchases than forecast
LEAST_CUSTOMERS = 100
_SUMS = """
select shop_id, cut_date, held_out_days, sum(customers)::bigint as customers, sum(customers * expected_purchases) as expected,
    sum(customers * actual_purchases) as actual,
    count(*) filter (actual_purchases between expected_purchases_low and expected_purchases_high) as groups_within,
    count(*) as groups
from fct_value_calibration group by 1, 2, 3 order by 1"""


@dataclass(frozen=True)
class ForecastBacktest:
    """One shop: repeat purchases that were expected after ``cut_date`` and that happened, and how many of its groups of
    customers lie within the forecast's 95 % interval.
    """

    shop_id: str
    cut_date: date
    held_out_days: int
    customers: int
    expected: float
    actual: float
    groups_within: int
    groups: int

    @property
    def is_off(self) -> bool:
        """Whether the forecast is not to be planned with."""
        low, high = self.expected / FACTOR, self.expected * FACTOR
        return self.customers >= LEAST_CUSTOMERS and not low <= self.actual <= high


def backtest(lake: LakeVersion, shops: Sequence[str] = ()) -> list[ForecastBacktest]:
    """Each shop with a forecast that could be held out, of these shops (all without any). Raises TableNotPublished."""
    try:
        rows = mart_rows(lake, _SUMS)
    except duckdb.CatalogException:
        raise TableNotPublished("the marts are of an earlier release; run: python -m ops.marts build") from None
    return [ForecastBacktest(**row) for row in rows if not shops or row["shop_id"] in shops]
