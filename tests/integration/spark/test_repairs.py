"""Quarantined events are replayed once through a mapping, and every acknowledgement stays accounted for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from collector.wal.writer import WalWriter
from imports.history import land_history
from jishi.contract import record_of
from jishi.contract.fields import parse_instant, to_ms
from jishi.lake.quarantine import quarantined
from jishi.lake.query import open_lake
from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops
from ops.cli import app
from quality.reconcile import reconcile
from quality.repair import Mapping
from quality.replay import replay
from spark_jobs.session import session_of_lake
from spark_jobs.silver import job
from tests.lake import newest
from tests.live_events import append_live

pytestmark = pytest.mark.integration

DAY = date(2026, 9, 2)
NOW = datetime(2026, 9, 3, 12, tzinfo=UTC)
SKU = Mapping(
    name="sku",
    match={"reason": "missing_field", "field": "properties.item_id"},
    steps=[{"rename": {"from": "properties.sku", "to": "properties.item_id"}}],
)
CLOCK = Mapping(name="clock", match={"outcome": "future"}, steps=[{"shift": {"field": "occurred_at", "seconds": -28800}}])


def viewed(event_id: str, at: str, **changes: Any) -> dict[str, Any]:
    event = {"event_id": event_id, "shop_id": "a", "type": "item_viewed", "occurred_at": at, "user_id": "u"}
    return event | {"properties": {"item_id": "i"}} | changes


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A shop with history and one live day, as far as bronze; every case of the tests is in it once."""
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    platform_paths = Paths.of(get_settings())
    sku = {"properties": {"sku": "i-9"}}
    history = [
        viewed("h-good", "2026-09-01T10:00:00Z"),
        viewed("h-sku", "2026-09-01T10:01:00Z", received_at="2026-09-01T10:01:20Z", **sku),
        viewed("h-sent-again", "2026-09-01T10:02:00Z", **sku),  # the shop sends it again next day, good
        viewed("h-twice", "2026-09-01T10:03:00Z", **sku),
        viewed("h-twice", "2026-09-01T10:04:00Z", **sku),
        viewed("h-hopeless", "2026-09-01T10:05:00Z", properties={}),
        viewed("h-future", "2026-09-01T18:06:00Z", received_at="2026-09-01T10:06:00Z"),  # local time, called UTC
    ]
    with write_landing(platform_paths.history, "a", ShopFacts(name="a", time_zone="UTC", currency="CNY"), "test") as writer:
        writer.write(orjson.dumps(event) for event in history)
    land_history(get_settings(), processes=1)
    live = [
        viewed("h-sent-again", "2026-09-02T09:59:59Z"),
        viewed("l-sku", "2026-09-02T10:00:00Z", **sku),
        viewed("l-good", "2026-09-02T10:00:01Z"),
    ]
    wal = WalWriter(platform_paths.wal, 10_000)
    records = [record_of(e, shop_id="a", collector_id=wal.collector_id, seq=-1, collected_at_ms=0)[0] for e in live]
    wal.append(records)
    wal.close()
    received = to_ms(parse_instant("2026-09-02T10:00:02Z"))
    rows = [
        record | {"received_at_ms": received, "log_partition": 0, "log_offset": record["seq"], "outcome": "good"}
        for record in records
    ]
    rows[1]["outcome"] = "invalid"
    append_live(get_settings(), rows)
    return platform_paths


def build(spark: SparkSession, paths: Paths, batch: str) -> None:
    of_lake, shops = session_of_lake(spark, get_settings()), Shops.load(paths.shops_file)
    of_lake.conf.set("spark.sql.shuffle.partitions", "2")
    built = job.build_silver(of_lake, get_settings(), shops, batch, [], lambda name: None)
    assert built.failures == {}


def silver(paths: Paths) -> dict[str, tuple[Any, ...]]:
    with open_lake(newest(paths.var)) as lake:
        sql = "select event_id, item_id, batch, received_at, is_late, repaired_at is not null from silver_events order by 1"
        return {event_id: facts for event_id, *facts in lake.execute(sql).fetchall()}


def counts(paths: Paths) -> tuple[int, int, int, dict[str, int], int]:
    [shop] = reconcile(get_settings())
    assert shop.difference == 0
    return shop.accepted, shop.silver, shop.duplicates, shop.quarantined, shop.repaired


