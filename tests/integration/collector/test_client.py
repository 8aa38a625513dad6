"""The Python client against the real collector: everything acknowledged once, through a collector that goes away."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import orjson
import pytest

from collector.client import BatchRefused, Client, Unreachable

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_events_and_items_are_acknowledged(make_place: Callable[..., Any]) -> None:
    place = make_place(collector_events_per_s=600)
    server = place.serve()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)
        if place.processes[-1].poll() is not None:
            place.serve()

    client = Client(place.url, "a", place.key, now=lambda: NOW, sleep=sleep)
    viewed = {"type": "item_viewed", "user_id": "u", "properties": {"item_id": "i-1"}}
    result = client.send([viewed | {"event_id": "e-1"}, viewed, viewed | {"event_id": "e-1"}, {"type": "item_viewed"}])
    assert [outcome.status for outcome in result] == ["accepted", "accepted", "duplicate", "quarantined"]
    assert (result[3].reason, result[3].field) == ("missing_field", "properties")
    item = {"item_id": "i-1", "title": "t", "category": "c", "unit_price_minor": 1, "currency": "CNY", "stock": 1}
    assert [outcome.status for outcome in client.put_items([item, item])] == ["accepted", "unchanged"]
    kept = place.stored()
    assert {orjson.loads(record["line"])["occurred_at"] for record in kept[:3]} == {"2026-11-24T08:00:00.000+00:00"}

    many = client.send(viewed | {"event_id": f"m-{n}"} for n in range(1100))  # three batches, and it is told to wait
    assert len(many) == 1100
    assert max(slept) >= 1, "Retry-After is obeyed"
    server.send_signal(signal.SIGKILL)
    server.wait()
    assert [outcome.status for outcome in client.send([viewed | {"event_id": "after"}])] == ["accepted"]
    assert len(place.stored()) == 5 + 1100 + 1


def test_what_cannot_pass_is_raised_at_once(make_place: Callable[..., Any]) -> None:
    place = make_place()
    place.serve()
    with pytest.raises(BatchRefused) as refused:
        Client(place.url, "a", "jk_write_wrong", sleep=lambda s: pytest.fail("no use in waiting")).send([{"type": "x"}])
    assert (refused.value.status, refused.value.code) == (401, "unknown_key")
    with pytest.raises(BatchRefused) as refused:
        Client(place.url, "b", place.key).send([{"type": "item_viewed"}])
    assert (refused.value.code, refused.value.index) == ("foreign_shop", 0)
    slept: list[float] = []
    with pytest.raises(Unreachable, match="within 3 tries"):
        Client("http://127.0.0.1:9", "a", "k", tries=3, sleep=slept.append).send([{"type": "x"}])
    assert len(slept) == 2


class LosesAnswers(BaseHTTPRequestHandler):
    """Passes a request on to the collector, and hangs up instead of answering."""

    collector = ""

    def do_POST(self) -> None:
        """Take a batch, deliver it, and lose the answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Content-Encoding")}
        with urlopen(Request(self.collector + self.path, body, headers)) as answer:
            assert answer.status == 200
        self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def losing(make_place: Callable[..., Any]) -> Iterator[tuple[Any, str]]:
    """A collector, and an address of it from which no answer comes back."""
    place = make_place()
    place.serve()
    handler = type("LosesItsAnswers", (LosesAnswers,), {"collector": place.url})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield place, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_is_sent_again_after_a_lost_answer_counts_once(losing: tuple[Any, str]) -> None:
    """Before, a second ``send`` made new ids, and each order counted twice."""
    place, address = losing
    viewed = {"type": "item_viewed", "user_id": "u", "properties": {"item_id": "i"}}
    events = (dict(viewed) for _ in range(600))  # two batches, from a source that is read once
    with pytest.raises(Unreachable) as lost:
        Client(address, "a", place.key, tries=1, sleep=lambda s: None).send(events)
    assert len(lost.value.unacknowledged) == 600
    results = Client(place.url, "a", place.key).send(lost.value.unacknowledged)
    assert [result.status for result in results] == ["duplicate"] * 500 + ["accepted"] * 100
    assert len({record["event_id"] for record in place.stored()}) == 600


def test_a_named_batch_counts_once_also_after_a_crash(losing: tuple[Any, str]) -> None:
    place, address = losing
    viewed = {"type": "item_viewed", "user_id": "u", "properties": {"item_id": "i"}}
    with pytest.raises(Unreachable):
        Client(address, "a", place.key, tries=1).send([viewed, viewed], batch_id="orders-2026-11-29")
    again = Client(place.url, "a", place.key).send([viewed, viewed, viewed], batch_id="orders-2026-11-29")
    assert [result.status for result in again] == ["duplicate", "duplicate", "accepted"]
    assert again[2].event_id == "orders-2026-11-29-2"


def test_what_json_cannot_say_concerns_its_event(make_place: Callable[..., Any]) -> None:
    place = make_place()
    place.serve()
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    view = {"type": "item_viewed", "user_id": "u"}
    events = [
        view | {"properties": {"item_id": "i"}},
        view | {"properties": {"item_id": "cut \ud83d"}},
        view | {"properties": cycle},
        view | {"properties": {"item_id": "i", "unit_price_minor": Decimal("9.99")}},
        view | {"properties": {"item_id": "i", "unit_price_minor": float("nan")}},
        view | {"properties": {"item_id": "i"}, "occurred_at": datetime(2026, 11, 24, 8, tzinfo=UTC)},
        view | {"properties": {"item_id": "i"}, "event_id": None},
        "no event",
    ]
    results = Client(place.url, "a", place.key).send(events)
    assert [result.reason for result in results] == [
        None,
        "bad_text",
        "missing_field",
        "wrong_type",
        "number_out_of_range",
        None,
        None,
        "not_an_object",
    ]
