"""The topic of counters as sinks, one table a kind: the newest value of each key, at most twice a second."""

from __future__ import annotations

from flink_jobs.counter_queries import counter_queries
from flink_jobs.log_table import connection, table_options
from jishi.kafka import KafkaCluster
from jishi.topics import SHOP_COUNTERS

_DAY = "kind STRING, shop_id STRING, occurred_date STRING"
_TABLES = {
    "minute_counters": (
        f"{_DAY}, `minute` BIGINT, orders BIGINT, orders_without_rate BIGINT, gmv_minor STRING, item_views BIGINT, "
        "cart_adds BIGINT, as_of_ms BIGINT",
        "kind, shop_id, occurred_date, `minute`",
    ),
    "person_counters": (f"{_DAY}, visitors BIGINT, buyers BIGINT, as_of_ms BIGINT", "kind, shop_id, occurred_date"),
    "channel_counters": (
        f"{_DAY}, channel STRING, visitors BIGINT, as_of_ms BIGINT",
        "kind, shop_id, occurred_date, channel",
    ),
    "item_counters": (
        f"{_DAY}, item_id STRING, order_lines BIGINT, cart_adds BIGINT, item_views BIGINT, as_of_ms BIGINT",
        "kind, shop_id, occurred_date, item_id",
    ),
    "stream_clock": (
        "kind STRING, log_partition INT, since_ms BIGINT, as_of_ms BIGINT",
        "kind, log_partition",
    ),
}


def kafka_counters(*, kafka: KafkaCluster) -> list[str]:
    """Statements that create the sinks over the topic.

    A sink holds back what it writes and keeps the last value of each key, so that a busy shop costs as much as a quiet one. At
    least once is enough: after a restart values come again, and a reader keeps the one with the greatest ``as_of_ms``.
    """
    options = {
        "connector": "upsert-kafka",
        "topic": SHOP_COUNTERS.name,
        "key.format": "json",
        "value.format": "json",
        "value.fields-include": "EXCEPT_KEY",
        "sink.buffer-flush.interval": "500 ms",
        "sink.buffer-flush.max-rows": "100000",
    }
    given = table_options(options | connection(kafka))
    return [
        f"CREATE TEMPORARY TABLE {name} ({_not_null(columns, key)}, PRIMARY KEY ({key}) NOT ENFORCED) WITH (\n{given}\n)"
        for name, (columns, key) in _TABLES.items()
    ]


def counter_inserts() -> list[str]:
    """Statements that fill the sinks."""
    return [f"INSERT INTO {table}\n{query}" for table, query in counter_queries().items()]


def _not_null(columns: str, key: str) -> str:
    """The columns; those of a key are never null."""
    keys = key.split(", ")
    return ", ".join(f"{column} NOT NULL" if column.split(" ")[0] in keys else column for column in columns.split(", "))
