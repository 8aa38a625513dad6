"""The stamp of an accepted event: what it says, that it adds up, that nobody can send one, and what features make of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.contract import Refusal, record_of
from jishi.contract.home_money import ShopMoney
from jishi.features.act import acts_of
from jishi.fx_rates import FxRate, FxRates
from jishi.money import MOST_MINOR

RATES = [("USD", 1, "150.25"), ("USD", 3, "100"), ("KWD", 1, "490.5"), ("EUR", 5, "160")]
TOKYO = ShopMoney("Asia/Tokyo", FxRates.of("JPY", (FxRate(c, date(2026, 3, d), Decimal(r)) for c, d, r in RATES)))


def accepted(
    type_: str, properties: dict[str, Any], at: str = "2026-03-02T10:00:00Z", money: ShopMoney | None = TOKYO
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record and the properties of its line."""
    event = {"event_id": "e", "shop_id": "s", "type": type_, "occurred_at": at, "user_id": "u", "properties": properties}
    record, _ = record_of(event, shop_id="s", collector_id="c", seq=0, collected_at_ms=0, money=money)
    return dict(record), orjson.loads(record["line"])["properties"]


def order(currency: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"order_id": "o", "currency": currency, "lines": list(lines), **more}


def line(quantity: int, price: int, **more: Any) -> dict[str, Any]:
    return {"item_id": "A", "quantity": quantity, "unit_price_minor": price, **more}


def test_an_order_in_the_home_currency_stays_as_it_came() -> None:
    sent = order("JPY", line(1, 1980))
    record, kept = accepted("order_paid", sent)
    assert kept == sent
    assert record["invalid_reason"] is None


def test_goods_that_a_coupon_pays_for_cost_nothing_and_not_less() -> None:
    """0.97 USD = 145.74 → 146 JPY, 0.08 USD = 12.02 → 12. Before, both together were rounded first, and the goods cost −1."""
    for price, shipping in ((97, 8), (1, 1), (99, 50), (33, 33)):
        free = order("USD", line(1, price), shipping_minor=shipping, discount_minor=price)
        _, kept = accepted("order_paid", free)
        assert kept["home_discount_minor"] == kept["lines"][0]["home_net_minor"] == round(price * 1.5025)
        assert kept["home_shipping_minor"] == round(shipping * 1.5025)


def test_an_order_in_another_currency_keeps_its_amounts_and_gets_home_amounts() -> None:
    _, kept = accepted("order_paid", order("USD", line(2, 1000, discount_minor=500), shipping_minor=100, discount_minor=300))
    assert (kept["currency"], kept["lines"][0]["unit_price_minor"], kept["shipping_minor"]) == ("USD", 1000, 100)
    assert {name: kept[name] for name in kept if name.startswith(("home", "fx"))} == {
        "home_currency": "JPY",
        "fx_rate": "150.25",
        "fx_rate_date": "2026-03-01",
        # 15 USD = 2253.75 → 2254; less 3 USD 12 USD = 1803; with 1 USD of shipping 13 USD = 1953.25 → 1953
        "home_shipping_minor": 150,
        "home_discount_minor": 451,
    }
    assert kept["lines"][0]["home_net_minor"] == 2254
    assert kept["lines"][0]["home_gross_minor"] == 3005  # 20 USD
    assert kept["lines"][0]["home_discount_minor"] == 751


amounts = st.integers(0, 10**6)
order_lines = st.lists(
    st.builds(
        lambda q, p, d, a: line(q, p, discount_minor=min(d, q * p), **({} if a is None else {"amount_minor": a})),
        st.integers(0, 9),
        amounts,
        amounts,
        st.none() | amounts,
    ),
    min_size=1,
    max_size=6,
)


@given(order_lines, amounts, amounts, st.sampled_from(["0.001", "0.5", "1", "3.7", "150.25"]))
def test_parts_of_an_order_are_never_below_zero_and_add_up_to_its_rounded_paid_amount(
    lines: list[dict[str, Any]], shipping: int, discount: int, rate: str
) -> None:
    net = sum(x.get("amount_minor", x["quantity"] * x["unit_price_minor"] - x["discount_minor"]) for x in lines)
    discount = min(discount, net)
    shop = ShopMoney("UTC", FxRates.of("EUR", [FxRate("USD", date(2026, 3, 1), Decimal(rate))]))
    record, kept = accepted("order_paid", order("USD", *lines, shipping_minor=shipping, discount_minor=discount), money=shop)
    assert record["invalid_reason"] is None
    parts = [
        part[name] for part in (kept, *kept["lines"]) for name in part if name.startswith("home_") and name.endswith("minor")
    ]
    assert min(parts) >= 0
    paid = sum(x["home_net_minor"] for x in kept["lines"]) + kept["home_shipping_minor"] - kept["home_discount_minor"]
    assert paid == round(Decimal(net + shipping - discount) * Decimal(rate))  # Python rounds decimals half to even
    for x in kept["lines"]:
        if "amount_minor" not in x:
            assert x["home_gross_minor"] - x["home_discount_minor"] == x["home_net_minor"]


