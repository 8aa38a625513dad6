"""Generated SQL in a form of which DuckDB reads only the days asked for, with the same answer."""

from __future__ import annotations

import re
from collections.abc import Collection

_CTE = re.compile(r"\b(\w+_cte) AS \(")
_DAY = re.compile(r"DATE_TRUNC\('day', ((?:\w+\.)?(\w+))\)")


def pruned(sql: str, date_columns: Collection[str]) -> str:
    """MetricFlow's SELECT with its common tables inlined and without truncating ``date_columns``, which are days already.

    As MetricFlow writes it, every row of the shop's history is decompressed before a day is compared: DuckDB prunes row groups
    neither by a function of a column nor into a common table. Columns of the answer keep their type.
    """
    from sqlglot import exp, parse_one

    shorter = _DAY.sub(lambda match: match[1] if match[2] in date_columns else match[0], sql)
    if shorter == sql:
        return sql
    inlined = _CTE.sub(r"\1 AS NOT MATERIALIZED (", shorter)
    query = parse_one(sql, read="duckdb")
    names = query.named_selects if isinstance(query, exp.Query) else []
    days = [name for name in names if name.endswith("__day")]
    kept = f" REPLACE ({', '.join(f'CAST({name} AS TIMESTAMP) AS {name}' for name in days)})" if days else ""
    return f"SELECT *{kept} FROM (\n{inlined}\n)" if days else inlined
