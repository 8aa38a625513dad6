"""Read bronze batch by batch: ``history`` from ``bronze/history``, ``live-<date>`` from a UTC day of ``bronze/events``.

The log may know an acknowledgement twice, because the forwarder sends again what it is not sure of; it counts on the day on
which the log knew it first. Outcomes keep the first of a day (``classify``), and what an earlier day knew is left out here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jishi.lake.rows import Rows
from jishi.tables import BRONZE_EVENTS, BRONZE_HISTORY, BRONZE_LIVE, TableSchema
from spark_jobs.publication import Publication

HISTORY = "history"
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_COLLECTORS = 100  # with more of them the condition on their numbers is left out; it only saves reading


def source_of(batch: str, shops: list[str]) -> tuple[TableSchema, Rows]:
    """The table and rows of a batch."""
    if batch == HISTORY:
        return BRONZE_HISTORY, Rows.of(shop_id=shops)
    start = datetime.fromisoformat(batch.removeprefix("live-")).replace(tzinfo=UTC)
    return BRONZE_LIVE, Rows((("shop_id", tuple(shops)),), between=("received_at", start, start + timedelta(days=1)))


def before_batch(batch: str, shops: list[str]) -> Rows:
    """Rows of ``bronze/events`` from before the day of a live batch."""
    _, day = source_of(batch, shops)
    assert day.between is not None
    return Rows(day.values, between=("received_at", _START, day.between[1]))


def bronze_rows(publication: Publication, batch: str, shops: list[str]) -> DataFrame:
    """Accepted events of a batch, with the columns of ``BRONZE_EVENTS``."""
    schema, where = source_of(batch, shops)
    rows = publication.rows(schema, where).select(*BRONZE_EVENTS.columns)
    if batch == HISTORY:
        return rows
    before = before_batch(batch, shops)
    if not publication.files(BRONZE_LIVE, before):
        return rows
    # A collector numbers its acknowledgements upwards, so that only the last ones of the days before can come again.
    first = rows.groupBy("collector_id").agg(F.min("seq").alias("seq")).limit(_MOST_COLLECTORS + 1).collect()
    known = publication.rows(BRONZE_LIVE, before).select(*BRONZE_EVENTS.key)
    if len(first) <= _MOST_COLLECTORS:
        could_repeat = F.lit(False)
        for row in first:
            could_repeat = could_repeat | ((F.col("collector_id") == row.collector_id) & (F.col("seq") >= row.seq))
        known = known.where(could_repeat)
    return rows.join(known, list(BRONZE_EVENTS.key), "left_anti").select(*BRONZE_EVENTS.columns)
