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


class Group(NamedTuple):
    """A fifth of a shop's customers, by forecast: means of the forecast, its ends and the truth, and the truth's own error."""

    expected: float
    low: float
    high: float
    actual: float
    error: float

    @property
    def is_inside(self) -> bool:
        """Whether the truth lies in the interval, as far as chance lets a mean of so many customers be known."""
        return self.low - 1.96 * self.error <= self.actual <= self.high + 1.96 * self.error


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


def groups(table: np.ndarray) -> list[Group]:
    parts = np.array_split(table[np.argsort(table[:, 0], kind="stable")], GROUPS)
    result = []
    for part in parts:
        expected, low, high, actual = part.mean(axis=0).tolist()
        result.append(Group(expected, low, high, actual, float(part[:, 3].std()) / len(part) ** 0.5))
    return result


def test_what_a_shops_customers_will_buy_is_forecast_within_a_third(held_out: dict[str, Held]) -> None:
    for shop_id, held in held_out.items():
        for table in held:
            assert 3 / 4 < table[:, 0].sum() / table[:, 3].sum() < 4 / 3, shop_id


def test_intervals_of_value_hold_the_truth_of_nine_groups_in_ten(held_out: dict[str, Held]) -> None:
    """Of the 95 % that they say; those of purchases, which know no rhythm, of seven in ten. Neither is wide for that."""
    of_value, of_purchases = (
        [group for held in held_out.values() for group in groups(getattr(held, name))] for name in ("value", "purchases")
    )
    assert len(of_value) == len(of_purchases) == GROUPS * len(SHOPS)
    assert sum(group.is_inside for group in of_value) >= 0.9 * len(of_value)
    assert sum(group.is_inside for group in of_purchases) >= 0.7 * len(of_purchases)
    assert max(group.high / group.low for group in [*of_value, *of_purchases]) < 2
    # Half of these values, or twice, would be found out.
    for factor in (0.5, 2.0):
        moved = [group._replace(low=factor * group.low, high=factor * group.high) for group in of_value]
        assert sum(group.is_inside for group in moved) < 0.5 * len(moved)


def test_who_is_forecast_to_be_worth_more_is_worth_more(held_out: dict[str, Held]) -> None:
    for shop_id, held in held_out.items():
        lowest, *_, highest = (group.actual for group in groups(held.value))
        assert highest > 1.5 * lowest, shop_id
