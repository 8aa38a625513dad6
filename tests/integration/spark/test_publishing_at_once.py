"""Publishes that overlap: of other shops both stay, of the same shops the later one works again; nobody's update is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from imports.history import land_history
from jishi.lake.publishing import Replacement, publish
from jishi.lake.rows import Rows
from jishi.lake.versions import StaleWriter, Versions
from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from jishi.tables import BRONZE_HISTORY, BRONZE_REPAIRS, SILVER_EVENTS, SILVER_ITEMS, SILVER_QUARANTINE
from quality.repair import Mapping
from quality.replay import replay
from spark_jobs.publication import Publication
from tests.lake import newest, table_of
from tests.power_cut import Disk

pytestmark = pytest.mark.integration


def item(shop_id: str, item_id: str, title: str) -> dict[str, Any]:
    return {"shop_id": shop_id, "item_id": item_id, "title": title}


def written(platform: Any, shop_id: str, title: str) -> Publication:
    """A Spark publish of one item of a shop that has yet to be finished."""
    publication = Publication(platform.session, platform.settings, f"test {title}", (SILVER_ITEMS,))
    rows = platform.frame(SILVER_ITEMS, [item(shop_id, "i", title)])
    publication.replace(SILVER_ITEMS, rows, Rows.of(shop_id=[shop_id]))
    return publication


def titles(platform: Any) -> dict[str, str]:
    return {row["shop_id"]: row["title"] for row in platform.rows(SILVER_ITEMS)}


def test_files_of_a_group_go_whole_and_those_that_it_shares_keep_the_rows_of_others(platform: Any) -> None:
    """Shops b and d are of one bucket: written apart they have files of their own, written together they share one."""

    def files() -> set[str]:
        return set(newest(platform.settings.var).files(SILVER_ITEMS.name))

    def replace(*shops: str, title: str) -> set[str]:
        """Make these the items of the shops in one publish; returns the files that stayed."""
        before = files()
        publication = Publication(platform.session, platform.settings, "test", (SILVER_ITEMS,))
        rows = platform.frame(SILVER_ITEMS, [item(shop, item_id, title) for shop in shops for item_id in "ij"])
        publication.replace(SILVER_ITEMS, rows.coalesce(1), Rows.of(shop_id=list(shops)))
        publication.finish()
        return before & files()

    replace("b", "d", title="together")
    shared = files()
    assert len(shared) == 1
    assert replace("a", "b", title="apart") == set(), "the file that b and d shared is written anew without b"
    assert titles(platform) == {"a": "apart", "b": "apart", "d": "together"}
    before = files()
    stayed = replace("a", "b", title="again")
    assert titles(platform) == {"a": "again", "b": "again", "d": "together"}
    assert len(before - stayed) == 2, "of a and of b, each in its bucket"
    assert len(stayed) == 1, "what is left of the shared file is not touched again"
    assert len(platform.rows(SILVER_ITEMS)) == 6


def test_two_sparks_and_pyiceberg_on_one_table(platform: Any) -> None:
    platform.publish(SILVER_ITEMS, [item(shop, "i", "old") for shop in "abc"])
    first, second, late = written(platform, "a", "first"), written(platform, "b", "second"), written(platform, "b", "late")
    rows = table_of(SILVER_ITEMS, [item("c", "i", "pyiceberg")])
    publish(platform.settings, "test", lambda base: [Replacement(SILVER_ITEMS, Rows.of(shop_id=["c"]), rows)])
    assert [second.finish().number, first.finish().number] == [3, 4]
    assert titles(platform) == {"a": "first", "b": "second", "c": "pyiceberg"}
    with pytest.raises(StaleWriter, match=r"version 3 .* changed silver/items of b"):
        late.finish()
    late.abandon()
    assert titles(platform)["b"] == "second"
    written(platform, "b", "again").finish()
    assert titles(platform) == {"a": "first", "b": "again", "c": "pyiceberg"}


def test_a_spark_publish_that_died_is_taken_back_by_the_next(platform: Any) -> None:
    """Main of a table moved, the record was not written: what a kill leaves between the two."""
    platform.publish(SILVER_ITEMS, [item("a", "i", "old")])
    dead = written(platform, "a", "dead")
    versions, refs = Versions.of(platform.settings), dead.refs(SILVER_ITEMS.name)
    released = refs.release

    def die(*arguments: Any) -> None:
        released(*arguments)
        raise KeyboardInterrupt

    dead.refs = lambda name: _Dying(refs, die)  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        dead.finish()
    assert versions.unfinished() is not None
    assert titles(platform) == {"a": "old"}, "readers go by the record"
    recorded = versions.latest()
    assert recorded is not None
    assert refs.head("main") != recorded.snapshot(SILVER_ITEMS.name)
    written(platform, "b", "next").finish()
    assert titles(platform) == {"a": "old", "b": "next"}
    assert versions.unfinished() is None


def test_a_spark_publish_outlasts_a_power_cut(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, lake = Disk(monkeypatch), Paths.of(platform.settings).lake
    platform.publish(SILVER_ITEMS, [item(shop, "i", "old") for shop in "ab"])
    written(platform, "a", "new").finish()
    disk.cut(lake / "warehouse")
    disk.cut(lake / "plans")
    assert titles(platform) == {"a": "new", "b": "old"}
    written(platform, "b", "next").finish()
    assert titles(platform) == {"a": "new", "b": "next"}


class _Dying:
    """Branches of a table whose release is the last thing that its process does."""

    def __init__(self, refs: Any, release: Callable[..., None]) -> None:
        self._refs, self.release = refs, release

    def __getattr__(self, name: str) -> Any:
        return getattr(self._refs, name)


def event(shop_id: str, event_id: str, at: str, **properties: Any) -> dict[str, Any]:
    common = {"event_id": event_id, "shop_id": shop_id, "type": "item_viewed", "occurred_at": at, "user_id": "u"}
    return common | {"received_at": at, "properties": properties}


def import_shop(platform: Any, shop_id: str, events: list[dict[str, Any]]) -> None:
    facts = ShopFacts(name=shop_id, time_zone="UTC", currency="CNY")
    with write_landing(Paths.of(platform.settings).history, shop_id, facts, "test") as writer:
        writer.write(orjson.dumps(each) for each in events)
    land_history(platform.settings, [shop_id], processes=1)


def test_history_beside_daily_beside_a_replay(platform: Any) -> None:
    """One Spark builds a shop's history, another process's Spark another shop's day, while a history is imported and an event
    of quarantine is repaired.
    """
    good = event("a", "h1", "2026-09-01T10:00:00Z", item_id="i")
    import_shop(platform, "a", [good, event("a", "h2", "2026-09-01T10:01:00Z", sku="i")])
    import_shop(platform, "b", [event("b", "h1", "2026-09-01T10:00:00Z", item_id="i")])
    platform.build("history")
    live = event("b", "l1", "2026-09-02T10:00:00Z", item_id="i")
    platform.land("live-2026-09-02", {"b": [json.dumps(live).encode()]})
    rename = Mapping(
        name="sku",
        match={"reason": "missing_field", "field": "properties.item_id"},
        steps=[{"rename": {"from": "properties.sku", "to": "properties.item_id"}}],
    )
    command = [sys.executable, "-m", "spark_jobs", "silver", "--batch", "live-2026-09-02", "--shop", "b"]
    environment = os.environ | {"JISHI_VAR": str(platform.settings.var), "JISHI_SPARK_DRIVER_MEMORY": "1g"}
    now = datetime(2026, 9, 3, tzinfo=UTC)
    with ThreadPoolExecutor(4) as pool:
        work = [
            pool.submit(lambda: subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True)),
            pool.submit(platform.build, "history", ["a"]),
            pool.submit(import_shop, platform, "c", [event("c", "h1", "2026-09-01T10:00:00Z", item_id="i")]),
            pool.submit(replay, platform.settings, rename, now=now, future_tolerance_s=5, shop="a"),
        ]
        done = work[0].result()
        assert done.returncode == 0, done.stdout + done.stderr
        for each in work[1:]:
            each.result()
    by_shop = {shop: [row["event_id"] for row in platform.rows(SILVER_EVENTS, shop)] for shop in "abc"}
    assert by_shop["b"] == ["h1", "l1"]
    assert by_shop["a"][0] == "h1"
    assert [row["event_id"] for row in platform.rows(BRONZE_REPAIRS)] == ["h2"]
    assert {row["shop_id"] for row in platform.rows(BRONZE_HISTORY)} == {"a", "b", "c"}
    platform.build("history", ["a"])
    assert [row["event_id"] for row in platform.rows(SILVER_EVENTS, "a")] == ["h1", "h2"]
    assert platform.rows(SILVER_QUARANTINE) == []
    numbers = [version.number for version in Versions.of(platform.settings).list(100)]
    assert numbers == list(range(len(numbers), 0, -1)), "every publish is a version of its own"


@pytest.fixture(autouse=True)
def registered(platform: Any) -> Path:
    """The platform's shops also where a command looks for them."""
    file = Paths.of(platform.settings).shops_file
    file.parent.mkdir(parents=True, exist_ok=True)
    platform.shops.save(file)
    return file
