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
import yaml

from bench import retail
from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shop_runs import ShopResult, read_run
from jishi.shops import Shop, Shops
from simulator.history import simulate, spend_file
from simulator.world import SimulationPlan
from tests.integration.shops.retail_excerpt import retail_lines

KISSA = "kissa-42"
BARE, CATALOGUE, VIEWS, ORDERS, BREAD = "bare", "catalogue-only", "views-only", "orders-only", "bread"
RETAIL = retail.SHOP
SHOPS = (BARE, BREAD, CATALOGUE, KISSA, ORDERS, RETAIL, VIEWS)
TOKYO = ShopFacts(name="喫茶四十二", time_zone="Asia/Tokyo", currency="JPY")
START, DAYS = datetime(2026, 9, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo")), 20
RUN = "by-hand.first"
AS_OF = "2026-10-15T00:00:00Z"


@dataclass
class ShopPlatform:
    """Folders of a platform and its commands, run as a user runs them; ``truth`` is what the simulator says of the shop."""

    settings: Settings
    truth: Any = None
    variables: dict[str, str] = field(default_factory=dict)
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
            **self.variables,
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


RATES = "date,currency,rate\n2026-08-01,USD,150.25\n2026-08-01,KWD,490.5\n"
ABROAD = {0: ("USD", 1000), 1: ("KWD", 1500), 2: ("EUR", 700)}  # the first orders; there is no rate of the euro


def orders(shop_id: str) -> list[bytes]:
    """Orders of 500 yen but for those in another currency; the one in dollars is given back."""
    rows = []
    for number in range(3 * DAYS):
        currency, price = ABROAD.get(number, ("JPY", 500))
        line = {"line_number": 1, "item_id": f"i{number % 3}", "quantity": 1, "unit_price_minor": price, "discount_minor": 0}
        order = {"order_id": f"o{number}", "currency": currency, "lines": [line], "shipping_minor": 0, "paid_minor": price}
        at = START + timedelta(days=number // 3, minutes=number)
        rows.append(event(shop_id, number, "order_paid", at, order, user_id=f"u{number % 5}"))
    back = {"refund_id": "r0", "order_id": "o0", "currency": "USD", "amount_minor": 1000}
    return [*rows, event(shop_id, 3 * DAYS, "order_refunded", START + timedelta(days=DAYS), back, user_id="u0")]


def land_kissa(platform: ShopPlatform, simulated: Path) -> None:
    """The simulated shop's files, in its own currency; what the simulator knows of them is the platform's truth."""
    platform.truth = simulate(SimulationPlan(KISSA, 260, DAYS, 7, START.date()), simulated)
    with write_landing(platform.paths.history, KISSA, TOKYO, "simulator") as writer:
        for file in sorted((simulated / KISSA).glob("*.jsonl")):
            writer.write(line.replace(b'"CNY"', b'"JPY"') for line in file.read_bytes().splitlines())


def _land(platform: ShopPlatform, simulated: Path) -> None:
    land_kissa(platform, simulated)
    for shop_id, lines in ((CATALOGUE, items(CATALOGUE)), (VIEWS, views(VIEWS)), (ORDERS, orders(ORDERS))):
        with write_landing(platform.paths.history, shop_id, TOKYO, "hand") as writer:
            writer.write(lines)
    with Shops.edit(platform.paths.shops_file) as registry:
        registry.add(Shop(shop_id=ORDERS, name=ORDERS, time_zone="Asia/Tokyo", currency="JPY"))
    shops = ("ops.cli", "shops", "create")
    platform.command("create bare", *shops, BARE, "--time-zone", "Asia/Tokyo", "--currency", "JPY")
    platform.command("create", *shops, BREAD, "--time-zone", "Europe/Berlin", "--currency", "EUR", "--name", "Brot")
    _import_bread(platform, simulated.parent)
    _import_retail(platform, simulated.parent)


# Another system's files: a decimal comma, local time, a month's end that differs in UTC, a discount, and two refunds.
BREAD_ITEMS = "sku;name;kind;price;stock\nb1;Roggen;Brot;3,50;9\nb2;Baguette;Brot;1,20;9\n"
BREAD_ORDERS = """order;sku;n;price;off;at;who
1;b1;2;3,50;0,50;2026-08-31 10:00:00;ann
1;b2;1;1,20;;2026-08-31 10:00:00;ann
2;b1;1;3,50;;2026-08-31 23:30:00;bob
3;b2;10;1,20;;2026-09-01 00:15:00;ann
R1;b2;-1;1,20;;2026-09-02 09:00:00;ann
R2;b2;-2;1,20;;2026-10-01 00:10:00;ann
"""
BREAD_ITEM_MAP = """
columns: {item_id: sku, title: name, category: kind, unit_price: price, stock: stock}
"""
BREAD_ORDER_MAP = """
columns: {order_id: order, item_id: sku, quantity: n, unit_price: price, discount: "off", occurred_at: at, user_id: who}
cancellation: {column: order, starts_with: R}
"""


def _import_bread(platform: ShopPlatform, folder: Path) -> None:
    """Its mappings name neither currency nor zone: the shop has both."""
    for name, text in (("items", BREAD_ITEMS), ("orders", BREAD_ORDERS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    for name, text in (("items", BREAD_ITEM_MAP), ("orders", BREAD_ORDER_MAP)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    for name, more in (("orders", []), ("items", ["--changed-at", "2026-08-01T00:00:00Z"])):
        arguments = [str(folder / f"{name}.csv"), "--shop", BREAD, "--map", str(folder / f"{name}.yaml")]
        platform.command(f"import {name}", "ops.cli", "import", name, *arguments, *more)


def _import_retail(platform: ShopPlatform, folder: Path) -> None:
    file, mapping = folder / "retail.parquet", folder / "retail.yaml"
    retail_lines().to_parquet(file)
    mapping.write_text(yaml.safe_dump(retail.MAPPING))
    platform.command("import retail", "imports", "orders", str(file), "--shop", RETAIL, "--map", str(mapping), "--name", RETAIL)


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> ShopPlatform:
    """All steps from history to releases, by the commands that the DAG ``history`` calls, for every shop at once."""
    folder = tmp_path_factory.mktemp("kissa")
    platform = ShopPlatform(Settings(var=folder / "var", _env_file=None))  # type: ignore[call-arg]
    _land(platform, folder / "simulated")
    build(platform, folder)
    return platform


def build(platform: ShopPlatform, folder: Path) -> None:
    """All steps behind the landing; what the simulator left lies in ``folder``."""
    named = [word for shop_id in SHOPS for word in ("--shop", shop_id)]
    ledger = ["--run", RUN]
    rates = folder / "rates.csv"
    rates.write_text(RATES)
    platform.command("rates", "imports", "rates", str(rates), "--shop", ORDERS)
    platform.command("history", "imports", "history", *named, *ledger)
    platform.command("spend", "imports", "spend", str(spend_file(folder / "simulated", KISSA)), "--shop", KISSA)
    printed = platform.command("groups", "ops.cli", "shops", "groups", "--landed")
    assert [group["SHOPS"].split()[1::2] for group in json.loads(printed)] == [sorted({*SHOPS} - {BARE})]
    platform.command("silver", "spark_jobs", "silver", "--batch", "history", *named, *ledger)
    platform.command("marts", "ops.marts", "build")
    platform.command("features", "feature_repo", "daily", "--as-of", AS_OF, *ledger)
    before = ["--after", "silver"]
    for step in ("train", "evaluate", "judge", "gate", "publish"):
        command = ("serving.judge",) if step == "judge" else ("models", step)
        platform.command(step, *command, *named, *ledger, *before)
        before = ["--after", step]
