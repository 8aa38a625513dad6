"""Running counters of a shop's day in Flink SQL (``jishi.shop_counters``): queries over ``events`` and ``log``.

Only a minute's counters and an item's see each act; persons pass once a day, orders once. Nothing waits for a window to close.
"""

from __future__ import annotations

from collections.abc import Mapping

from flink_jobs.act_queries import acts_query, in_list
from jishi.shop_counters import MOST_LISTED, NOT_IN_STOREFRONT
from jishi.topics import TICK_TYPE

_DAY = "shop_id, occurred_date"
_DATED = "outcome = 'good' AND occurred_date IS NOT NULL"
_COUNTED = ("item_viewed", "item_added_to_cart")
_CHANNEL = "COALESCE(SUBSTRING(channel, 1, 100), '')"


def counter_views() -> list[str]:
    """Statements that create the views that several counters read.

    An order counts with the report that came first, as in silver (spark_jobs.silver.orders). A person's first act of a day says
    by which channel the person came; ``role`` keeps who bought apart from who looked around.
    """
    is_no_act = in_list([name for name in NOT_IN_STOREFRONT if name != "order_paid"])
    order_id = "JSON_VALUE(line, '$.properties.order_id')"
    return [
        f"""\
CREATE TEMPORARY VIEW counted_orders AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY shop_id, order_id ORDER BY decided_at) AS report
  FROM (SELECT *, {order_id} AS order_id FROM events WHERE {_DATED} AND type = 'order_paid')
) WHERE report = 1""",
        f"""\
CREATE TEMPORARY VIEW counted_persons AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY {_DAY}, person_id, `role` ORDER BY decided_at) AS act
  FROM (
    SELECT {_DAY}, person_id, CASE WHEN type = 'order_paid' THEN 'buyer' ELSE 'visitor' END AS `role`, {_CHANNEL} AS channel,
      received_at_ms, decided_at
    FROM events WHERE {_DATED} AND person_id IS NOT NULL AND type NOT IN {is_no_act}
  )
) WHERE act = 1""",
    ]


def counter_queries() -> Mapping[str, str]:
    """Queries by sink table (``flink_jobs.counter_topic``), each with the columns of its table."""
    return {
        "minute_counters": f"""\
SELECT 'minute' AS kind, {_DAY}, occurred_at_ms / 60000 AS `minute`,
  COUNT(CASE WHEN type = 'order_paid' THEN 1 END) AS orders,
  COUNT(CASE WHEN type = 'order_paid' AND amount_minor IS NULL THEN 1 END) AS orders_without_rate,
  CAST(COALESCE(SUM(CAST(amount_minor AS DECIMAL(19, 0))), 0) AS STRING) AS gmv_minor,
  COUNT(CASE WHEN type = 'item_viewed' THEN 1 END) AS item_views,
  COUNT(CASE WHEN type = 'item_added_to_cart' THEN 1 END) AS cart_adds,
  MAX(received_at_ms) AS as_of_ms
FROM ({_acts("amount_minor", "BIGINT")})
GROUP BY {_DAY}, occurred_at_ms / 60000""",
        "person_counters": f"""\
SELECT 'persons' AS kind, {_DAY},
  COUNT(CASE WHEN `role` = 'visitor' THEN 1 END) AS visitors,
  COUNT(CASE WHEN `role` = 'buyer' THEN 1 END) AS buyers,
  MAX(received_at_ms) AS as_of_ms
FROM counted_persons GROUP BY {_DAY}""",
        "channel_counters": _most(
            "channel",
            ["visitors"],
            f"""\
SELECT {_DAY}, channel, COUNT(*) AS visitors, MAX(received_at_ms) AS as_of_ms
FROM counted_persons WHERE `role` = 'visitor' GROUP BY {_DAY}, channel""",
        ),
        "item_counters": _most(
            "item_id",
            ["order_lines", "cart_adds", "item_views"],
            f"""\
SELECT {_DAY}, item_id,
  COUNT(CASE WHEN type = 'line_paid' THEN 1 END) AS order_lines,
  COUNT(CASE WHEN type = 'item_added_to_cart' THEN 1 END) AS cart_adds,
  COUNT(CASE WHEN type = 'item_viewed' THEN 1 END) AS item_views,
  MAX(received_at_ms) AS as_of_ms
FROM ({_acts("item_id", "STRING")}) WHERE item_id IS NOT NULL GROUP BY {_DAY}, item_id""",
        ),
        "stream_clock": f"""\
SELECT 'clock' AS kind, log_partition, MIN(received_at_ms) AS since_ms, MAX(received_at_ms) AS as_of_ms
FROM log WHERE type = '{TICK_TYPE}' AND collector_id IS NULL GROUP BY log_partition""",
    }


def _acts(column: str, sql_type: str) -> str:
    """What is counted: persons' views and adds as they are, orders and their lines, with ``column`` and the clocks."""
    clocks = ["occurred_date", "occurred_at_ms", "received_at_ms"]
    recorded = column if column == "item_id" else f"CAST(NULL AS {sql_type}) AS {column}"
    return f"""\
  SELECT shop_id, type, {recorded}, {", ".join(clocks)}
  FROM events WHERE {_DATED} AND person_id IS NOT NULL AND type IN {in_list(_COUNTED)}
  UNION ALL
  {acts_query(["order_paid", "line_paid"], [], [column], clocks, events="counted_orders")}"""


def _most(key: str, columns: list[str], counted: str) -> str:
    """The largest of the rows ``counted``; counters only grow, so that Flink keeps no other rows."""
    order = ", ".join(f"{column} DESC" for column in columns)
    return f"""\
SELECT '{key.removesuffix("_id")}' AS kind, {_DAY}, {key}, {", ".join(columns)}, as_of_ms FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY {_DAY} ORDER BY {order}) AS place FROM (
{counted}
  )
) WHERE place <= {MOST_LISTED}"""
