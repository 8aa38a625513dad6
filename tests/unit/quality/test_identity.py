"""What ``jishi identity why`` says of a person, and what is taken back, on hand-made silver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jishi.identity import LinkReason
from jishi.lake.reading import LakeVersion
from jishi.tables import SILVER_EVENTS, SILVER_IDENTITY
from jishi.unlinks import ShopUnlink, UnlinksUnreadable, add_unlink, read_unlinks
from quality.identity import PersonNotFound, person_evidence
from tests.lake import newest, record

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def link(device: str, user: str, minute: int, reason: LinkReason = LinkReason.LOGIN) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    instants = {"valid_from": at - timedelta(days=90), "valid_to": at + timedelta(days=90), "first_at": at, "last_at": at}
    row = {"shop_id": "a", "anonymous_id": device, "user_id": user, "first_event_id": f"e{minute}", "events": 1}
    return row | instants | {"known_at": at, "reason": reason.value}


def event(event_id: str, person_id: str, device: str | None, user: str | None, shop_id: str = "a") -> dict[str, Any]:
    ids = {"person_id": person_id, "anonymous_id": device, "user_id": user}
    return {"shop_id": shop_id, "event_id": event_id, "type": "item_viewed", "occurred_at": NOON} | ids


@pytest.fixture
def lake(tmp_path: Path) -> LakeVersion:
    links = [
        link("phone", "x", 2),
        link("desk", "x", 1),
        link("phone", "y", 3),
        link("kiosk", "x", 4, LinkReason.PUBLIC_DEVICE),
    ]
    events = [
        event("e1", "u:x", "desk", "x"),
        event("e2", "u:x", "phone", "x"),
        event("before", "u:x", "desk", None),
        event("also", "u:x", "desk", None),
        event("nobody", "a:phone", "phone", None),
        event("visitor", "a:x", "x", None),
        event("elsewhere", "u:x", "desk", None, shop_id="b"),
    ]
    record(tmp_path, {SILVER_IDENTITY: links, SILVER_EVENTS: events})
    return newest(tmp_path)


def test_why_names_devices_events_and_the_acts_that_came_with_them(lake: LakeVersion) -> None:
    evidence = person_evidence(lake, "a", "x")  # a plain id is a user's
    assert (evidence.person_id, evidence.events_with_user_id, evidence.events_of_devices) == ("u:x", 2, 2)
    assert [(e.anonymous_id, e.first_event_id, e.acts_joined, e.is_joined) for e in evidence.links] == [
        ("desk", "e1", 2, True),
        ("phone", "e2", 0, True),
        ("kiosk", "e4", 0, False),
    ]
    assert evidence.links[2].reason == "device_with_too_many_users"


def test_why_of_a_device_names_its_users(lake: LakeVersion) -> None:
    evidence = person_evidence(lake, "a", "a:phone")
    assert [e.user_id for e in evidence.links] == ["x", "y"]
    assert (evidence.events_with_user_id, evidence.events_of_devices) == (0, 1)
    assert person_evidence(lake, "a", "a:x").links == []  # a visitor of the same name


def test_a_person_whom_nobody_knows_is_an_error_that_says_how_ids_look(lake: LakeVersion) -> None:
    with pytest.raises(PersonNotFound, match=r"no person 'u:nobody'; a user is u:USER_ID"):
        person_evidence(lake, "a", "nobody")


def test_unlinks_are_read_as_they_were_added_and_a_broken_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "unlinks.jsonl"
    assert list(read_unlinks(path)) == []
    first, second = ShopUnlink("a", "desk", "x", 5, "sold"), ShopUnlink("b", "d", "y", 6, "")
    add_unlink(path, first)
    add_unlink(path, second)
    assert list(read_unlinks(path)) == [first, second]
    assert first.unlink[:3] == ("desk", "x", 5)
    with path.open("a") as file:
        file.write('{"shop_id": "a"}\n')
    with pytest.raises(UnlinksUnreadable, match=r"unlinks.jsonl, line 3"):
        list(read_unlinks(path))
