"""pyiceberg makes the tables, Spark and pyiceberg read and write the same ones, with either catalog."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jishi.arrow_tables import to_arrow
from jishi.lake.catalog import identifier, open_catalog, spark_options
from jishi.lake.live import LiveTail
from jishi.lake.plans import RowsDeletedApart, keep_plan
from jishi.lake.table_creation import TableConflict, create_tables
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.tables import ALS_ITEM_FACTORS, BRONZE_LIVE, TABLES
from tests.integration.lake.engines import append_by_flink, live_row

pytestmark = pytest.mark.integration
EACH_CATALOG = pytest.mark.parametrize("online_store", ["sqlite", "postgresql"], indirect=True)
SQLITE = pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)
SESSION = """
import json, sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]")
fixed = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC"}
for key, value in (fixed | json.loads(sys.argv[1])).items():
    builder = builder.config(key, value)
session = builder.getOrCreate()
"""


def run_spark(settings: Settings, *statements: str) -> Any:
    """What a Spark in a process of its own prints last, as JSON."""
    jars = [str(jar) for folder in ("spark_lake", "catalog") for jar in (Paths.of(settings).jars / folder).glob("*.jar")]
    options = spark_options(settings) | {"spark.jars": ",".join(jars)}
    command = [sys.executable, "-c", SESSION + "\n".join(statements), json.dumps(options)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def event(shop_id: str, seq: int, received_at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(BRONZE_LIVE.columns)
    ms = int(received_at.timestamp() * 1000)
    of_row = {"collector_id": "c", "seq": seq, "shop_id": shop_id, "received_at_ms": ms}
    return row | of_row | {"received_at": received_at.replace(tzinfo=None)}


@EACH_CATALOG
def test_spark_and_pyiceberg_share_the_tables(lake_settings: Settings) -> None:
    catalog = create_tables(lake_settings)
    assert {".".join(name) for space in catalog.list_namespaces() for name in catalog.list_tables(space)} == {
        schema.name.replace("/", ".") for schema in TABLES
    }
    factors, events = catalog.load_table("recommendations.als_item_factors"), catalog.load_table("bronze.events")
    factors.append(to_arrow(ALS_ITEM_FACTORS, [{"shop_id": "a", "item_id": "项1", "factors": [1.0, 2.0]}]))
    midnight = datetime(2026, 9, 2, tzinfo=UTC)
    rows = [event("a", 1, midnight - timedelta(milliseconds=1)), event("a", 2, midnight)]
    events.append(to_arrow(BRONZE_LIVE, rows))

    rows, seen, parts = run_spark(
        lake_settings,
        "rows = session.sql('SELECT shop_id, factors FROM lake.recommendations.als_item_factors').collect()",
        "events = session.sql('SELECT seq, CAST(received_at AS STRING) AS received_at FROM lake.bronze.events').collect()",
        "session.sql(\"INSERT INTO lake.recommendations.als_item_factors VALUES ('b', '项2', array(cast(0.5 as float)))\")",
        "parts = session.sql('SELECT partition.* FROM lake.bronze.events.partitions').collect()",
        "print(json.dumps([[row.asDict() for row in each] for each in (rows, events, parts)], default=str))",
    )
    assert rows == [{"shop_id": "a", "factors": [1.0, 2.0]}]
    assert sorted((row["seq"], row["received_at"]) for row in seen) == [
        (1, "2026-09-01 23:59:59.999"),
        (2, "2026-09-02 00:00:00"),
    ]
    assert {part["received_at_day"] for part in parts} == {"2026-09-01", "2026-09-02"}
    assert len({part["shop_id_bucket"] for part in parts}) == 1
    read = open_catalog(lake_settings).load_table("recommendations.als_item_factors").scan().to_arrow()
    assert sorted(read.to_pylist(), key=lambda row: row["shop_id"]) == [
        {"shop_id": "a", "item_id": "项1", "factors": [1.0, 2.0]},
        {"shop_id": "b", "item_id": "项2", "factors": [0.5]},
    ]


@SQLITE
def test_rows_that_are_deleted_apart_from_their_files_are_never_read(lake_settings: Settings) -> None:
    """duckdb-iceberg 691: deleted rows came back. Trino and others delete so; the message's own statement mends it."""
    name = ALS_ITEM_FACTORS.name
    table = create_tables(lake_settings, [ALS_ITEM_FACTORS]).load_table(identifier(name))
    table.append(
        to_arrow(ALS_ITEM_FACTORS, [{"shop_id": shop, "item_id": item, "factors": [1.0]} for shop, item in ("ai", "aj", "bi")])
    )
    kept = keep_plan(lake_settings, name, table, table.current_snapshot().snapshot_id)
    assert kept.rows == 3
    run_spark(
        lake_settings,
        f"table = 'lake.{name.replace('/', '.')}'",
        "session.sql(f\"ALTER TABLE {table} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')\")",
        "session.sql(f\"DELETE FROM {table} WHERE item_id = 'j' AND shop_id = 'a'\")",
        "session.sql(f\"INSERT INTO {table} VALUES ('c', 'i', array(cast(1 as float)))\")",
        "print(session.sql(f'SELECT count(*) FROM {table}').first()[0])",
    )
    table.refresh()
    with pytest.raises(RowsDeletedApart, match="als_item_factors has rows that another engine deleted") as refused:
        keep_plan(lake_settings, name, table, table.current_snapshot().snapshot_id)
    statement = str(refused.value).split("anew: ")[1]
    assert run_spark(lake_settings, f"session.sql({statement!r})", "print(1)") == 1
    table.refresh()
    assert keep_plan(lake_settings, name, table, table.current_snapshot().snapshot_id).rows == 3
    assert sorted(table.scan().to_arrow()["shop_id"].to_pylist()) == ["a", "b", "c"]


