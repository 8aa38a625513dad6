"""What an item usually costs is the price of most of the last four weeks, in the currency that it has now."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import orjson

from jishi.tables import SILVER_EVENTS
from models.candidates.usual_prices import currency_key
from models.training.usual_prices import usual_prices_of
from tests.lake import newest, record

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
CHANGES = [  # item, day, price, currency
    ("i1", 0, 1000, "CNY"),
    ("i1", 20, 1000, "CNY"),  # its stock changed
    ("i1", 25, 700, "CNY"),
    ("i1", 31, 1, "CNY"),  # after the instant
    ("i2", 0, 5000, "CNY"),
    ("i2", 10, 800, "USD"),
    ("gone", 0, 9, "CNY"),
]


def test_the_price_of_most_days_counts(tmp_path: Path) -> None:
    rows = []
    for number, (item_id, day, price, currency) in enumerate(CHANGES):
        at = START + timedelta(days=day)
        line = orjson.dumps({"properties": {"currency": currency}}).decode()
        row = {"shop_id": "a", "event_id": f"e{number}", "type": "item_changed", "item_id": item_id, "unit_price_minor": price}
        rows.append(row | {"occurred_at": at, "received_at": at, "line": line})
    record(tmp_path, {SILVER_EVENTS: rows})
    lake, as_of = newest(tmp_path), np.datetime64(START + timedelta(days=30), "us")
    usual = usual_prices_of(lake, "a", np.array(["i1", "i2", "i3"]), as_of)
    assert usual is not None
    assert usual.price_minor.tolist() == [1000, 800, 0]
    assert usual.currency[:2].tolist() == [currency_key("CNY"), currency_key("USD")]
    assert abs(usual.cut(0, 700, "CNY") - 0.3) < 1e-6
    earlier = usual_prices_of(lake, "a", np.array(["i1", "i2", "i3"]), as_of - np.timedelta64(25, "D"))
    assert earlier is not None
    assert (earlier.price_minor.tolist(), earlier.digest() == usual.digest()) == ([1000, 5000, 0], False)
    assert usual_prices_of(lake, "b", np.array(["i1"]), as_of) is None
