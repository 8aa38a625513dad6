"""A switch of releases while serving: ``jishi bench release --items 1000000``.

Workers of serving answer an open-loop load from one release; then another one of the same size is published, and each loads it,
verifies it, joins it with its catalogue, tries it and switches, as it does every night. Compared are the 99th percentiles of
latency before and from the publication until the last worker has switched. Half of the requests are home, half an item's page;
the generator runs on the same cores.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from rich.console import Console

from bench.memory import SHOP, made_item, write_made_release
from bench.open_loop import OpenLoad, run_open_load
from bench.serve_shop import serve_app, serving
from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from serving.engine import Engine

FLOOR = 2.0
PART_S = 2.0  # of load, after which is asked whether all have switched
MOST_S = 300.0


@dataclass(frozen=True)
class Switched:
    """Latencies before the publication and until all workers had switched, and seconds that each worker took."""

    before: OpenLoad
    during: OpenLoad
    after: OpenLoad
    seconds: list[float]


def made_engine(var: Path, items: int, persons: int) -> tuple[Engine, str]:
    """An engine with the catalogue, two releases on disk of which the first is in use, and a read key."""
    settings = Settings(var=var, _env_file=None)
    paths, shops = Paths.of(settings), Shops()
    shops.add(Shop(shop_id=SHOP, name=SHOP))
    key = shops.issue_key(SHOP, "read")
    shops.save(paths.shops_file)
    releases = paths.models / SHOP / "releases"
    for version, seed in (("v1", 7), ("v2", 8)):
        write_made_release(releases / version, items, persons, seed)
    write_atomically(releases.parent / "CURRENT", "v1\n")
    engine = Engine.of(settings, paths)
    engine.keys.reload()
    engine.stream.has_caught_up = True
    engine.states.of(SHOP).use_snapshot({item.item_id: item for item in map(made_item, range(items))})
    engine.watcher.look_at_releases()
    engine.recent.last_acts = lambda *_: []  # type: ignore[method-assign]
    if (problem := engine.states.of(SHOP).release.problem) is not None:
        raise RuntimeError(problem)
    gc.freeze()
    return engine, key


def watching_app(engine: Engine, folder: Path) -> FastAPI:
    """The application with the thread that follows releases; a file of this process says when it has switched to the second."""
    engine.watcher.looked.set()
    never = threading.Event()
    threading.Thread(target=engine.watcher.run_releases, args=(never,), daemon=True).start()

    def report() -> None:
        while engine.states.of(SHOP).release.version != "v2":
            if never.wait(0.02):
                return
        write_atomically(folder / str(os.getpid()), str(time.time()))

    threading.Thread(target=report, daemon=True).start()
    return serve_app(engine)


def measure(items: int, persons: int, workers: int, per_s: float, seconds: float, parent: Path | None = None) -> Switched:
    """Serve, publish, serve until all have switched, serve on. Raises RuntimeError where a worker never does."""
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=parent) as name:
        var = Path(name)
        engine, key = made_engine(var, items, persons)
        requests = requests_of(items, persons, key)
        (switches := var / "switched").mkdir()
        with serving(partial(watching_app, engine, switches), workers) as (port, pids):
            run = partial(run_open_load, port, requests, per_s, pids=pids)
            run(seconds=seconds)  # warms up
            before = run(seconds=seconds)
            began = time.time()
            write_atomically(Paths.of(engine.settings).models / SHOP / "CURRENT", "v2\n")
            parts = [run(seconds=PART_S)]
            while len(list(switches.iterdir())) < workers:
                if time.time() - began > MOST_S:
                    raise RuntimeError(f"a worker has not switched within {MOST_S:.0f} s")
                parts.append(run(seconds=PART_S))
            after = run(seconds=seconds)
        took = [float(file.read_text()) - began for file in switches.iterdir()]
        shutil.rmtree(var / "models", ignore_errors=True)
    return Switched(before, _together(parts), after, took)


def requests_of(items: int, persons: int, key: str, count: int = 4_000) -> Sequence[bytes]:
    """Half of them home, half an item's page."""
    rng = np.random.default_rng(3)
    head = f"/v1/shops/{SHOP}/recommendations?limit=10"
    paths = [
        f"{head}&user_id={person}" if number % 2 else f"{head}&user_id={person}&placement=item&item_id=i-{item}"
        for number, (person, item) in enumerate(
            zip(rng.integers(0, persons, count).tolist(), rng.integers(0, items, count).tolist(), strict=True)
        )
    ]
    return [f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode() for path in paths]


def _together(parts: Sequence[OpenLoad]) -> OpenLoad:
    load = OpenLoad(seconds=sum(part.seconds for part in parts), steal=max(part.steal for part in parts))
    for part in parts:
        load.latencies_s += part.latencies_s
        load.refused += part.refused
        load.unanswered += part.unanswered
        load.cpu_s += part.cpu_s
    return load


def main() -> int:
    """Print the figures; exit with 1 above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench release", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--persons", type=int, help="as many as items if left out")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="before and after the switch")
    chosen = parser.parse_args()
    result = measure(chosen.items, chosen.persons or chosen.items, chosen.workers, chosen.rate, chosen.seconds)
    figures = {}
    for name in ("before", "during", "after"):
        load: OpenLoad = getattr(result, name)
        quantiles = {f"{text}_ms": round(load.quantile_ms(share), 1) for text, share in (("p50", 0.5), ("p99", 0.99))}
        figures[name] = {"answers": len(load.latencies_s), "refused": load.refused, "unanswered": load.unanswered, **quantiles}
        print(f"{name:8} {json.dumps(figures[name])}, steal {load.steal:.1%}")
    ratio = result.during.quantile_ms(0.99) / result.before.quantile_ms(0.99)
    took = ", ".join(f"{seconds:.1f}" for seconds in sorted(result.seconds))
    Console(width=120).print(
        f"{chosen.items} items, {chosen.rate:g}/s: p99 {ratio:.1f} times that before (floor {FLOOR:g}); "
        f"workers switched after {took} s; load average {os.getloadavg()[0]:.1f}",
        highlight=False,
    )
    return 0 if ratio <= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