def command(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["quarantine", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


def check_commands(folder: Path) -> None:
    """List, show and export, on history that is built and a live day that is not."""
    assert "7 quarantined events" in command("list")  # six of history and one live
    future = json.loads(command("list", "--reason", "future", "--json"))
    assert [row["event_id"] for row in future] == ["h-future"]
    shown = json.loads(command("show", f"history:a#{future[0]['seq']}"))
    assert json.loads(shown["line"])["event_id"] == "h-future"
    assert "no quarantined event" in command("show", "history:a#999", code=2)
    out = folder / "quarantine.jsonl"
    assert "6 events" in command("export", "--out", str(out), "--reason", "missing_field")
    assert len(out.read_text().splitlines()) == 6
    assert "0 quarantined events" in command("list", "--repaired")


def test_repairs_move_events_and_every_acknowledgement_stays_accounted_for(spark: SparkSession, paths: Paths) -> None:
    build(spark, paths, "history")
    check_commands(paths.var)
    build(spark, paths, f"live-{DAY}")
    assert counts(paths) == (10, 3, 0, {"future": 1, "missing_field": 6}, 0)

    trial = replay(get_settings(), SKU, now=NOW, future_tolerance_s=5, is_trial=True)
    assert (trial.matched, trial.repaired, trial.still) == (6, {"a": 5}, {"missing_field": 1})
    assert quarantined(get_settings(), states=("waiting",)) == []

    done = replay(get_settings(), SKU, now=NOW, future_tolerance_s=5)
    assert (done.matched, done.repaired) == (6, {"a": 5})
    assert list(done.batches.items()) == [("history", ["a"]), (f"live-{DAY}", ["a"])]
    assert len(quarantined(get_settings(), states=("waiting",))) == 5
    assert counts(paths) == (10, 3, 0, {"future": 1, "missing_field": 6}, 0), "nothing moves before the build"
    again = replay(get_settings(), SKU, now=NOW, future_tolerance_s=5)
    assert (again.matched, again.repaired) == (1, {}), "an event is replayed once"
    assert again.batches == done.batches, "a build that did not happen is still asked for"

    for batch in done.batches:
        build(spark, paths, batch)
    # h-sent-again was good before it was repaired, and the second h-twice repeats the first: duplicates, not lost
    assert counts(paths) == (10, 6, 2, {"future": 1, "missing_field": 1}, 5)
    result = silver(paths)
    assert sorted(result) == ["h-good", "h-sent-again", "h-sku", "h-twice", "l-good", "l-sku"]
    assert result["h-sku"] == ["i-9", "history", datetime(2026, 9, 1, 10, 1, 20), False, True], "known when it was"  # noqa: DTZ001
    assert result["h-sent-again"][1] == f"live-{DAY}"
    assert replay(get_settings(), SKU, now=NOW, future_tolerance_s=5).batches == {}

    clock = replay(get_settings(), CLOCK, now=NOW + timedelta(hours=1), future_tolerance_s=5)
    assert (clock.repaired, list(clock.batches)) == ({"a": 1}, ["history"])
    build(spark, paths, "history")
    assert counts(paths) == (10, 7, 2, {"missing_field": 1}, 6)
    first = silver(paths)
    build(spark, paths, f"live-{DAY}")
    assert silver(paths) == first, "a later batch built again gives the same rows"

    originals = quarantined(get_settings(), states=("repaired",))
    assert {row.mapping for row in originals} == {"sku", "clock"}
    kept = next(row for row in originals if row.event_id == "h-sku")
    assert json.loads(kept.line)["properties"] == {"sku": "i-9"}
    assert (kept.reason, kept.field, kept.state) == ("missing_field", "properties.item_id", "repaired")


def test_an_imported_line_is_known_since_its_own_time_once_that_can_be_read(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    platform_paths = Paths.of(get_settings())
    lines = [viewed("first", "2026-09-01T10:00:00Z"), viewed("local", "2026-09-01 20:30:00")]
    with write_landing(platform_paths.history, "a", ShopFacts(name="a", time_zone="UTC", currency="CNY"), "test") as writer:
        writer.write(orjson.dumps(event) for event in lines)
    land_history(get_settings(), processes=1)
    build(spark, platform_paths, "history")
    shanghai = {"convert": {"field": "occurred_at", "to": "instant", "zone": "Asia/Shanghai"}}
    done = replay(get_settings(), Mapping(name="zone", steps=[shanghai]), now=NOW, future_tolerance_s=5)
    assert done.repaired == {"a": 1}
    build(spark, platform_paths, "history")
    at = datetime(2026, 9, 1, 12, 30)  # noqa: DTZ001
    assert silver(platform_paths)["local"] == ["i", "history", at, False, True]


def test_an_event_is_repaired_before_its_day_is_worked_up(spark: SparkSession, paths: Paths) -> None:
    done = replay(get_settings(), SKU, now=NOW, future_tolerance_s=5)
    assert (done.matched, done.repaired, done.batches) == (1, {"a": 1}, {}), "history has no silver yet, the day no batch"
    build(spark, paths, "history")
    assert [row.event_id for row in quarantined(get_settings(), states=("waiting",))] == ["l-sku"]
    build(spark, paths, f"live-{DAY}")
    assert silver(paths)["l-sku"] == ["i-9", f"live-{DAY}", datetime(2026, 9, 2, 10, 0, 2), False, True]  # noqa: DTZ001
    assert counts(paths)[-1] == 1
    assert "l-sku" not in {row.event_id for row in quarantined(get_settings())}, "nor is it listed from the archive again"


def test_one_command_repairs_and_builds(spark: SparkSession, paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    build(spark, paths, "history")
    mapping = paths.var / "sku.json"
    mapping.write_text(SKU.model_dump_json(by_alias=True, exclude_none=True))
    result = command("replay", "--map", str(mapping), "--shop", "a", "--trial")
    assert "6 events match, 5 would be repaired; still refused: 1 missing_field" in result
    assert silver(paths).keys() == {"h-good"}
    assert "5 are repaired" in command("replay", "--map", str(mapping), "--shop", "a")
    assert sorted(silver(paths)) == ["h-good", "h-sent-again", "h-sku", "h-twice"]
    assert "0 are repaired" in command("replay", "--map", str(mapping), "--shop", "a"), "once, and never again"
    mapping.write_text('{"name": "No Name"}')
    capfd.readouterr()
    command("replay", "--map", str(mapping), code=2)
    assert "sku.json: name: " in capfd.readouterr().err
