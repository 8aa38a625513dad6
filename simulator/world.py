"""A shop's world: catalogue, shoppers, calendar. The same shop, seed and number of users give the same world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from simulator.catalogue import SimulatedCatalogue, StateCalendar, make_catalogue
from simulator.preset import Preset
from simulator.presets import preset_of
from simulator.shoppers import Leanings, Shoppers, make_shoppers

DAY_MS = 86_400_000


@dataclass(frozen=True)
class SimulationPlan:
    """What to simulate: ``days`` days of the shop's time zone from ``start`` on."""

    shop_id: str
    users: int
    days: int
    seed: int
    start: date = date(2026, 9, 1)


@dataclass(frozen=True)
class World:
    """Everything about a shop that does not change from visit to visit."""

    plan: SimulationPlan
    preset: Preset
    catalogue: SimulatedCatalogue
    shoppers: Shoppers
    states: StateCalendar
    leanings: Leanings

    def start_of_day_ms(self, day: int) -> int:
        """Epoch milliseconds of midnight in the shop's time zone."""
        on = self.plan.start + timedelta(days=day)
        midnight = datetime(on.year, on.month, on.day, tzinfo=ZoneInfo(self.preset.time_zone))
        return int(midnight.timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """End of the last day: what would happen later has not happened yet."""
        return self.start_of_day_ms(self.plan.days)


def make_world(plan: SimulationPlan) -> World:
    """The world of a plan."""
    preset = preset_of(plan.shop_id)
    catalogue = make_catalogue(preset, plan.shop_id, plan.seed)
    shoppers = make_shoppers(preset, catalogue, plan.shop_id, plan.seed, plan.users)
    return World(plan, preset, catalogue, shoppers, catalogue.states(), Leanings(shoppers, catalogue))
