"""The snapshot says of every entity what the oracle says of it at the instant."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from jishi.features import FEATURES
from jishi.features.oracle import good_acts, values
from jishi.features.snapshot import snapshot
from jishi.tables import LOG_RECORD

T0 = 1_788_220_800_000
DAY_MS = 86_400_000
TYPES = ("item_viewed", "item_viewed", "item_added_to_cart", "order_paid", "item_shared")
WINDOWED = [feature for feature in FEATURES if feature.entity in ("person", "item") and feature.size_s]


def log(count: int = 120) -> list[dict[str, Any]]:
    chance = random.Random(4)
    rows = []
    for number in range(count):
        at_ms = T0 + chance.randrange(3 * DAY_MS)
        item, kind = f"i{chance.randrange(4)}", chance.choice(TYPES)
        lines = [{"item_id": item, "quantity": 2, "unit_price_minor": 900, "category": "c"}]
        line = orjson.dumps({"properties": {"lines": lines, "shipping_minor": 100}}).decode()
        plain: dict[str, Any] = dict.fromkeys(LOG_RECORD.columns)
        plain |= {"shop_id": "s", "event_id": f"e{number}", "type": kind, "person_id": f"p{chance.randrange(3)}"}
        plain |= {"item_id": item, "unit_price_minor": 900, "quantity": 1, "line": line}
        rows.append(plain | {"occurred_at_ms": at_ms, "received_at_ms": at_ms})
    return sorted(rows, key=lambda row: row["received_at_ms"])


@pytest.mark.parametrize("as_of_ms", [T0 + 2 * DAY_MS + 29_999, T0 + 2 * DAY_MS + 30_000, T0 + 3 * DAY_MS + 3_600_000])
def test_values_are_those_of_the_oracle(as_of_ms: int) -> None:
    acts = good_acts(log(), allowed_lateness_s=30, future_tolerance_s=5)
    expected: dict[str, dict[tuple[str, str], Any]] = {feature.name: {} for feature in WINDOWED}
    for value in values(FEATURES, acts, allowed_lateness_s=30):
        holds = value.valid_until_ms is not None and value.as_of_ms <= as_of_ms < value.valid_until_ms
        if value.feature in expected and holds:
            expected[value.feature][(value.shop_id, value.entity_id)] = value.value
    result = snapshot(WINDOWED, acts, as_of_ms, allowed_lateness_s=30)
    for feature in WINDOWED:
        by_key = {key: value for key, value in result[feature.name].items() if value != feature.default}
        assert by_key == expected[feature.name], feature.name
    assert sum(map(len, expected.values())) > 50


def test_a_running_feature_has_no_window_to_look_at() -> None:
    last_items = next(feature for feature in FEATURES if feature.name == "last_items")
    with pytest.raises(ValueError, match="no window"):
        snapshot([last_items], [], T0, allowed_lateness_s=30)
