"""A platform to break: the parts between a storefront and the online store, with a state folder and ports of their own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from chaos.shim import Shim, compiled_shim
from chaos.shopper import SHOP
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from ops import airflow
from ops.lifecycle import down, up
from ops.parts import Part, parts
from ops.ports import free_ports
from ops.state import empty
from ops.supervisor import states

Store = Literal["redis", "sqlite"]
NAMES = frozenset({"kafka", "collector", "forwarder", "flink", "feature_writer"})
_PORTS = ("kafka_controller_port", "collector_port", "flink_port", "feature_writer_port", "serving_port")


@dataclass(frozen=True)
class Stage:
    """The platform: its settings, the shop's keys, and the shim of the collector's and the forwarder's disk and clock.

    ``read_key`` is that of a platform that answers with lists; of others it is empty.
    """

    settings: Settings
    key: str
    shim: Shim | None
    read_key: str = ""

    @property
    def paths(self) -> Paths:
        """Where its state lies."""
        return Paths.of(self.settings)

    @property
    def url(self) -> str:
        """The collector."""
        return f"http://{self.settings.host}:{self.settings.collector_port}"

    def up(self, progress: Callable[[str], None]) -> None:
        """Start the parts and wait until they are healthy. Raises ops.lifecycle.PlatformError."""
        up(self.settings, progress, self._parts())

    def down(self) -> None:
        """Stop every process."""
        down(self.settings, lambda line: None)

    def pid(self, name: str) -> int | None:
        """The process of a part, ``flink_jvm`` and ``serving_worker`` (the newest) included; None while there is none."""
        if name == "flink_jvm":
            note = self.paths.run / "flink-jvm.json"
            return int(json.loads(note.read_text())["pid"]) if note.exists() else None
        if name == "serving_worker":
            workers = self.serving_workers()
            return workers[-1] if workers else None
        return states(self.paths).get(name, {}).get("pid") or None

    def serving_workers(self) -> list[int]:
        """Processes of serving that answer, as the one that watches them started them."""
        watcher = self.pid("serving")
        if watcher is None or not psutil.pid_exists(watcher):
            return []
        return [child.pid for child in psutil.Process(watcher).children() if child.status() != psutil.STATUS_ZOMBIE]

    def _parts(self) -> list[Part]:
        airflow.write_secrets(self.paths)
        names = NAMES | {"serving"} if self.read_key else NAMES
        chosen = [part for part in parts(self.settings, self.paths) if part.name in names]
        if self.shim is not None:
            shimmed = ("collector", "forwarder")
            chosen = [replace(p, environment=self.shim.environment) if p.name in shimmed else p for p in chosen]
        return [*chosen, _redis(self.settings, self.paths)] if self.settings.online_store == "redis" else chosen


def make_stage(folder: Path, envs: Path, store: Store, *, serving_workers: int = 0) -> Stage:
    """An empty platform in ``folder`` on free ports; this process and the parts read its settings from the environment.

    With ``serving_workers`` it answers with lists, too. Raises ops.state.NotOurState, chaos.shim.ShimFailed.
    """
    kafka_port, redis_port, *others = free_ports(len(_PORTS) + 2)
    values: dict[str, Any] = dict(zip(_PORTS, others, strict=True))
    values |= {"var": folder, "envs": envs, "kafka_bootstrap": f"127.0.0.1:{kafka_port}"}
    values |= {"online_store": store, "redis_url": f"127.0.0.1:{redis_port}", "serving_workers": max(1, serving_workers)}
    settings = Settings(_env_file=None, **values)
    os.environ.update({f"JISHI_{name.upper()}": str(value) for name, value in values.items()})
    paths = Paths.of(settings)
    empty(folder)
    shops = Shops()
    shops.add(Shop(shop_id=SHOP, name="Chaos"))
    key = shops.issue_key(SHOP, "write")
    read_key = shops.issue_key(SHOP, "read") if serving_workers else ""
    shops.save(paths.shops_file)
    return Stage(settings, key, compiled_shim(paths.run / "chaos", paths.wal), read_key)


def chosen_store(wanted: Store | None) -> Store:
    """Redis where its server is installed, else SQLite, unless given otherwise. Raises FileNotFoundError without a server."""
    if wanted == "redis" and shutil.which("redis-server") is None:
        raise FileNotFoundError("redis-server is not installed (Debian: apt-get install redis-server)")
    return wanted or ("redis" if shutil.which("redis-server") else "sqlite")


def _redis(settings: Settings, paths: Paths) -> Part:
    """Redis that has each write in its append-only file before it answers, so that a kill of the process loses none."""
    folder = paths.features / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    port = settings.redis_url.rsplit(":", 1)[1]
    options = ["--port", port, "--bind", settings.host, "--save", "", "--appendonly", "yes", "--dir", str(folder)]
    return Part("redis", [str(shutil.which("redis-server")), *options], port=int(port), port_setting="JISHI_REDIS_URL")
