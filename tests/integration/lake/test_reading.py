"""A reader keeps its version, whatever is published meanwhile; what it reads is what Iceberg's own readers read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import duckdb_extension_avro
import duckdb_extension_iceberg
import pytest

from jishi.lake import TableNotPublished
from jishi.lake.catalog import open_catalog
from jishi.lake.plans import drop_plans, plan_file
from jishi.lake.publishing import Replacement
from jishi.lake.publishing import publish as publish_by_pyiceberg
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.rows import Rows
from jishi.lake.versions import VersionNotFound
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from jishi.tables import ALS_ITEM_FACTORS, SILVER_ITEMS, SILVER_ORDERS
from tests.lake import newest, publish, settings_in, table_of

pytestmark = pytest.mark.integration


def order(shop_id: str, order_id: str, paid_minor: int, **columns: Any) -> dict[str, Any]:
    return {"shop_id": shop_id, "order_id": order_id, "paid_minor": paid_minor, **columns}


def paid(lake: LakeVersion) -> list[tuple[Any, ...]]:
    with open_lake(lake) as connection:
        return connection.execute("select shop_id, order_id, paid_minor, channel from silver_orders order by all").fetchall()


def test_a_version_stays_what_it_was(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert (open_version(settings).number, open_version(settings).tables) == (0, [])
    with pytest.raises(TableNotPublished, match="has no version yet"):
        open_version(settings).plan(SILVER_ORDERS.name)
    first = publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 5)], SILVER_ITEMS: []})
    opened = open_version(settings)
    second = publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 6), order("b", "o2", 7)]})
    for version in (opened, open_version(settings, first.number), open_version(settings, first.created_at)):
        assert (version.number, paid(version)) == (1, [("a", "o1", 5, None)])
    just_before = second.created_at - timedelta(microseconds=1)
    assert open_version(settings, just_before).number == 1
    assert open_version(settings, datetime.now(UTC)).number == 2
    assert paid(newest(tmp_path)) == [("a", "o1", 6, None), ("b", "o2", 7, None)]
    # A table that the second publish did not touch is what it was; the state says so without a look at rows.
    assert newest(tmp_path).state(SILVER_ITEMS.name) == opened.state(SILVER_ITEMS.name)
    assert newest(tmp_path).state(SILVER_ORDERS.name) != opened.state(SILVER_ORDERS.name)
    with pytest.raises(VersionNotFound, match="no version 3"):
        open_version(settings, 3)
    with pytest.raises(VersionNotFound, match="no version as old"):
        open_version(settings, first.created_at - timedelta(microseconds=1))


def test_a_column_that_is_declared_later_is_null_in_older_files(tmp_path: Path) -> None:
    columns = {name: kind for name, kind in SILVER_ORDERS.columns.items() if name != "channel"}
    before = replace(SILVER_ORDERS, columns=columns)
    publish(tmp_path, {before: [order("a", "o1", 5)]})
    assert paid(newest(tmp_path)) == [("a", "o1", 5, None)], "declared, and in no file"
    publish_by_pyiceberg(
        settings_in(tmp_path),
        "a test",
        lambda base: [
            Replacement(SILVER_ORDERS, Rows.of(shop_id=["b"]), table_of(SILVER_ORDERS, [order("b", "o2", 7, channel="app")]))
        ],
    )
    assert paid(newest(tmp_path)) == [("a", "o1", 5, None), ("b", "o2", 7, "app")]
    assert paid(open_version(settings_in(tmp_path), 1)) == [("a", "o1", 5, None)]


def test_the_rows_are_those_of_icebergs_own_readers(tmp_path: Path) -> None:
    """pyiceberg and DuckDB's iceberg_scan plan by themselves; the views read the kept plan."""
    rows = [order(f"s{n % 40}", f"o{n}", n * n, paid_at=datetime(2026, 9, 1) + timedelta(seconds=n)) for n in range(500)]  # noqa: DTZ001
    publish(tmp_path, {SILVER_ORDERS: rows})
    version = newest(tmp_path)
    plan = version.plan(SILVER_ORDERS.name)
    assert plan.rows == 500
    assert len(plan.files) > 1
    table = open_catalog(settings_in(tmp_path)).load_table("silver.orders")
    by_pyiceberg = table.scan(snapshot_id=plan.snapshot_id).to_arrow()
    metadata = table.metadata_location.removeprefix("file://")
    with open_lake(version) as connection:
        for module in (duckdb_extension_avro, duckdb_extension_iceberg):
            [file] = Path(module.__path__[0]).rglob("*.duckdb_extension")
            connection.execute(f"load '{file}'")
        connection.register("by_pyiceberg", by_pyiceberg)
        others = ("by_pyiceberg", f"iceberg_scan('{metadata}', snapshot_from_id = {plan.snapshot_id})")
        ours = connection.execute("from silver_orders order by all").fetchall()
        assert len(ours) == 500
        for other in others:
            assert connection.execute(f"from {other} order by all").fetchall() == ours


