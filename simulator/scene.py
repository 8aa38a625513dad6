"""One day of a shop while it is played: the state of the goods, who is who today, what a shopper would look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.catalogue import SimulatedItemState
from simulator.journal import PAGE_VIEWED, Journal, Visitor
from simulator.seeds import Dice
from simulator.shoppers import CITIES, DEVICES
from simulator.wandering import LEADS_ON
from simulator.world import World

_CAMPAIGNS = ("上新周", "会员日", "国庆大促", "尝鲜季", "双十一预热")
_CAMPAIGN_EVERY, _CAMPAIGN_FROM, _CAMPAIGN_DAYS = 14, 9, 4


@dataclass
class Scene:
    """What acts of one day share. ``day`` counts from the plan's start."""

    world: World
    day: int
    state: SimulatedItemState
    journal: Journal
    dice: Dice

    @property
    def campaign(self) -> str | None:
        """The campaign that runs today, if any."""
        return campaign_on(self.day)

    def visitor(self, shopper: int, at_ms: int, *, channel: str | None = None, referrer: str | None = None) -> Visitor:
        """A shopper who comes in: a stranger before the first login, mostly known after it."""
        people, dice = self.world.shoppers, self.dice
        channel_of_day = list(self.world.preset.channels)[int(people.channel[shopper])]
        if dice.chance(0.2):
            channel_of_day = dice.pick(list(self.world.preset.channels))
        context: dict[str, Any] = {
            "channel": channel or channel_of_day,
            "device": DEVICES[int(people.device[shopper])],
            "city": CITIES[int(people.city[shopper])],
        }
        if referrer:
            context["referrer"] = referrer
        if self.campaign and dice.chance(0.4):
            context["campaign"] = self.campaign
        is_known = self.day > people.login_day[shopper] and dice.chance(0.95)
        session_id = self.journal.new_id("s")
        return Visitor(
            shopper=shopper,
            anonymous_id=people.devices.used(shopper, session_id),
            user_id=people.user_id(shopper) if is_known else None,
            session_id=session_id,
            context=context,
            now_ms=at_ms,
        )

    def log_in(self, visitor: Visitor) -> None:
        """From now on the storefront knows who the visitor is."""
        visitor.user_id = self.world.shoppers.user_id(visitor.shopper)

    def linger(self, visitor: Visitor, mean_s: float = 22.0) -> None:
        """Let time pass: at least a second, never so long that the visit would count as two."""
        visitor.now_ms += 1000 + int(min(self.dice.exponential(mean_s), 600.0) * 1000)

    def picks(self, shopper: int, number: int, category: int | None = None) -> list[int]:
        """Items that the shopper would look at, drawn by preference, within one category when one is given."""
        chances = self.world.look_odds(shopper, self.day)
        low, high = 0.0, float(chances[-1])
        last = len(chances) - 1
        if category is not None:
            start, end = self.world.catalogue.starts[category : category + 2].tolist()
            if start == end:
                return []
            low, high, last = (float(chances[start - 1]) if start else 0.0), float(chances[end - 1]), end - 1
        draws = low + self.dice.rng.random(number) * (high - low)
        picked = np.minimum(np.searchsorted(chances, draws, side="right"), last).tolist()
        return [item for item in picked if self.state.active[item]]

    def walk(self, shopper: int, number: int, category: int | None = None) -> list[int]:
        """Items that the shopper looks at one after the other; in the wandering process most lead on to one like them."""
        picked = self.picks(shopper, number, category)
        if self.world.wandering is None:
            return picked
        for place in range(1, len(picked)):
            if not self.dice.chance(LEADS_ON):
                continue
            odds = self.world.associations.odds(picked[place - 1])
            item = int(np.searchsorted(odds, self.dice.uniform() * odds[-1], side="right"))
            if self.state.active[item]:
                picked[place] = item
        return picked

    def liking(self, shopper: int, item: int) -> float:
        """How much the item is to the shopper's taste (cosine, −1 to 1)."""
        return float(self.world.tastes(shopper, self.day) @ self.world.catalogue.vectors[item])

    def wants(self, shopper: int, item: int) -> bool:
        """Whether the shopper, looking at the item, puts it into the cart."""
        people, catalogue = self.world.shoppers, self.world.catalogue
        taste = 0.35 + 1.3 * max(0.0, self.liking(shopper, item))
        price = np.exp(-0.25 * people.price_sensitivity[shopper] * catalogue.price_z[item])
        chance = self.world.preset.add_per_view * float(people.eagerness[shopper]) * taste * float(price)
        return self.state.is_sellable(item) and self.dice.chance(min(chance, 0.8))

    def view(self, visitor: Visitor, item: int, share_id: str | None = None) -> None:
        """The visitor opens the page of an item."""
        properties: dict[str, Any] = {
            "item_id": self.world.catalogue.ids[item],
            "category": self.world.catalogue.category_name(item),
            "unit_price_minor": int(self.state.price[item]),
        }
        if share_id:
            properties["share_id"] = share_id
        self.journal.record(visitor, "item_viewed", properties)

    def open_page(self, visitor: Visitor, path: str) -> None:
        """The visitor opens a page of no item, at the instant of what follows there; nothing is drawn for it."""
        self.journal.record(visitor, PAGE_VIEWED, {"path": path})


def campaign_on(day: int) -> str | None:
    """The campaign of a day: four days in every fortnight."""
    number, place = divmod(day, _CAMPAIGN_EVERY)
    is_on = _CAMPAIGN_FROM <= place < _CAMPAIGN_FROM + _CAMPAIGN_DAYS
    return _CAMPAIGNS[number % len(_CAMPAIGNS)] if is_on else None
