"""Recommendations over HTTP beside FastAPI over ``implicit``, in one run: ``jishi bench serve --items 1000000``.

A made shop with rules, item-kNN on the item's page and a list of each person at home; visits of 1 to 20 items; half of the
requests are home, half an item's page. Guard, rules, reasons, decision log and exploring are on; last acts come from memory.
The generator runs on the same cores. Rates rise until the 99th percentile exceeds the bound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from bench.open_loop import OpenLoad, run_open_load
from bench.serve_shop import MadeShop, baseline_app, make_engine, paths_of, questions_of, serve_app, serving

RATES = (250, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000, 5000)
BASELINE_RATES = (5, 10, 20, 40, 80, 160, 320, 640)
BOUND_MS, BASELINE_BOUND_MS = 25.0, 250.0


def climb(
    make: Callable[[], FastAPI], workers: int, requests: Sequence[bytes], rates: Sequence[int], bound_ms: float, seconds: float
) -> list[tuple[int, OpenLoad]]:
    """Each rate in turn, until one is not held."""
    loads = []
    with serving(make, workers) as (port, pids):
        _wait(port)
        run_open_load(port, requests, min(rates), seconds / 2, pids)  # warms up
        for rate in rates:
            loads.append((rate, run_open_load(port, requests, rate, seconds, pids)))
            if not loads[-1][1].quantile_ms(0.99) <= bound_ms:
                break
    return loads


def best_of(loads: list[tuple[int, OpenLoad]], bound_ms: float) -> tuple[int, OpenLoad] | None:
    """The highest rate that was held within the bound."""
    return max((each for each in loads if each[1].quantile_ms(0.99) <= bound_ms), key=lambda each: each[0], default=None)


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=60).read()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server does not come up")


def _requests(paths: Sequence[str], key: str) -> list[bytes]:
    return [f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode() for path in paths]


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="jishi bench serve", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each rate")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="requests a second to try")
    chosen = parser.parse_args()
    console = Console(width=120)
    shop = MadeShop.of(chosen.items, chosen.persons)
    questions = questions_of(shop, 5_000)
    table = Table("", "rate", "answers/s", "p50 ms", "p99 ms", "CPU µs", "refused", "unanswered", "steal")
    with tempfile.TemporaryDirectory() as scratch:
        engine, key = make_engine(shop, Path(scratch))
        requests = _requests(paths_of(questions), key)
        ours = climb(partial(serve_app, engine, questions), chosen.workers, requests, chosen.rates, BOUND_MS, chosen.seconds)
    del engine
    theirs = climb(partial(baseline_app, shop), chosen.workers, requests, BASELINE_RATES, BASELINE_BOUND_MS, chosen.seconds)
    for name, loads in (("jishi", ours), ("FastAPI + implicit", theirs)):
        for rate, load in loads:
            quantiles = (f"{load.quantile_ms(share):.1f}" for share in (0.5, 0.99))
            counts = (str(load.refused), str(load.unanswered), f"{100 * load.steal:.1f} %")
            table.add_row(name, str(rate), f"{load.per_s:.0f}", *quantiles, f"{load.cpu_us:.0f}", *counts)
    console.print(table)
    held, baseline = best_of(ours, BOUND_MS), best_of(theirs, BASELINE_BOUND_MS)
    if held is not None and baseline is not None:
        console.print(
            f"{held[0]}/s at p99 {held[1].quantile_ms(0.99):.1f} ms, {held[1].cpu_us:.0f} CPU µs; {held[0] / baseline[0]:.1f} "
            f"times the rate, and {baseline[1].cpu_us / held[1].cpu_us:.1f} times less processor time"
        )
    return 0 if held is not None else 1


if __name__ == "__main__":
    sys.exit(main())
