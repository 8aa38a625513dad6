"""One small silver, written once, and its marts, built once by dbt on DuckDB."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from jishi import tables
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import TableSchema
from ops import marts
from tests.lake import publish, settings_in

Rows = list[dict[str, Any]]
ZONES = {"a": "Asia/Shanghai", "b": "UTC"}
START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
DAYS = 45


def local_date(shop_id: str, instant: datetime) -> date:
    return instant.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(ZONES[shop_id])).date()


@dataclass
class Silver:
    """Rows of every silver table."""

    rows: dict[TableSchema, Rows]

    def of(self, schema: TableSchema) -> Rows:
        return self.rows[schema]

    def publish(self, var: Path, changed: dict[TableSchema, Rows] | None = None) -> None:
        """Publish all tables, some of them changed."""
        publish(var, self.rows | (changed or {}))


def make_silver(seed: int = 11) -> Silver:
    """Two shops with equal ids over 45 days: visits, funnels, orders, refunds on later days, late events, a quiet week."""
    luck = random.Random(seed)
    rows: dict[TableSchema, Rows] = {schema: [] for schema in tables.SILVER}
    number = 0
    for shop_id in ZONES:
        for item in range(6):
            blank = {"title": f"裙 {item}", "category": "裙装", "unit_price_minor": 100 * item, "currency": "CNY"}
            fixed = {"attributes": "{}", "stock": item, "status": "active", "changed_at": START, "known_at": START}
            rows[tables.SILVER_ITEMS].append({"shop_id": shop_id, "item_id": f"i{item}"} | blank | fixed)
        for _ in range(110):
            day = luck.choice([d for d in range(DAYS) if not 20 <= d < 27])
            at = START + timedelta(days=day, seconds=luck.randrange(86_400))
            number += 1
            _visit(rows, luck, shop_id, f"p{luck.randrange(14)}", at, number)
    return Silver(rows)


def _visit(rows: dict[TableSchema, Rows], luck: random.Random, shop_id: str, person_id: str, at: datetime, n: int) -> None:
    counts = {"views": luck.choice([0, 1, 2, 3]), "adds": luck.choice([0, 0, 1]), "checkouts": luck.choice([0, 1])}
    counts["orders"] = int(luck.random() < 0.45)
    acts = [name for name, count in counts.items() for _ in range(count)] or ["searches"]
    types = {"views": "item_viewed", "adds": "item_added_to_cart", "checkouts": "checkout_started", "orders": "order_paid"}
    payload = {"shop_id": shop_id, "person_id": person_id}
    for position, act in enumerate(acts):
        occurred = at + timedelta(minutes=position)
        known = occurred + timedelta(seconds=1) if luck.random() < 0.8 else occurred + timedelta(days=luck.choice([1, 9]))
        event = payload | {"batch": "history", "event_id": f"e{n}-{position}", "type": types.get(act, "search_performed")}
        event |= {"occurred_at": occurred, "received_at": known, "occurred_date": local_date(shop_id, occurred)}
        event |= {"is_late": known - occurred > timedelta(seconds=30), "line": "{}"}
        if act in ("views", "adds"):
            event["item_id"] = f"i{luck.randrange(7)}"  # i6 is not in the catalogue
        rows[tables.SILVER_EVENTS].append(event)
        if act == "orders":
            _order(rows, luck, payload, f"o{n}", occurred, known)
    visit = payload | {
        "session_key": f"{person_id}@{n}",
        "started_at": at,
        "ended_at": occurred,
        "channel": luck.choice(["app", None]),
    }
    visit |= {"started_date": local_date(shop_id, at), "events": len(acts), "searches": int(acts == ["searches"]), "shares": 0}
    rows[tables.SILVER_SESSIONS].append(visit | counts)


def _order(
    rows: dict[TableSchema, Rows], luck: random.Random, fields: dict[str, str], order_id: str, at: datetime, known: datetime
) -> None:
    day = local_date(fields["shop_id"], at)
    lines: Rows = []
    for line_number in range(1, luck.randint(1, 3) + 1):
        quantity, price = luck.randint(1, 3), luck.choice([500, 990, 20_000])
        line = fields | {"order_id": order_id, "line_number": line_number, "paid_at": at, "paid_date": day}
        line |= {"item_id": f"i{luck.randrange(6)}", "quantity": quantity, "unit_price_minor": price}
        lines.append(line | {"discount_minor": 10, "net_minor": quantity * price - 10})
    gross = sum(line["quantity"] * line["unit_price_minor"] for line in lines)
    paid = sum(line["net_minor"] for line in lines) + 800
    order = fields | {"order_id": order_id, "event_id": f"e-{order_id}", "paid_at": at, "received_at": known, "paid_date": day}
    order |= {"currency": "CNY", "lines": len(lines), "units": sum(line["quantity"] for line in lines), "coupons": 0}
    order |= {"gross_minor": gross, "discount_minor": 10 * len(lines), "shipping_minor": 800, "paid_minor": paid}
    rows[tables.SILVER_ORDERS].append(order | {"channel": luck.choice(["app", None])})
    rows[tables.SILVER_ORDER_LINES] += lines
    for part in range(luck.choice([0, 0, 1, 2])):
        back = at + timedelta(days=luck.randint(0, 40))
        refund = fields | {"refund_id": f"r{order_id}-{part}", "order_id": order_id, "refunded_at": back, "received_at": back}
        refund |= {"refunded_date": local_date(fields["shop_id"], back), "currency": "CNY", "amount_minor": paid // 3}
        rows[tables.SILVER_REFUNDS].append(refund)


def make_paths(folder: Path) -> Paths:
    """A platform with both shops registered."""
    paths = Paths.of(settings_in(folder / "var"))
    shops = Shops()
    for shop_id, zone in ZONES.items():
        shops.add(Shop(shop_id=shop_id, name=shop_id.upper(), time_zone=zone))
    shops.save(paths.shops_file)
    return paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make_paths(tmp_path)


@pytest.fixture(scope="session")
def silver() -> Silver:
    return make_silver()


@pytest.fixture(scope="session")
def built(silver: Silver, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A platform whose marts are built and published from ``silver``."""
    platform_paths = make_paths(tmp_path_factory.mktemp("marts"))
    silver.publish(platform_paths.var)
    messages: list[str] = []
    marts.build(settings_in(platform_paths.var), messages.append)
    assert messages
    return platform_paths


@pytest.fixture
def working(built: Paths) -> Iterator[duckdb.DuckDBPyConnection]:
    """dbt's own database, with every model."""
    with duckdb.connect(str(built.warehouse / "build.duckdb"), read_only=True) as connection:
        yield connection
