"""How much a shop's week differs from the week before: event mix and daily features, as population stability indices.

PSI = Σ (p − q) · ln(p / q) over bins, p and q being the shares of this week and of the week before (Siddiqi, Credit Risk
Scorecards, 2006): below 0.1 little has changed, above 0.25 much. Bins of a feature are the deciles of the week before, nulls
one of their own. Weeks begin on Monday.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import LakeVersion
from jishi.marts import EXPORTED

if TYPE_CHECKING:
    import duckdb

MUCH = 0.25
LEAST_ROWS = 500  # of each week; PSI of no change at all is about bins × (1/rows + 1/rows before)
_BINS = 10
_NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "FLOAT", "HUGEINT", "DECIMAL")


@dataclass(frozen=True)
class ShopDrift:
    """What changed of one shop: ``subject`` is ``events`` (shares of types) or a column of the daily features."""

    shop_id: str
    subject: str
    psi: float
    rows_before: int
    rows: int

    @property
    def is_much(self) -> bool:
        """Whether somebody should know why."""
        return self.psi > MUCH


def stability_index(before: Sequence[int], now: Sequence[int]) -> float:
    """PSI of counts in the same bins; half a row is added to each bin, so that an empty one is no infinity."""
    bins = len(before)
    total_before, total = sum(before) + bins / 2, sum(now) + bins / 2
    shares = [((b + 0.5) / total_before, (n + 0.5) / total) for b, n in zip(before, now, strict=True)]
    return sum((p - q) * math.log(p / q) for q, p in shares)


def week_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def drifts(version: LakeVersion, day: date, shops: Sequence[str] = ()) -> list[ShopDrift]:
    """The week of a day against the one before, of these shops (all without any), the largest first in each shop.

    Only subjects of which both weeks have ``LEAST_ROWS``.
    """
    monday = week_of(day)
    with open_lake(version) as lake:
        measured = [*_event_mix(lake, monday)]
        for table in sorted(EXPORTED.values()):
            if version.files(table):
                measured += _features(lake, view_of(table), table, monday)
    chosen = [each for each in measured if not shops or each.shop_id in shops]
    return sorted(chosen, key=lambda each: (each.shop_id, -each.psi, each.subject))


def _event_mix(lake: duckdb.DuckDBPyConnection, monday: date) -> Iterator[ShopDrift]:
    sql = """
        select shop_id, type, count(*) filter (occurred_date < $monday), count(*) filter (occurred_date >= $monday)
        from silver_events where occurred_date >= $monday - 7 and occurred_date < $monday + 7 group by all order by all"""
    counts: dict[str, list[tuple[int, int]]] = {}
    for shop_id, _, before, now in lake.execute(sql, {"monday": monday}).fetchall():
        counts.setdefault(shop_id, []).append((before, now))
    for shop_id, pairs in counts.items():
        yield from _drift(shop_id, "events", pairs)


def _features(lake: duckdb.DuckDBPyConnection, view: str, table: str, monday: date) -> Iterator[ShopDrift]:
    """Each number of the features as they were at the end of either week (their newest instant up to it)."""
    kinds = lake.execute(f"select column_name, data_type from duckdb_columns() where table_name = '{view}'").fetchall()
    for name in sorted(name for name, kind in kinds if kind.startswith(_NUMBERS)):
        counts: dict[str, list[tuple[int, int]]] = {}
        for shop_id, _, before, now in lake.execute(_binned(view, name), {"monday": monday}).fetchall():
            counts.setdefault(shop_id, []).append((before, now))
        for shop_id, pairs in counts.items():
            yield from _drift(shop_id, f"{table}.{name}", pairs)


def _binned(view: str, column: str) -> str:
    """Rows of both weeks' ends by shop and bin; bin −1 holds nulls."""
    edges = ", ".join(str(number / _BINS) for number in range(1, _BINS))
    return f"""
        with ends as (
            select shop_id, max(event_timestamp) filter (event_timestamp <= cast($monday as timestamp)) as before,
                max(event_timestamp) filter (event_timestamp > cast($monday as timestamp)) as now
            from {view}
            where event_timestamp > cast($monday - 7 as timestamp) and event_timestamp <= cast($monday + 7 as timestamp)
            group by 1
        ),
        valued as (
            select shop_id, "{column}" as value, event_timestamp = now as is_now from {view} inner join ends using (shop_id)
            where event_timestamp in (before, now)
        ),
        edges as (
            select shop_id, list_distinct(quantile_disc(value, [{edges}])) as edges from valued where not is_now group by 1
        )
        select shop_id, case when value is null then -1 else len(list_filter(edges, e -> e < value)) end as bin,
            count(*) filter (not is_now), count(*) filter (is_now)
        from valued inner join edges using (shop_id) group by 1, 2 order by 1, 2"""


def _drift(shop_id: str, subject: str, pairs: Sequence[tuple[int, int]]) -> Iterator[ShopDrift]:
    before, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if min(sum(before), sum(now)) >= LEAST_ROWS:
        yield ShopDrift(shop_id, subject, round(stability_index(before, now), 4), sum(before), sum(now))
