"""An acknowledgement is a promise: it holds through ``kill -9`` under load and through a full disk."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration

Viewed = Callable[..., dict[str, Any]]


class ClientLedger:
    """What the shop sent and what it was told, kept outside the collector."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()

    def send_until(self, place: Any, viewed: Viewed, name: str, stop: threading.Event) -> None:
        """Post batches one after another; never the same event twice."""
        number = 0
        with place.client() as client:
            while not stop.is_set():
                ids = [f"{name}-{number + i}" for i in range(7)]
                number += len(ids)
                with self.lock:
                    self.sent.update(ids)
                try:
                    answer = client.post("/v1/events", json=[viewed(event_id) for event_id in ids])
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    with self.lock:
                        self.acknowledged.update(ids)


def test_every_acknowledged_event_survives_kill_9_exactly_once(make_place: Callable[..., Any], viewed: Viewed) -> None:
    place = make_place(wal_segment_bytes=64_000)
    ledger, stop = ClientLedger(), threading.Event()
    senders = [threading.Thread(target=ledger.send_until, args=(place, viewed, f"s{i}", stop)) for i in range(4)]
    server = place.serve()
    for sender in senders:
        sender.start()
    try:
        for _ in range(3):
            wanted = len(ledger.acknowledged) + 200
            while len(ledger.acknowledged) < wanted:
                time.sleep(0.01)
            server.send_signal(signal.SIGKILL)
            server.wait()
            server = place.serve()
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    kept = place.stored()
    assert [record["seq"] for record in kept] == list(range(len(kept)))
    assert len({record["collector_id"] for record in kept}) == 1
    times = Counter(record["event_id"] for record in kept)
    assert set(times.values()) == {1}
    assert ledger.acknowledged <= set(times) <= ledger.sent
    server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0
    counted = subprocess.run(
        [*server.args[:3], "accepted", "--json"],
        env={"JISHI_VAR": str(place.paths.var)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(counted.stdout) == {"a": len(kept)}
    assert list(place.paths.wal.glob("*.counts.json"))


def test_a_full_disk_is_told_acknowledges_nothing_and_heals(make_place: Callable[..., Any], viewed: Viewed) -> None:
    place = make_place()
    server = place.serve()
    with place.client() as client:
        assert client.post("/v1/events", json=[viewed("before")]).status_code == 200
        size = next(place.paths.wal.glob("segment-*.log")).stat().st_size
        # No file of the process may grow beyond this: the batch fits in part, as on a disk that runs full.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
        for _ in range(3):
            answer = client.post("/v1/events", json=[viewed("lost-1"), viewed("lost-2")])
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "disk_failing"
            assert int(answer.headers["Retry-After"]) > 0
        assert next(place.paths.wal.glob("segment-*.log")).stat().st_size == size
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.post("/v1/events", json=[viewed("after")]).status_code == 200
        assert client.get("/readyz").status_code == 200
    assert [record["event_id"] for record in place.stored()] == ["before", "after"]


def test_a_second_collector_on_the_same_log_is_told_so(make_place: Callable[..., Any]) -> None:
    place = make_place()
    place.serve()
    place.settings.collector_port = 0
    second = place.start("serve")
    assert second.wait(20) == 2
    assert "is used by another running process" in (place.paths.var / "serve.log").read_text()


def test_send_posts_a_file_and_names_a_bad_line(make_place: Callable[..., Any], viewed: Viewed) -> None:
    place = make_place()
    place.serve()
    file = place.paths.var / "events.jsonl"
    events = [viewed(f"e-{i}") for i in range(25)]
    file.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"type": "item_viewed", "shop_id": "a"}\n')
    assert place.start("send", str(file), "--shop", "a", "--batch", "10").wait(20) == 0
    assert [r["event_id"] for r in place.stored()] == [*(e["event_id"] for e in events), None]
    assert "of them in quarantine: missing_field" in (place.paths.var / "send.log").read_text()
    file.write_text('{"type": "item_viewed"}\n{"type": \n')
    assert place.start("send", str(file), "--shop", "a").wait(20) == 2
    assert "line 2 is not JSON" in (place.paths.var / "send.log").read_text()
    assert place.start("send", str(file), "--shop", "b").wait(20) == 2
    assert "holds no key of shop 'b'" in (place.paths.var / "send.log").read_text()


def test_send_waits_when_it_is_told_to(make_place: Callable[..., Any], viewed: Viewed) -> None:
    place = make_place(collector_events_per_s=50)  # and 500 at once, a full request
    place.serve()
    file = place.paths.var / "events.jsonl"
    file.write_text("".join(json.dumps(viewed(f"e-{i}")) + "\n" for i in range(600)))
    began = time.monotonic()
    assert place.start("send", str(file), "--shop", "a").wait(60) == 0
    assert time.monotonic() - began >= (600 - 500) / 50  # the bucket cannot have given them earlier
    assert [record["event_id"] for record in place.stored()] == [f"e-{i}" for i in range(600)]


def test_a_taken_port_is_named_with_its_setting(make_place: Callable[..., Any]) -> None:
    place = make_place()
    with socket.create_server(("127.0.0.1", place.settings.collector_port)):
        assert place.start("serve").wait(20) == 2
    assert "set JISHI_COLLECTOR_PORT to a free port" in (place.paths.var / "serve.log").read_text()
