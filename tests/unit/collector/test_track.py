"""What a page may send, with which key, and from where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from collector.accepted import count_accepted
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from jishi.contract.fields import parse_instant, to_ms
from jishi.shops import BadKey, Shops

Viewed = Callable[..., dict[str, Any]]
NOW_MS = 1_795_000_000_000  # the clock of the collector in tests


def parse_ms(text: str) -> int:
    return to_ms(parse_instant(text))


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
def test_what_only_the_shop_knows_is_not_taken_from_a_page(world: Any, viewed: Viewed, event_type: str) -> None:
    what = {
        "item_changed": {"item_id": "i", "title": "t", "category": "c", "unit_price_minor": 1, "currency": "CNY", "stock": 1},
        "order_refunded": {"refund_id": "r", "order_id": "o", "currency": "CNY", "amount_minor": 1},
    }
    answer = track(world, "track", [viewed(), viewed("e-2", type=event_type, properties=what[event_type])])
    assert [(r["event_id"], r["status"], r["reason"]) for r in answer.json()["results"]] == [
        ("e-1", "accepted", None),
        ("e-2", "quarantined", "not_from_a_page"),
    ]
    assert world.intake.catalogue.get("a", "i") is None


ORDER = {"order_id": "o", "currency": "CNY", "lines": [{"item_id": "i", "quantity": 1, "unit_price_minor": 5}]}


def stored_events(world: Any) -> list[tuple[Any, ...]]:
    """Sender, id and reason of each record."""
    folder = world.wal.folder
    entries = read_entries(folder, Position(), read_durable(folder) or Position())
    records = [orjson.loads(entry.body) for entry in entries]
    return [(record["sent_by"], record["event_id"], record["invalid_reason"]) for record in records]


def test_a_page_can_neither_suppress_nor_forge_what_the_server_sends(world: Any, viewed: Viewed) -> None:
    """The page is first with the id of an order; before, the server's own order was then a duplicate and lost."""
    order = viewed("order-1", type="order_paid", properties=ORDER)
    assert track(world, "track", [viewed("order-1")]).json()["results"][0]["status"] == "accepted"
    forged = track(world, "track", [order]).json()["results"][0]
    assert (forged["event_id"], forged["status"], forged["reason"]) == ("order-1", "quarantined", "claim")
    assert world.post([order]).json()["results"][0]["status"] == "accepted"
    assert track(world, "track", [viewed("order-1")]).json()["results"][0]["status"] == "duplicate"
    page, server = ("page", "page:order-1"), ("server", "order-1")
    assert stored_events(world) == [(*page, None), (*page, "claim"), (*server, None), (*page, None)]
    answer = world.post([viewed("page:order-1")]).json()["results"][0]
    assert (answer["reason"], answer["field"]) == ("bad_id", "event_id"), "and nobody can say that a page's event is another's"


@pytest.mark.parametrize(
    ("site", "origin"),  # what ``new URL(site).origin`` is in a browser
    [
        ("https://shop.example:443", "https://shop.example"),
        ("http://Shop.example:80/", "http://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://商店.中国", "https://xn--czrs0t.xn--fiqs8s"),
        ("https://faß.example:8443", "https://xn--fa-hia.example:8443"),
        ("http://[::1]:18081", "http://[::1]:18081"),
    ],
)
def test_a_key_is_for_the_site_as_browsers_write_it(world: Any, viewed: Viewed, site: str, origin: str) -> None:
    """helidon 12511, aspnet/CORS 180: the pages of a site that was entered with port or in Chinese were refused for ever."""
    with Shops.edit(world.registry) as shops:
        world.keys["of the site"] = shops.issue_key("a", "track", origins=[site])
    assert track(world, "of the site", [viewed()], Origin=origin).status_code == 200
    assert track(world, "of the site", [viewed()], Origin="https://other.example").status_code == 403


@pytest.mark.parametrize(
    "site", ["shop.example", "https://me@shop.example", "https://shop.example:x", "https://a b", "https:///x"]
)
def test_what_is_no_site_gets_no_key(world: Any, site: str) -> None:
    with Shops.edit(world.registry) as shops, pytest.raises(BadKey, match="is no site"):
        shops.issue_key("a", "track", origins=[site])


