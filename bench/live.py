"""``jishi bench live``: from the collector's answer to an order until the open page of the portal shows it.

The real path: collector → write-ahead log → forwarder → Kafka → Flink's counters → Kafka → the portal's reader → the stream
that a browser follows, each by the platform's own command, beside views at a steady rate. The page is read as its script does:
what ``EventSource`` is given takes the place of what stands there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench import user_path
from bench.freshness_load import Probes, send
from bench.small_platform import SHOP, make_shop, platform_settings, running
from dashboard.portal.app import people_of, utc_now
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from ops.kafka import wait_for_port

FLOOR_S, GOAL_S = 5.0, 2.0
SHARES = (0.5, 0.95, 0.99)
LOGIN, PASSWORD = "bench@example.org", "a long enough password"
EVERY_S = 0.5  # between two orders, give or take as much
GIVE_UP_S = 30.0
_ORDERS = re.compile(r'id="now-orders">\s*([\d,]+)')


@dataclass
class Orders:
    """When each order was accepted, and when the page showed that many (monotonic seconds)."""

    accepted: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    is_over: bool = False


@contextmanager
def portal(settings: Settings) -> Iterator[httpx.Client]:
    """A browser that is logged in to a portal of its own."""
    paths = Paths.of(settings)
    people = people_of(paths)
    people.accept(people.invite(LOGIN, SHOP, "owner", utc_now()), "Bench", PASSWORD, utc_now())
    given = {f"JISHI_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    with (paths.log / "portal.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.portal", "serve"],
            stdout=log,
            stderr=log,
            cwd=PROJECT_ROOT,
            env=os.environ | given | {"PYTHONPATH": str(PROJECT_ROOT)},
        )
    try:
        if not wait_for_port(settings.host, settings.portal_port, 60):
            raise RuntimeError(f"the portal did not start; see {paths.log / 'portal.log'}")
        with httpx.Client(base_url=f"http://{settings.host}:{settings.portal_port}", timeout=60) as client:
            token = client.get("/login").text.partition('name="form_token" value="')[2].partition('"')[0]
            client.post("/login", data={"form_token": token, "login": LOGIN, "password": PASSWORD})
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def follow(client: httpx.Client, orders: Orders) -> None:
    """Read the stream as the page does, until all orders are shown or none came for long."""
    with client.stream("GET", f"/shops/{SHOP}/now/stream") as answer:
        if answer.headers["content-type"].partition(";")[0] != "text/event-stream":
            raise RuntimeError(f"the portal answered {answer.status_code} instead of a stream")
        part: list[str] = []
        gives_up_at = None
        for line in answer.iter_lines():
            now = time.monotonic()
            if orders.is_over:
                gives_up_at = gives_up_at or now + GIVE_UP_S
                if len(orders.shown) == len(orders.accepted) or now > gives_up_at:
                    return
            if line:
                part.append(line)
                continue
            shown = _ORDERS.search("\n".join(line.removeprefix("data: ") for line in part))
            part.clear()
            if shown:
                orders.shown += [now] * (int(shown[1].replace(",", "")) - len(orders.shown))


def buy(url: str, key: str, seconds: float, orders: Orders) -> None:
    """Send one order after another at uneven times. Raises RuntimeError when one is not accepted."""
    luck = random.Random(3)
    ends_at = time.monotonic() + seconds
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        while time.monotonic() < ends_at:
            time.sleep(2 * EVERY_S * luck.random())
            number = len(orders.accepted)
            line = {"item_id": f"i-{number % 7}", "quantity": 1, "unit_price_minor": 19900}
            event = {
                "event_id": f"order-{number}",
                "shop_id": SHOP,
                "type": "order_paid",
                "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "user_id": f"u-{number % 50}",
                "properties": {"order_id": f"o-{number}", "currency": "CNY", "lines": [line]},
            }
            answer = client.post(f"{url}/v1/events", json=[event])
            if answer.status_code != 200 or answer.json()["results"][0]["status"] != "accepted":
                raise RuntimeError(f"the collector answered {answer.status_code}: {answer.text[:300]}")
            orders.accepted.append(time.monotonic())


def measured(folder: Path, per_s: int, seconds: float) -> dict[str, float | int]:
    """Seconds from accepted to shown, beside ``per_s`` views a second."""
    settings = platform_settings(folder, get_settings().envs)
    key = make_shop(Paths.of(settings))
    url = f"http://{settings.host}:{settings.collector_port}"
    orders = Orders()
    with running(settings), portal(settings) as browser:
        reader = threading.Thread(target=follow, args=(browser, orders))
        views = threading.Thread(target=send, args=(url, key, per_s, seconds, Probes()))
        reader.start()
        views.start()
        time.sleep(10)  # the processes warm up
        warm = len(orders.accepted)
        buy(url, key, seconds, orders)
        views.join()
        orders.is_over = True
        reader.join()
    waits = sorted(shown - accepted for accepted, shown in zip(orders.accepted, orders.shown, strict=False))[warm:]
    if len(orders.shown) < len(orders.accepted):
        raise RuntimeError(f"{len(orders.accepted)} orders were accepted and the page showed {len(orders.shown)}")
    result = {f"p{share * 100:.0f}_s": round(waits[min(len(waits) - 1, int(share * len(waits)))], 3) for share in SHARES}
    return {"orders": len(waits), "views_per_s": per_s, **result, "max_s": round(waits[-1], 3)}


def main() -> int:
    """Measure and print; exit code 1 above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench live", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-s", type=int, default=100, help="views a second beside the orders")
    parser.add_argument(
        "--folder", type=user_path, help="where the platform's state is written; a temporary folder if left out"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        result = measured(Path(name) / "var", chosen.per_s, chosen.seconds)
    print(json.dumps(result | {"floor_p99_s": FLOOR_S, "goal_p99_s": GOAL_S, "load_average": os.getloadavg()[0]}))
    return 0 if result["p99_s"] <= FLOOR_S else 1


if __name__ == "__main__":
    sys.exit(main())
