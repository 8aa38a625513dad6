"""A lake in an object store by settings alone: pyiceberg, Flink and Spark write it, compaction and expiry keep it small."""

from __future__ import annotations

from pathlib import Path

import pytest

from jishi.lake.catalog import open_catalog
from jishi.lake.live import LiveTail
from jishi.lake.table_creation import create_tables
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from tests.integration.lake.engines import append_by_flink, live_row, run
from tests.live_events import append_live

pytestmark = pytest.mark.integration
SMALL_FILES = 6


def test_every_engine_works_on_a_bucket(bucket_settings: Settings, tmp_path: Path) -> None:
    create_tables(bucket_settings)
    for seq in range(SMALL_FILES):
        append_live(bucket_settings, [live_row(seq)])
    append_by_flink(bucket_settings, tmp_path / "log", [live_row(seq) for seq in range(SMALL_FILES, 100)])

    live = LiveTail(bucket_settings)
    assert sorted(row["seq"] for row in live.rows(("seq",)).to_pylist()) == list(range(100))
    small = open_catalog(bucket_settings).load_table("bronze.events").inspect.files().num_rows
    assert small > SMALL_FILES
    maintain = ("-m", "spark_jobs", "maintain", "--table", "bronze/events", "--table", "silver/events")
    output = run(bucket_settings, "main", *maintain, spark_driver_memory="1g", spark_master="local[1]")
    assert f"{small} files joined to 1" in output
    assert "silver.events: 0 snapshots dropped, 0 unknown files removed" in output
    rows = live.rows(("seq", "outcome"), where="seq >= 6").to_pylist()
    assert sorted((row["seq"], row["outcome"]) for row in rows) == [(seq, "good") for seq in range(SMALL_FILES, 100)]

    shops = Shops()
    shops.add(Shop(shop_id="a", name="A"))
    shops.save(Paths.of(bucket_settings).shops_file)
    for day in live.dates():
        job = ("-m", "spark_jobs", "silver", "--batch", f"live-{day}")
        run(bucket_settings, "main", *job, spark_driver_memory="1g", spark_master="local[1]")
    version = Versions.of(bucket_settings).latest()
    assert version is not None
    silver = open_catalog(bucket_settings).load_table("silver.events").scan(snapshot_id=version.snapshot("silver/events"))
    assert sorted(silver.to_arrow()["event_id"].to_pylist()) == sorted(f"e{seq}" for seq in range(100))
    assert not (bucket_settings.var / "lake" / "warehouse").exists()
