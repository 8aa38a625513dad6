"""A repeated event is acknowledged again, told to be a duplicate, and written down, so that the counts still add up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.accepted import count_accepted
from collector.intake import Intake
from collector.keys import KeyRing
from collector.recent_ids import RecentIds
from collector.wal.segments import segment_file, segment_starts
from jishi.settings import Settings

Viewed = Callable[..., dict[str, Any]]


def outcomes(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [result["status"] for result in answer.json()["results"]]


def test_a_repetition_is_acknowledged_and_told(world: Any, viewed: Viewed) -> None:
    assert outcomes(world.post([viewed("e-1"), viewed("e-2"), viewed("e-1")])) == ["accepted", "accepted", "duplicate"]
    answer = world.post([viewed("e-2"), viewed("e-3")])
    assert outcomes(answer) == ["duplicate", "accepted"]
    payload = answer.json()
    assert (payload["accepted"], payload["duplicates"], payload["quarantined"]) == (2, 1, 0)
    assert (payload["results"][0]["reason"], payload["results"][0]["field"]) == ("duplicate", "event_id")
    assert count_accepted(world.wal.folder) == {"a": 5}, "a repetition is an acknowledgement too"
    assert 'jishi_collector_duplicate_events_total{sent_by="server"} 2.0' in world.client.get("/metrics").text


def test_another_shop_or_a_refused_event_is_no_repetition(world: Any, viewed: Viewed) -> None:
    assert outcomes(world.post([viewed("e-1")])) == ["accepted"]
    assert outcomes(world.post([viewed("e-1", shop_id="b")], key="b")) == ["accepted"]
    assert outcomes(world.post([viewed("e-9", properties={}), viewed("e-9")])) == ["quarantined", "accepted"]


def test_a_batch_that_the_disk_refused_was_not_seen(world: Any, viewed: Viewed, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        assert world.post([viewed("e-1")]).status_code == 503
    assert outcomes(world.post([viewed("e-1")])) == ["accepted"]


def test_the_memory_survives_a_restart(make_world: Callable[..., Any], viewed: Viewed, tmp_path: Path) -> None:
    world = make_world(wal_segment_bytes=4096)
    world.post([viewed(f"e-{i}") for i in range(30)])
    world.post([viewed("late"), viewed("bad", properties={})])
    assert len(segment_starts(world.wal.folder)) > 1
    again = Intake(world.wal, KeyRing(world.registry), Settings(var=tmp_path), lambda: 0, lambda: 0.0)
    assert again._recent.is_repeated("a", "e-0")
    assert again._recent.is_repeated("a", "late")
    assert not again._recent.is_repeated("a", "bad")
    few = RecentIds.of_log(world.wal.folder, 2)
    assert few.is_repeated("a", "late")
    assert not few.is_repeated("a", "e-0"), "older segments are not read"


def test_a_damaged_segment_stops_the_memory_and_not_the_shops(make_world: Callable[..., Any], viewed: Viewed) -> None:
    world = make_world(wal_segment_bytes=4096)
    for start in ("x", "y"):
        world.post([viewed(f"{start}-{i}") for i in range(30)])
    segment_file(world.wal.folder, 0).write_bytes(b"damage\n")
    assert not RecentIds.of_log(world.wal.folder, 1000).is_repeated("a", "x-1")


def test_the_memory_is_bounded() -> None:
    recent = RecentIds(100)
    for number in range(1000):
        assert not recent.is_repeated("a", str(number))
    assert len(recent._young) + len(recent._old) <= 200
    assert all(recent.is_repeated("a", str(number)) for number in range(900, 1000))
    assert not recent.is_repeated("a", "1")
