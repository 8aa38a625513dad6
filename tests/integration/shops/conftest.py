"""A platform without the demo: one simulated shop of another id, currency and zone, and shops that lack almost everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shop_runs import ShopResult, read_run
from jishi.shops import Shop, Shops
from simulator.history import simulate
from simulator.world import SimulationPlan

KISSA = "kissa-42"
BARE, CATALOGUE, VIEWS, ORDERS = "bare", "catalogue-only", "views-only", "orders-only"
SHOPS = (BARE, CATALOGUE, KISSA, ORDERS, VIEWS)
TOKYO = ShopFacts(name="喫茶四十二", time_zone="Asia/Tokyo", currency="JPY")
START, DAYS = datetime(2026, 9, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo")), 20
RUN = "by-hand.first"
AS_OF = "2026-10-15T00:00:00Z"


@dataclass
class ShopPlatform:
    """Folders of a platform and its commands, run as a user runs them; ``truth`` is what the simulator says of the shop."""

    settings: Settings
    truth: Any = None
    printed: dict[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> Paths:
        return Paths.of(self.settings)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "JISHI_VAR": str(self.settings.var),
            "JISHI_SPARK_DRIVER_MEMORY": "1g",
            "PYTHONPATH": str(PROJECT_ROOT),
        }

    def command(self, name: str, *arguments: str, code: int = 0) -> str:
        """Run ``python -m`` with these arguments and keep what it printed under ``name``."""
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT, env=self.environment)
        self.printed[name] = done.stdout + done.stderr
        assert done.returncode == code, f"{name}: exit code {done.returncode}\n{self.printed[name][-4000:]}"
        return self.printed[name]

    def states(self, job: str) -> dict[str, str]:
        """State of each shop that a job of the run took up."""
        results: dict[str, ShopResult] = read_run(self.paths, RUN).get(job, {})
        return {shop_id: result.state for shop_id, result in sorted(results.items())}


def event(shop_id: str, number: int, kind: str, at: datetime, properties: dict[str, Any], **who: str) -> bytes:
    common = {"event_id": f"{shop_id}-{number}", "shop_id": shop_id, "type": kind, "occurred_at": at.isoformat()}
    return orjson.dumps(common | who | {"properties": properties})


def items(shop_id: str) -> list[bytes]:
    rows = []
    for number in range(3):
        item = {
            "item_id": f"i{number}",
            "title": f"豆 {number}",
            "category": "珈琲",
            "unit_price_minor": 500,
            "currency": "JPY",
        }
        rows.append(event(shop_id, number, "item_changed", START, item | {"stock": 9, "status": "active"}))
    return rows


def views(shop_id: str) -> list[bytes]:
    return [
        event(
            shop_id,
            n,
            "item_viewed",
            START + timedelta(days=n % DAYS, minutes=n),
            {"item_id": f"i{n % 3}"},
            user_id=f"u{n % 7}",
        )
        for n in range(100)
    ]


def orders(shop_id: str) -> list[bytes]:
    rows = []
    for number in range(3 * DAYS):
        line = {"line_number": 1, "item_id": f"i{number % 3}", "quantity": 1, "unit_price_minor": 500, "discount_minor": 0}
        order = {"order_id": f"o{number}", "currency": "JPY", "lines": [line], "shipping_minor": 0, "paid_minor": 500}
        at = START + timedelta(days=number // 3, minutes=number)
        rows.append(event(shop_id, number, "order_paid", at, order, user_id=f"u{number % 5}"))
    return rows


def _land(platform: ShopPlatform, simulated: Path) -> None:
    platform.truth = simulate(SimulationPlan(KISSA, 260, DAYS, 7, START.date()), simulated)
    with write_landing(platform.paths.history, KISSA, TOKYO, "simulator") as writer:
        for file in sorted((simulated / KISSA).glob("*.jsonl")):
            writer.write(line.replace(b'"CNY"', b'"JPY"') for line in file.read_bytes().splitlines())
    for shop_id, lines in ((CATALOGUE, items(CATALOGUE)), (VIEWS, views(VIEWS)), (ORDERS, orders(ORDERS))):
        with write_landing(platform.paths.history, shop_id, TOKYO, "hand") as writer:
            writer.write(lines)
    with Shops.edit(platform.paths.shops_file) as shops:
        shops.add(Shop(shop_id=BARE, name=BARE, time_zone="Asia/Tokyo", currency="JPY"))


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> ShopPlatform:
    """All steps from history to releases, by the commands that the DAG ``history`` calls, for every shop at once."""
    folder = tmp_path_factory.mktemp("kissa")
    platform = ShopPlatform(Settings(var=folder / "var", _env_file=None))  # type: ignore[call-arg]
    _land(platform, folder / "simulated")
    named = [word for shop_id in SHOPS for word in ("--shop", shop_id)]
    ledger = ["--run", RUN]
    platform.command("history", "imports", "history", *named, *ledger)
    printed = platform.command("groups", "ops.cli", "shops", "groups", "--landed")
    assert [group["SHOPS"].split()[1::2] for group in json.loads(printed)] == [sorted({*SHOPS} - {BARE})]
    platform.command("silver", "spark_jobs", "silver", "--batch", "history", *named, *ledger)
    platform.command("marts", "ops.marts", "build")
    platform.command("features", "feature_repo", "daily", "--as-of", AS_OF, *ledger)
    before = ["--after", "silver"]
    for step in ("train", "evaluate", "gate", "publish"):
        platform.command(step, "models", step, *named, *ledger, *before)
        before = ["--after", step]
    return platform
