"""Reconciliation shop by shop: a shop whose manifest is damaged is named, and the others are counted."""

from __future__ import annotations

from pathlib import Path

from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_EVENTS, SILVER_ORDERS, SILVER_REFUNDS
from quality.reconcile import reconcile
from tests.lake import record, settings_in

FACTS = ShopFacts(name="店", time_zone="Asia/Tokyo", currency="JPY")


def test_a_damaged_manifest_is_its_shops_problem_and_a_shop_without_anything_is_zero(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    paths = Paths.of(settings)
    for shop_id, lines in (("a", 3), ("b", 2)):
        with write_landing(paths.history, shop_id, FACTS, "test") as writer:
            writer.write([b"{}"] * lines)
    manifest = paths.history / "b" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"lines": 2', '"lines": 7', 1))
    with Shops.edit(paths.shops_file) as shops:
        shops.add(Shop(shop_id="new", name="new"))
    counts = {count.shop_id: count for count in reconcile(settings)}
    assert [(shop_id, count.accepted, count.is_equal) for shop_id, count in counts.items()] == [
        ("a", 3, False),  # three lines landed, and nothing of them in silver
        ("b", 0, False),
        ("new", 0, True),
    ]
    assert "manifest.json" in counts["b"].problem
    assert counts["a"].problem == counts["new"].problem == ""


def test_money_that_went_back_is_counted_to_the_last_unit_at_the_rate_of_its_order(tmp_path: Path) -> None:
    order = {"batch": "history", "currency": "USD", "home_currency": "JPY"}
    paid, home = 2**53 - 1, 2**52 + 1  # all but one unit is home − (2**52 + 1) / (2**53 - 1), a hair below 2**52 + 1/2
    orders = [
        order | {"shop_id": "large", "order_id": "o", "paid_minor": paid, "home_paid_minor": home},
        order | {"shop_id": "halves", "order_id": "o", "paid_minor": 100, "home_paid_minor": 15},
        order | {"shop_id": "no_rate", "order_id": "o", "paid_minor": 100},
        order | {"shop_id": "home", "order_id": "o", "paid_minor": 100, "currency": "JPY", "home_currency": None},
    ]
    back = [("large", paid - 1), ("halves", 50), ("halves", 50), ("no_rate", 40), ("home", 30), ("home", 30)]
    refunds = [
        {"shop_id": shop_id, "refund_id": str(n), "order_id": "o", "amount_minor": 2 * amount, "counted_minor": amount}
        for n, (shop_id, amount) in enumerate(back)
    ]
    record(tmp_path / "var", {SILVER_ORDERS: orders, SILVER_REFUNDS: refunds})
    # A shop that nobody registered is counted since it has an event.
    events = [{"shop_id": shop_id, "event_id": "e"} for shop_id in {shop_id for shop_id, _ in back}]
    record(tmp_path / "var", {SILVER_EVENTS: events})
    net = {count.shop_id: count.gmv_minor for count in reconcile(settings_in(tmp_path / "var"))}
    assert net == {"large": home - 2**52, "halves": 0, "no_rate": 0, "home": 40}


def test_money_of_a_currency_that_the_shop_had_is_in_no_sum(tmp_path: Path) -> None:
    """A shop in yuan that is one in dollars now: of 500 yuan, 80 dollars of before, 30 euros of before and of now, the dollars
    and what the last euros came to count, less 10 dollars and a third of what the euros came to.
    """
    settings = settings_in(tmp_path / "var")
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        shops.add(Shop(shop_id="a", name="a", currency="USD"))
    order = {"shop_id": "a", "batch": "history"}
    orders = [
        order | {"order_id": "yuan", "paid_minor": 500, "currency": "CNY"},
        order | {"order_id": "dollars", "paid_minor": 80, "currency": "USD", "home_currency": "CNY", "home_paid_minor": 560},
        order | {"order_id": "then", "paid_minor": 30, "currency": "EUR", "home_currency": "CNY", "home_paid_minor": 240},
        order | {"order_id": "now", "paid_minor": 30, "currency": "EUR", "home_currency": "USD", "home_paid_minor": 33},
    ]
    refund = {"shop_id": "a", "amount_minor": 10}
    refunds = [refund | {"refund_id": name, "order_id": name} for name in ("yuan", "dollars", "then", "now")]
    record(tmp_path / "var", {SILVER_ORDERS: orders, SILVER_REFUNDS: refunds})
    [count] = reconcile(settings)
    assert (count.gmv_minor, count.currency) == (80 + 33 - 10 - 11, "USD")
