"""``jishi bench feature-read``: milliseconds to read 100 items × 50 features, serving's table in memory beside Feast.

All hold the same rows of one shop: serving's table, and a Redis server that Feast reads in this process, as precomputed vectors
of a feature service (``precompute_online``), and behind ``feast serve``. Items are drawn anew for every read, and the readers
take turns, so that what else the machine does meets all of them. What they read is compared first.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from jishi import feast_import
from jishi.features.newest import KeptRow
from ops.kafka import wait_for_port
from ops.ports import free_port
from serving.features.reader import FeatureReader
from serving.features.table import FeatureTable
from serving.features.views import ReadView

SHOP, VIEW, PLAIN, PRECOMPUTED = "bench", "bench_items", "plain", "precomputed"
FEATURES = tuple(f"feature_{number:02}" for number in range(50))
READ = 100
FLOOR, P99_MS, GOAL_MS = 10.0, 5.0, 1.0
Read = Callable[[list[str]], np.ndarray]


def in_memory(values: np.ndarray, item_ids: list[str], now_ms: int) -> Read:
    """Serving's reader over a table that has every row."""
    view = ReadView(VIEW, "item", FEATURES, FEATURES, members=(), is_live=False)
    table = FeatureTable({VIEW: view})
    rows = (KeptRow(now_ms * 1000, 0, dict(zip(FEATURES, row, strict=True))) for row in values.tolist())
    table.put_stored(VIEW, SHOP, dict(zip(item_ids, rows, strict=True)), time.monotonic())
    reader = FeatureReader(table)
    return lambda asked: reader.numbers([VIEW], SHOP, asked, now_ms)


def feast_store(folder: Path, redis: int, values: np.ndarray, item_ids: list[str], at: datetime) -> Any:
    """A feature store with the same rows, and a service of plain reads and one of precomputed vectors."""
    feast_import.prepare()
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Int64

    config = {
        "project": "bench",
        "provider": "local",
        "registry": str(folder / "registry.db"),
        "online_store": {"type": "redis", "connection_string": f"127.0.0.1:{redis}"},
        "offline_store": {"type": "duckdb"},
        "entity_key_serialization_version": 3,
    }
    (folder / "feature_store.yaml").write_text(yaml.safe_dump(config))
    entities = [Entity(name=name, join_keys=[f"{name}_id"], value_type=ValueType.STRING) for name in ("shop", "item")]
    view = FeatureView(
        name=VIEW,
        entities=entities,
        schema=[Field(name=name, dtype=Int64) for name in FEATURES],
        source=FileSource(name=VIEW, path=str(folder / "none.parquet"), timestamp_field="event_timestamp"),
        ttl=timedelta(0),
    )
    services = [
        FeatureService(name=PLAIN, features=[view]),
        FeatureService(name=PRECOMPUTED, features=[view], precompute_online=True),
    ]
    store = FeatureStore(repo_path=str(folder))
    frame = pd.DataFrame(values, columns=list(FEATURES)).assign(shop_id=SHOP, item_id=item_ids, event_timestamp=at)
    frame.head(1).to_parquet(folder / "none.parquet")
    store.apply([*entities, view, *services])
    store.write_to_online_store(VIEW, frame)
    store.precompute_feature_service(PRECOMPUTED)
    return store


def through_sdk(store: Any, service: str) -> Read:
    """Feast in this process."""
    named = store.get_feature_service(service)

    def read(asked: list[str]) -> np.ndarray:
        rows = [{"shop_id": SHOP, "item_id": item_id} for item_id in asked]
        columns = store.get_online_features(named, rows, full_feature_names=True).to_dict()
        return np.column_stack([columns[f"{VIEW}__{name}"] for name in FEATURES])

    return read


def through_server(port: int) -> Read:
    """``feast serve`` over HTTP."""

    def read(asked: list[str]) -> np.ndarray:
        body = {"feature_service": PLAIN, "entities": {"shop_id": [SHOP] * len(asked), "item_id": asked}}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/get-online-features", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            payload = json.load(answer)
        columns = dict(zip(payload["metadata"]["feature_names"], payload["results"], strict=True))
        return np.column_stack([columns[name]["values"] for name in FEATURES])

    return read


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A server until the block ends."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port("127.0.0.1", port, 90)
        yield
    finally:
        process.terminate()
        process.wait(30)


def measure(reads: dict[str, Read], asked: list[list[str]]) -> dict[str, np.ndarray]:
    """Milliseconds of each read by reader, turn by turn."""
    taken: dict[str, list[float]] = {name: [] for name in reads}
    for items in asked:
        for name, read in reads.items():
            began = time.perf_counter()
            read(items)
            taken[name].append((time.perf_counter() - began) * 1000)
    return {name: np.array(values) for name, values in taken.items()}


def main() -> int:
    """Measure, print, and exit with 1 below the floor, 2 where what is read differs."""
    parser = argparse.ArgumentParser(prog="jishi bench feature-read", description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--reads", type=int, default=200)
    chosen = parser.parse_args()
    redis = shutil.which("redis-server")
    if redis is None:
        sys.exit("bench feature-read: redis-server is not installed (Debian: apt-get install redis-server)")
    rng, at = np.random.default_rng(7), datetime.now(UTC)
    item_ids = [f"item-{number}" for number in range(chosen.items)]
    values = rng.integers(0, 1_000, (chosen.items, len(FEATURES)))
    asked = [rng.choice(item_ids, READ, replace=False).tolist() for _ in range(chosen.reads)]
    with tempfile.TemporaryDirectory() as name:
        folder, port, serve = Path(name), free_port(), free_port()
        redis_command = [redis, "--port", str(port), "--save", "", "--appendonly", "no"]
        with running(redis_command, port, folder):
            store = feast_store(folder, port, values, item_ids, at)
            feast = [str(Path(sys.executable).parent / "feast"), "serve", "--host", "127.0.0.1", "--port", str(serve)]
            with running(feast, serve, folder):
                reads: dict[str, Read] = {
                    "in memory": in_memory(values, item_ids, int(at.timestamp() * 1000)),
                    "feast, precompute_online": through_sdk(store, PRECOMPUTED),
                    "feast, in process": through_sdk(store, PLAIN),
                    "feast serve": through_server(serve),
                }
                first = {name: read(asked[0]) for name, read in reads.items()}
                for name, values_read in first.items():
                    if not np.array_equal(values_read, first["in memory"]):
                        print(f"{name} reads other values", file=sys.stderr)
                        return 2
                measure(reads, asked[:5])
                taken = measure(reads, asked)
    result: dict[str, Any] = {
        name: {"p50_ms": round(float(np.median(ms)), 3), "p99_ms": round(float(np.quantile(ms, 0.99)), 3)}
        for name, ms in taken.items()
    }
    mine = result["in memory"]
    result["ratio"] = {name: round(each["p50_ms"] / mine["p50_ms"], 1) for name, each in result.items() if name != "in memory"}
    result["load_average"] = [round(value, 1) for value in os.getloadavg()]
    print("\n".join(f"{name:28} {value}" for name, value in result.items()))
    print(f"{READ} × {len(FEATURES)}: floor {FLOOR:g}x and p99 {P99_MS:g} ms, goal p99 {GOAL_MS:g} ms", file=sys.stderr)
    return 0 if min(result["ratio"].values()) >= FLOOR and mine["p99_ms"] <= P99_MS else 1


if __name__ == "__main__":
    sys.exit(main())
