"""What has to be true of every row of silver, whatever the shop sells; what the contract takes is in range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jishi.held_back import GateFinding
from jishi.money import MOST_MINOR

if TYPE_CHECKING:
    import duckdb

SHOWN = 5
# Table → the id to show, and the rule with its sentence.
_RULES = (
    ("silver/events", "event_id", "occurred_at is not null and received_at is not null", "lack a clock"),
    ("silver/orders", "order_id", "lines >= 1 and units >= 0", "have no line or less than no unit"),
    ("silver/orders", "order_id", f"paid_minor between 0 and {MOST_MINOR}", "were paid less than nothing or too much"),
    ("silver/order_lines", "order_id", "quantity >= 0 and unit_price_minor >= 0 and net_minor >= 0", "are out of range"),
    (
        "silver/refunds",
        "refund_id",
        "coalesce(counted_minor, 0) between 0 and amount_minor",
        "are out of range",
    ),
    ("silver/sessions", "session_key", "events >= 1 and started_at <= ended_at", "end before they start, or have no event"),
)


def rows_out_of_range(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, GateFinding]]:
    """``(shop_id, finding)`` of each shop with rows that cannot be, of the views of silver."""
    for table, key, rule, says in _RULES:
        view = table.replace("/", "_")
        sql = f"select shop_id, count(*), list({key} order by {key})[:{SHOWN}] from {view} where not coalesce({rule}, false)"
        for shop_id, count, sample in connection.execute(f"{sql} group by 1 order by 1").fetchall():
            repair = f"python -m spark_jobs silver --batch history --shop {shop_id}, then each day from its first on"
            yield shop_id, GateFinding("ranges", table, None, f"{count:,} rows {says}", tuple(sample), repair)
