"""The nightly reconciliation names each acknowledgement that is not where it belongs, and reads only the day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from collector.accepted import acknowledged, find_entries
from collector.retire import set_aside_damage
from collector.wal.segments import Position, segment_file
from collector.wal.writer import WalWriter
from jishi.lake.live import LiveTail
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_DUPLICATES, SILVER_EVENTS, SILVER_QUARANTINE
from quality.night import Night, _collector, reconcile_night
from tests.lake import publish, settings_in
from tests.live_events import append_live

DAY = date(2026, 11, 20)
DAY_MS = 24 * 3600 * 1000
START_MS = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
# Acknowledged: two the evening before, five on the day, one the morning after.
TIMES = [START_MS - 9_000, START_MS - 1_000, *(START_MS + at for at in (0, 5_000, 6_000, 7_000, DAY_MS - 1)), START_MS + DAY_MS]
SHOPS = ["a", "b", "a", "b", "a", "a", "b", "a"]


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A platform whose collector has acknowledged eight events."""
    settings = settings_in(tmp_path / "var")
    monkeypatch.setenv("JISHI_VAR", str(settings.var))
    wal = WalWriter(Paths.of(settings).wal, 1)
    for seq, at_ms in enumerate(TIMES):
        record: Any = {"collector_id": wal.collector_id, "seq": -1, "shop_id": SHOPS[seq], "event_id": f"e{seq}"}
        wal.append([record | {"collected_at_ms": at_ms}])
    wal.close()
    monkeypatch.setattr("quality.night._collector", in_this_process)
    return settings


def in_this_process(settings: Settings, command: str, *arguments: str) -> Any:
    """What the collector's command prints, without the half second of its start."""
    folder = Paths.of(settings).wal
    if command == "acknowledged":
        return acknowledged(folder)
    return {str(seq): name for seq, name in find_entries(folder, map(int, arguments[1:])).items()}


def test_the_collectors_commands_say_the_same(platform: Settings) -> None:
    for arguments in (("acknowledged", "--json"), ("find", "--json", "2", "3", "99")):
        assert _collector(platform, *arguments) == in_this_process(platform, *arguments)


def collector_id(settings: Settings) -> str:
    return (Paths.of(settings).wal / "collector_id").read_text().strip()


def arrive(settings: Settings, seqs: Iterable[int], delay_ms: int = 2_000) -> None:
    name = collector_id(settings)
    rows = [
        {"collector_id": name, "seq": s, "shop_id": SHOPS[s], "event_id": f"e{s}", "collected_at_ms": TIMES[s]} for s in seqs
    ]
    append_live(settings, [row | {"received_at_ms": row["collected_at_ms"] + delay_ms} for row in rows])


def work_up(settings: Settings, seqs: Iterable[int]) -> None:
    """Silver of the day: event 3 is a duplicate, 4 is quarantined, the others are good."""
    name = collector_id(settings)
    batch = {"batch": f"live-{DAY}"}
    place = {s: {"shop_id": SHOPS[s], "collector_id": name, "seq": s, "event_id": f"e{s}"} | batch for s in seqs}
    good = [{"shop_id": SHOPS[s], "event_id": f"e{s}"} | batch for s in place if s not in (3, 4)]
    publish(
        settings.var,
        {
            SILVER_EVENTS: good,
            SILVER_DUPLICATES: [place[s] for s in place if s == 3],
            SILVER_QUARANTINE: [place[s] for s in place if s == 4],
        },
    )


def named(night: Night) -> list[str]:
    return [str(missing).split(" ", 1)[1] for missing in night.missing]


def test_a_night_in_which_all_is_there(platform: Settings) -> None:
    arrive(platform, range(8))
    arrive(platform, [3], delay_ms=DAY_MS)  # a copy that the log got a day later
    work_up(platform, range(1, 6))  # the log knew event 1 only after midnight, and event 6 after the next
    night = reconcile_night(platform, DAY)
    assert named(night) == []
    assert [(shop.shop_id, shop.acknowledged, shop.bronze) for shop in night.shops] == [("a", 3, 3), ("b", 2, 2)]
    assert night.is_complete


