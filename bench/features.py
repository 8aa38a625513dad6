"""``jishi bench features``: events a second through the feature queries, Flink at parallelism 1, from JSON lines to messages.

The same made log is replayed at two lengths; the rate is the difference of events over the difference of times, so that the
start of the JVM and compiling the queries (told beside it) do not count. Everything that the live job does to a record on its
way to a feature is in it: decoding, fates, deduplication, windows, messages; the archive and Kafka are not.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings
from jishi.tables import BRONZE_EVENTS

FLOOR_PER_S, GOAL_PER_S = 8_000, 20_000
START_MS = 1_788_220_800_000
TYPES = (
    ("item_viewed",) * 14
    + ("item_added_to_cart",) * 2
    + ("search_performed", "recommendation_clicked", "order_paid", "item_shared")
)


def records(count: int, per_s: int, persons: int, items: int, seed: int) -> Iterator[dict[str, Any]]:
    """A log of ``count`` records, ``per_s`` a second: a few doubled and late, some persons and items far ahead of others."""
    chance = random.Random(seed)
    for number in range(count):
        received = START_MS + number * 1000 // per_s
        event_type, item = chance.choice(TYPES), f"i-{int(chance.paretovariate(0.8)) % items}"
        properties: dict[str, Any] = {"item_id": item, "share_id": f"h-{number % 997}"}
        if event_type == "order_paid":
            properties = {"order_id": f"o-{number}", "currency": "CNY", "shipping_minor": 800}
            properties["lines"] = [{"item_id": item, "quantity": 1, "unit_price_minor": 9900, "category": "裙装"}] * 2
        record: dict[str, Any] = dict.fromkeys(BRONZE_EVENTS.columns)
        record |= {
            "collector_id": "bench",
            "seq": number,
            "shop_id": "bench",
            "event_id": f"e-{number - (chance.random() < 0.01)}",
        }
        record |= {"type": event_type, "schema_version": 1, "received_at_ms": received, "collected_at_ms": received}
        record["occurred_at_ms"] = received - (60_000 if chance.random() < 0.01 else chance.randrange(5_000))
        record["person_id"] = record["user_id"] = f"u-{int(chance.paretovariate(0.7)) % persons}"
        record |= {"session_id": f"s-{number % 20_000}", "log_partition": 0, "log_offset": number}
        if event_type in ("item_viewed", "item_added_to_cart"):
            record |= {"item_id": item, "category": f"c-{number % 40}", "unit_price_minor": 100 * (number % 500), "quantity": 1}
        elif event_type != "order_paid":
            record["item_id"] = item
        yield record | {"line": orjson.dumps({"type": event_type, "properties": properties}).decode()}


def replayed_s(folder: Path, log: list[dict[str, Any]], views: str) -> tuple[float, int]:
    """Seconds that Flink takes for the log once its JVM is there, and messages. Raises RuntimeError with its last lines."""
    source = folder / "log"
    source.mkdir(parents=True)
    with (source / "part-0.jsonl").open("wb") as file:
        file.writelines(orjson.dumps(record) + b"\n" for record in log)
    settings = get_settings()
    command = [str(Paths.of(settings).python("flink")), "-m", "flink_jobs.replay", "--views", views]
    command += ["--source", str(source), "--target", str(folder / "out")]
    environment = os.environ | {"JISHI_ENVS": str(settings.envs)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT, env=environment)
    told = re.search(r"replayed in ([0-9.]+) s", done.stdout)
    if told is None:
        raise RuntimeError(done.stderr[-2000:])
    messages = sum(file.read_bytes().count(b"\n") for file in (folder / "out" / "features").glob("part-*"))
    return float(told[1]), messages


def main() -> None:
    """Measure and print one line a set of views; exit code 1 when the live ones stay below the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench features", description="Rate of the feature queries in Flink.")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--views", choices=("live", "all"), action="append", help="may repeat; both if left out")
    chosen = parser.parse_args()
    log = list(records(chosen.events, per_s=200, persons=20_000, items=2_000, seed=7))
    is_slow = False
    for views in chosen.views or ("live", "all"):
        with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
            start_s, _ = replayed_s(Path(name) / "few", log[:1000], views)
            took_s, messages = replayed_s(Path(name) / "many", log, views)
        rate = (len(log) - 1000) / max(took_s - start_s, 0.1)
        told = f"{len(log):,} events, {messages:,} messages, {took_s:.1f} s of which {start_s:.1f} s start"
        print(f"{views} views: {rate:,.0f} events/s ({told})", flush=True)
        is_slow |= views == "live" and rate < FLOOR_PER_S
    load = os.getloadavg()[0]
    print(f"floor {FLOOR_PER_S:,}, goal {GOAL_PER_S:,}; parallelism 1; load average {load:.1f} on {os.cpu_count()} cores")
    sys.exit(1 if is_slow else 0)


if __name__ == "__main__":
    main()
