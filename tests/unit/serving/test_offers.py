"""What is new and what costs less than usual is brought as the quotas say, follows the catalogue, and costs a request nothing
while no quota asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.candidates.usual_prices import UsualPrices, currency_key
from serving.candidates import Quotas
from serving.moment import Moment
from serving.offers import MOST, ItemOrder, newness
from serving.recommend import Answer, recommend
from serving.request import Request
from serving.shelf import join_catalogue

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
ALL = Quotas(new=5, on_sale=5, beside=5)


@pytest.fixture
def offering(shop: Any) -> Any:
    """Item 28 came into stock yesterday and 29 four weeks ago; 27 is usually 2,500 and 26 was it in another currency."""
    prices, currency = np.zeros(30, dtype=np.float32), np.full(30, currency_key("CNY"))
    prices[[26, 27]], currency[26] = 2500, currency_key("USD")
    shop.model.usual_prices = UsualPrices(prices, currency)
    for number, days in ((28, 1), (29, 28)):
        item = shop.catalogue.get(f"i{number}")
        shop.catalogue.put(replace(item, stocked_at_ms=NOW_MS - days * DAY_MS, version=item.version._replace(occurred_at_ms=7)))
    shop.shelf = join_catalogue(shop.model, shop.catalogue)
    return shop


def ask(shop: Any, quotas: Quotas | None = ALL, placement: str = "home", **asked: Any) -> Answer:
    request = Request("a", placement, 30, **asked)  # type: ignore[arg-type]
    moment = Moment(NOW_MS)
    return recommend(request, shop.shelf, shop.catalogue, lambda *_: (), with_candidates=True, moment=moment, quotas=quotas)


def brought(answer: Answer, source: str) -> set[str]:
    return set((answer.candidates or {}).get(source, {}))


def change(shop: Any, item_id: str, at_ms: int, **state: Any) -> None:
    item = shop.catalogue.get(item_id)
    changed = replace(item, version=item.version._replace(occurred_at_ms=at_ms), **state)
    shop.catalogue.put(changed)
    shop.shelf.refresh(changed)


def test_home_is_brought_what_is_new_and_what_costs_less_than_usual(offering: Any) -> None:
    answer = ask(offering)
    assert (brought(answer, "new"), brought(answer, "on_sale")) == ({"i28"}, {"i27"})
    assert {one.item.item_id: one.reason.code for one in answer.items}["i28"] == "new"
    assert {one.item.item_id: one.reason.code for one in answer.items}["i27"] == "on_sale"


def test_quotas_of_the_release_hold_where_it_names_them_and_not_for_a_rung_that_is_tried(offering: Any) -> None:
    offering.model.quotas = {"home": {"new": 3}}
    offering.shelf = join_catalogue(offering.model, offering.catalogue)
    assert brought(ask(offering, None), "new") == {"i28"}
    assert brought(ask(offering, None, placement="search_empty"), "new") == {"i28"}, "asks what home asks"
    assert brought(ask(offering, None), "on_sale") == set()
    request, moment = Request("a", "home", 30), Moment(NOW_MS)
    tried = recommend(
        request, offering.shelf, offering.catalogue, lambda *_: (), with_candidates=True, moment=moment, tried="popular"
    )
    assert brought(tried, "new") == set()


def test_without_a_quota_and_elsewhere_than_home_nothing_is_brought(offering: Any) -> None:
    for answer in (ask(offering, Quotas()), ask(offering, placement="item", item_id="i3"), ask(offering, placement="cart")):
        assert not brought(answer, "new") | brought(answer, "on_sale")


def test_a_change_of_price_or_stock_counts_with_the_next_request(offering: Any) -> None:
    change(offering, "i5", 100, unit_price_minor=100)  # nobody knows its usual price
    change(offering, "i27", 100, unit_price_minor=2450)
    assert brought(ask(offering), "on_sale") == set(), "two hundredths less is no sale"
    change(offering, "i27", 101, unit_price_minor=1000)
    change(offering, "i7", 101, stocked_at_ms=NOW_MS - DAY_MS // 2)
    answer = ask(offering)
    assert brought(answer, "on_sale") == {"i27"}
    assert answer.candidates is not None
    assert answer.candidates["new"]["i7"] > answer.candidates["new"]["i28"], "the newer, the stronger"
    change(offering, "i7", 102, stock=0)
    change(offering, "i27", 102, status="inactive")
    answer = ask(offering)
    assert (brought(answer, "new"), brought(answer, "on_sale")) == ({"i28"}, set())


def test_beside_a_model_comes_what_is_near_the_persons_taste(offering: Any, tiny: Any) -> None:
    offering.model.tastes = {"u": {20: 2.0, 21: 1.0}}
    offering.model.placed["home"] = tiny.placed(30, {}, {"u": [(15, 1.0, "bought_often", -1)]})
    answer = ask(offering, persons=("u",))
    assert answer.model == "tiny"
    assert brought(answer, "taste") == {"i20", "i21"}
    assert brought(ask(offering, Quotas(), persons=("u",)), "taste") == set()
    hidden = ask(offering, persons=("u",), excluded=("i20",))
    assert brought(hidden, "taste") == {"i21"}


def test_an_opted_out_person_gets_the_same_offers_and_no_taste(offering: Any, tiny: Any) -> None:
    offering.model.tastes = {"u": {20: 2.0}}
    request = Request("a", "home", 30, ("u",)).of_nobody()
    answer = recommend(
        request, offering.shelf, offering.catalogue, lambda *_: (), with_candidates=True, moment=Moment(NOW_MS), quotas=ALL
    )
    assert brought(answer, "new") == {"i28"}
    assert brought(answer, "taste") == set()


def test_newness_fades_in_four_weeks_and_is_none_of_what_comes_later_or_is_unknown() -> None:
    days = np.array([0, 14, 28, 40, -1, np.nan])
    assert newness(NOW_MS - days * DAY_MS, NOW_MS).tolist() == [1, 0.5, 0, 0, 0, 0]


def test_an_order_follows_what_its_items_are_worth_within_bounds() -> None:
    worth = np.array([np.nan, 3.0, 0.0, 5.0, *np.zeros(3 * MOST)])
    order = ItemOrder(worth)
    assert order.first.tolist() == [3, 1]
    for number, now in ((1, 6.0), (3, 0.0), (0, 1.0), (2, 6.0)):
        worth[number] = now
        order.put(number)
    assert order.first.tolist() == [1, 2, 0], "of equal worth the earlier member first"
    assert order.between(1.0, 6.0).tolist() == [1, 2]
    assert order.between(0.0, 5.9).tolist() == [0]
    for number in range(4, len(worth)):
        worth[number] = number
        order.put(number)
    assert len(order.first) == MOST
    assert order.first[0] == len(worth) - 1


def test_more_that_comes_later_than_is_kept_takes_no_place_from_what_is_new(tiny: Any) -> None:
    ids = [f"i{number}" for number in range(MOST + 300)]
    items = [replace(tiny.item(each), stocked_at_ms=NOW_MS + (number + 1) * DAY_MS) for number, each in enumerate(ids)]
    for number, days in ((7, 1), (9, 27), (11, 29)):
        items[number] = replace(items[number], stocked_at_ms=NOW_MS - days * DAY_MS)
    offers = tiny.shop(tiny.model(ids), items).shelf.offers
    assert offers.new_at(NOW_MS).tolist() == [7, 9]
    assert len(offers.new.first) == MOST


def test_what_is_over_takes_no_place_from_what_is_on(offering: Any) -> None:
    for number in range(5, 15):  # more than the quota
        change(offering, f"i{number}", 200 + number, stocked_at_ms=NOW_MS + DAY_MS)
    assert brought(ask(offering), "new") == {"i28"}
    offering.model.usual_prices.price_minor[:] = 2500
    for number in range(5, 15):
        change(offering, f"i{number}", 300 + number, unit_price_minor=500)
    assert brought(ask(offering), "on_sale") >= {"i5", "i9"}
    for number in range(5, 15):
        change(offering, f"i{number}", 400 + number, unit_price_minor=2500)
    assert brought(ask(offering), "on_sale") == {"i27"}


def test_usual_prices_of_other_items_are_refused() -> None:
    prices = UsualPrices(np.array([100.0, 0.0], dtype=np.float32), np.array([currency_key("CNY")] * 2))
    assert UsualPrices.from_state(prices.state(), 2).cut(0, 80, "CNY") == pytest.approx(0.2)
    assert (prices.cut(0, 80, "USD"), prices.cut(1, 80, "CNY"), prices.cut(0, 120, "CNY")) == (0, 0, 0)
    with pytest.raises(ValueError, match="of 3 items"):
        UsualPrices.from_state(prices.state(), 3)
