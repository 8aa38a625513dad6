"""Landing files, history and live batches: what is published, and what refuses to be."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

import jishi.landing
from imports.history import land_history
from imports.live import land_live
from imports.user_events import lines_of_files
from jishi.lake import Lake
from jishi.landing import LandingError, ShopFacts, landed_shops, load_manifest, write_landing
from jishi.paths import Paths
from jishi.shops import Shops
from jishi.tables import BRONZE_EVENTS

FACTS = ShopFacts(name="店", time_zone="Asia/Shanghai", currency="CNY")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(var=tmp_path / "var", envs=tmp_path / "envs")


def view(number: int, shop: str) -> bytes:
    event = {"event_id": f"e{number}", "shop_id": shop, "type": "item_viewed", "occurred_at": "2026-09-01T10:00:00Z"}
    return orjson.dumps({**event, "user_id": "u", "properties": {"item_id": "i"}})


def land(paths: Paths, shop: str, lines: list[bytes]) -> None:
    with write_landing(paths.history, shop, FACTS, "test") as writer:
        writer.write(lines)


def rows(paths: Paths, partition: str) -> list[dict]:
    folder = Lake(paths.lake).current(BRONZE_EVENTS.name) / partition
    return [row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_files_are_cut_and_numbered_through(paths: Paths, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jishi.landing, "LINES_PER_FILE", 3)
    land(paths, "a", [view(n, "a") for n in range(7)])
    manifest = load_manifest(paths.history / "a")
    assert [(f.name, f.lines) for f in manifest.files] == [
        ("events-00000.jsonl", 3),
        ("events-00001.jsonl", 3),
        ("events-00002.jsonl", 1),
    ]
    counts = land_history(paths, ["a"], processes=1)
    assert counts["a"].lines == manifest.lines == 7
    landed = rows(paths, "shop=a/batch=history")
    assert [r["seq"] for r in landed] == list(range(7))
    assert [r["event_id"] for r in landed] == [f"e{n}" for n in range(7)]
    shop = Shops.load(paths.shops_file).get("a")
    assert (shop.name, shop.time_zone) == ("店", "Asia/Shanghai")


def test_landing_one_shop_leaves_the_others(paths: Paths):
    land(paths, "a", [view(1, "a")])
    land(paths, "b", [view(1, "b")])
    land_history(paths, processes=1)
    land(paths, "b", [view(1, "b"), b"broken"])
    counts = land_history(paths, ["b"], processes=1)
    assert counts["b"].invalid == {"not_an_object": 1}
    assert len(rows(paths, "shop=a/batch=history")) == 1
    assert len(rows(paths, "shop=b/batch=history")) == 2
    assert landed_shops(paths.history) == ["a", "b"]


def test_two_processes_write_what_one_writes(paths: Paths, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jishi.landing, "LINES_PER_FILE", 40)
    land(paths, "a", [view(n, "a") for n in range(100)])
    content = []
    for processes in (1, 2):
        land_history(paths, ["a"], processes=processes)
        content.append([file.read_bytes() for file in Lake(paths.lake).files(BRONZE_EVENTS.name)])
    assert content[0] == content[1]


@pytest.mark.parametrize("damage", ["changed", "gone", "manifest", "lines"])
def test_a_difference_to_the_manifest_is_an_error_that_names_the_file(paths: Paths, damage: str):
    land(paths, "a", [view(1, "a"), view(2, "a")])
    land_history(paths, ["a"], processes=1)
    before = Lake(paths.lake).current(BRONZE_EVENTS.name)
    folder = paths.history / "a"
    file = folder / "events-00000.jsonl"
    named = "events-00000.jsonl"
    if damage == "changed":
        file.write_bytes(file.read_bytes().replace(b"e2", b"e3"))
    elif damage == "gone":
        file.unlink()
    else:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][0]["lines"] = 1
        if damage == "lines":
            manifest["lines"] = 1
        else:
            named = "manifest.json"
        (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LandingError, match=named):
        land_history(paths, ["a"], processes=1)
    assert Lake(paths.lake).current(BRONZE_EVENTS.name) == before, "nothing is published"


def test_a_failed_write_leaves_the_old_landing_files(paths: Paths):
    land(paths, "a", [view(1, "a")])

    def failing():
        yield view(2, "a")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_landing(paths.history, "a", FACTS, "test") as writer:
        writer.write(failing())
    assert load_manifest(paths.history / "a").lines == 1
    assert [p.name for p in paths.history.iterdir()] == ["a"]


def test_user_files_keep_their_lines_and_a_missing_one_is_named(tmp_path: Path):
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b'{"a": 1}\r\n\n  {"b":2}\nlast')
    assert list(lines_of_files([file])) == [b'{"a": 1}', b'  {"b":2}', b"last"]
    large, entries = tmp_path / "large.jsonl", []
    large.write_bytes((b"x" * 999_999 + b"\n") * 3)
    assert len(list(lines_of_files([large], lambda done, total: entries.append((done, total))))) == 3
    assert entries == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(LandingError, match=r"gone\.jsonl"):
        list(lines_of_files([file, tmp_path / "gone.jsonl"]))


def archived(shop: str, offset: int, received: int, outcome: str) -> bytes:
    row = {column: None for column in BRONZE_EVENTS.columns} | {
        "collector_id": "c",
        "seq": offset,
        "shop_id": shop,
        "line": "{}",
    }
    return (
        orjson.dumps(row | {"received_at_ms": received, "log_partition": 0, "log_offset": offset, "outcome": outcome}) + b"\n"
    )


def test_live_takes_the_committed_rows_of_the_day(paths: Paths):
    noon = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
    on = datetime.fromtimestamp(noon / 1000, tz=UTC).date()
    next_day = noon + 86_400_000
    folder = paths.live / "shop=a"
    folder.mkdir(parents=True)
    first = archived("a", 2, noon, "good") + archived("a", 1, noon, "late") + archived("b", 3, noon, "invalid")
    (folder / "part-1").write_bytes(first + archived("a", 4, next_day, "good"))
    (folder / ".part-2.inprogress").write_bytes(archived("a", 9, noon, "good"))
    assert land_live(paths, on) == {"a": {"good": 1, "late": 1}, "b": {"invalid": 1}}
    partition = f"shop=a/batch=live-{on.isoformat()}"
    assert [r["log_offset"] for r in rows(paths, partition)] == [1, 2]
    land_live(paths, on)
    assert len(rows(paths, partition)) == 2, "a rerun replaces"


def test_an_acknowledgement_sent_again_after_midnight_belongs_to_the_first_day(paths: Paths):
    midnight = 1_790_000_000_000 // 86_400_000 * 86_400_000
    today = datetime.fromtimestamp(midnight / 1000, tz=UTC).date()
    paths.live.mkdir(parents=True)
    (paths.live / "part-1").write_bytes(archived("a", 7, midnight, "duplicate") + archived("a", 8, midnight, "good"))
    (paths.live / "part-2").write_bytes(archived("a", 7, midnight - 1, "good"))
    assert land_live(paths, today) == {"a": {"good": 1}}
    assert [r["seq"] for r in rows(paths, f"shop=a/batch=live-{today.isoformat()}")] == [8]
    assert land_live(paths, today - timedelta(days=1)) == {"a": {"good": 1}}


def test_a_damaged_archive_is_an_error_that_names_file_and_line(paths: Paths):
    paths.live.mkdir(parents=True)
    (paths.live / "part-1").write_bytes(archived("a", 1, 0, "good") + b'{"seq":2}\n')
    with pytest.raises(LandingError, match=r"part-1, line 2"):
        land_live(paths, date(2026, 9, 1))
