"""The simulated protocol on a tiny shop: nothing of the future is known, and the oracle knows what it should."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from bench.simulated_data import ShopData, make_shop_data
from bench.simulated_oracle import expected_purchases, shopper_of
from bench.simulated_shops import LAB, SERVED, run, summarise
from bench.simulated_situations import goods_at, impressions_of, sellable_at, situation_at
from models.lab.feature_ranker.ranker import GROWTH
from models.lab.feature_ranker.situation import PERSON_FEATURES
from simulator.world import SimulationPlan, World, make_world

PLAN = SimulationPlan("shanhai", users=60, days=24, seed=5, start=date(2026, 9, 1))
CUT = np.datetime64("2026-09-18T00:00:00", "us")


@pytest.fixture(scope="module")
def shop() -> ShopData:
    return make_shop_data(PLAN)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(PLAN)


def test_a_situation_knows_nothing_of_the_future(shop: ShopData) -> None:
    here = situation_at(shop, CUT)
    assert (shop.interactions.occurred_at > CUT).any()
    assert (here.moment.acts.occurred_at < CUT).all()
    cut_short = ShopData(
        shop.shop_id,
        shop.interactions,
        shop.changes,
        shop.facts,
        [act for act in shop.acts if act["occurred_at_ms"] < CUT.astype("datetime64[ms]").astype(int)],
        [visit for visit in shop.visits if visit.at < CUT],
        shop.impressions,
    )
    again = situation_at(cut_short, CUT)
    for name in ("person_values", "item_values", "context"):
        assert np.array_equal(getattr(here, name), getattr(again, name)), name


def test_store_values_are_counted_by_hand(shop: ShopData) -> None:
    """Orders of the 30 days that end at the last midnight (UTC) before the cut, less the lateness."""
    here = situation_at(shop, CUT)
    end_ms = int((CUT - np.timedelta64(1, "D")).astype("datetime64[ms]").astype(int))
    orders = here.person_values[:, PERSON_FEATURES.index("person_orders_30d")]
    for place, person in enumerate(shop.interactions.person_ids.tolist()):
        mine = [act for act in shop.acts if act["kind"] == "order_paid" and act["person_id"] == person]
        assert orders[place] == sum(act["occurred_at_ms"] < end_ms for act in mine)
    assert orders.sum() > 20


def test_goods_and_stock_are_those_of_the_instant(shop: ShopData, world: World) -> None:
    result, day = goods_at(shop, CUT), 17  # midnight UTC is 08:00 of day 17 in the shop
    state = world.states.on(day)
    number_of = {item_id: number for number, item_id in enumerate(world.catalogue.ids)}
    order = [number_of[item_id] for item_id in shop.interactions.item_ids.tolist()]
    assert np.mean(result.price == state.price[order]) > 0.98  # a few changes are delivered late or broken
    assert np.mean(sellable_at(shop, CUT) == (state.active & (state.stock > 0))[order]) > 0.98


def test_the_oracle_expects_what_happens(shop: ShopData, world: World) -> None:
    """Over many shoppers: its favourites are bought far more often than chance, and knowing the usual goods helps."""
    number_of = shopper_of(world)
    acts = shop.interactions
    paid = acts.where(acts.kind == "pay")
    shoppers = np.arange(PLAN.users)
    bought = np.zeros((PLAN.users, len(world.catalogue)), dtype=bool)
    item_of = {item_id: number for number, item_id in enumerate(world.catalogue.ids)}
    for person, item in zip(paid.person.tolist(), paid.item.tolist(), strict=True):
        bought[number_of[str(acts.person_ids[person])], item_of[str(acts.item_ids[item])]] = True
    shares = {}
    for knows_usual in (False, True):
        expected = expected_purchases(world, shoppers, 0, PLAN.days, knows_usual=knows_usual)
        best = np.argsort(-expected, axis=1)[:, :10]
        shares[knows_usual] = np.take_along_axis(bought, best, axis=1).mean()
    assert shares[False] > 5 * bought.mean()
    assert shares[True] > 1.5 * shares[False]


def test_impressions_name_what_was_clicked(shop: ShopData) -> None:
    result = impressions_of(shop)
    assert len(result.item) == sum(len(each.shown) for each in shop.impressions)
    clicked = [each.clicked for each in shop.impressions if each.clicked >= 0]
    assert sorted(result.item[result.is_clicked].tolist()) == sorted(clicked)
    assert len(clicked) > 0


def test_the_ranker_that_serves_is_a_row_beside_the_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.request_rankers.LEAST_QUESTIONS", 10)
    result = run(replace(PLAN, days=60), replace(GROWTH, trees=5))
    assert {SERVED, LAB, "popularity", "item_knn", "full oracle"} <= set(result.values)
    summary = summarise(result)
    assert set(summary["over_best_source"]) == set(summary["share_of_gain"]) == {SERVED, LAB}
    assert summary["ndcg@10"][SERVED]["mean"] > summary["ndcg@10"]["popularity"]["mean"]