def test_a_shop_may_take_its_orders_from_its_pages(world: Any, viewed: Viewed) -> None:
    order = viewed("order-1", type="order_paid", properties=ORDER)
    with Shops.edit(world.registry) as shops:
        shops.choose_order_source("a", "page")
    assert track(world, "track", [order]).json()["results"][0]["status"] == "accepted"
    answer = world.post([order, viewed("b")]).json()["results"]
    assert [r["reason"] for r in answer] == ["claim", None], "one source of orders, or they count twice"


def test_a_page_cannot_overflow_what_all_shops_are_computed_with(world: Any, viewed: Viewed) -> None:
    """1,025 views at 2^53 − 1 turned a shopper's mean price negative in the stream and ended the batch job of every shop."""
    prices = [2**40, 2**40 + 1, 2**53 - 1]
    views = [viewed(f"e-{price}", properties={"item_id": "i", "unit_price_minor": price}) for price in prices]
    answer = track(world, "track", views).json()["results"]
    assert [(r["reason"], r["field"]) for r in answer] == [(None, None)] + [
        ("amount_too_large", "properties.unit_price_minor")
    ] * 2
    assert [r["reason"] for r in world.post(views).json()["results"]] == [None] * 3, "a server's word is the shop's own"


def test_pages_cannot_use_up_what_the_server_may_send(make_world: Callable[..., Any], viewed: Viewed) -> None:
    world = make_world(collector_events_per_s=10, collector_max_events=20)
    batch = [viewed(str(number)) for number in range(20)]
    assert [track(world, "track", batch).status_code for _ in range(2)] == [200, 429]
    assert world.post(batch).status_code == 200
    assert world.post(batch).status_code == 429, "its own limit holds"


def test_a_devices_clock_is_corrected_once(world: Any, viewed: Viewed) -> None:
    """An hour slow: it said 07:00:00, sent at 07:00:30 its time; the collector's clock says NOW."""
    event = viewed("slow", occurred_at="2026-11-18T07:00:00Z", sent_at="2026-11-18T07:00:30Z")
    track(world, "track", [event])
    folder = world.wal.folder
    record = orjson.loads(read_entries(folder, Position(), read_durable(folder) or Position())[0].body)
    kept = orjson.loads(record["line"])
    assert record["occurred_at_ms"] == NOW_MS - 30_000
    assert parse_ms(kept["occurred_at"]) == NOW_MS - 30_000
    assert (kept["device_occurred_at"], kept["sent_at"]) == (event["occurred_at"], event["sent_at"])
    assert world.post([kept | {"event_id": "again"}]).json()["results"][0]["status"] == "accepted"
    again = orjson.loads(read_entries(folder, Position(), read_durable(folder) or Position())[1].body)
    assert again["occurred_at_ms"] == NOW_MS - 30_000, "what was corrected is not corrected again"


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"sent_at": "now"}, "bad_value", "sent_at"),
        ({"sent_at": 5}, "bad_value", "sent_at"),
        ({"sent_at": "2026-11-18T07:00:00Z", "occurred_at": "soon"}, "bad_value", "occurred_at"),
        ({"sent_at": "1970-01-01T00:00:00Z", "occurred_at": "9000-01-01T00:00:00Z"}, "beyond_horizon", "occurred_at"),
        ({"sent_at": "9999-12-31T00:00:00Z", "occurred_at": "1970-01-01T00:00:00Z"}, None, None),
    ],
)
def test_a_clock_that_says_nothing_is_refused_with_its_event(
    world: Any, viewed: Viewed, change: Any, reason: Any, field: Any
) -> None:
    results = track(world, "track", [viewed("odd", **change), viewed("good")]).json()["results"]
    assert (results[0]["reason"], results[0]["field"], results[1]["status"]) == (reason, field, "accepted")


def test_a_preflight_is_answered_and_the_servers_address_has_none(world: Any) -> None:
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = world.client.options("/v1/track", headers=ask)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Methods"]) == (204, "POST")
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in world.client.options("/v1/events", headers=ask).headers
