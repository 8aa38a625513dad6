"""``jishi bench merchants``: twenty members of a shop of ten million events who turn pages of the portal at once, p95.

Floor 5 s, goal 2 s. Each asks for the next page as soon as the one before is there, which no person does, and, where a page
lets days be chosen, for other days than anybody before, so that no answer to these is one that was kept for another.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import user_path
from bench.big_shop import SHOP
from bench.portal_load import LAST_DAY, built_shop, logged_in, quantile, running_portal, shop_settings, timed_get
from dashboard.portal.sections import SECTIONS
from jishi.lake.versions import Versions

FLOOR_S, GOAL_S = 5.0, 2.0


def measure(var: Path, events: int, merchants: int, duration_s: float) -> dict[str, Any]:
    """Quantiles over all pages that all merchants got; the shop is made where ``var`` has none."""
    settings = shop_settings(var)
    if Versions.of(settings).latest() is None:
        built_shop(var, events)
    pages = [f"/shops/{SHOP}/{section.name}" for section in SECTIONS]
    with running_portal(var) as base, ExitStack() as open_clients, ThreadPoolExecutor(merchants) as threads:
        clients = [open_clients.enter_context(logged_in(settings, base, n + 1000 * os.getpid())) for n in range(merchants)]
        for page in pages:
            timed_get(clients[0], page)
        until = time.monotonic() + duration_s

        def turn_pages(number: int) -> list[float]:
            seconds: list[float] = []
            while time.monotonic() < until:
                page = pages[(number + len(seconds)) % len(pages)]
                seconds.append(timed_get(clients[number], f"{page}?{_days(number * 1000 + len(seconds))}"))
            return seconds

        seconds = [taken for each in threads.map(turn_pages, range(merchants)) for taken in each]
    quantiles = {"p50_s": quantile(seconds, 0.5), "p95_s": quantile(seconds, 0.95), "p99_s": quantile(seconds, 0.99)}
    load = round(os.getloadavg()[0], 1)
    return {"merchants": merchants, "pages": len(seconds)} | quantiles | {"load_average": load}


def _days(turn: int) -> str:
    """Days as an address, others for each of 20,000 turns; a page that knows none of its fields passes over them."""
    last = LAST_DAY - timedelta(days=turn % 250)
    return f"from={last - timedelta(days=6 + turn // 250 % 80)}&to={last}&days={(7, 30, 90)[turn % 3]}"


def main() -> int:
    """Measure and print; exit code 1 when p95 is above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench merchants", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--merchants", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--var", type=user_path, help="a folder that has the shop, or is to keep it")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
        result = measure(chosen.var or Path(name) / "var", chosen.events, chosen.merchants, chosen.seconds)
    if chosen.json:
        print(json.dumps(result))
    else:
        Console(width=140).print(result, f"floor {FLOOR_S} s, goal {GOAL_S} s")
    return 1 if result["p95_s"] > FLOOR_S else 0


if __name__ == "__main__":
    sys.exit(main())
