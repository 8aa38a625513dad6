"""Who shops: tastes, habits, friends and rhythms, all latent, and the bots among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.catalogue import DIMENSIONS, SimulatedCatalogue
from simulator.devices import Devices, anonymous_id, make_devices
from simulator.preset import Preset
from simulator.seeds import stream

CITIES = ("上海", "杭州", "北京", "广州", "深圳", "成都", "武汉", "南京", "西安", "重庆", "苏州", "长沙", "青岛", "厦门")
DEVICES = ("ios", "android", "android", "mini_program", "web")
TASTE = 7.5  # how much taste outweighs appeal in the choice of an item
APPEAL = 1.0
PRICE = 0.35
_FRIENDS = 6
_STAPLES_MOST = 12


@dataclass(frozen=True)
class Shoppers:
    """Shoppers 0…n−1 and after them the bots. ``taste`` (n, DIMENSIONS), everything else (n,) unless noted otherwise."""

    count: int
    bots: int
    taste: np.ndarray
    price_sensitivity: np.ndarray
    eagerness: np.ndarray  # multiplies the chance to put something into the cart
    visits_per_day: np.ndarray
    arrival_day: np.ndarray
    login_day: np.ndarray
    city: np.ndarray
    device: np.ndarray
    channel: np.ndarray
    friends: np.ndarray  # (n, _FRIENDS) numbers of shoppers
    rhythm_days: np.ndarray
    phase_days: np.ndarray
    staples: list[np.ndarray]  # items that the shopper buys again and again
    anonymous_ids: list[str]  # of shoppers (their first devices) and bots
    devices: Devices

    def user_id(self, shopper: int) -> str:
        """The id after login."""
        return f"u{shopper:05d}"

    def is_due(self, day: int) -> np.ndarray:
        """Who runs out of the usual things on this day, by personal rhythm."""
        before = np.floor((day - 1 + self.phase_days) / self.rhythm_days)
        due: np.ndarray = np.floor((day + self.phase_days) / self.rhythm_days) > before
        has_staples = np.array([len(s) > 0 for s in self.staples])
        buying: np.ndarray = due & has_staples & (self.arrival_day <= day)
        return buying


def make_shoppers(preset: Preset, catalogue: SimulatedCatalogue, shop_id: str, seed: int, count: int) -> Shoppers:
    """Shoppers of a shop and seed. Each trait has its own stream, so that asking for more shoppers leaves the first ones."""

    def rng(trait: str) -> np.random.Generator:
        return stream(seed, shop_id, "shoppers", trait)

    low, high = preset.rhythm_days
    names = list(preset.channels)
    bots = max(2, count // 150)
    devices = make_devices(shop_id, seed, count)
    taste = _tastes(catalogue, count, rng("taste"))
    sensitivity = rng("price").gamma(2.0, 0.5, count)
    arrival = np.where(rng("early").random(count) < 0.62, 0, rng("arrival").exponential(18.0, count)).astype(np.int64)
    shares = np.cumsum(list(preset.channels.values()))
    return Shoppers(
        count=count,
        bots=bots,
        taste=taste,
        price_sensitivity=sensitivity,
        eagerness=rng("eagerness").gamma(3.0, 1 / 3, count),
        visits_per_day=rng("visits").gamma(1.4, preset.visits_per_day / 1.4, count),
        arrival_day=arrival,
        login_day=arrival + rng("login").exponential(6.0, count).astype(np.int64),
        city=(rng("city").random(count) ** 1.6 * len(CITIES)).astype(np.int64),
        device=(rng("device").random(count) * len(DEVICES)).astype(np.int64),
        channel=np.minimum(np.searchsorted(shares, rng("channel").random(count)), len(names) - 1),
        friends=(rng("friends").random((count, _FRIENDS)) * count).astype(np.int64),
        rhythm_days=rng("rhythm").uniform(low, high, count),
        phase_days=rng("phase").uniform(0, high, count),
        staples=_staples(preset, catalogue, taste, sensitivity, rng("staples"), rng("staple-count")),
        anonymous_ids=[*devices.first, *(anonymous_id(shop_id, seed, -1 - number) for number in range(bots))],
        devices=devices,
    )


def preference(taste: np.ndarray, sensitivity: np.ndarray | float, catalogue: SimulatedCatalogue) -> np.ndarray:
    """Log-odds of each item to be looked at: taste, the item's appeal, and its price for those who mind. Shape (…, items)."""
    score: np.ndarray = TASTE * (taste @ catalogue.vectors.T) + APPEAL * catalogue.appeal
    minded: np.ndarray = score - PRICE * np.multiply.outer(sensitivity, catalogue.price_z)
    return minded


class Leanings:
    """How likely each shopper looks at each item; it is the same all week, so shoppers who came lately are remembered.

    ``taste_of`` a shopper and a week gives the taste, where it is not the same every week.
    """

    def __init__(
        self, shoppers: Shoppers, catalogue: SimulatedCatalogue, taste_of: Callable[[int, int], np.ndarray] | None = None
    ) -> None:
        self._shoppers, self._catalogue = shoppers, catalogue
        self._taste_of = taste_of or (lambda shopper, _: shoppers.taste[shopper])
        self.odds = lru_cache(maxsize=4096)(self._odds)

    def _odds(self, shopper: int, week: int = 0) -> np.ndarray:
        """Odds of the items, each added to those before it. Shape (items,)."""
        sensitivity = float(self._shoppers.price_sensitivity[shopper])
        return _summed_odds(self._taste_of(shopper, week), sensitivity, self._catalogue)


def _summed_odds(taste: np.ndarray, sensitivity: float, catalogue: SimulatedCatalogue) -> np.ndarray:
    summed: np.ndarray = np.cumsum(np.exp(preference(taste, sensitivity, catalogue)))
    return summed


def _tastes(catalogue: SimulatedCatalogue, count: int, rng: np.random.Generator) -> np.ndarray:
    """A taste is a mixture of three items' vectors, the first weighing most, and something of one's own."""
    draws = rng.random((count, 3))
    picked = catalogue.vectors[(draws * len(catalogue)).astype(np.int64)]
    noise = stream(catalogue.seed, catalogue.shop_id, "shoppers", "taste-own").normal(size=(count, DIMENSIONS)) * 0.12
    mixed: np.ndarray = picked[:, 0] + 0.7 * picked[:, 1] + 0.35 * picked[:, 2] + noise
    unit: np.ndarray = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return unit


def _staples(
    preset: Preset,
    catalogue: SimulatedCatalogue,
    taste: np.ndarray,
    sensitivity: np.ndarray,
    rng: np.random.Generator,
    counts: np.random.Generator,
) -> list[np.ndarray]:
    numbers = np.minimum(counts.poisson(preset.staples, len(taste)), _STAPLES_MOST)
    draws = rng.random((len(taste), _STAPLES_MOST))
    staples = []
    for shopper, number in enumerate(numbers.tolist()):
        if not number:
            staples.append(np.array([], dtype=np.int64))
            continue
        chances = _summed_odds(taste[shopper], float(sensitivity[shopper]), catalogue)
        chosen = np.searchsorted(chances, draws[shopper, :number] * chances[-1])
        staples.append(np.unique(np.minimum(chosen, len(catalogue) - 1)))
    return staples