def test_a_lost_plan_is_made_again(tmp_path: Path) -> None:
    publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 5)], ALS_ITEM_FACTORS: [{"shop_id": "a", "factors": [0.5, 2.0]}]})
    publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 6)]})
    version, paths = newest(tmp_path), Paths.of(settings_in(tmp_path))
    plans = [version.plan(name) for name in version.tables]
    drop_plans(paths, {SILVER_ORDERS.name: [version.plan(SILVER_ORDERS.name).snapshot_id]})
    kept = {name: plan_file(paths, name, version.plan(name).snapshot_id).exists() for name in (SILVER_ORDERS.name,)}
    assert kept == {SILVER_ORDERS.name: True}
    assert len(list((paths.lake / "plans").rglob("*.json"))) == 1
    assert [newest(tmp_path).plan(name) for name in version.tables] == plans
    with open_lake(version) as connection:
        assert connection.execute("select factors from recommendations_als_item_factors").fetchall() == [([0.5, 2.0],)]


def test_a_reader_loads_no_catalog(tmp_path: Path) -> None:
    """Importing pyiceberg costs seconds; short commands and services read by the record and the kept plans."""
    publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 5)]})
    program = """
import sys
from pathlib import Path
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import Settings
with open_lake(open_version(Settings(var=Path(sys.argv[1])))) as connection:
    print(connection.execute("select order_id from silver_orders").fetchall())
print([name for name in ("pyiceberg", "sqlalchemy", "pyarrow", "pandas") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    assert done.stdout.splitlines() == ["[('o1',)]", "[]"]


def test_every_accepted_event_is_there_once(tmp_path: Path) -> None:
    """What the forwarder sent twice counts when the log had it first; two collectors may use one number."""
    from jishi.tables import BRONZE_HISTORY, BRONZE_LIVE

    def event(collector: str, seq: int, at_ms: int, offset: int | None, partition: int = 0) -> dict[str, Any]:
        row = {"collector_id": collector, "seq": seq, "shop_id": "a", "received_at_ms": at_ms}
        return row | ({} if offset is None else {"log_partition": partition, "log_offset": offset})

    live = [event("c", 1, 20, 7), event("c", 1, 10, 3), event("c", 2, 10, 4), event("d", 1, 10, 3, partition=1)]
    publish(tmp_path, {BRONZE_LIVE: live, BRONZE_HISTORY: [event("history:a", 1, 5, None), event("history:a", 2, 5, None)]})
    with open_lake(newest(tmp_path)) as connection:
        rows = connection.execute("select collector_id, seq, received_at_ms from bronze_all order by all").fetchall()
    assert rows == [("c", 1, 10), ("c", 2, 10), ("d", 1, 10), ("history:a", 1, 5), ("history:a", 2, 5)]


def test_duckdb_holds_no_file_that_a_publish_needs(tmp_path: Path) -> None:
    publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 5)]})
    with open_lake(newest(tmp_path)) as connection, duckdb.connect() as other:
        publish(tmp_path, {SILVER_ORDERS: [order("a", "o1", 6)]})
        assert connection.execute("select paid_minor from silver_orders").fetchall() == [(5,)]
        files = newest(tmp_path).files(SILVER_ORDERS.name)
        assert other.read_parquet(files).select("paid_minor").fetchall() == [(6,)]
