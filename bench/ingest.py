"""``jishi bench ingest``: acknowledged events a second, next to a plain FastAPI intake, in one run on one machine.

Both acknowledge only what is synced to disk. The collector gets batches of 50 over HTTP, the baseline one event a request;
both get the same events, as many connections and as many seconds, one after the other. The client runs on the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import user_path
from bench.http_load import Load, request, run_load
from jishi.shops import Shop, Shops
from ops.ports import free_port

BATCH = 50
FLOOR_PER_S, FLOOR_RATIO, GOAL_PER_S = 6_000, 5.0, 12_000
_ROOT = Path(__file__).resolve().parent.parent


def event(number: int) -> dict[str, Any]:
    """A view of an item as a storefront sends it, about 400 bytes."""
    return {
        "event_id": f"bench-{number:09}",
        "shop_id": "bench",
        "type": "item_viewed",
        "occurred_at": "2026-11-24T08:00:00.123+08:00",
        "anonymous_id": f"a-{number % 5000}",
        "user_id": f"u-{number % 5000}",
        "session_id": f"s-{number % 20000}",
        "context": {"channel": "wechat", "campaign": "autumn", "referrer": "moments", "device": "ios", "city": "杭州"},
        "properties": {"item_id": f"i-{number % 3000}", "category": "裙装", "unit_price_minor": 19900},
    }


def requests_of(count: int, batch: int, path: str, port: int, headers: dict[str, str], first: int = 0) -> list[bytes]:
    """Requests with ``count`` different events, ``batch`` in each (1: the bare event)."""
    requests = []
    for start in range(first, first + count, batch):
        events = [event(start + i) for i in range(batch)]
        body = json.dumps(events if batch > 1 else events[0], ensure_ascii=False).encode()
        requests.append(request(path, f"127.0.0.1:{port}", body, headers | {"Content-Type": "application/json"}))
    return requests


@contextmanager
def server(command: list[str], port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server process from when it listens until the block ends."""
    process = subprocess.Popen(command, cwd=_ROOT, env=os.environ | environment)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the server did not start: {' '.join(command)}")
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def measure_collector(folder: Path, seconds: float, connections: int, profile: Path | None) -> Load:
    """Batches of 50 against ``python -m collector serve``; ``profile`` is where its cProfile goes, if anywhere."""
    shops = Shops()
    shops.add(Shop(shop_id="bench", name="bench"))
    key = shops.issue_key("bench", "write")
    shops.save(folder / "shops.json")
    port = free_port()
    environment = {
        "JISHI_VAR": str(folder),
        "JISHI_COLLECTOR_PORT": str(port),
        "JISHI_COLLECTOR_EVENTS_PER_S": "1000000",
    }
    headers = {"Authorization": f"Bearer {key}"}
    warm = requests_of(5_000, BATCH, "/v1/events", port, headers, first=10**8)
    requests = requests_of(int(seconds * 30_000), BATCH, "/v1/events", port, headers)
    entry = ["-m", "cProfile", "-o", str(profile), "-m", "collector"] if profile else ["-m", "collector"]
    with server([sys.executable, *entry, "serve"], port, environment):
        run_load(("127.0.0.1", port), warm, connections, 30)
        return run_load(("127.0.0.1", port), requests, connections, seconds)


def measure_baseline(folder: Path, seconds: float, connections: int) -> Load:
    """Single events against the baseline."""
    port = free_port()
    warm = requests_of(200, 1, "/events", port, {}, first=10**8)
    requests = requests_of(int(seconds * 6_000), 1, "/events", port, {})
    command = [sys.executable, "-m", "bench.ingest_baseline", str(port), str(folder / "baseline.jsonl")]
    with server(command, port, {}):
        run_load(("127.0.0.1", port), warm, connections, 30)
        return run_load(("127.0.0.1", port), requests, connections, seconds)


def main() -> int:
    """Measure, print, and exit with 1 below the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="of each of the two")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--folder", type=user_path, help="where the logs are written; a temporary folder if left out")
    parser.add_argument("--profile", type=user_path, help="write a cProfile of the collector here (it slows it down)")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        ours = measure_collector(folder, chosen.seconds, chosen.connections, chosen.profile)
        plain = measure_baseline(folder, chosen.seconds, chosen.connections)
    for load in (ours, plain):
        if set(load.statuses) != {200}:
            sys.exit(f"not every request was acknowledged: {load.statuses}")
    rate, plain_rate = BATCH * ours.statuses[200] / ours.seconds, plain.statuses[200] / plain.seconds
    result = {
        "collector_events_per_s": round(rate),
        "collector_p50_ms": round(ours.quantile_ms(0.5), 1),
        "collector_p99_ms": round(ours.quantile_ms(0.99), 1),
        "baseline_events_per_s": round(plain_rate),
        "baseline_p99_ms": round(plain.quantile_ms(0.99), 1),
        "ratio": round(rate / plain_rate, 1),
        "load_average": [round(value, 1) for value in os.getloadavg()],
    }
    if chosen.json:
        print(json.dumps(result))
    else:
        for what, value in result.items():
            print(f"{what:24} {value}")
    return 0 if rate >= FLOOR_PER_S and rate / plain_rate >= FLOOR_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
