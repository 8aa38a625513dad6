"""What a publish promises: no update is lost, a kill at any step leaves a whole version, a reader never sees a mixed cut."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.lake.catalog import identifier, open_catalog
from jishi.lake.publishing import Replacement, field_ids, publish, refs_in
from jishi.lake.release import begin, drop_old_versions, release
from jishi.lake.rows import Rows
from jishi.lake.versions import MartsFile, StaleWriter, VersionNotFound, Versions
from jishi.settings import Settings
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS
from tests.integration.lake import killed_publishes as script

pytestmark = pytest.mark.integration
EACH_CATALOG = pytest.mark.parametrize("online_store", ["sqlite", "postgresql"], indirect=True)
SQLITE = pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)
BOTH = [SILVER_ITEMS.name, SILVER_ORDERS.name]


def both_tables(marks: dict[str, str]) -> list[list[str]]:
    """What ``seen`` gives when each shop has its mark in both tables."""
    return sorted([name, shop_id, mark] for name in BOTH for shop_id, mark in marks.items())


@SQLITE
def test_a_kill_at_any_step_leaves_the_old_version_or_the_new_one_and_a_rerun_heals(
    lake_settings: Settings, tmp_path: Path
) -> None:
    for shop_id in ("a", "b"):
        script.publish_shop(lake_settings, shop_id, "old")
    steps, before = [], "old"
    for place in count():
        mark = f"new{place}"
        if script.run_killed(script.publish_and_die, str(lake_settings.var), place, mark, tmp_path / "step") == 0:
            break
        steps.append((tmp_path / "step").read_text())
        after = mark if steps[-1] == "done" else before  # the record was written, or it was not
        assert script.seen(lake_settings) == both_tables({"a": after, "b": "old"}), steps[-1]
        script.publish_shop(lake_settings, "a", before := f"again{place}")
        assert script.seen(lake_settings) == both_tables({"a": before, "b": "old"}), steps[-1]
        # Whoever reads main, as other systems do, sees the newest version again.
        version, catalog = Versions.of(lake_settings).latest(), open_catalog(lake_settings)
        assert version is not None
        for name in BOTH:
            assert catalog.load_table(identifier(name)).current_snapshot().snapshot_id == version.snapshot(name)
    expected = [f"written {name}" for name in BOTH] + ["lock"] + [f"release {name}" for name in BOTH]
    assert [step for step in steps if not step.startswith("plan")] == [*expected, "sync", "record", "done"]


@EACH_CATALOG
def test_publishes_at_once_lose_no_update_and_a_polling_reader_sees_whole_versions(lake_settings: Settings) -> None:
    script.publish_shop(lake_settings, "a", "first")
    mixed: list[Any] = []
    shops = ["a", "b", "c"]
    with ThreadPoolExecutor(len(shops) + 1) as pool:
        writers = [
            pool.submit(lambda shop: [script.publish_shop(lake_settings, shop, f"{shop}{n}") for n in range(3)], shop)
            for shop in shops
        ]

        def poll() -> int:
            reads = 0
            while not all(writer.done() for writer in writers):
                rows = script.seen(lake_settings)
                items, orders = ([row[1:] for row in rows if row[0] == name] for name in BOTH)
                mixed.extend([] if items == orders else [rows])
                reads += 1
            return reads

        reader = pool.submit(poll)
        for writer in writers:
            writer.result()
        assert reader.result() > 0
    assert mixed == []
    assert script.seen(lake_settings) == both_tables({shop: f"{shop}2" for shop in shops})
    versions = Versions.of(lake_settings).list(20)
    assert [version.number for version in versions] == list(range(10, 0, -1))
    assert [version.base for version in versions] == [*range(9, 0, -1), None]


@SQLITE
def test_a_stale_writer_is_refused_and_works_again_on_the_newest_version(lake_settings: Settings) -> None:
    script.publish_shop(lake_settings, "a", "first")
    bases = []

    def build(base: Any) -> list[Replacement]:
        bases.append(base.number)
        if len(bases) == 1:
            script.publish_shop(lake_settings, "a", "between")
        return [Replacement(SILVER_ITEMS, Rows.of(shop_id=["a"]), script.rows(SILVER_ITEMS, "a", ["mine"]))]

    assert publish(lake_settings, "test", build).number == 3
    assert bases == [1, 2]
    assert script.seen(lake_settings) == [["silver/items", "a", "mine"], ["silver/orders", "a", "between"]]


@SQLITE
def test_a_refused_check_and_a_failed_build_publish_nothing(lake_settings: Settings) -> None:
    script.publish_shop(lake_settings, "a", "first")
    before = script.seen(lake_settings)
    mine = [Replacement(SILVER_ITEMS, Rows.all(), script.rows(SILVER_ITEMS, "a", ["mine"]))]

    def refuse(latest: Any) -> None:
        raise PermissionError(f"not on version {latest.number}")

    with pytest.raises(PermissionError, match="not on version 1"):
        publish(lake_settings, "test", lambda base: mine, check=refuse)
    with pytest.raises(ZeroDivisionError):
        publish(lake_settings, "test", lambda base: [*mine, 1 // 0])
    assert script.seen(lake_settings) == before
    assert list(open_catalog(lake_settings).load_table("silver.items").refs()) == ["main", "v1"]


@EACH_CATALOG
def test_an_older_version_is_read_by_number_and_by_instant_until_it_is_dropped(lake_settings: Settings) -> None:
    for mark in ("one", "two", "three"):
        script.publish_shop(lake_settings, "a", mark)
    versions, catalog = Versions.of(lake_settings), open_catalog(lake_settings)

    def item(number: int) -> str:
        scan = catalog.load_table("silver.items").scan(snapshot_id=versions.get(number).snapshot("silver/items"))
        return str(scan.to_arrow()["item_id"][0])

    assert [item(number) for number in (1, 2, 3)] == ["one", "two", "three"]
    second = versions.get(2)
    assert versions.as_of(second.created_at) == versions.as_of(versions.get(3).created_at - timedelta(microseconds=1)) == second
    with pytest.raises(VersionNotFound, match="no version as old"):
        versions.as_of(datetime(2020, 1, 1, tzinfo=UTC))
    marts = MartsFile("marts/x.duckdb", "0" * 64, built_from=3)
    assert publish(lake_settings, "marts", lambda base: [], marts=marts).snapshots == versions.get(3).snapshots
    refs_of = refs_in(catalog)
    dropped = drop_old_versions(versions, refs_of, lambda name: refs_of(name).tags(), keep=2, since=datetime.now(UTC))
    assert dropped == [1, 2]
    with pytest.raises(VersionNotFound, match="kept are 3 to 4"):
        versions.get(1)
    assert set(catalog.load_table("silver.items").refs()) == {"main", "v3"}
    assert versions.get(4).marts == marts
    assert item(4) == "three"


@SQLITE
def test_a_publish_whose_branch_is_gone_publishes_nothing_without_it(lake_settings: Settings) -> None:
    script.publish_shop(lake_settings, "a", "old")
    dropped: list[str] = []

    def drop_once(name: str) -> None:
        if name == "lock" and not dropped:
            refs = refs_in(open_catalog(lake_settings))(SILVER_ITEMS.name)
            [branch] = [ref for ref in open_catalog(lake_settings).load_table("silver.items").refs() if "audit" in ref]
            refs.drop_branch(branch)
            dropped.append(branch)

    script.publish_shop(lake_settings, "a", "new", drop_once)
    assert script.seen(lake_settings) == both_tables({"a": "new"})
    assert [version.number for version in Versions.of(lake_settings).list()] == [2, 1]


@SQLITE
def test_rows_of_a_first_publish_that_died_do_not_come_with_the_next(lake_settings: Settings) -> None:
    """It had moved main and written no record when the other one took main for the beginning of its branch."""

    def die(name: str) -> None:
        if name == "record":
            raise KeyboardInterrupt

    def build(base: Any) -> list[Replacement]:
        with pytest.raises(KeyboardInterrupt):
            script.publish_shop(lake_settings, "a", "dead", die)
        return [Replacement(SILVER_ITEMS, Rows.of(shop_id=["b"]), script.rows(SILVER_ITEMS, "b", ["mine"]))]

    publish(lake_settings, "test", build)
    assert script.seen(lake_settings, [SILVER_ITEMS]) == [["silver/items", "b", "mine"]]


@SQLITE
def test_a_publish_that_began_before_kept_versions_is_refused(lake_settings: Settings) -> None:
    script.publish_shop(lake_settings, "a", "one")
    versions, refs_of = Versions.of(lake_settings), refs_in(open_catalog(lake_settings))
    late = begin(versions, "late", refs_of)
    late.changes["silver/items"] = ["z"]
    for mark in ("two", "three"):
        script.publish_shop(lake_settings, "a", mark)
    versions.drop(before=3)
    with pytest.raises(StaleWriter, match=r"version 1.*not kept"):
        release(versions, late, refs_of)


@SQLITE
def test_a_column_that_is_declared_later_reaches_an_old_table(lake_settings: Settings) -> None:
    script.publish_shop(lake_settings, "a", "old")
    wider = replace(SILVER_ITEMS, columns=SILVER_ITEMS.columns | {"weight_g": "int64"})
    blank = dict.fromkeys(wider.columns)
    new = to_arrow(wider, [blank | {"shop_id": "b", "item_id": "new", "weight_g": 7}])
    number = publish(lake_settings, "test", lambda base: [Replacement(wider, Rows.of(shop_id=["b"]), new)]).number
    table, versions = open_catalog(lake_settings).load_table("silver.items"), Versions.of(lake_settings)
    rows = table.scan(snapshot_id=versions.get(number).snapshot("silver/items")).to_arrow().to_pylist()
    assert sorted((row["item_id"], row["weight_g"]) for row in rows) == [("new", 7), ("old", None)]


@SQLITE
def test_parquet_files_are_taken_as_they_are(lake_settings: Settings, tmp_path: Path) -> None:
    files, numbers = [], field_ids(lake_settings, SILVER_ITEMS)
    for shop_id in ("a", "b"):
        files.append(tmp_path / f"{shop_id}.parquet")
        write_parquet(script.rows(SILVER_ITEMS, shop_id, ["i1", "i2"]), files[-1], numbers)
    where = Rows.of(shop_id=["a", "b"])
    version = publish(lake_settings, "test", lambda base: [Replacement(SILVER_ITEMS, where, files=files)])
    table = open_catalog(lake_settings).load_table("silver.items")
    scan = table.scan(row_filter="shop_id == 'b'", snapshot_id=version.snapshot("silver/items"))
    assert len(list(scan.plan_files())) == 1  # the bucket of the other shop is left out by its partition
    assert scan.to_arrow()["item_id"].to_pylist() == ["i1", "i2"]
    write_parquet(script.rows(SILVER_ITEMS, "a", ["i1"]), files[0], numbers)
    publish(lake_settings, "test", lambda base: [Replacement(SILVER_ITEMS, Rows.of(shop_id=["a"]), files=files[:1])])
    assert [row[1:] for row in script.seen(lake_settings, [SILVER_ITEMS])] == [["a", "i1"], ["b", "i1"], ["b", "i2"]]
