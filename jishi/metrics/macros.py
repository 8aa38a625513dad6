"""Metrics as table macros of DuckDB: the SQL that defines a number, with shop and days as parameters.

select * from net_gmv('my-shop', date '2026-11-01', date '2026-11-30')
select * from net_gmv_by_day('my-shop')
"""

from __future__ import annotations

import re
from collections.abc import Collection

from jishi.metrics.days import STAND_IN
from jishi.metrics.generation import MetricSql

BY_DAY = "_by_day"
PARAMETERS = "SHOP [, since, until]"
# Stand-ins in the generated SQL, each with the parameter that takes its place. No column is named like a parameter.
_SHOP = "a shop in the place of :of_shop"
_PARAMETERS = {
    f"'{_SHOP}'": "of_shop",
    f"'{STAND_IN.since}'": "coalesce(since, date '0001-01-01')",
    f"'{STAND_IN.until}'": "coalesce(until, date '9999-12-31')",
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
    body = sql.select([metric], by, shop_id=_SHOP, days=STAND_IN)
    for stand_in, parameter in _PARAMETERS.items():
        body = body.replace(stand_in, parameter)
    return f'create or replace macro "{name}"(of_shop, since := null, until := null) as table {body}'
