"""What an import brought and the contract refused is repaired as an import: by its rights, and known since its own time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_QUARANTINE
from quality.repair import Mapping
from quality.replay import replay
from tests.lake import record, settings_in

KNOWN_AT = datetime(2026, 3, 1, 10)  # noqa: DTZ001 - UTC; the time of the line before
GUEST = {"event_id": "order-1", "shop_id": "a", "type": "order_paid", "anonymous_id": "import:guest-1"}
ORDER = {"order_id": "1", "currency": "CNY", "lines": [{"item_id": "i", "quantity": 1, "unit_price_minor": "19.90"}]}
MINOR = {"convert": {"field": "properties.lines.*.unit_price_minor", "to": "minor_units"}}


def repaired(var: Path, orders_from: str, occurred_at: str, collector_id: str = "history:a") -> dict[str, Any]:
    """Counts of a replay of one quarantined order, by what became of it."""
    line = json.dumps(GUEST | {"occurred_at": occurred_at, "properties": ORDER})
    row = {"shop_id": "a", "collector_id": collector_id, "seq": 0, "batch": "history", "outcome": "invalid", "reason": "x"}
    record(var, {SILVER_QUARANTINE: [row | {"event_id": "order-1", "received_at": KNOWN_AT, "line": line}]})
    settings = settings_in(var)
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        shops.add(Shop(shop_id="a", name="a", orders_from=orders_from))
    instant = {"convert": {"field": "occurred_at", "to": "instant"}}
    mapping = Mapping.model_validate({"name": "m", "steps": [MINOR, instant]})
    done = replay(settings, mapping, now=datetime(2026, 11, 1, tzinfo=UTC), future_tolerance_s=5, is_trial=True)
    return dict(done.repaired) | dict(done.still)


@pytest.mark.parametrize("orders_from", ["server", "page"])
def test_an_imported_order_of_a_guest_counts_whoever_sends_the_live_ones(tmp_path: Path, orders_from: str) -> None:
    assert repaired(tmp_path, orders_from, "2026-03-01 09:00:00") == {"a": 1}


def test_an_imported_event_is_known_since_its_own_time_once_that_can_be_read(tmp_path: Path) -> None:
    assert repaired(tmp_path / "later", "server", "2026-03-01 11:00:00") == {"a": 1}
    assert repaired(tmp_path / "ahead", "server", "2036-03-01 11:00:00") == {"beyond_horizon": 1}


def test_a_live_event_keeps_its_sender_and_the_time_of_the_log(tmp_path: Path) -> None:
    assert repaired(tmp_path / "guest", "server", "2026-03-01 09:00:00", "c") == {"bad_id": 1}