@SQLITE
def test_a_column_declared_later_reaches_an_old_table(lake_settings: Settings) -> None:
    create_tables(lake_settings, [ALS_ITEM_FACTORS]).load_table("recommendations.als_item_factors").append(
        to_arrow(ALS_ITEM_FACTORS, [{"shop_id": "a", "item_id": "i", "factors": [1.0]}])
    )
    columns = {"shop_id": "string", "rank": "int32", **ALS_ITEM_FACTORS.columns, "seen_at": "instant"}
    later = replace(ALS_ITEM_FACTORS, columns=columns)
    for _ in range(2):
        table = create_tables(lake_settings, [later]).load_table("recommendations.als_item_factors")
        assert [field.name for field in table.schema().fields] == list(columns)
    assert table.scan().to_arrow().to_pylist() == [
        {"shop_id": "a", "rank": None, "item_id": "i", "factors": [1.0], "seen_at": None}
    ]
    table.append(pa.Table.from_pylist([dict.fromkeys(columns) | {"rank": 7}], schema=table.schema().as_arrow()))
    changed = replace(later, columns=columns | {"rank": "string"})
    with pytest.raises(TableConflict, match=r"als_item_factors\.rank is int in the lake and string"):
        create_tables(lake_settings, [changed])


@SQLITE
def test_making_a_table_that_is_there_leaves_no_file_behind(lake_settings: Settings) -> None:
    create_tables(lake_settings, [ALS_ITEM_FACTORS])
    before = set(Paths.of(lake_settings).lake.rglob("*.json"))
    create_tables(lake_settings, [ALS_ITEM_FACTORS])
    assert len(before) == 1
    assert set(Paths.of(lake_settings).lake.rglob("*.json")) == before


@EACH_CATALOG
def test_two_that_make_the_tables_at_once_both_succeed(lake_settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        for built in [pool.submit(create_tables, lake_settings, TABLES[:4]) for _ in range(4)]:
            names = {".".join(name) for folder in ("bronze", "silver") for name in built.result().list_tables(folder)}
            assert names == {identifier(schema.name) for schema in TABLES[:4]}


@pytest.mark.parametrize("online_store", ["postgresql"], indirect=True)
def test_flink_appends_to_a_lake_whose_catalog_is_in_postgresql(lake_settings: Settings, tmp_path: Path) -> None:
    create_tables(lake_settings, [BRONZE_LIVE])
    append_by_flink(lake_settings, tmp_path / "log", [live_row(seq) for seq in range(20)])
    rows = LiveTail(lake_settings).rows(("seq", "outcome")).to_pylist()
    assert sorted((row["seq"], row["outcome"]) for row in rows) == [(seq, "good") for seq in range(20)]
    assert not Paths.of(lake_settings).lake_catalog.exists()
