"""What a page may send, with which key, and from where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.accepted import count_accepted

Viewed = Callable[..., dict[str, Any]]


def track(world: Any, key: str, events: Any, **headers: str) -> Any:
    parameters = {"key": world.keys[key]} if key else {}
    return world.client.post("/v1/track", params=parameters, json=events, headers={"Content-Type": "text/plain"} | headers)


def test_a_page_sends_with_its_key_in_the_address(world: Any, viewed: Viewed) -> None:
    answer = track(world, "track", [viewed()], Origin="https://anywhere.example")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert count_accepted(world.wal.folder) == {"a": 1}


def test_a_key_that_belongs_to_a_site_works_there_only(world: Any, viewed: Viewed) -> None:
    assert track(world, "track at home", [viewed()], Origin="https://shop.example").status_code == 200
    for headers in ({"Origin": "https://evil.example"}, {}):
        answer = track(world, "track at home", [viewed()], **headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")
    assert count_accepted(world.wal.folder) == {"a": 1}


@pytest.mark.parametrize(
    ("key", "status", "code"), [("", 401, "missing_key"), ("write", 403, "no_track_right"), ("read", 403, "no_track_right")]
)
def test_no_other_key_opens_the_address_of_pages(world: Any, viewed: Viewed, key: str, status: int, code: str) -> None:
    answer = track(world, key, [viewed()])
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["Access-Control-Allow-Origin"] == "*", "the page must be able to read why"
    assert "jishi_collector_wrong_keys_total 1.0" in world.client.get("/metrics").text


def test_a_track_key_opens_nothing_else(world: Any, viewed: Viewed) -> None:
    answer = world.post([viewed()], key="track")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_write_right")


@pytest.mark.parametrize("event_type", ["item_changed", "order_refunded"])
def test_what_only_the_shop_knows_cannot_come_from_a_page(world: Any, viewed: Viewed, event_type: str) -> None:
    answer = track(world, "track", [viewed(), viewed("e-2", type=event_type)])
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert (error["code"], error["field"], error["index"]) == ("not_from_a_page", "events[1].type", 1)
    assert count_accepted(world.wal.folder) == {}


def test_a_preflight_is_answered_and_the_servers_address_has_none(world: Any) -> None:
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = world.client.options("/v1/track", headers=ask)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Methods"]) == (204, "POST")
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in world.client.options("/v1/events", headers=ask).headers
