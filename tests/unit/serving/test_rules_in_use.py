"""A published version is in use within a round of the watcher; one that cannot be read changes nothing but the readiness."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
import pytest

from jishi.contract import record_of
from jishi.rules.complaints import rules_of
from jishi.rules.versions import RuleVersions
from jishi.shops import Shops
from serving.feedback import ListEvent
from serving.log_records import Lateness, list_event_of
from serving.rules.impressions import Seen
from serving.stream import LiveState, apply_record

NOW = datetime(2026, 11, 30, tzinfo=UTC)
HIDE = {"kind": "hide", "name": "h", "items": {"item_ids": ["i0"]}}


def publish(api: Any, *rules: dict[str, Any]) -> RuleVersions:
    versions = RuleVersions.of(api.engine.paths, "a")
    versions.publish(rules_of({"rules": list(rules)}), "mei", NOW)
    return versions


def test_a_version_is_taken_over_and_rolled_back_while_serving_runs(api: Any) -> None:
    before = api.get(limit=30).content
    versions = publish(api, HIDE)
    api.engine.watcher.look()
    hidden = [each["item_id"] for each in api.get(limit=30).json()["items"]]
    assert hidden == [f"i{number}" for number in range(1, 30)]
    assert api.get("/v1/shops/a/readiness").json()["rules"] == 1
    versions.publish(rules_of({"rules": []}), "mei", NOW)
    api.engine.watcher.look()
    assert api.get(limit=30).content == before, "without rules the answer is the one before, byte for byte"
    versions.roll_back(1, "mei", NOW)
    api.engine.watcher.look()
    assert api.get(limit=1).json()["items"][0]["item_id"] == "i1"


def test_an_unreadable_version_leaves_the_last_good_one_and_is_told(api: Any) -> None:
    versions = publish(api, HIDE)
    api.engine.watcher.look()
    versions.publish(rules_of({"rules": []}), "mei", NOW)
    (api.engine.paths.rules / "a" / "000002.json").write_text("{")
    api.engine.watcher.look()
    readiness = api.get("/v1/shops/a/readiness").json()
    assert (readiness["rules"], "000002.json" in readiness["rules_problem"], readiness["ready"]) == (1, True, True)
    assert api.get(limit=1).json()["items"][0]["item_id"] == "i1"
    (api.engine.paths.rules / "a" / "000001.json").write_text("")
    api.engine.watcher.look()
    assert api.get(limit=1).json()["items"][0]["item_id"] == "i1", "what is in memory stays"
    versions.publish(rules_of({"rules": []}), "mei", NOW)
    api.engine.watcher.look()
    assert api.get("/v1/shops/a/readiness").json()["rules_problem"] is None
    assert api.get(limit=1).json()["items"][0]["item_id"] == "i0"


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_days_are_those_of_the_shops_zone(api: Any, zone: str) -> None:
    """There is always a day between both zones (UTC+14 and UTC−11)."""

    with Shops.edit(api.engine.paths.shops_file) as shops:
        shops.shops["a"] = shops.get("a").model_copy(update={"time_zone": zone})
    today = datetime.now(ZoneInfo(zone)).date()
    publish(api, HIDE | {"from_date": f"{today}", "until_date": f"{today + timedelta(days=1)}"})
    api.engine.watcher.look()
    assert api.get(limit=1).json()["items"][0]["item_id"] == "i1"
    other = datetime.now(ZoneInfo("Pacific/Niue" if zone.endswith("ti") else "Pacific/Kiritimati")).date()
    publish(api, HIDE | {"from_date": f"{other}", "until_date": f"{other}"})
    api.engine.watcher.look()
    assert api.get(limit=1).json()["items"][0]["item_id"] == "i0"


def test_what_a_record_says_was_seen() -> None:

    def record(kind: str, **properties: Any) -> bytes:
        event = {"event_id": "e", "shop_id": "a", "type": kind, "occurred_at": "2026-11-01T00:00:00Z", "user_id": "7"}
        event |= {"anonymous_id": "phone", "properties": {"request_id": "r", "placement": "home"} | properties}
        built, _ = record_of(event, shop_id="a", collector_id="c", seq=0, collected_at_ms=1_793_491_200_123)
        return orjson.dumps(built)

    at_ms, lateness = 1_793_491_200_500, Lateness(30, 5)
    shown = list_event_of(record("recommendation_shown", item_ids=["i1", "i2"]), at_ms, lateness)
    assert shown is not None
    assert shown[0] == ListEvent("e", "a", "r", "u:7", (("i1", 0), ("i2", 1)), False, at_ms)
    assert shown[1] == Seen("a", ("u:7", "a:phone"), ("i1", "i2"), False, at_ms, "e")
    clicked = list_event_of(record("recommendation_clicked", item_id="i1", position=3), at_ms, lateness)
    assert clicked is not None
    assert clicked[0] == ListEvent("e", "a", "r", "u:7", (("i1", 3),), True, at_ms)
    assert clicked[1] == Seen("a", ("u:7", "a:phone"), ("i1",), True, at_ms, "e")
    assert list_event_of(record("item_viewed", item_id="i1"), at_ms, lateness) is None


def test_a_list_that_the_log_saw_counts_for_a_cap_until_a_click(api: Any) -> None:
    now_ms = int(time.time() * 1000)
    live = LiveState(api.engine.states, api.engine.orders, api.engine.consents)

    def hear(kind: str, **properties: Any) -> None:
        event = {"event_id": f"{kind}{properties}", "shop_id": "a", "type": kind, "user_id": "7"}
        event |= {"occurred_at": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat()}
        event |= {"properties": {"request_id": "r", "placement": "home"} | properties}
        built, _ = record_of(event, shop_id="a", collector_id="c", seq=0, collected_at_ms=now_ms)
        apply_record(LoggedAct(orjson.dumps(built), now_ms), live, Lateness(30, 5), api.engine.stream)  # type: ignore[arg-type]

    hear("recommendation_shown", item_ids=["i2"])  # no rule asks yet: nothing is kept
    publish(api, {"kind": "frequency_cap", "name": "cap", "shown": 1, "days": 1, "outside": "out"})
    api.engine.watcher.look()
    hear("recommendation_shown", item_ids=["i0", "i1"])
    assert [each["item_id"] for each in api.get(limit=2, user_id="7").json()["items"]] == ["i2", "i3"]
    assert [each["item_id"] for each in api.get(limit=2, user_id="8").json()["items"]] == ["i0", "i1"]
    hear("recommendation_clicked", item_id="i1")
    assert [each["item_id"] for each in api.get(limit=2, user_id="7").json()["items"]] == ["i1", "i2"]


class LoggedAct(NamedTuple):
    """A message of the log."""

    content: bytes
    at_ms: int

    def value(self) -> bytes:
        """Its bytes."""
        return self.content

    def timestamp(self) -> tuple[int, int]:
        """Kind and time, as Kafka tells them."""
        return 1, self.at_ms


def test_a_folder_that_cannot_be_read_concerns_its_shop_alone(api: Any) -> None:
    folder = api.engine.paths.rules / "a"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(folder)  # a loop: no permission of whoever runs this opens it
    api.engine.watcher.look()
    assert "cannot be read" in api.get("/v1/shops/a/readiness").json()["rules_problem"]
    folder.unlink()
    publish(api, HIDE)
    api.engine.watcher.look()
    readiness = api.get("/v1/shops/a/readiness").json()
    assert (readiness["rules"], readiness.get("rules_problem")) == (1, None)
