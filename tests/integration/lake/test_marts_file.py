"""The marts of a version: recorded by checksum, never changed, and never replaced by those of an older version."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from jishi.lake.reading import open_version
from jishi.lake.versions import Versions
from jishi.marts import EXPORTED, mart_rows
from jishi.paths import Paths
from jishi.tables import SILVER_ORDERS
from ops.marts_file import PUBLISHED, OlderBuild, drop_unrecorded, publish_marts, write_marts
from tests.integration.lake.killed_publishes import dbt_database
from tests.lake import newest, publish, settings_in

pytestmark = pytest.mark.integration


def orders_in_version(lake_number: int, var: Path) -> int:
    [row] = mart_rows(open_version(settings_in(var), lake_number), "select orders_30d from fct_orders")
    return int(row["orders_30d"])


def test_a_version_names_its_marts_and_keeps_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    paths = Paths.of(settings)
    publish(settings.var, {SILVER_ORDERS: []})
    first = publish_marts(settings, newest(settings.var), dbt_database(tmp_path, 1))
    opened = newest(settings.var)
    later = publish(settings.var, {SILVER_ORDERS: [{"shop_id": "a", "order_id": "o"}]})
    assert later.marts == first.marts, "a publish of silver leaves the marts as they are"
    second = publish_marts(settings, newest(settings.var), dbt_database(tmp_path, 2))
    assert (first.number, second.number) == (2, 4)
    for version in (first, second):
        assert version.marts is not None
        file = paths.warehouse / version.marts.file
        assert hashlib.sha256(file.read_bytes()).hexdigest() == version.marts.sha256
        assert file.name == f"{version.number - 1}-{version.marts.sha256[:12]}.duckdb"
        assert version.marts.built_from == version.number - 1
        assert file.stat().st_mode & 0o222 == 0
    assert (orders_in_version(2, settings.var), orders_in_version(3, settings.var), orders_in_version(4, settings.var)) == (
        1,
        1,
        2,
    )
    assert mart_rows(opened, "select version from build") == [{"version": 1}]
    # The daily features are of the same version as the marts.
    for version, number in ((2, 1), (4, 2)):
        [file] = open_version(settings, version).files(EXPORTED["person_daily"])
        assert duckdb.read_parquet(file).fetchall() == [("a", number)]
    assert paths.marts.resolve() == paths.warehouse / second.marts.file, "the stable path of Superset"


def test_an_older_build_is_dropped(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    publish(settings.var, {SILVER_ORDERS: []})
    slow = newest(settings.var)
    publish(settings.var, {SILVER_ORDERS: [{"shop_id": "a", "order_id": "o"}]})
    publish_marts(settings, newest(settings.var), dbt_database(tmp_path, 2))
    with pytest.raises(OlderBuild, match=r"marts of version 1 are not published: those of version 2 are already"):
        publish_marts(settings, slow, dbt_database(tmp_path, 1))
    assert newest(settings.var).number == 3
    assert orders_in_version(3, settings.var) == 2


def test_two_builds_at_once_do_no_harm(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    publish(settings.var, {SILVER_ORDERS: []})
    lake = newest(settings.var)
    files = [dbt_database(tmp_path, number) for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(lambda file: publish_marts(settings, lake, file), files))
    assert sorted(version.number for version in versions) == [2, 3]
    for version, number in zip(versions, (1, 2), strict=True):
        assert orders_in_version(version.number, settings.var) == number
        [file] = open_version(settings, version.number).files(EXPORTED["item_daily"])
        assert duckdb.read_parquet(file).fetchall() == [("a", number)], "marts and daily features of one build"
    last = max(versions, key=lambda version: version.number)
    assert last.marts is not None
    assert Paths.of(settings).marts.resolve().name == Path(last.marts.file).name


def test_a_build_that_cannot_be_copied_leaves_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    publish(settings.var, {SILVER_ORDERS: []})
    file = dbt_database(tmp_path, 1)
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"drop table {PUBLISHED[-1]}")
    with pytest.raises(duckdb.CatalogException):
        publish_marts(settings, newest(settings.var), file)
    assert list(Paths.of(settings).marts_files.iterdir()) == []
    assert newest(settings.var).number == 1


def test_files_that_no_version_names_go_after_a_day(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    paths = Paths.of(settings)
    publish(settings.var, {SILVER_ORDERS: []})
    version = publish_marts(settings, newest(settings.var), dbt_database(tmp_path, 1))
    assert version.marts is not None
    orphan, fresh = (paths.warehouse / write_marts(paths, dbt_database(tmp_path, n), 1).file for n in (2, 3))
    long_ago = time.time() - 25 * 3600
    for file in (orphan, paths.warehouse / version.marts.file):
        os.utime(file, (long_ago, long_ago))
    drop_unrecorded(settings)
    assert sorted(paths.marts_files.iterdir()) == sorted([fresh, paths.warehouse / version.marts.file])
    assert len(Versions.of(settings).list()) == 2
