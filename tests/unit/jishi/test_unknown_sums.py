"""A sum of amounts of which none is known is unknown, and not nothing."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from jishi.metrics import MetricSql

_ROWS = {
    "expected_customer_value": "fct_customer_values as select 'a' as shop_id, 'p' as person_id, "
    "date '2026-11-01' as as_of_date, cast({} as double) as expected_value_minor",
    "spend": "fct_spend as select 'a' as shop_id, date '2026-11-01' as spend_date, cast({} as bigint) as spend_minor",
    "monthly_cohort_revenue": "fct_cohorts as select 'a' as shop_id, 'month' as period, date '2026-10-01' as cohort_date, "
    "cast({} as bigint) as net_minor",
}


@pytest.mark.parametrize("metric", [*_ROWS])
@pytest.mark.parametrize(("amount", "value"), [("null", None), ("0", 0), ("250", 250)])
def test_of_amounts_that_are_all_unknown_the_sum_is_too(
    semantic_manifest: dict[str, Any], metric: str, amount: str, value: int | None
) -> None:
    with duckdb.connect() as marts:
        marts.execute("create table " + _ROWS[metric].format(amount))
        [(_, answer)] = marts.execute(MetricSql(semantic_manifest).select([metric], shop_id="a")).fetchall()
    assert answer == value
