"""Landing files, history and live batches: what is published, and what refuses to be."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

import jishi.landing
from imports.history import land_history
from imports.user_events import lines_of_files
from jishi.lake.live import LiveTail
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.landing import LandingError, ShopFacts, landed_shops, load_manifest, write_landing
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import BRONZE_HISTORY, BRONZE_REPAIRS
from tests.lake import publish
from tests.live_events import append_live

FACTS = ShopFacts(name="店", time_zone="Asia/Shanghai", currency="CNY")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(var=tmp_path / "var", envs=tmp_path / "envs", _env_file=None)  # type: ignore[call-arg]


@pytest.fixture
def paths(settings: Settings) -> Paths:
    return Paths.of(settings)


def view(number: int, shop: str) -> bytes:
    event = {"event_id": f"e{number}", "shop_id": shop, "type": "item_viewed", "occurred_at": "2026-09-01T10:00:00Z"}
    return orjson.dumps({**event, "user_id": "u", "properties": {"item_id": "i"}})


def land(paths: Paths, shop: str, lines: list[bytes]) -> None:
    with write_landing(paths.history, shop, FACTS, "test") as writer:
        writer.write(lines)


def rows(settings: Settings, shop: str) -> list[dict]:
    """Imported rows of a shop in the order of their numbers."""
    with open_lake(open_version(settings)) as lake:
        cursor = lake.execute("select * from bronze_history where shop_id = ? order by seq", [shop])
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_files_are_cut_and_numbered_through(settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jishi.landing, "LINES_PER_FILE", 3)
    land(paths, "a", [view(n, "a") for n in range(7)])
    manifest = load_manifest(paths.history / "a")
    assert [(f.name, f.lines) for f in manifest.files] == [
        ("events-00000.jsonl", 3),
        ("events-00001.jsonl", 3),
        ("events-00002.jsonl", 1),
    ]
    counts = land_history(settings, ["a"], processes=1)
    assert counts["a"].lines == manifest.lines == 7
    landed = rows(settings, "a")
    assert [r["seq"] for r in landed] == list(range(7))
    assert [r["event_id"] for r in landed] == [f"e{n}" for n in range(7)]
    shop = Shops.load(paths.shops_file).get("a")
    assert (shop.name, shop.time_zone) == ("店", "Asia/Shanghai")


def test_a_repair_goes_when_another_line_has_its_number(settings: Settings, paths: Paths):
    """It is of the second line; silver would put it in the place of whatever event is there after the next import."""
    bad = [orjson.dumps(orjson.loads(view(5, shop)) | {"properties": {}}) for shop in "ab"]
    for shop, line in zip("ab", bad, strict=True):
        land(paths, shop, [view(0, shop), line])
    land_history(settings, processes=1)
    mended = [{"collector_id": f"history:{s}", "seq": 1, "shop_id": s, "event_id": "e5", "mapping": "m"} for s in "ab"]
    live = {"collector_id": "c", "seq": 1, "shop_id": "a", "event_id": "l", "mapping": "m"}
    publish(settings.var, {BRONZE_REPAIRS: [*mended, live]})

    def repairs() -> list[tuple[str, int]]:
        with open_lake(open_version(settings)) as lake:
            return lake.execute("select collector_id, seq from bronze_repairs order by 1, 2").fetchall()

    land(paths, "a", [view(0, "a"), bad[0], view(1, "a")])
    assert land_history(settings, ["a"], processes=1)["a"].outdated_repairs == 0
    assert repairs() == [("c", 1), ("history:a", 1), ("history:b", 1)]
    land(paths, "a", [view(9, "a"), view(0, "a"), bad[0]])
    assert land_history(settings, ["a", "b"], processes=1)["a"].outdated_repairs == 1
    assert repairs() == [("c", 1), ("history:b", 1)]


def test_an_import_removes_what_a_killed_one_left(settings: Settings, paths: Paths):
    old, running = paths.lake / "history-old", paths.lake / "history-running"
    for folder in (old, running):
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(b"")
    os.utime(old, (0, 0))
    land(paths, "a", [view(1, "a")])
    land_history(settings, processes=1)
    assert (old.exists(), running.exists()) == (False, True)


def test_landing_one_shop_leaves_the_others(settings: Settings, paths: Paths):
    land(paths, "a", [view(1, "a")])
    land(paths, "b", [view(1, "b")])
    land_history(settings, processes=1)
    land(paths, "b", [view(1, "b"), b"broken"])
    counts = land_history(settings, ["b"], processes=1)
    assert counts["b"].invalid == {"not_an_object": 1}
    assert len(rows(settings, "a")) == 1
    assert len(rows(settings, "b")) == 2
    assert landed_shops(paths.history) == ["a", "b"]


def test_two_processes_write_what_one_writes(settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jishi.landing, "LINES_PER_FILE", 40)
    land(paths, "a", [view(n, "a") for n in range(100)])
    content = []
    for processes in (1, 2):
        land_history(settings, ["a"], processes=processes)
        files = open_version(settings).files(BRONZE_HISTORY.name)
        content.append(sorted(Path(file).read_bytes() for file in files))
    assert content[0] == content[1]


@pytest.mark.parametrize("damage", ["changed", "gone", "manifest", "lines"])
def test_a_difference_to_the_manifest_is_an_error_that_names_the_file(settings: Settings, paths: Paths, damage: str):
    land(paths, "a", [view(1, "a"), view(2, "a")])
    land_history(settings, ["a"], processes=1)
    before = open_version(settings).number
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
        land_history(settings, ["a"], processes=1)
    assert open_version(settings).number == before, "nothing is published"


def test_a_failed_write_leaves_the_old_landing_files(settings: Settings, paths: Paths):
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


def live_row(shop: str, seq: int, received: int, outcome: str) -> dict[str, object]:
    of_log = {"received_at_ms": received, "log_partition": 0, "log_offset": seq, "outcome": outcome}
    return {"collector_id": "c", "seq": seq, "shop_id": shop, "line": "{}"} | of_log


def test_the_live_tail_is_counted_by_acknowledgement(settings: Settings):
    live = LiveTail(settings)
    assert (live.count(), live.acknowledged_of(1), live.dates()) == (0, 0, [])
    midnight = 1_790_000_000_000 // 86_400_000 * 86_400_000
    append_live(settings, [live_row("a", 7, midnight, "good"), live_row("a", 7, midnight + 1, "duplicate")])
    append_live(settings, [live_row("b", 8, midnight - 1, "late")])
    assert live.count() == 3
    assert live.acknowledged_of(5) == 3, "not more than that are there"
    assert live.acknowledged_of(3) == live.acknowledged() == 2
    assert live.dates() == [datetime.fromtimestamp(midnight / 1000, UTC).date() - timedelta(days=n) for n in (1, 0)]
    late = live.rows(("seq", "received_at"), where="outcome = 'late'").to_pylist()
    assert late == [{"seq": 8, "received_at": datetime.fromtimestamp(midnight / 1000 - 0.001, UTC).replace(tzinfo=None)}]