def test_what_bronze_does_not_have_is_named_with_its_shop_and_event(platform: Settings) -> None:
    arrive(platform, [0, 1, 2, 5, 7])
    work_up(platform, [1, 2, 5])
    night = reconcile_night(platform, DAY)
    assert named(night) == ["seq 3 to 4 (b/e3, a/e4): not in bronze", "seq 6 (b/e6): not in bronze"]
    assert {shop.shop_id: shop.acknowledged - shop.bronze for shop in night.shops} == {"a": 1, "b": 2}
    assert not night.is_complete


def test_what_no_table_of_silver_has_is_named(platform: Settings) -> None:
    arrive(platform, range(8))
    work_up(platform, [1, 2, 3, 5])
    assert named(reconcile_night(platform, DAY)) == ["seq 4 (a/e4): in bronze and in no table of silver"]


def test_a_shop_whose_day_is_not_built_does_not_disturb_the_night_of_another(platform: Settings) -> None:
    arrive(platform, range(8))
    work_up(platform, [2, 4, 5])  # the day of a only; b's events 1 and 3 wait
    assert named(reconcile_night(platform, DAY)) != []
    night = reconcile_night(platform, DAY, ["a"])
    assert night.is_complete
    assert [shop.shop_id for shop in night.shops] == ["a"]
    assert not reconcile_night(platform, DAY, ["b"]).is_complete
    with Shops.edit(Paths.of(platform).shops_file) as registry:
        registry.add(Shop(shop_id="b", name="b"))
        registry.pause("b", datetime(2026, 12, 1, tzinfo=UTC))
    assert reconcile_night(platform, DAY).is_complete, "a paused shop waits"


def test_what_was_damaged_on_the_collectors_disk_is_named_as_that(platform: Settings) -> None:
    file = segment_file(Paths.of(platform).wal, 5)
    file.write_bytes(file.read_bytes().replace(b"e5", b"x5"))
    set_aside_damage(Paths.of(platform).wal, 5, Position(5, file.stat().st_size, 6))
    arrive(platform, [0, 1, 2, 3, 4, 6, 7])
    work_up(platform, range(1, 5))
    [missing] = reconcile_night(platform, DAY).missing
    assert (missing.first_seq, missing.next_seq) == (5, 6)
    assert missing.where.startswith("damaged in the write-ahead log")


def test_a_gap_in_the_numbers_of_a_collector_elsewhere_is_named(platform: Settings) -> None:
    arrive(platform, range(8))
    rows = [{"collector_id": "other", "seq": s, "shop_id": "c", "event_id": f"o{s}"} for s in (10, 11, 13, 14)]
    at = {10: START_MS - 5_000, 11: START_MS + 1_000, 13: START_MS + 2_000, 14: START_MS + DAY_MS + 1}
    append_live(platform, [row | {"collected_at_ms": at[row["seq"]], "received_at_ms": at[row["seq"]]} for row in rows])
    work_up(platform, range(1, 6))
    lines = named(reconcile_night(platform, DAY))
    assert lines[0] == "seq 12: not in bronze"
    assert lines[1:] == [
        "seq 11 (c/o11): in bronze and in no table of silver",
        "seq 13 (c/o13): in bronze and in no table of silver",
    ]


def test_only_the_files_of_the_day_and_its_neighbours_are_read(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(platform, range(8))
    old = {"collector_id": "c", "shop_id": "a", "collected_at_ms": 0}
    append_live(platform, [old | {"seq": n, "event_id": f"x{n}", "received_at_ms": START_MS - n * DAY_MS} for n in range(3, 8)])
    work_up(platform, range(1, 6))
    read: list[int] = []
    real = LiveTail.batches

    def counted(self: LiveTail, *arguments: Any) -> Any:
        table = real(self, *arguments).read_all()
        read.append(len(table))
        return table.to_reader()

    monkeypatch.setattr(LiveTail, "batches", counted)
    assert reconcile_night(platform, DAY).is_complete
    assert read == [8]
