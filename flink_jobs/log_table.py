"""The event log as a Flink table: typed columns of the record, both clocks, the position, and the watermark.

The same columns come from Kafka or, for tests and bounded replays, from JSON-lines files that carry the position themselves, so
everything after the source is one text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flink_jobs.intervals import interval
from jishi.files import file_uri
from jishi.kafka import FLINK_SHADES, KafkaCluster
from jishi.tables import LOG_RECORD
from jishi.topics import EVENTS

# How long a partition may be silent before the others move time without it. The forwarder's ticks keep each partition awake, so
# this is for a log that others fill. Shorter would lose events: after a pause of the broker or of the job one partition is read
# before the others, and if those counted as silent meanwhile, it alone would close windows that they have events for. So a
# broker that is away for longer than this costs windows the last events before (chaos: away:kafka:300, with 60 s).
IDLE_TIMEOUT = "3600 s"

# 1970, not null: a null event time kills a Flink job. Only invalid events have no clock, and no window ever sees those.
_CLOCKS = """\
  occurred_at AS COALESCE(TO_TIMESTAMP_LTZ(occurred_at_ms, 3), TO_TIMESTAMP_LTZ(0, 3)),
  decided_at AS PROCTIME(),
  WATERMARK FOR occurred_at AS received_at - {delay}"""


def kafka_log(*, kafka: KafkaCluster, allowed_lateness_s: int) -> str:
    """Statement that creates ``log`` over the topic.

    A value that is not a JSON object gives no row here (``json.ignore-parse-errors``) and a field of the wrong type gives null;
    ``flink_jobs.unreadable`` keeps both.
    """
    return f"""\
CREATE TEMPORARY TABLE log (
  {LOG_RECORD.flink_ddl},
  received_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  log_partition INT METADATA FROM 'partition' VIRTUAL,
  log_offset BIGINT METADATA FROM 'offset' VIRTUAL,
  received_at_ms AS {_epoch_ms("received_at")},
{_clocks(allowed_lateness_s)}
) WITH (
{kafka_source_options(kafka)},
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
)"""


def file_log(*, folder: Path, allowed_lateness_s: int) -> str:
    """Statement that creates ``log`` over JSON lines which carry ``received_at_ms``, ``log_partition`` and ``log_offset``."""
    return f"""\
CREATE TEMPORARY TABLE log (
  {LOG_RECORD.flink_ddl},
  received_at_ms BIGINT,
  log_partition INT,
  log_offset BIGINT,
  received_at AS TO_TIMESTAMP_LTZ(received_at_ms, 3),
{_clocks(allowed_lateness_s)}
) WITH (
  'connector' = 'filesystem',
  'path' = '{file_uri(folder)}',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
)"""


def kafka_source_options(kafka: KafkaCluster) -> str:
    """Options of a table that reads the topic from its start (a restart goes on from its checkpoint instead).

    Small fetches keep partitions abreast of one another when the job catches up, so that none looks idle meanwhile.
    """
    options = {
        "connector": "kafka",
        "topic": EVENTS.name,
        "properties.group.id": "jishi-flink",
        "properties.max.partition.fetch.bytes": str(256 * 1024),
        "scan.startup.mode": "earliest-offset",
    }
    return table_options(options | connection(kafka))


def connection(kafka: KafkaCluster) -> dict[str, str]:
    """Options of a table over a topic that say where and how its client connects."""
    return {f"properties.{key}": value for key, value in kafka.java_options(FLINK_SHADES).items()}


def table_options(options: Mapping[str, str]) -> str:
    """Options as they stand in a statement, a line each."""
    return ",\n".join(f"  '{key}' = '{_escaped(value)}'" for key, value in options.items())


def _escaped(value: str) -> str:
    return value.replace("'", "''")


def _clocks(allowed_lateness_s: int) -> str:
    # One millisecond more than the lateness: a watermark w says that nothing at or before w will come, and an event that is
    # exactly on the limit may still share its received_at with the event that set the watermark.
    return _CLOCKS.format(delay=interval(allowed_lateness_s * 1000 + 1))


def _epoch_ms(instant: str) -> str:
    return f"EXTRACT(EPOCH FROM {instant}) * 1000 + EXTRACT(MILLISECOND FROM {instant})"
