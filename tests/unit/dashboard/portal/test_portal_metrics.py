"""What the portal counts: addresses as declared, whatever was asked; streams and exports; nothing of a shop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import generate_latest
from starlette.requests import ClientDisconnect

from dashboard.portal.app import PAGES
from dashboard.portal.front_door import CLIENT_GONE
from dashboard.portal.live_streams import MOST_OF_A_PERSON, LiveStreams
from dashboard.portal.metrics import PortalMetrics
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, post


def value(twins: TwinShops, name: str, **labels: str) -> float:
    return twins.portal.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def added(twins: TwinShops) -> Callable[..., float]:
    """What a metric has gained since the test began."""
    before: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for metric in twins.portal.metrics.registry.collect():
        before |= {(each.name, tuple(sorted(each.labels.items()))): each.value for each in metric.samples}
    return lambda name, **labels: value(twins, name, **labels) - before.get((name, tuple(sorted(labels.items()))), 0.0)


def test_answers_are_counted_by_declared_address_and_status(twins: TwinShops, added: Callable[..., float]) -> None:
    client = twins.client("read_only")
    for address in (f"/shops/{PLAIN}/today", f"/shops/{CANARY}/today", "/shops/%00/today", "/no/such'page"):
        client.get(address)
    post(client, "/logout")
    today = {"page": "/shops/{shop_id}/today", "method": "GET"}
    assert added("jishi_portal_requests_total", **today, status="200") == 1
    assert added("jishi_portal_requests_total", **today, status="404") == 2
    assert added("jishi_portal_seconds_count", **today) == 3
    assert added("jishi_portal_requests_total", page="/{rest:path}", method="GET", status="404") == 1
    assert added("jishi_portal_requests_total", page="/logout", method="POST", status="303") == 1


def test_a_page_that_fails_counts_as_failed(
    twins: TwinShops, added: Callable[..., float], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = twins.client()
    monkeypatch.setattr(twins.portal.people, "members", None)
    assert client.get(f"/shops/{PLAIN}/members").status_code == 500
    assert added("jishi_portal_requests_total", page="/shops/{shop_id}/members", method="GET", status="500") == 1


def test_a_form_that_breaks_off_is_no_failure_of_the_portals(twins: TwinShops, added: Callable[..., float]) -> None:
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"99"), (b"host", b"t")]
    scope = {"type": "http", "method": "POST", "path": "/login", "query_string": b"", "headers": headers, "root_path": ""}
    scope |= {"scheme": "http", "server": ("t", 80), "client": ("c", 1), "http_version": "1.1"}

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        """Nobody reads it."""

    with pytest.raises(ClientDisconnect):
        asyncio.run(twins.app(scope, receive, send))
    labels = {"page": "/login", "method": "POST"}
    assert added("jishi_portal_requests_total", **labels, status=str(CLIENT_GONE)) == 1
    assert added("jishi_portal_requests_total", **labels, status="500") == 0


def test_exports_and_their_rows_are_counted(twins: TwinShops, added: Callable[..., float]) -> None:
    client = twins.client()
    lines = client.get(f"/shops/{PLAIN}/export/orders.csv").text.splitlines()
    assert added("jishi_portal_exports_total", format="csv") == 1
    assert added("jishi_portal_exported_rows_total", format="csv") == len(lines) - 1 > 0
    assert client.get(f"/shops/{PLAIN}/export/orders.pdf").status_code == 404
    assert client.get(f"/shops/{PLAIN}/segments/export.xlsx").status_code == 200
    assert added("jishi_portal_exports_total", format="xlsx") == 1


def test_open_streams_are_those_that_are_open() -> None:
    streams = LiveStreams()
    registry = PortalMetrics(streams).registry
    entered = [(person, streams.enter(person)) for person in (1, 1, 2)]
    assert registry.get_sample_value("jishi_portal_open_streams") == 3
    for each in entered:
        streams.leave(*each)
    assert registry.get_sample_value("jishi_portal_open_streams") == 0
    for _ in range(2 * MOST_OF_A_PERSON):
        streams.enter(3)
    assert registry.get_sample_value("jishi_portal_open_streams") == MOST_OF_A_PERSON


def test_metrics_name_no_shop_and_are_on_no_page_of_the_portal(twins: TwinShops) -> None:
    client = twins.client()
    client.get(f"/shops/{PLAIN}/today")
    assert client.get("/metrics").status_code == 404
    text = generate_latest(twins.portal.metrics.registry).decode()
    assert PLAIN not in text
    assert CANARY not in text
    shown = {
        sample.labels["page"]
        for metric in twins.portal.metrics.registry.collect()
        for sample in metric.samples
        if "page" in sample.labels
    }
    assert shown <= {page.path for page in PAGES} | {"/static/{name}", "/{rest:path}"}
