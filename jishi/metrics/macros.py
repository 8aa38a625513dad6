"""Metrics as table macros of DuckDB: the SQL that defines a number, with shop and days as parameters.

select * from net_gmv('my-shop', date '2026-11-01', date '2026-11-30')
select * from net_gmv_by_day('my-shop')
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from jishi.metrics.generation import MetricSql, TimeRange

BY_DAY = "_by_day"
PARAMETERS = "SHOP [, since, until]"
# Stand-ins in the generated SQL, each with the parameter that takes its place; MetricFlow knows days since 2000. No column is
# named like a parameter.
_SHOP, _SINCE, _UNTIL = "a shop in the place of :of_shop", date(2001, 2, 3), date(2004, 5, 6)
_PARAMETERS = {
    f"'{_SHOP}'": "of_shop",
    f"'{_SINCE}'": "coalesce(since, date '0001-01-01')",
    f"'{_UNTIL}'": "coalesce(until, date '9999-12-31')",
}


def mentioned_macros(query: str, metrics: Collection[str]) -> list[str]:
    """Names of macros that a query calls."""
    called = dict.fromkeys(name.lower() for name in re.findall(r"\b(\w+)\s*\(", query))
    return [name for name in called if name in metrics or (name.endswith(BY_DAY) and name.removesuffix(BY_DAY) in metrics)]


def macro(name: str, sql: MetricSql) -> str:
    """The statement that makes a macro: of one row for a shop and its days from ``since`` to ``until``, both included and open
    where they are null; with the ending ``_by_day`` a row for each day. Raises MetricQueryRefused.
    """
    metric = name.removesuffix(BY_DAY)
    by = ("metric_time__day",) if name.endswith(BY_DAY) else ()
    body = sql.select([metric], by, shop_id=_SHOP, days=TimeRange(_SINCE, _UNTIL))
    for stand_in, parameter in _PARAMETERS.items():
        body = body.replace(stand_in, parameter)
    return f'create or replace macro "{name}"(of_shop, since := null, until := null) as table {body}'
