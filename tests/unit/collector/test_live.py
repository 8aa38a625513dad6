"""The live page and test keys: what arrives is shown with outcome, reason and fix, and a test key's are never counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from collector.accepted import count_accepted
from collector.live import LIVE_FILES
from collector.live.fixes import FIXES
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from jishi.contract.validation import REASONS
from tests.unit.collector.conftest import NOW_MS

Viewed = Callable[..., dict[str, Any]]
ITEM = {
    "item_id": "i-9",
    "title": "茶",
    "category": "tea",
    "unit_price_minor": 5,
    "currency": "CNY",
    "stock": 1,
    "status": "active",
}


def now(**shift: float) -> str:
    return (datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(**shift)).isoformat()


def live(world: Any, key: str = "write", after: int = 0) -> dict[str, Any]:
    answer = world.client.get(f"/v1/live/events?after={after}", headers={"Authorization": f"Bearer {world.keys[key]}"})
    assert answer.status_code == 200, answer.text
    payload: dict[str, Any] = answer.json()
    return payload


def log(world: Any) -> list[str]:
    entries = read_entries(world.wal.folder, Position(), read_durable(world.wal.folder) or Position())
    return [orjson.loads(entry.body)["event_id"] for entry in entries]


def test_each_outcome_is_shown_with_its_fix(world: Any, viewed: Viewed) -> None:
    world.post([viewed("good", occurred_at=now()), viewed("late", occurred_at=now(seconds=-31))])
    world.post([viewed("future", occurred_at=now(seconds=6)), viewed("good", occurred_at=now())])
    world.post([viewed("bad", properties={"item_id": "i", "unit_price_minor": "9"})])
    world.client.post("/v1/events", content=b"[{", headers={"Authorization": f"Bearer {world.keys['write']}"})
    shown = live(world)
    assert shown["shop_id"] == "a"
    facts = [(e["number"], e["event_id"], e["outcome"], e["reason"], e["field"]) for e in shown["events"]]
    assert facts == [
        (6, None, "refused", "malformed_json", "body"),
        (5, "bad", "invalid", "wrong_type", "properties.unit_price_minor"),
        (4, "good", "duplicate", "duplicate", "event_id"),
        (3, "future", "future", "future", None),
        (2, "late", "late", "late", None),
        (1, "good", "good", None, None),
    ]
    assert [bool(e["fix"]) for e in shown["events"]] == [True] * 5 + [False]
    assert "1999" in shown["events"][1]["fix"]["zh"]
    assert orjson.loads(shown["events"][1]["line"])["properties"]["unit_price_minor"] == "9"
    assert [e["number"] for e in live(world, after=4)["events"]] == [6, 5]


def test_a_shop_sees_its_own_last_hundred_and_needs_its_secret_key(world: Any, viewed: Viewed) -> None:
    world.post([viewed(f"e{n}") for n in range(130)])
    world.post([viewed("of-b", shop_id="b")], key="b")
    assert [e["event_id"] for e in live(world)["events"]] == [f"e{n}" for n in range(129, 29, -1)]
    assert [e["event_id"] for e in live(world, "b")["events"]] == ["of-b"]
    for key, status in (("read", 403), ("track", 403), ("test track", 403)):
        answer = world.client.get("/v1/live/events", headers={"Authorization": f"Bearer {world.keys[key]}"})
        assert answer.status_code == status, key
    assert world.client.get("/v1/live/events").status_code == 401
    assert (
        world.client.get("/v1/live/events?after=x", headers={"Authorization": f"Bearer {world.keys['b']}"}).status_code == 422
    )


def test_what_a_test_key_sends_is_checked_and_shown_and_nowhere_counted(world: Any, viewed: Viewed) -> None:
    events = [viewed("t1"), viewed("t1"), viewed("t2", properties={})]
    answer = world.post(events, key="test").json()
    assert answer["test"] is True
    assert [r["status"] for r in answer["results"]] == ["accepted", "duplicate", "quarantined"]
    body = orjson.dumps([viewed("p1")])
    page = world.client.post(f"/v1/track?key={world.keys['test track']}", content=body).json()
    assert (page["test"], page["accepted"]) == (True, 1)
    headers = {"Authorization": f"Bearer {world.keys['test']}"}
    put = world.client.put("/v1/shops/a/items", json=[ITEM], headers=headers).json()
    assert (put["test"], [r["status"] for r in put["results"]]) == (True, ["accepted"])
    assert log(world) == []
    assert count_accepted(world.wal.folder) == {}
    assert world.intake.catalogue.get("a", "i-9") is None
    # The same ids sent in earnest are new.
    real = world.post([viewed("t1")]).json()
    assert "test" not in real
    assert [r["status"] for r in real["results"]] == ["accepted"]
    assert log(world) == ["t1"]
    shown = [(e["event_id"], e["sent_by"], e["is_test"]) for e in live(world, "test")["events"] if e["type"] == "item_viewed"]
    assert shown == [
        ("t1", "server", False),
        ("p1", "page", True),
        ("t2", "server", True),
        ("t1", "server", True),
        ("t1", "server", True),
    ]
    metrics = world.client.get("/metrics").text
    assert 'jishi_collector_accepted_events_total{sent_by="server"} 1.0' in metrics
    assert 'jishi_collector_test_events_total{sent_by="server"} 4.0' in metrics


def test_every_reason_of_the_contract_has_a_fix_in_both_languages() -> None:
    assert REASONS.keys() | {"duplicate", "late", "future"} <= FIXES.keys()
    for zh, en in FIXES.values():
        assert re.search(r"[\u4e00-\u9fff]", zh)
        assert en.isascii()


@pytest.mark.parametrize("name", ["", *(f"/{file.name}" for file in LIVE_FILES)])
def test_the_page_takes_nothing_from_elsewhere(world: Any, name: str) -> None:
    answer = world.client.get(f"/v1/live{name}")
    assert answer.status_code == 200
    assert not re.search(r"(https?:)?//(?! )[a-z]", re.sub(r"(?m)^\s*//.*|\s// .*$|  // .*", "", answer.text))
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "innerHTML" not in answer.text
    assert not re.search(r"""["'`]/""", answer.text), (
        "addresses of its own are relative: a proxy may put the collector below a path"
    )
