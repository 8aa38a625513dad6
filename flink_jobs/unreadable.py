"""Values of the event log that are no records: kept beside bronze with their position, never dropped.

The forwarder writes none but ticks, which are not kept. Whatever else writes to the topic is found here: a value that is not a
JSON object (``not_json``: its text; the bytes stay in the log for its retention), and an object without a record's identity
(``not_a_record``: what could be read of it).
"""

from __future__ import annotations

from pathlib import Path

from flink_jobs.json_lines import json_lines_table
from flink_jobs.log_table import kafka_source_options
from flink_jobs.outcomes import IDENTITY
from jishi.kafka import KafkaCluster
from jishi.tables import LOG_RECORD
from jishi.topics import TICK_TYPE


def raw_kafka_log(*, kafka: KafkaCluster) -> str:
    """Statement that creates ``raw_log``: the topic once more, undecoded. Checking costs a fraction of typed decoding."""
    return f"""\
CREATE TEMPORARY TABLE raw_log (
  `value` BYTES,
  received_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  log_partition INT METADATA FROM 'partition' VIRTUAL,
  log_offset BIGINT METADATA FROM 'offset' VIRTUAL
) WITH (
{kafka_source_options(kafka)},
  'format' = 'raw'
)"""


def unreadable_table(folder: Path, *, roll_after_ms: int) -> str:
    """Statement that creates the sink ``unreadable`` in ``folder``."""
    columns = "log_partition INT, log_offset BIGINT, received_at TIMESTAMP_LTZ(3), reason STRING, `value` STRING"
    return json_lines_table("unreadable", columns, folder, roll_after_ms=roll_after_ms)


def not_a_record() -> str:
    """Statement that keeps decoded values without a record's identity."""
    absent = " OR ".join(f"{column} IS NULL" for column in IDENTITY)
    read = ", ".join(f"KEY '{column}' VALUE `{column}`" for column in LOG_RECORD.columns)
    return f"""\
INSERT INTO unreadable
SELECT log_partition, log_offset, received_at, 'not_a_record', JSON_OBJECT({read} ABSENT ON NULL) FROM log
WHERE ({absent}) AND `type` IS DISTINCT FROM '{TICK_TYPE}'"""


def not_json() -> str:
    """Statement that keeps values which are no JSON object in UTF-8 (bytes that are not UTF-8 change when decoded)."""
    return """\
INSERT INTO unreadable
SELECT log_partition, log_offset, received_at, 'not_json', DECODE(`value`, 'UTF-8') FROM raw_log
WHERE `value` IS NULL OR DECODE(`value`, 'UTF-8') IS NOT JSON OBJECT
  OR ENCODE(DECODE(`value`, 'UTF-8'), 'UTF-8') <> `value`"""
