"""The Python client against the real collector: everything acknowledged once, through a collector that goes away."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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
