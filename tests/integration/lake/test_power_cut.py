"""Everything that a recorded version names is on the disk before the record is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jishi.lake.catalog import open_catalog
from jishi.lake.live import LiveTail
from jishi.lake.plans import local_path
from jishi.lake.reading import open_version
from jishi.lake.restoring import LakeDamaged, restore_tables
from jishi.marts import mart_rows
from jishi.paths import Paths
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS
from ops.lake_tables import restore_after_start
from ops.marts_file import publish_marts
from tests.integration.lake import killed_publishes as script
from tests.integration.lake.engines import live_row
from tests.lake import settings_in
from tests.live_events import append_live
from tests.power_cut import Disk, PowerCutError

pytestmark = pytest.mark.integration


def cut_at(place: str) -> Any:
    def step(name: str) -> None:
        if name == place:
            raise PowerCutError

    return step


@pytest.mark.parametrize(("place", "mark"), [("record", "old"), ("done", "new")])
def test_a_power_cut_leaves_the_version_before_or_the_new_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, mark: str
) -> None:
    settings, disk = settings_in(tmp_path / "var"), Disk(monkeypatch)
    script.publish_shop(settings, "a", "old")
    with pytest.raises(PowerCutError):
        script.publish_shop(settings, "a", "new", cut_at(place))
    left = disk.cut(Paths.of(settings).lake / "warehouse")
    disk.cut(Paths.of(settings).lake / "plans")
    assert left
    both = (SILVER_ITEMS.name, SILVER_ORDERS.name)
    assert script.seen(settings) == [[table, "a", mark] for table in both]
    for table in both:
        assert open_version(settings).plan(table).rows == 1
    script.publish_shop(settings, "b", "next")
    assert script.seen(settings) == [[table, *row] for table in both for row in (["a", mark], ["b", "next"])]


@pytest.mark.parametrize("place", ["lock", f"release {SILVER_ORDERS.name}", "sync"])
def test_tables_that_lost_their_newest_metadata_go_back_to_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The catalog's database syncs itself and names what was in the cache: neither readers nor the next publish could go on."""
    settings, disk = settings_in(tmp_path / "var"), Disk(monkeypatch)
    script.publish_shop(settings, "a", "old")
    with pytest.raises(PowerCutError):
        script.publish_shop(settings, "a", "new", cut_at(place))
    disk.cut(Paths.of(settings).lake / "warehouse")
    with pytest.raises(FileNotFoundError):
        script.seen(settings)
    assert set(restore_tables(settings)) == {"silver.items", "silver.orders"}
    both = (SILVER_ITEMS.name, SILVER_ORDERS.name)
    assert script.seen(settings) == [[table, "a", "old"] for table in both]
    script.publish_shop(settings, "a", "next")
    assert script.seen(settings) == [[table, "a", "next"] for table in both]
    assert restore_tables(settings) == {}


def test_a_table_that_has_lost_a_recorded_version_is_damaged_and_not_emptied(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    script.publish_shop(settings, "a", "old")
    table = open_catalog(settings).load_table("silver.items")
    for file in (Path(local_path(table.location())) / "data").rglob("*.parquet"):
        file.write_bytes(b"")
    with pytest.raises(LakeDamaged, match=r"no metadata of silver\.items .* is whole"):
        restore_tables(settings)
    assert open_catalog(settings).load_table("silver.items").metadata_location == table.metadata_location


def test_the_stream_begins_anew_when_bronze_has_lost_appends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, boot_id = settings_in(tmp_path / "var"), tmp_path / "boot_id"
    boot_id.write_text("first")
    append_live(settings, [live_row(1)])
    table = open_catalog(settings).load_table("bronze.events")
    kept = {Path(local_path(table.metadata_location)), *Path(local_path(table.location())).rglob("*")}
    restore_after_start(settings, boot_id)
    append_live(settings, [live_row(2)])
    (Paths.of(settings).flink / "checkpoints" / "job").mkdir(parents=True)
    for lost in set(Path(local_path(table.location())).rglob("*.parquet")) - kept:
        lost.write_bytes(b"")  # its name came to the disk, its content did not
    restore_after_start(settings, boot_id)
    assert capsys.readouterr().out == "", "the machine has not started anew"
    boot_id.write_text("second")
    restore_after_start(settings, boot_id)
    assert "the stream reads the log from its start" in capsys.readouterr().out
    assert [row["seq"] for row in LiveTail(settings).rows(("seq",)).to_pylist()] == [1]
    assert [file.name for file in Paths.of(settings).flink.glob("*/*")] == ["job"]
    assert not (Paths.of(settings).flink / "checkpoints").exists()


def test_marts_outlast_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path / "var")
    script.publish_shop(settings, "a", "old")
    disk = Disk(monkeypatch)
    publish_marts(settings, open_version(settings), script.dbt_database(tmp_path, 7))
    disk.cut(Paths.of(settings).warehouse)
    assert mart_rows(open_version(settings), "select orders_30d from fct_orders") == [{"orders_30d": 7}]
