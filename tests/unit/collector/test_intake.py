"""What the intake answers: a verdict for each event, or one refusal that names the field and the fix."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.accepted import count_accepted
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from jishi.contract import EVENT_TYPES
from jishi.shops import Shop, Shops

Viewed = Callable[..., dict[str, Any]]


def stored(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(entry.body) for entry in read_entries(folder, Position(), read_durable(folder) or Position())]


def error_of(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert len(error["message"]) > 15
    return error


def test_each_event_gets_its_verdict_and_all_are_kept(world: Any, viewed: Viewed) -> None:
    events = [
        viewed("good", extra={"kept": True}),
        viewed("no-shop", shop_id=...),
        viewed("no-item", properties={}),
        viewed("price", properties={"item_id": "i", "unit_price_minor": "9"}),
        viewed("when", occurred_at="yesterday"),
        viewed("what", type="item_dreamt"),
        viewed("who", user_id=...),
        "not an event",
    ]
    answer = world.post(events)
    assert answer.status_code == 200
    payload = answer.json()
    assert (payload["accepted"], payload["quarantined"]) == (8, 7)
    assert [(r["event_id"], r["status"], r["reason"], r["field"]) for r in payload["results"]] == [
        ("good", "accepted", None, None),
        ("no-shop", "quarantined", "missing_field", "shop_id"),
        ("no-item", "quarantined", "missing_field", "properties.item_id"),
        ("price", "quarantined", "wrong_type", "properties.unit_price_minor"),
        ("when", "quarantined", "bad_value", "occurred_at"),
        ("what", "quarantined", "unknown_type", "type"),
        ("who", "quarantined", "bad_value", "user_id"),
        (None, "quarantined", "not_an_object", ""),
    ]
    kept = stored(world.wal.folder)
    assert [r["seq"] for r in kept] == list(range(8))
    assert {r["collector_id"] for r in kept} == {world.wal.collector_id}
    assert [orjson.loads(r["line"]) for r in kept] == events
    assert [r["invalid_reason"] for r in kept] == [r["reason"] for r in payload["results"]]
    assert count_accepted(world.wal.folder) == {"a": 8}


def test_events_may_lie_in_an_object(world: Any, viewed: Viewed) -> None:
    assert world.post({"events": [viewed()], "sent_at": "now"}).json()["accepted"] == 1


def test_numbers_go_on_over_requests(world: Any, viewed: Viewed) -> None:
    for count in (1, 3, 2):
        assert world.post([viewed(str(i)) for i in range(count)]).status_code == 200
    assert [r["seq"] for r in stored(world.wal.folder)] == list(range(6))


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"[{", 400, "malformed_json", "body"),
        (b"\xff\xfe", 400, "malformed_json", "body"),
        (b"", 400, "malformed_json", "body"),
        (b"[1, 2", 400, "malformed_json", "body"),
        (b"[1,, 2]", 400, "malformed_json", "body"),
        (b"[NaN}]", 400, "malformed_json", "body"),
        (b'[NaN, "]', 400, "malformed_json", "body"),
        (b"[NaN] [1]", 400, "malformed_json", "body"),
        (b"[" * 100_000, 400, "malformed_json", "body"),
        (b'{"events": [1], "events": [2]}', 422, "wrong_shape", "events"),
        (b'{"events": 1e999}', 422, "wrong_shape", "events"),
        (b'{"event": [NaN]}', 422, "wrong_shape", "events"),
        (b"17", 400, "not_an_array", "body"),
        (b"null", 400, "not_an_array", "body"),
        (b'"text"', 400, "not_an_array", "body"),
        (b"[]", 422, "empty_batch", "body"),
        (b'{"events": []}', 422, "empty_batch", "events"),
        (b'{"event_id": "e"}', 422, "wrong_shape", "events"),
        (b'{"events": {"0": 1}}', 422, "wrong_shape", "events"),
        (b"[" + b",".join([b"NaN"] * 501) + b"]", 413, "too_many_events", "body"),
        (b"[" + b",".join([b"1"] * 501) + b"]", 413, "too_many_events", "body"),
        (b" " * (2**20 + 1), 413, "too_many_bytes", "body"),
    ],
)
def test_a_body_of_the_wrong_form_is_refused(world: Any, body: bytes, status: int, code: str, field: str) -> None:
    answer = world.client.post("/v1/events", content=body, headers={"Authorization": f"Bearer {world.keys['write']}"})
    assert error_of(answer, status, code)["field"] == field
    assert stored(world.wal.folder) == []


def test_a_body_without_length_is_counted_as_it_comes(world: Any) -> None:
    headers = {"Authorization": f"Bearer {world.keys['write']}"}
    answer = world.client.post("/v1/events", content=(b" " * 2**18 for _ in range(5)), headers=headers)
    error_of(answer, 413, "too_many_bytes")


def test_only_plain_json_is_read(world: Any) -> None:
    headers = {"Authorization": f"Bearer {world.keys['write']}"}
    answer = world.client.post("/v1/events", content=b"[1]", headers=headers | {"Content-Type": "text/csv"})
    assert error_of(answer, 415, "not_json")["field"] == "Content-Type"
    answer = world.client.post("/v1/events", content=b"[1]", headers=headers | {"Content-Encoding": "br"})
    assert error_of(answer, 415, "encoded")["field"] == "Content-Encoding"
    answer = world.client.post(
        "/v1/events", content=b"[1]", headers=headers | {"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer", "jk_write_x"])
def test_a_request_without_a_key_is_told_how(world: Any, viewed: Viewed, header: str | None) -> None:
    answer = world.client.post("/v1/events", json=[viewed()], headers={"Authorization": header} if header else {})
    error = error_of(answer, 401, "missing_key")
    assert error["field"] == "Authorization"
    assert "Bearer jk_write_" in error["message"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_keys_open_only_what_they_are_for(world: Any, viewed: Viewed) -> None:
    world.keys["wrong"] = "jk_write_guess"
    answer = world.post([viewed()], key="wrong")
    error_of(answer, 401, "unknown_key")
    assert "jk_write_guess" not in answer.text
    error_of(world.post([viewed()], key="read"), 403, "no_write_right")
    assert stored(world.wal.folder) == []


def test_a_mix_up_of_keys_refuses_the_whole_batch_and_one_foreign_event_itself(world: Any, viewed: Viewed) -> None:
    error = error_of(world.post([viewed("e-1", shop_id="b"), viewed("e-2", shop_id="b")]), 403, "foreign_shop")
    assert (error["field"], error["index"]) == ("events[0].shop_id", 0)
    assert stored(world.wal.folder) == []
    answer = world.post([viewed("e-1"), viewed("e-2", shop_id="b")])
    assert [(r["status"], r["reason"]) for r in answer.json()["results"]] == [
        ("accepted", None),
        ("quarantined", "foreign_shop"),
    ]


def test_a_shop_sends_under_its_own_key(world: Any, viewed: Viewed) -> None:
    assert stored(world.wal.folder) == []
    assert world.post([viewed(shop_id="b")], key="b").status_code == 200
    assert count_accepted(world.wal.folder) == {"b": 1}


def test_a_key_made_while_running_works_and_a_broken_registry_breaks_nobody(world: Any, viewed: Viewed) -> None:
    shops = Shops.load(world.registry)
    shops.add(Shop(shop_id="c", name="c"))
    world.keys["c"] = shops.issue_key("c", "write")
    error_of(world.post([viewed(shop_id="c")], key="c"), 401, "unknown_key")
    shops.save(world.registry)
    assert world.post([viewed(shop_id="c")], key="c").status_code == 200
    world.registry.write_text("{")
    assert world.post([viewed(shop_id="c")], key="c").status_code == 200


def test_a_shop_that_is_too_fast_waits_and_others_do_not(make_world: Callable[..., Any], viewed: Viewed) -> None:
    world = make_world(collector_events_per_s=10, collector_max_events=20)
    batch = [viewed(str(i)) for i in range(15)]
    assert world.post(batch).status_code == 200
    answer = world.post(batch)
    error_of(answer, 429, "rate_limited")
    assert answer.headers["Retry-After"] == "1"
    assert world.post([viewed(shop_id="b")], key="b").status_code == 200
    world.clock_s[0] += 1
    assert world.post(batch).status_code == 200
    assert count_accepted(world.wal.folder) == {"a": 30, "b": 1}


def test_a_shop_may_have_its_own_limit_from_one_request_to_the_next(make_world: Callable[..., Any], viewed: Viewed) -> None:
    world = make_world(collector_events_per_s=10, collector_max_events=20)
    with Shops.edit(world.registry) as shops:
        shops.limit("a", 40)
    batch = [viewed(str(i)) for i in range(15)]
    assert [world.post(batch).status_code for _ in range(3)] == [200, 200, 429]
    assert "more than 40 events" in world.post(batch).json()["error"]["message"]
    others = [viewed(str(i), shop_id="b") for i in range(15)]
    assert [world.post(others, key="b").status_code for _ in range(2)] == [200, 429]
    with Shops.edit(world.registry) as shops:
        shops.limit("a", None)
    world.clock_s[0] += 2
    assert [world.post(batch).status_code for _ in range(2)] == [200, 429]


def test_a_full_backlog_is_refused_with_a_time_to_come_back(make_world: Callable[..., Any], viewed: Viewed) -> None:
    world = make_world(collector_max_backlog=10)
    commit = world.intake.commit
    commit.backlog = 10
    answer = world.post([viewed()])
    error_of(answer, 503, "backlog_full")
    assert answer.headers["Retry-After"] == "1"
    assert world.client.get("/readyz").status_code == 503
    commit.backlog = 0
    assert world.post([viewed(str(i)) for i in range(11)]).status_code == 200  # alone it may be larger than the backlog


def test_a_failing_disk_acknowledges_nothing_and_comes_back(
    world: Any, viewed: Viewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.post([viewed("before")]).status_code == 200

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    answer = world.post([viewed("lost")])
    assert "Input/output error" in error_of(answer, 503, "disk_failing")["message"]
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Input/output" in world.client.get("/readyz").json()["reason"]
    assert world.client.get("/healthz").status_code == 200
    monkeypatch.undo()
    assert world.post([viewed("after")]).status_code == 200
    assert world.client.get("/readyz").status_code == 200
    assert [r["event_id"] for r in stored(world.wal.folder)] == ["before", "after"]


def test_schemas_are_served(world: Any) -> None:
    assert world.client.get("/v1/schemas").json()["types"] == list(EVENT_TYPES)
    schema = world.client.get("/v1/schemas/order_paid")
    assert schema.json()["title"] == "order_paid"
    error_of(world.client.get("/v1/schemas/nothing"), 404, "unknown_type")


def test_unknown_addresses_and_methods_answer_in_the_same_form(world: Any) -> None:
    error_of(world.client.get("/v2/events"), 404, "not_found")
    error_of(world.client.get("/v1/events"), 405, "wrong_method")


def test_metrics_tell_counts_and_no_person(world: Any, viewed: Viewed) -> None:
    world.post([viewed("e-1", user_id="somebody"), viewed("e-2", properties={})])
    world.post([viewed(shop_id="b")])
    world.client.post("/v1/events", json=[viewed()])
    text = world.client.get("/metrics").text
    for line in (
        'jishi_collector_accepted_events_total{sent_by="server"} 2.0',
        'jishi_collector_quarantined_events_total{reason="missing_field",sent_by="server"} 1.0',
        'jishi_collector_refused_requests_total{code="foreign_shop"} 1.0',
        "jishi_collector_wrong_keys_total 1.0",
        "jishi_collector_backlog_events 0.0",
        "jishi_collector_next_seq 2.0",
        "jishi_collector_fsync_seconds_count 1.0",
    ):
        assert line in text
    assert not re.search("somebody|jk_write|shop=", text)


def test_a_revoked_key_ends_at_once_and_its_uses_are_counted(world: Any, viewed: Viewed) -> None:
    assert world.post([viewed()]).status_code == 200
    with Shops.edit(world.registry) as shops:
        world.keys["new"] = shops.rotate_keys("a", "write")
    for _ in range(3):
        error_of(world.post([viewed("e-2")]), 401, "unknown_key")
    assert world.post([viewed("e-2")], key="new").status_code == 200
    assert "jishi_collector_wrong_keys_total 3.0" in world.client.get("/metrics").text


def test_an_event_that_is_too_large_is_kept_with_its_reason(world: Any, viewed: Viewed) -> None:
    answer = world.post([viewed("big", note="x" * 600_000), viewed("small")])
    results = [(r["event_id"], r["status"], r["reason"]) for r in answer.json()["results"]]
    assert results == [("big", "quarantined", "too_large"), ("small", "accepted", None)]
    assert len(stored(world.wal.folder)[0]["line"]) > 600_000
