"""Forecasts of simulated shops' customers against what these really bought afterwards, which no model has seen.

The simulator's shoppers are not BG/NBD's: they never leave, buy their usual goods in a rhythm, and come more often during
campaigns. The bounds are what the models keep nevertheless, over four kinds of shops.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pytest

from models.lifetime.values import Purchase, shop_values
from simulator.day import play_day
from simulator.truth import paid_minor
from simulator.world import SimulationPlan, make_world

SEEN_DAYS, HELD_OUT_DAYS, GROUPS = 100, 50, 5
SHOPS = {"shanhai": 220, "lanting": 400, "xinghe": 300, "my-shop": 400}  # with their shoppers


class Held(NamedTuple):
    """A forecast of the held-out days, and its truth, by customer: columns expected, low, high, actual."""

    purchases: np.ndarray
    value: np.ndarray


def true_purchases(shop_id: str, users: int) -> list[Purchase]:
    """Days on which shoppers bought and what they paid less what was refunded, from what happened, not from events."""
    plan = SimulationPlan(shop_id, users, SEEN_DAYS + HELD_OUT_DAYS, seed=7)
    world = make_world(plan)
    bought_on: dict[str, tuple[str, date]] = {}
    net: dict[str, int] = {}
    for day in range(plan.days):
        for happening in play_day(world, day, prefix=f"{day:03d}", names=("day", day)):
            order_id = str(happening.properties.get("order_id"))
            if happening.type == "order_paid":
                bought_on[order_id] = (str(happening.user_id), plan.start + timedelta(days=day))
                net[order_id] = paid_minor(happening.properties)
            elif happening.type == "order_refunded":
                net[order_id] -= happening.properties["amount_minor"]
    of_day: dict[tuple[str, date], int] = {}
    for order_id, person_and_day in bought_on.items():
        of_day[person_and_day] = of_day.get(person_and_day, 0) + net[order_id]
    return [Purchase(person_id, day, amount) for (person_id, day), amount in of_day.items()]


@pytest.fixture(scope="module")
def held_out() -> dict[str, Held]:
    results = {}
    for shop_id, users in SHOPS.items():
        purchases = true_purchases(shop_id, users)
        as_of = min(purchase.day for purchase in purchases) + timedelta(days=SEEN_DAYS - 1)
        seen = [purchase for purchase in purchases if purchase.day <= as_of]
        rows, _ = shop_values(shop_id, "CNY", seen, as_of, HELD_OUT_DAYS)
        days: dict[str, int] = {}
        paid: dict[str, int] = {}
        for purchase in purchases:
            if purchase.day > as_of:
                days[purchase.person_id] = days.get(purchase.person_id, 0) + 1
                paid[purchase.person_id] = paid.get(purchase.person_id, 0) + (purchase.net_minor or 0)
        columns = []
        for name, truth in (("expected_purchases", days), ("expected_value_minor", paid)):
            ends = (name, f"{name}_low", f"{name}_high")
            columns.append(np.array([[*(row[end] for end in ends), truth.get(row["person_id"], 0)] for row in rows], float))
        results[shop_id] = Held(*columns)
    return results


def covered(table: np.ndarray, factor: float = 1.0) -> float:
    """The share of customers whose truth lies in the interval, which may be moved by a factor."""
    _, low, high, actual = table.T
    return float(((factor * low <= actual) & (actual <= factor * high)).mean())


def test_what_a_shops_customers_will_buy_is_forecast_within_a_third(held_out: dict[str, Held]) -> None:
    for shop_id, held in held_out.items():
        for table in held:
            assert 3 / 4 < table[:, 0].sum() / table[:, 3].sum() < 4 / 3, shop_id


@pytest.mark.parametrize("name", ["purchases", "value"])
def test_intervals_hold_the_truth_of_customers_as_often_as_they_say(held_out: dict[str, Held], name: str) -> None:
    """95 % is what they say: of each shop's customers 90 % at least, of all 95 %; and they are not wide for that."""
    tables = {shop_id: getattr(held, name) for shop_id, held in held_out.items()}
    assert {shop_id: round(covered(table), 3) for shop_id, table in tables.items() if covered(table) < 0.9} == {}
    together = np.concatenate(list(tables.values()))
    assert 0.95 <= covered(together) <= 0.99
    expected, _, high, _ = together.mean(axis=0)
    assert high < 4 * expected
    assert covered(together, 0.5) < 0.85, "half of these numbers would be found out"


def test_who_is_forecast_to_be_worth_more_is_worth_more(held_out: dict[str, Held]) -> None:
    for shop_id, held in held_out.items():
        parts = np.array_split(held.value[np.argsort(held.value[:, 0], kind="stable")], GROUPS)
        lowest, *_, highest = (part[:, 3].mean() for part in parts)
        assert highest > 1.5 * lowest, shop_id
