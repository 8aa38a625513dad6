"""Orders in another currency at the door: stamped by the shop's rates, which may change while the collector runs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from collector.wal.durable import read_durable
from collector.wal.reader import first_position, read_entries
from jishi.fx_rates import FxRate, FxRates, save_rates


def order(number: int, currency: str, **more: Any) -> dict[str, Any]:
    line = {"item_id": "i", "quantity": 1, "unit_price_minor": 1000}
    event = {"event_id": f"e{number}", "shop_id": "a", "type": "order_paid", "user_id": "u"}
    properties = {"order_id": f"o{number}", "currency": currency, "lines": [line]} | more
    return event | {"occurred_at": "2026-11-01T10:00:00Z", "properties": properties}


def kept(world: Any) -> dict[str, dict[str, Any]]:
    """Properties of the acknowledged orders by their id, from the log's bytes."""
    durable = read_durable(world.wal.folder)
    assert durable is not None
    orders, position = {}, first_position(world.wal.folder)
    while entries := read_entries(world.wal.folder, position, durable):
        for entry in entries:
            properties = orjson.loads(orjson.loads(entry.body)["line"])["properties"]
            orders[properties["order_id"]] = properties
        position = entries[-1].after
    return orders


def test_the_newest_rates_stamp_and_a_damaged_file_keeps_those_before(world: Any, tmp_path: Path) -> None:
    def rates(rate: int) -> None:
        save_rates(tmp_path / "fx_rates", "a", FxRates.of("CNY", [FxRate("USD", date(2026, 10, 1), Decimal(rate))]))

    assert world.post([order(1, "USD")]).json()["quarantined"] == 0
    rates(7)
    world.post([order(2, "USD"), order(3, "CNY", home_currency="USD", fx_rate="9")])
    rates(8)
    world.post([order(4, "USD")])
    (tmp_path / "fx_rates" / "a.json").write_text("{")
    world.post([order(5, "USD")])
    homes = {
        name: (order.get("home_currency"), order.get("fx_rate"), order["lines"][0].get("home_net_minor"))
        for name, order in kept(world).items()
    }
    assert homes == {
        "o1": ("CNY", None, None),
        "o2": ("CNY", "7", 7000),
        "o3": (None, None, None),
        "o4": ("CNY", "8", 8000),
        "o5": ("CNY", "8", 8000),
    }


def test_a_gap_is_filled_with_the_price_in_the_home_currency(world: Any, tmp_path: Path) -> None:
    save_rates(tmp_path / "fx_rates", "a", FxRates.of("CNY", [FxRate("USD", date(2026, 10, 1), Decimal(7))]))
    changed = {"item_id": "i", "title": "t", "category": "c", "unit_price_minor": 1000, "stock": 1}
    event = {"shop_id": "a", "type": "item_changed", "occurred_at": "2026-11-01T10:00:00Z"}
    items = [
        event | {"event_id": f"i-{currency}", "properties": changed | {"item_id": currency, "currency": currency}}
        for currency in ("CNY", "USD", "EUR")
    ]
    assert world.post(items).json()["quarantined"] == 0
    prices = {item: world.intake.catalogue.get("a", item).unit_price_minor for item in ("CNY", "USD", "EUR")}
    assert prices == {"CNY": 1000, "USD": 7000, "EUR": None}
