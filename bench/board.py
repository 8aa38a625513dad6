"""``jishi bench board``: seconds to each page of the portal and to each chart of Superset over a shop of ten million events.

One visitor, p95; floor 2 s, goal 0.5 s for the slowest page and for the slowest chart, which a guest of the portal asks for.
A page is timed for the first who asks for it after a publication, and again, when its answers are kept.
``--var`` keeps the shop, so that it is made once for several runs and for ``jishi bench merchants``; ``--only`` measures one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.big_shop import SHOP
from bench.portal_load import built_shop, logged_in, page_addresses, quantile, running_portal, shop_settings, timed_get
from bench.superset_load import ANSWER_TIMEOUT_S, chart_requests, guests, running_superset, timed_chart
from jishi.lake.versions import Versions
from jishi.settings import Settings

FLOOR_S, GOAL_S = 2.0, 0.5
_OTHER_DAYS = f"/shops/{SHOP}/channels?from=2026-01-01&to=2026-01-09"


def measure(var: Path, events: int, rounds: int, only: str | None = None) -> dict[str, Any]:
    """p50 and p95 of each address and of each chart; the shop is made where ``var`` has none."""
    settings = shop_settings(var)
    result: dict[str, Any] = {}
    if Versions.of(settings).latest() is None:
        result["events"], result["marts_s"] = built_shop(var, events)
    if only != "charts":
        result |= _pages(settings, rounds)
    if only != "pages":
        result |= _charts(settings, rounds)
    result["load_average"] = round(os.getloadavg()[0], 1)
    return result


def _pages(settings: Settings, rounds: int) -> dict[str, Any]:
    """Of each round both the first visitor of a portal, for whom every answer is read, and one who asks the same after that."""
    addresses, left_out = page_addresses()
    taken: list[dict[str, float]] = []
    for number in range(rounds):
        with running_portal(settings.var) as base, logged_in(settings, base, 1000 * os.getpid() + number) as client:
            timed_get(client, _OTHER_DAYS)  # the metric layer is there, as it is minutes after a publication
            first, again = ({address: timed_get(client, address) for address in addresses} for _ in range(2))
        taken.append({**first, **{f"{address} again": seconds for address, seconds in again.items()}})
    return {"left_out": left_out} | _slowest("page", taken)


def _charts(settings: Settings, rounds: int) -> dict[str, Any]:
    """Charts that are on several boards are asked for on each, by a guest of that board."""
    taken: list[dict[str, float]] = []
    with running_superset(settings) as base, httpx.Client(base_url=base, timeout=ANSWER_TIMEOUT_S) as client:
        requests = chart_requests(settings, client)
        for _ in range(rounds + 1):
            client.cookies.clear()
            tokens = guests(settings, base)  # they last five minutes
            taken.append(
                {
                    f"{board}: {chart}": timed_chart(client, request, tokens[board])
                    for board, charts in requests.items()
                    for chart, request in charts.items()
                }
            )
    return _slowest("chart", taken[1:])


def _slowest(kind: str, taken: list[dict[str, float]]) -> dict[str, Any]:
    """Quantiles of each address over the rounds, and the one with the greatest p95."""
    quantiles = {
        name: (quantile(seconds, 0.5), quantile(seconds, 0.95))
        for name, seconds in ((name, [each[name] for each in taken]) for name in taken[0])
    }
    slowest = max(quantiles, key=lambda name: quantiles[name][1])
    return {f"{kind}s": quantiles, f"slowest_{kind}": slowest, f"slowest_{kind}_p95_s": quantiles[slowest][1]}


def main() -> int:
    """Measure and print; exit code 1 when the slowest page or chart is above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench board", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=10, help="times that each page and chart is asked for")
    parser.add_argument("--only", choices=("pages", "charts"), help="measure one of both")
    parser.add_argument("--var", type=user_path, help="a folder to keep the shop in; a temporary one if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
        result = measure(chosen.var or Path(name) / "var", chosen.events, chosen.rounds, chosen.only)
    if chosen.json:
        print(json.dumps(result))
    else:
        console = Console(width=None if sys.stdout.isatty() else 140)
        for kind in ("page", "chart"):
            table = Table(kind, "p50 s", "p95 s")
            for name, (middle, high) in sorted(result.pop(f"{kind}s", {}).items(), key=lambda each: -each[1][1]):
                table.add_row(name, f"{middle:.3f}", f"{high:.3f}")
            if table.row_count:
                console.print(table)
        console.print(result, f"floor {FLOOR_S} s, goal {GOAL_S} s")
    return int(any(result.get(f"slowest_{kind}_p95_s", 0.0) > FLOOR_S for kind in ("page", "chart")))


if __name__ == "__main__":
    sys.exit(main())
