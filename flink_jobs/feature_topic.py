"""The feature topic as a sink: one message a value, at least once, keyed so that compaction keeps the newest of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flink_jobs.feature_queries import view_query
from flink_jobs.log_table import connection, table_options
from jishi.features import Feature
from jishi.features.zones import NO_ZONES, Zones
from jishi.files import file_uri
from jishi.kafka import KafkaCluster
from jishi.topics import FEATURES

_COLUMNS = "message_key STRING, message STRING"


def kafka_features(*, kafka: KafkaCluster) -> str:
    """Statement that creates the sink ``features`` over the topic.

    At least once is enough and needs no transactions, whose readers would wait for each checkpoint: a value that is sent again
    equals the first, and the writer of the online store lets no older value replace a newer one.
    """
    return f"""\
CREATE TEMPORARY TABLE features (
  {_COLUMNS}
) WITH (
  'connector' = 'kafka',
  'topic' = '{FEATURES.name}',
{table_options(connection(kafka))},
  'properties.linger.ms' = '0',
  'key.format' = 'raw',
  'key.fields' = 'message_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once'
)"""


def file_features(folder: Path) -> str:
    """Statement that creates the sink ``features`` over JSON-lines files, for tests and bounded replays."""
    return f"""\
CREATE TEMPORARY TABLE features (
  {_COLUMNS}
) WITH (
  'connector' = 'filesystem',
  'path' = '{file_uri(folder)}',
  'format' = 'json'
)"""


def features_insert(views: Mapping[str, Sequence[Feature]], *, allowed_lateness_s: int, zones: Zones = NO_ZONES) -> str:
    """Statement that fills ``features`` from ``events`` with the values of all views."""
    queries = [view_query(view, members, allowed_lateness_s=allowed_lateness_s, zones=zones) for view, members in views.items()]
    return "INSERT INTO features\n" + "\nUNION ALL\n".join(queries)
