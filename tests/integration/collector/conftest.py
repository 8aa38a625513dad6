"""The collector as real processes in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from collector.wal.durable import read_durable
from collector.wal.reader import first_position, read_entries
from collector.wal.segments import Position
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from ops.ports import free_port


@dataclass
class CollectorFolder:
    """A state folder with one shop, and the processes that a test started on it; ``program`` is what they run."""

    paths: Paths
    settings: Settings
    key: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    program: tuple[str, ...] = ("-m", "collector")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.collector_port}"

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ``python -m collector …``, or another program, with output to a log file."""
        environment = os.environ | {
            "JISHI_VAR": str(self.paths.var),
            "JISHI_COLLECTOR_PORT": str(self.settings.collector_port),
            "JISHI_WAL_SEGMENT_BYTES": str(self.settings.wal_segment_bytes),
            "JISHI_WAL_KEEP_S": str(self.settings.wal_keep_s),
            "JISHI_COLLECTOR_EVENTS_PER_S": str(self.settings.collector_events_per_s),
            "JISHI_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
        }
        command = [sys.executable, *self.program, *arguments]
        with (self.paths.var / f"{arguments[0]}.log").open("ab") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        self.processes.append(process)
        return process

    def serve(self) -> subprocess.Popen[bytes]:
        """Start the intake and wait until it is ready."""
        process = self.start("serve")
        deadline = time.monotonic() + 180
        while True:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return process
            except httpx.TransportError:
                pass
            assert process.poll() is None, (self.paths.var / "serve.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60)

    def stored(self) -> list[dict[str, Any]]:
        """Everything that lies in the write-ahead log."""
        durable = read_durable(self.paths.wal) or Position()
        position = first_position(self.paths.wal)
        rows: list[dict[str, Any]] = []
        while entries := read_entries(self.paths.wal, position, durable):
            rows += [orjson.loads(entry.body) for entry in entries]
            position = entries[-1].after
        return rows

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[Callable[..., CollectorFolder]]:
    """A folder with the settings that a test asks for; its processes die with the test."""
    places: list[CollectorFolder] = []

    def make(**options: Any) -> CollectorFolder:
        settings = Settings(var=tmp_path, collector_port=free_port(), **options)
        paths = Paths.of(settings)
        shops = Shops()
        shops.add(Shop(shop_id="a", name="a"))
        key = shops.issue_key("a", "write")
        shops.save(paths.shops_file)
        paths.client_keys_file.parent.mkdir(parents=True)
        paths.client_keys_file.write_text(json.dumps({"a": {"write": key, "read": "unused"}}))
        places.append(CollectorFolder(paths, settings, key))
        return places[-1]

    yield make
    for place in places:
        place.stop()


@pytest.fixture
def viewed() -> Callable[..., dict[str, Any]]:
    """A good event of one person."""

    def make(event_id: str, person: str = "u-1") -> dict[str, Any]:
        return {
            "event_id": event_id,
            "shop_id": "a",
            "type": "item_viewed",
            "occurred_at": "2026-11-23T08:00:00.123Z",
            "user_id": person,
            "properties": {"item_id": "i-1"},
        }

    return make


@pytest.fixture
def unused_ports() -> tuple[int, int]:
    """Two free ports."""
    return free_port(), free_port()
