"""Rows that cannot be are named with their shop; whatever the contract takes is in range."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.contract.properties import OrderPaid
from spark_jobs.gates.ranges import rows_out_of_range

COLUMNS = {
    "events": "event_id varchar, occurred_at timestamp, received_at timestamp",
    "orders": "order_id varchar, lines bigint, units bigint, paid_minor bigint",
    "order_lines": "order_id varchar, quantity bigint, unit_price_minor bigint, net_minor bigint",
    "refunds": "refund_id varchar, amount_minor bigint, counted_minor bigint",
    "sessions": "session_key varchar, events bigint, started_at timestamp, ended_at timestamp",
}
FAULTS = {
    "events": ("'e', null, timestamp '2026-01-01'", "1 rows lack a clock"),
    "orders": ("'o', 0, 0, 5", "1 rows have no line or less than no unit"),
    "order_lines": ("'o', 1, -5, 5", "1 rows are out of range"),
    "refunds": ("'r', 5, 6", "1 rows are out of range"),
    "sessions": ("'s', 1, timestamp '2026-01-02', timestamp '2026-01-01'", "1 rows end before they start, or have no event"),
}


def silver(rows: dict[str, list[str]]) -> duckdb.DuckDBPyConnection:
    """Tables named as silver's views, of one shop, with some rows."""
    connection = duckdb.connect()
    for name, columns in COLUMNS.items():
        connection.execute(f"create table silver_{name} (shop_id varchar, {columns})")
        for row in rows.get(name, []):
            connection.execute(f"insert into silver_{name} values ('a', {row})")
    return connection


@pytest.mark.parametrize("table", list(FAULTS))
def test_a_row_that_cannot_be_is_named_with_its_shop(table: str) -> None:
    row, sentence = FAULTS[table]
    [(shop_id, finding)] = rows_out_of_range(silver({table: [row]}))
    assert (shop_id, finding.table, finding.says) == ("a", f"silver/{table}", sentence)
    assert finding.sample


@given(
    st.lists(
        st.builds(
            lambda quantity, price, off: {
                "item_id": "i",
                "quantity": quantity,
                "unit_price_minor": price,
                "discount_minor": min(off, quantity * price),
            },
            st.integers(0, 3),
            st.integers(0, 500),
            st.integers(0, 500),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_an_order_that_the_contract_takes_is_in_range(lines: list[dict[str, Any]]) -> None:
    order = OrderPaid.model_validate({"order_id": "o", "currency": "EUR", "lines": lines})
    rows = [f"'o', {line.quantity}, {line.unit_price_minor}, {line.net_minor}" for line in order.lines]
    units, paid = sum(line.quantity for line in order.lines), sum(line.net_minor for line in order.lines)
    assert not list(rows_out_of_range(silver({"orders": [f"'o', {len(rows)}, {units}, {paid}"], "order_lines": rows})))