@pytest.mark.parametrize(
    ("at", "rate"),
    [
        ("2026-02-28T14:59:59Z", None),  # still February in Tokyo
        ("2026-02-28T15:00:00Z", "150.25"),
        ("2026-03-02T14:59:59Z", "150.25"),
        ("2026-03-02T15:00:00Z", "100"),  # the third of March in Tokyo
    ],
)
def test_the_rate_is_that_of_the_shops_own_day(at: str, rate: str | None) -> None:
    record, kept = accepted("order_paid", order("USD", line(1, 100)), at)
    assert kept["home_currency"] == "JPY"
    assert kept.get("fx_rate") == rate
    [whole, paid_line] = list(acts_of(record | {"received_at_ms": 0}))
    expected = {None: None, "150.25": 150, "100": 100}[rate]
    assert paid_line["amount_minor"] == expected
    assert whole["amount_minor"] == (None if rate is None else 0)
    assert paid_line["unit_price_minor"] == expected


def test_refunds_prices_and_items_are_stamped_too() -> None:
    back = {"refund_id": "r", "order_id": "o", "currency": "KWD", "amount_minor": 3000}
    back |= {"lines": [{"item_id": "A", "quantity": 1, "amount_minor": 1500}] * 2}
    record, kept = accepted("order_refunded", back)
    assert (kept["home_amount_minor"], [x["home_amount_minor"] for x in kept["lines"]]) == (1472, [736, 736])  # 1471.5
    assert [act["amount_minor"] for act in acts_of(record | {"received_at_ms": 0})] == [1472, 736, 736]
    assert accepted("item_viewed", {"item_id": "A", "unit_price_minor": 100, "currency": "USD"})[0]["unit_price_minor"] == 150
    assert accepted("item_viewed", {"item_id": "A", "unit_price_minor": 100})[0]["unit_price_minor"] == 100
    unknown = accepted("item_viewed", {"item_id": "A", "unit_price_minor": 100, "currency": "EUR"})
    assert (unknown[0]["unit_price_minor"], unknown[1]["unit_price_minor"]) == (None, 100)


FORGED = {"home_currency": "EUR", "fx_rate": "1", "home_discount_minor": 1, "home_shipping_minor": 9, "fx_rate_date": 1}


@pytest.mark.parametrize("currency", ["JPY", "USD", "EUR"])
def test_nobody_can_send_a_stamp(currency: str) -> None:
    honest = accepted("order_paid", order(currency, line(1, 100)))
    forged = accepted("order_paid", order(currency, line(1, 100, home_net_minor=10**9, home_gross_minor="x"), **FORGED))
    assert forged == honest


def test_an_amount_that_is_too_large_at_home_is_refused_by_name() -> None:
    for properties in (order("USD", line(1, MOST_MINOR)), order("USD", line(1, MOST_MINOR // 3), line(1, MOST_MINOR // 3))):
        record, kept = accepted("order_paid", properties)
        assert (record["invalid_reason"], record["invalid_field"]) == ("amount_too_large", "properties.currency")
        assert kept["lines"][0]["unit_price_minor"] == properties["lines"][0]["unit_price_minor"]


def test_a_stored_event_without_a_stamp_is_in_the_home_currency() -> None:
    record, _ = accepted("order_paid", order("USD", line(2, 50), shipping_minor=7), money=None)
    assert [act["amount_minor"] for act in acts_of(record | {"received_at_ms": 0})] == [7, 100]


def test_the_contract_takes_what_it_stamped() -> None:
    _, kept = accepted("order_paid", order("USD", line(1, 100)))
    event = {"event_id": "e", "shop_id": "s", "type": "order_paid", "occurred_at": "2026-03-02T10:00:00Z", "user_id": "u"}
    _, result = record_of(event | {"properties": kept}, shop_id="s", collector_id="c", seq=0, collected_at_ms=0)
    assert not isinstance(result, Refusal)
