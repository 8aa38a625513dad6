"""The records of bronze behind a value: those of the entities, and other deliveries of the same events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jishi.contract import record_of
from jishi.features import FEATURES
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.settings import Settings, get_settings
from jishi.tables import BRONZE_EVENTS
from quality.parity.bronze_acts import acts_of_log, known_until_ms, records_behind
from quality.parity.evidence import evidence
from tests.lake import newest, record

BY_NAME = {feature.name: feature for feature in FEATURES}
T0 = 1_788_220_800_000
SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]


def row(offset: int | None, event_id: str, person: str | None, shop: str = "a", **properties: Any) -> dict[str, Any]:
    """A row of bronze, known ``offset`` seconds after T0; None is history. The line is ASCII, so ids are escaped in it."""
    at_ms = T0 + (offset or 0) * 1000
    event_type = "share_opened" if "share_id" in properties else "item_viewed"
    event = {"event_id": event_id, "shop_id": shop, "type": event_type, "properties": properties}
    event |= {"occurred_at": f"2026-09-01T00:00:{offset or 0:02}Z"} | ({"user_id": person} if person else {})
    line = json.dumps(event)
    record, _ = record_of(event, shop_id=shop, collector_id=f"c{offset}", seq=0, collected_at_ms=0, line=line)
    position = {"log_partition": None if offset is None else 0, "log_offset": offset}
    return {**record, "received_at_ms": at_ms, **position}


@pytest.fixture
def lake(tmp_path: Path) -> LakeVersion:
    rows = [
        row(None, "old", "人", item_id="h"),
        row(1, "e1", "q", item_id="x"),
        row(2, "e1", "人", item_id="x"),  # q's event came first with this id, so that this one is a duplicate
        row(3, "e3", "人", item_id="y"),
        row(4, "e4", "人", shop="b", item_id="z"),
        row(5, "e5", "q", share_id="s", shared_by="人"),
        row(6, "e6", "r", share_id="t", shared_by="q"),
    ]
    record(tmp_path, {BRONZE_EVENTS: rows})
    return newest(tmp_path)


def test_the_store_knows_good_acts_of_the_log_and_no_history(lake: LakeVersion) -> None:
    with open_lake(lake) as connection:
        assert known_until_ms(connection) == T0 + 6_000
        acts = acts_of_log(connection, SETTINGS, "a", BY_NAME["last_items"], ["u:人", "u:q", "u:nobody"])
        brought = acts_of_log(connection, SETTINGS, "a", BY_NAME["person_share_opens_30d"], ["u:人", "u:q"])
    assert {person: [act["item_id"] for act in name] for person, name in acts.items()} == {
        "u:人": ["y"],
        "u:q": ["x"],
        "u:nobody": [],
    }
    assert {person: [act["share_id"] for act in name] for person, name in brought.items()} == {"u:人": ["s"], "u:q": ["t"]}


def test_records_of_one_entity_are_found_by_column_or_by_their_line(lake: LakeVersion) -> None:
    with open_lake(lake) as connection:
        of_person = records_behind(connection, "a", BY_NAME["last_items"], ["u:人"])
        of_opener = records_behind(connection, "a", BY_NAME["person_share_opens_30d"], ["u:人"])
    assert [record["collector_id"] for record in of_person] == ["cNone", "c1", "c2", "c3"]
    assert {record["collector_id"] for record in of_opener} >= {"c5"}


def test_why_finds_events_whose_line_escapes_the_id(lake: LakeVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JISHI_VAR", str(lake.settings.var))
    get_settings.cache_clear()
    try:
        result = evidence("user:人", "last_items", T0 + 10_000, None, "a")
    finally:
        get_settings.cache_clear()
    assert result.value == ["y", "h"]
    assert [act["event_id"] for act in result.acts] == ["old", "e3"]
