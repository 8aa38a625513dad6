"""The stream's counters of a day and the marts' numbers of it differ by named causes alone, on the same events."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest

from jishi import tables
from jishi.paths import Paths
from quality.counter_differences import counter_differences
from tests.integration.dbt.conftest import DAYS, ZONES
from tests.lake import newest

pytestmark = pytest.mark.integration


def test_every_difference_has_a_name(built: Paths, silver: Any) -> None:
    lake = newest(built.var)
    seen: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for shop_id in ZONES:
        by_day = counter_differences(lake, shop_id, date(2026, 1, 1), date(2027, 1, 1))
        assert len(by_day) >= DAYS
        for day, differences in by_day.items():
            for difference in differences:
                assert difference.unexplained == 0, (shop_id, day, difference)
                seen.update(cause for cause, number in difference.causes.items() if number)
                counted[difference.number] += difference.counted
    assert {"late", "imported", "bot", "identity", "refund"} <= seen.keys()
    on_time = [
        e for e in silver.of(tables.SILVER_EVENTS) if e["batch"] != "history" and not e["is_late"] and e["shop_id"] in ZONES
    ]
    assert counted["orders"] == sum(e["type"] == "order_paid" for e in on_time) > 0
    assert counted["item_views"] == sum(e["type"] == "item_viewed" for e in on_time) > 0
    assert counted["cart_adds"] == sum(e["type"] == "item_added_to_cart" for e in on_time) > 0
    named = {(e["shop_id"], e["occurred_date"], e["anonymous_id"]) for e in on_time if e["type"] != "order_paid"}
    assert counted["visitors"] == len(named)
