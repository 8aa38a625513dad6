"""``jishi bench board``: seconds to each page of the portal over a shop of ten million events, one visitor, p95.

Floor 2 s, goal 0.5 s for the slowest page. ``--var`` keeps the shop, so that it is made once for several runs and for
``jishi bench merchants``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.portal_load import built_shop, logged_in, page_addresses, quantile, running_portal, shop_settings, timed_get
from jishi.lake.versions import Versions

FLOOR_S, GOAL_S = 2.0, 0.5


def measure(var: Path, events: int, rounds: int) -> dict[str, Any]:
    """p50 and p95 of each address; the shop is made where ``var`` has none."""
    settings = shop_settings(var)
    result: dict[str, Any] = {}
    if Versions.of(settings).latest() is None:
        result["events"], result["marts_s"] = built_shop(var, events)
    addresses, result["left_out"] = page_addresses()
    seconds: dict[str, list[float]] = {address: [] for address in addresses}
    with running_portal(var) as base, logged_in(settings, base, os.getpid()) as client:
        for number in range(rounds + 1):
            for address in addresses:
                taken = timed_get(client, address)
                if number > 0:  # the first round opens the marts and compiles templates
                    seconds[address].append(taken)
    result["pages"] = {address: (quantile(each, 0.5), quantile(each, 0.95)) for address, each in seconds.items()}
    result["slowest"] = max(result["pages"], key=lambda address: result["pages"][address][1])
    result["slowest_p95_s"] = result["pages"][result["slowest"]][1]
    result["load_average"] = round(os.getloadavg()[0], 1)
    return result


def main() -> int:
    """Measure and print; exit code 1 when the slowest page is above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench board", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="times that each page is asked for")
    parser.add_argument("--var", type=user_path, help="a folder to keep the shop in; a temporary one if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
        result = measure(chosen.var or Path(name) / "var", chosen.events, chosen.rounds)
    if chosen.json:
        print(json.dumps(result))
    else:
        table = Table("page", "p50 s", "p95 s")
        for address, (middle, high) in sorted(result.pop("pages").items(), key=lambda page: -page[1][1]):
            table.add_row(address, f"{middle:.3f}", f"{high:.3f}")
        console = Console(width=None if sys.stdout.isatty() else 140)
        console.print(table)
        console.print(result, f"floor {FLOOR_S} s, goal {GOAL_S} s")
    return 1 if result["slowest_p95_s"] > FLOOR_S else 0


if __name__ == "__main__":
    sys.exit(main())
