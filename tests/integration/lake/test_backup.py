"""A backup becomes a platform in another folder: the same rows of every version, and secrets only when they are asked for."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import duckdb_extension_avro
import duckdb_extension_iceberg
import pytest

from jishi.lake.catalog import open_catalog
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from jishi.tables import ALS_ITEM_FACTORS, SILVER_ITEMS, SILVER_ORDERS
from ops.airflow import write_secrets
from ops.backup.contents import STEPS, is_left_out, step_of
from ops.backup.copying import BackupFailed, backup, copy_database
from ops.backup.restoring import check_tables, restore
from tests.lake import publish, settings_in

pytestmark = pytest.mark.integration
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def order(order_id: str, paid_minor: int) -> dict[str, Any]:
    return {"shop_id": "a", "order_id": order_id, "paid_minor": paid_minor, "batch": "history"}


def platform(var: Path) -> Settings:
    """A small platform of three versions, with a key, secrets and a database in use."""
    settings = settings_in(var)
    paths = Paths.of(settings)
    publish(var, {SILVER_ORDERS: [order("o1", 5)], ALS_ITEM_FACTORS: [{"shop_id": "a", "factors": [0.5, 2.0]}]})
    publish(var, {SILVER_ORDERS: [order("o1", 6), order("o2", 7)]})
    publish(var, {SILVER_ITEMS: []})
    with Shops.edit(paths.shops_file) as shops:
        shops.create(Shop(shop_id="a", name="a"))
        shops.issue_key("a", "write")
    write_secrets(paths)
    (var / "wal").mkdir()
    (var / "wal" / "segment-0.log").write_bytes(b"entries")
    (var / "log").mkdir()
    (var / "log" / "flink.log").write_text("not in a backup")
    return settings


def rows_by_version(settings: Settings) -> dict[int, dict[str, list[tuple[Any, ...]]]]:
    rows: dict[int, dict[str, list[tuple[Any, ...]]]] = {}
    for number in (1, 2, 3):
        version = open_version(settings, number)
        with open_lake(version) as connection:
            rows[number] = {
                table: connection.execute(f"select * from {table.replace('/', '_')} order by all").fetchall()
                for table in version.tables
            }
    return rows


def test_a_restored_platform_has_the_same_rows_of_every_version_and_goes_on(tmp_path: Path) -> None:
    old = platform(tmp_path / "old" / "var")
    before, tables = rows_by_version(old), check_tables(old)
    manifest = backup(old, tmp_path / "backup", NOW, lambda _: None)
    shutil.rmtree(tmp_path / "old")  # nothing may be read from where it was
    new = settings_in(tmp_path / "a deeper" / "100%25 商店" / "var")
    restore(new, tmp_path / "backup", lambda _: None)
    assert rows_by_version(new) == before
    assert (
        check_tables(new)
        == tables
        == {"silver.orders": 2, "recommendations.als_item_factors": 1}
        | dict.fromkeys(tables.keys() - {"silver.orders", "recommendations.als_item_factors"}, 0)
    )
    assert manifest.version == 3
    paths = Paths.of(new)
    assert Shops.load(paths.shops_file).get("a").keys
    assert (paths.wal / "segment-0.log").read_bytes() == b"entries"
    assert not paths.log.exists()
    assert publish(paths.var, {SILVER_ORDERS: [order("o3", 8)]}).number == 4
    with open_lake(open_version(new)) as connection:
        assert connection.execute("select order_id from silver_orders").fetchall() == [("o3",)]


def test_what_moved_is_read_by_another_engine(tmp_path: Path) -> None:
    backup(platform(tmp_path / "old" / "var"), tmp_path / "backup", NOW, lambda _: None)
    shutil.rmtree(tmp_path / "old")
    new = settings_in(tmp_path / "a new place" / "var")
    restore(new, tmp_path / "backup", lambda _: None)
    location = open_catalog(new).load_table("silver.orders").metadata_location.removeprefix("file://")
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
        for module in (duckdb_extension_avro, duckdb_extension_iceberg):
            [file] = Path(module.__path__[0]).rglob("*.duckdb_extension")
            connection.execute(f"load '{file}'")
        paid = connection.execute(f"select order_id, paid_minor from iceberg_scan('{location}') order by all").fetchall()
    assert paid == [("o1", 6), ("o2", 7)]


def test_secrets_are_copied_only_when_asked_for_and_nobody_else_reads_them(tmp_path: Path) -> None:
    settings = platform(tmp_path / "var").model_copy(
        update={"smtp_host": "mail.example", "postgres_url": "postgresql://p:hunter2@h/d"}
    )
    paths = Paths.of(settings)
    texts = [(paths.airflow / name).read_bytes().strip() for name in ("jwt_secret", "secret_key", "admin_password")]
    texts.append(b"hunter2")
    backup(settings, tmp_path / "without", NOW, lambda _: None)
    copied = [file for file in (tmp_path / "without").rglob("*") if file.is_file()]
    assert not [file for file in copied for text in texts if text in file.read_bytes()]
    assert "mail.example" in (tmp_path / "without" / "backup.json").read_text()
    backup(settings, tmp_path / "with", NOW, lambda _: None, with_secrets=True)
    files = [file for file in (tmp_path / "with" / "files").rglob("*") if file.is_file()]
    assert all(any(text in file.read_bytes() for file in (*files, tmp_path / "with" / "backup.json")) for text in texts)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "with").stat().st_mode) == 0o700


def test_what_is_not_whole_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    settings, target = platform(tmp_path / "var"), tmp_path / "backup"
    with pytest.raises(BackupFailed, match="holds no platform"):
        backup(settings_in(tmp_path / "nowhere"), target, NOW, lambda _: None)
    with pytest.raises(BackupFailed, match="lies in the platform's own folder"):
        backup(settings, tmp_path / "var" / "backup", NOW, lambda _: None)
    with pytest.raises(BackupFailed, match="not empty"):
        backup(settings, tmp_path, NOW, lambda _: None)
    in_store = settings.model_copy(update={"lake_warehouse": "s3://bucket/lake"})
    with pytest.raises(BackupFailed, match="JISHI_LAKE_WAREHOUSE"):
        backup(in_store, target, NOW, lambda _: None)
    backup(settings, target, NOW, lambda _: None)
    with pytest.raises(BackupFailed, match=r"JISHI_VAR.* is not empty"):
        restore(settings, target, lambda _: None)
    new = settings_in(tmp_path / "new")
    [data] = [file for file in (target / "files/lake/warehouse/silver/orders/data").rglob("*.parquet")][:1]
    kept = data.read_bytes()
    data.write_bytes(kept[:-1] + b"x")
    with pytest.raises(BackupFailed, match="sha256"):
        restore(new, target, lambda _: None)
    data.unlink()
    with pytest.raises(BackupFailed, match="is missing"):
        restore(new, target, lambda _: None)
    assert list((tmp_path / "new").iterdir()) == []
    data.write_bytes(kept)
    restore(new, target, lambda _: None)
    (target / "backup.json").unlink()
    with pytest.raises(BackupFailed, match="it is no backup"):
        restore(settings_in(tmp_path / "other"), target, lambda _: None)


def test_a_file_that_the_version_needs_and_the_copy_has_not_is_named(tmp_path: Path) -> None:
    settings = platform(tmp_path / "var")
    file = Path(open_version(settings).files(SILVER_ORDERS.name)[0])
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(BackupFailed, match=f"silver.orders needs .*{file.name}"):
        check_tables(settings)


def test_a_database_is_copied_as_of_one_moment(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("create table t (n integer)")
        writer.execute("insert into t values (1)")
        writer.execute("begin immediate")
        writer.execute("insert into t values (2)")
        copy_database(tmp_path / "a.db", tmp_path / "copy" / "a.db")
        writer.execute("commit")
    assert os.listdir(tmp_path / "copy") == ["a.db"]
    with sqlite3.connect(tmp_path / "copy" / "a.db") as reader:
        assert reader.execute("select n from t").fetchall() == [(1,)]


def test_every_file_of_a_recorded_platform_is_copied_by_one_step_or_known_to_be_made_anew() -> None:
    names = (PROJECT_ROOT / "tests/unit/ops/platform_files.txt").read_text().splitlines()
    for name in names:
        steps = [step.what for step in STEPS if step.holds(name)]
        assert len(steps) == 1 or is_left_out(name), name
        assert len(steps) <= 1, name
    assert step_of("somebody/forgot/this") is None
    assert not is_left_out("somebody/forgot/this")
