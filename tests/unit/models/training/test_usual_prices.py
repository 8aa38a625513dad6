"""What an item usually costs is the price of most of the last four weeks in which it could be bought, in today's currency."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

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


def change(
    item_id: str, day: float, price: int, currency: str, event_id: str = "e", repaired: float | None = None, **state: Any
) -> dict[str, Any]:
    at, line = START + timedelta(days=day), orjson.dumps({"properties": {"currency": currency, **state}}).decode()
    row = {"shop_id": "a", "event_id": event_id, "type": "item_changed", "item_id": item_id, "unit_price_minor": price}
    repaired_at = None if repaired is None else START + timedelta(days=repaired)
    return row | {"occurred_at": at, "received_at": at, "repaired_at": repaired_at, "line": line}


def usual_of(folder: Path, *changes: dict[str, Any]) -> tuple[float, bool]:
    """The usual price of the one item on day 30, and whether it is in CNY."""
    record(folder, {SILVER_EVENTS: changes})
    usual = usual_prices_of(newest(folder), "a", np.array(["i1"]), np.datetime64(START + timedelta(days=30), "us"))
    assert usual is not None
    return float(usual.price_minor[0]), int(usual.currency[0]) == currency_key("CNY")


def test_the_price_of_most_days_counts(tmp_path: Path) -> None:
    record(tmp_path, {SILVER_EVENTS: [change(*each) for each in CHANGES]})
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


def test_days_in_another_currency_count_for_no_price(tmp_path: Path) -> None:
    there_and_back = [change("i1", 0, 1000, "CNY"), change("i1", 4, 150, "USD"), change("i1", 20, 700, "CNY")]
    assert usual_of(tmp_path, *there_and_back) == (700, True)
    assert usual_of(tmp_path, *there_and_back, change("i1", 30, 99, "USD")) == (150, False)


@pytest.mark.parametrize("gone", [{"stock": 0}, {"status": "inactive"}, {"status": "blocked", "stock": 9}])
def test_days_on_which_nobody_could_buy_it_count_for_no_price(tmp_path: Path, gone: dict[str, Any]) -> None:
    """Days 2 to 30: gone at 1000 for 18 of them, then for sale at 700 for 6 and at 800 for 4."""
    gone_at_1000 = change("i1", 0, 1000, "CNY", **gone)
    for_sale = [change("i1", 20, 700, "CNY", stock=3), change("i1", 26, 800, "CNY")]
    assert usual_of(tmp_path, gone_at_1000, *for_sale) == (700, True)
    # Sold out again at the end, it usually cost what it was last sold for.
    assert usual_of(tmp_path, *for_sale, change("i1", 29, 500, "CNY", **gone)) == (700, True)


def test_what_could_not_be_bought_for_four_weeks_has_no_usual_price(tmp_path: Path) -> None:
    assert usual_of(tmp_path, change("i1", 0, 1000, "CNY"), change("i1", 1, 1000, "CNY", stock=0)) == (0, True)


def test_a_price_goes_on_where_it_was_when_an_item_is_back(tmp_path: Path) -> None:
    """For sale at 1000 on days 2 to 5 and 20 to 30, which is 13 days, and at 700 on days 5 to 15, which is 10."""
    changes = [(0, 1000, 4), (5, 700, 4), (15, 1000, 0), (20, 1000, 4)]
    assert usual_of(tmp_path, *(change("i1", day, price, "CNY", stock=stock) for day, price, stock in changes)) == (1000, True)


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_changes_at_one_instant_the_newest_event_counts(tmp_path: Path, is_first: bool) -> None:
    two = [change("i1", 0, 800, "CNY", "e2"), change("i1", 0, 500, "USD", "e1")]
    assert usual_of(tmp_path, *(two if is_first else two[::-1])) == (800, True)
    two = [change("i1", 0, 800, "CNY", "e2"), change("i1", 0, 500, "CNY", "e1")]
    assert usual_of(tmp_path, *(two if is_first else two[::-1])) == (800, True)


def test_a_change_is_known_from_its_repair_and_at_the_instant_itself(tmp_path: Path) -> None:
    assert usual_of(tmp_path, change("i1", 0, 800, "CNY"), change("i1", 5, 1, "CNY", repaired=31)) == (800, True)
    assert usual_of(tmp_path, change("i1", 0, 800, "CNY"), change("i1", 5, 1, "CNY", repaired=30)) == (1, True)
