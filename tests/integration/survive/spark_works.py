"""The stages of the crash matrix that are done by Spark: the process and its JVM are killed together.

``python -m tests.integration.survive.spark_works`` is the server that runs them (``chaos.crash``).
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from chaos.crash import serve
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from tests.integration.lake import killed_publishes as lake
from tests.integration.survive import works
from tests.integration.survive.works import KilledStage, import_history, read_lake, settings_of, works_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


TABLES, MIN_FILES = ("silver.items", "silver.orders"), 5


@cache
def _session_of(var: str) -> tuple[SparkSession, Settings]:
    from spark_jobs.session import open_session

    settings = settings_of(var).model_copy(update={"spark_driver_memory": "1g"})
    session = open_session(settings, Paths.of(settings), "survive", is_short=True)
    session.conf.set("spark.sql.shuffle.partitions", "2")
    return session, settings


def build_silver(var: str, number: int) -> None:
    """Build silver of the history of ``number`` views."""
    from spark_jobs.silver import job

    session, settings = _session_of(var)
    shops = Shops.load(Paths.of(settings).shops_file)
    built = job.build_silver(session, settings, shops, "history", [works.SHOP], lambda line: None)
    for error in built.failures.values():
        raise error


def read_silver(var: str) -> list[str]:
    """How many views each table of silver knows."""
    with open_lake(open_version(settings_of(var))) as connection:
        counts = (
            "select (select count(*) from silver_events), (select count(distinct event_id) from silver_events), "
            "(select count(*) from silver_interactions), (select sum(views) from silver_sessions)"
        )
        return [str(value) for value in connection.execute(counts).fetchall()[0]]


def maintain(var: str, number: int) -> None:
    """The weekly upkeep of two tables as of in two months: old versions, small files, old snapshots, unknown files."""
    from spark_jobs import maintenance

    session, settings = _session_of(var)
    # Spark removes nothing unknown that is younger than a day by its own clock.
    settings = settings.model_copy(update={"lake_versions": 2, "lake_orphan_hours": 61 * 24 + 1})
    later = (datetime.now(UTC) + timedelta(days=60)).replace(tzinfo=None)
    maintenance.drop_versions(settings, later)
    maintenance.maintain(session, settings, TABLES, later, lambda done: None)


def prepare_maintenance(var: str, number: int) -> None:
    """So many files of one shop that they are joined, a version each, and a file that no snapshot knows."""
    settings, nobody = settings_of(var), Rows.of(shop_id=["nobody"])
    lake.publish_shop(settings, works.SHOP, str(number))
    added = [Replacement(schema, nobody, lake.rows(schema, works.SHOP, [str(number)])) for schema in lake.KEYS]
    for _ in range(MIN_FILES):
        publish(settings, "test", lambda base: added)
    for folder in (Paths.of(settings).lake / "warehouse" / "silver").iterdir():
        (folder / "data").mkdir(exist_ok=True)
        stray = folder / "data" / f"stray-{number}.parquet"
        stray.write_bytes(b"x")
        os.utime(stray, (time.time() - 3 * 86_400,) * 2)


STAGES = (
    KilledStage("silver", import_history, build_silver, read_silver, is_spark=True),
    KilledStage("upkeep", prepare_maintenance, maintain, read_lake, is_spark=True),
)

if __name__ == "__main__":
    serve(works_of(STAGES), works.REFUSALS, forks=False)
