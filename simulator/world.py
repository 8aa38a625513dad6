"""A shop's world: catalogue, shoppers, calendar. The same shop, seed and number of users give the same world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import get_args
from zoneinfo import ZoneInfo

import numpy as np

from simulator.catalogue import SimulatedCatalogue, StateCalendar, make_catalogue
from simulator.preset import Preset
from simulator.presets import preset_of
from simulator.shoppers import Leanings, Shoppers, make_shoppers
from simulator.wandering import Associations, Process, Wandering, make_wandering

DAY_MS = 86_400_000
WEEK_DAYS = 7


@dataclass(frozen=True)
class SimulationPlan:
    """What to simulate: ``days`` days of the shop's time zone from ``start`` on, by one of two processes."""

    shop_id: str
    users: int
    days: int
    seed: int
    start: date = date(2026, 9, 1)
    process: Process = "steady"


@dataclass(frozen=True)
class World:
    """Everything about a shop that does not change from visit to visit."""

    plan: SimulationPlan
    preset: Preset
    catalogue: SimulatedCatalogue
    shoppers: Shoppers
    states: StateCalendar
    leanings: Leanings
    wandering: Wandering | None  # None in the steady process
    associations: Associations

    def start_of_day_ms(self, day: int) -> int:
        """Epoch milliseconds of midnight in the shop's time zone."""
        on = self.plan.start + timedelta(days=day)
        midnight = datetime(on.year, on.month, on.day, tzinfo=ZoneInfo(self.preset.time_zone))
        return int(midnight.timestamp()) * 1000

    def is_due(self, day: int) -> np.ndarray:
        """Who runs out of usual things on the day. Shape (shoppers,)."""
        if self.wandering is None:
            return self.shoppers.is_due(day)
        due: np.ndarray = (self.wandering.due_counts(day) > 0) & (self.shoppers.arrival_day <= day)
        return due

    def running_out(self, shopper: int, day: int) -> np.ndarray:
        """The usual things that a shopper who is due on the day has run out of."""
        staples = self.shoppers.staples[shopper]
        return staples if self.wandering is None else staples[self.wandering.due_of(shopper, day)]

    def tastes(self, shopper: np.ndarray | int, day: int) -> np.ndarray:
        """Tastes of shoppers on the day. Shape (…, DIMENSIONS)."""
        taste: np.ndarray = self.shoppers.taste[shopper]
        return taste if self.wandering is None else self.wandering.taste(taste, shopper, day // WEEK_DAYS)

    def look_odds(self, shopper: int, day: int) -> np.ndarray:
        """Odds that the shopper looks at each item on the day, each added to those before it. Shape (items,)."""
        week = 0 if self.wandering is None else day // WEEK_DAYS
        return self.leanings.odds(shopper, week)

    @property
    def end_ms(self) -> int:
        """End of the last day: what would happen later has not happened yet."""
        return self.start_of_day_ms(self.plan.days)


def make_world(plan: SimulationPlan) -> World:
    """The world of a plan. Raises ValueError for an unknown process."""
    if plan.process not in get_args(Process):
        raise ValueError(f"process {plan.process!r} is none of {', '.join(get_args(Process))}")
    preset = preset_of(plan.shop_id)
    catalogue = make_catalogue(preset, plan.shop_id, plan.seed)
    shoppers = make_shoppers(preset, catalogue, plan.shop_id, plan.seed, plan.users)
    if plan.process == "steady":
        wandering, leanings = None, Leanings(shoppers, catalogue)
    else:
        wandering = make_wandering(preset, catalogue, shoppers, plan.shop_id, plan.seed)
        leanings = Leanings(shoppers, catalogue, partial(wandering.taste_of, shoppers.taste))
    return World(plan, preset, catalogue, shoppers, catalogue.states(), leanings, wandering, Associations(catalogue))
