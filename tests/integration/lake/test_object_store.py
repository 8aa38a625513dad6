"""A lake in an object store by settings alone: pyiceberg, Flink and Spark write it, compaction and expiry keep it small."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jishi.lake.catalog import open_catalog
from jishi.lake.live import LiveTail
from jishi.lake.table_creation import create_tables
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from tests.live_events import append_live
from tests.log_records import view_of

pytestmark = pytest.mark.integration
SMALL_FILES = 6
NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000


def environment(settings: Settings, **changed: str) -> dict[str, str]:
    given = settings.model_dump(exclude_defaults=True) | changed
    return os.environ | {f"JISHI_{name.upper()}": str(value) for name, value in given.items()}


def run(settings: Settings, group: str, *arguments: str, **changed: str) -> str:
    done = subprocess.run(
        [str(Paths.of(settings).python(group)), *arguments],
        cwd=PROJECT_ROOT,
        env=environment(settings, **changed),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def live_row(seq: int) -> dict[str, Any]:
    clocks = dict.fromkeys(("occurred_at_ms", "collected_at_ms", "received_at_ms"), NOON_MS)
    return {**view_of(seq), **clocks, "log_partition": 0, "log_offset": seq}


def test_every_engine_works_on_a_bucket(bucket_settings: Settings, tmp_path: Path) -> None:
    create_tables(bucket_settings)
    for seq in range(SMALL_FILES):
        append_live(bucket_settings, [live_row(seq)])
    source = tmp_path / "log"
    source.mkdir()
    (source / "part-0").write_text("".join(json.dumps(live_row(seq)) + "\n" for seq in range(SMALL_FILES, 100)))
    run(bucket_settings, "flink", str(Path(__file__).with_name("flink_append.py")), str(source))

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
