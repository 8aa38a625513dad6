"""What a shop would recommend if it knew its shoppers: the expected purchases of each shopper and item, from the truth."""

from __future__ import annotations

import numpy as np

from jishi.identity import device_person, user_person
from models.algorithms.recommender import Scores
from simulator.shoppers import preference
from simulator.world import World

_RESTOCK_VISIT, _RESTOCK_ITEM, _RESTOCK_CHECKOUT = 0.9, 0.8, 0.93  # simulator.day, simulator.visits


def expected_purchases(world: World, shoppers: np.ndarray, first_day: int, days: int, *, knows_usual: bool = True) -> Scores:
    """Expected purchases within ``days`` days from ``first_day``, shape (shoppers, items).

    Knows tastes, price sensitivity and eagerness of everybody, with ``knows_usual`` also the usual goods and the rhythm in
    which they run out; not the dice, and not what friends will share. A look is a draw by preference, a purchase follows the
    look as the simulator makes it follow. In the wandering process tastes are those of the first day, and that a look leads to
    the next is left out.
    """
    people, catalogue, preset = world.shoppers, world.catalogue, world.preset
    taste, sensitivity = world.tastes(shoppers, first_day), people.price_sensitivity[shoppers]
    pull = preference(taste, sensitivity, catalogue)
    chance = np.exp(pull - pull.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    wanting = (
        preset.add_per_view * people.eagerness[shoppers][:, None] * (0.35 + 1.3 * np.maximum(0, taste @ catalogue.vectors.T))
    )
    wanting = np.minimum(wanting * np.exp(-0.25 * np.multiply.outer(sensitivity, catalogue.price_z)), 0.8)
    looks = people.visits_per_day[shoppers] * days * (0.5 + preset.views_per_visit)
    expected = looks[:, None] * chance * wanting * preset.checkout_per_cart * preset.pay_per_checkout
    if not knows_usual:
        return np.asarray(expected, dtype=np.float32)
    restocked = _RESTOCK_VISIT * _RESTOCK_ITEM * _RESTOCK_CHECKOUT * preset.pay_per_checkout
    for day in range(first_day, first_day + days):
        is_due = world.is_due(day)[shoppers]
        for row in np.flatnonzero(is_due).tolist():
            expected[row, world.running_out(int(shoppers[row]), day)] += restocked
    return np.asarray(expected, dtype=np.float32)


def shopper_of(world: World) -> dict[str, int]:
    """Number of the shopper by person id, of the user and of each device."""
    people = world.shoppers
    by_login = {user_person(people.user_id(number)): number for number in range(people.count)}
    devices = people.devices
    by_device = {
        device_person(device): number for kind in (devices.second, devices.first) for number, device in enumerate(kind)
    }
    return by_login | by_device
