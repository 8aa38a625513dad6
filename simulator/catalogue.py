"""The goods of a shop: what they are, what they cost, and how price, stock and status change from day to day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simulator.preset import Preset
from simulator.seeds import Dice, stream

DIMENSIONS = 8
_CHANGED_PER_DAY = 0.015
_SOLD_OUT_SHARE = 0.10
_INACTIVE_SHARE = 0.04


@dataclass(frozen=True)
class SimulatedItemState:
    """Price (minor units), stock and status of every item on one day; ``changed`` are the items that changed with it, and
    ``stocked`` the day at which each came into stock last.
    """

    price: np.ndarray
    stock: np.ndarray
    active: np.ndarray
    changed: np.ndarray
    stocked: np.ndarray

    def is_sellable(self, item: int) -> bool:
        """Whether the item can be bought that day."""
        return bool(self.active[item]) and int(self.stock[item]) > 0


@dataclass(frozen=True)
class SimulatedCatalogue:
    """Items 0…n−1, sorted by category. ``vectors`` (n, DIMENSIONS, unit length) and ``appeal`` (log popularity) are truth."""

    preset: Preset
    ids: list[str]
    category: np.ndarray
    kind: np.ndarray
    starts: np.ndarray  # first item of each category, and n at the end
    vectors: np.ndarray
    appeal: np.ndarray
    price: np.ndarray
    price_z: np.ndarray  # log price against its category, standardised
    stock: np.ndarray
    facts: list[dict[str, Any]]
    seed: int
    shop_id: str

    def __len__(self) -> int:
        return len(self.ids)

    def category_name(self, item: int) -> str:
        """Chinese name of the item's category."""
        return self.preset.categories[int(self.category[item])].zh

    def states(self) -> StateCalendar:
        """States by day, from day 0 on."""
        return StateCalendar(self)

    def state_properties(self, item: int, state: SimulatedItemState, stocked_at_ms: int) -> dict[str, Any]:
        """Properties of ``item_changed``: the whole state of the item, which came into stock at ``stocked_at_ms``."""
        return {
            **self.facts[item],
            "unit_price_minor": int(state.price[item]),
            "currency": self.preset.currency,
            "stock": int(state.stock[item]),
            "status": "active" if state.active[item] else "inactive",
            "unit_cost_minor": int(self.price[item]) * (45 + item * 7 % 26) // 100,  # 45 to 70 % of the first price
            "stocked_at": datetime.fromtimestamp(stocked_at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        }


class StateCalendar:
    """Walks the days once; each day's changes come from that day's own stream, so that more days do not alter earlier ones."""

    def __init__(self, catalogue: SimulatedCatalogue) -> None:
        self._catalogue = catalogue
        n = len(catalogue)
        none = np.array([], dtype=np.int64)
        self._states = [
            SimulatedItemState(catalogue.price, catalogue.stock, np.ones(n, dtype=bool), none, np.zeros(n, dtype=np.int64))
        ]

    def on(self, day: int) -> SimulatedItemState:
        """The state that holds during ``day``."""
        while len(self._states) <= day:
            self._states.append(self._after(self._states[-1], len(self._states)))
        return self._states[day]

    def _after(self, before: SimulatedItemState, day: int) -> SimulatedItemState:
        catalogue = self._catalogue
        rng = stream(catalogue.seed, catalogue.shop_id, "catalogue-day", day)
        n = len(catalogue)
        draws = rng.random((n, 4))
        changed = draws[:, 0] < _CHANGED_PER_DAY
        factor = np.where(draws[:, 1] < 0.5, 1.0, 0.7 + 0.35 * draws[:, 1])
        price = np.maximum(100, np.rint(catalogue.price * factor / 100).astype(np.int64) * 100)
        stock = np.where(draws[:, 2] < _SOLD_OUT_SHARE, 0, (draws[:, 2] * 600).astype(np.int64))
        active = draws[:, 3] >= _INACTIVE_SHARE
        return SimulatedItemState(
            np.where(changed, price, before.price),
            np.where(changed, stock, before.stock),
            np.where(changed, active, before.active),
            np.flatnonzero(changed),
            np.where(changed & (stock > before.stock), day, before.stocked),
        )


def make_catalogue(preset: Preset, shop_id: str, seed: int) -> SimulatedCatalogue:
    """The catalogue of a shop and seed; it depends on nothing else."""
    n, kinds = preset.items, [len(c.kinds) for c in preset.categories]
    rng = stream(seed, shop_id, "catalogue")
    category = np.sort(rng.choice(len(kinds), size=n, p=_category_weights(len(kinds), rng)))
    kind = (rng.random(n) * np.array(kinds)[category]).astype(np.int64)
    vectors = _vectors(category, kind, kinds, rng)
    low, high = (np.array([getattr(c, end) for c in preset.categories], dtype=float)[category] for end in ("low", "high"))
    place = rng.beta(1.3, 2.8, n)
    yuan = np.rint(np.exp(np.log(low) + place * (np.log(high) - np.log(low))))
    price = (np.maximum(yuan, 1) * 100).astype(np.int64)
    stock = np.where(rng.random(n) < 0.02, 0, rng.integers(20, 800, n))
    appeal = rng.normal(0.0, 0.85, n) + rng.normal(0.0, 0.3, len(kinds))[category]
    dice = Dice(rng)
    facts = [_facts(preset, i, int(c), int(k), dice) for i, (c, k) in enumerate(zip(category, kind, strict=True))]
    return SimulatedCatalogue(
        preset=preset,
        ids=[fact["item_id"] for fact in facts],
        category=category,
        kind=kind,
        starts=np.searchsorted(category, np.arange(len(kinds) + 1)),
        vectors=vectors,
        appeal=appeal,
        price=price,
        price_z=(place - place.mean()) / place.std(),
        stock=stock,
        facts=facts,
        seed=seed,
        shop_id=shop_id,
    )


def _category_weights(count: int, rng: np.random.Generator) -> np.ndarray:
    weights = rng.uniform(0.6, 1.6, count)
    share: np.ndarray = weights / weights.sum()
    return share


def _vectors(category: np.ndarray, kind: np.ndarray, kinds: list[int], rng: np.random.Generator) -> np.ndarray:
    """Items of one category lie together, those of one kind closer still."""
    categories = _unit(rng.normal(size=(len(kinds), DIMENSIONS)))
    within = _unit(rng.normal(size=(len(kinds), max(kinds), DIMENSIONS)))
    noise = _unit(rng.normal(size=(len(category), DIMENSIONS)))
    return _unit(0.72 * categories[category] + 0.48 * within[category, kind] + 0.36 * noise)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: np.ndarray = vectors / lengths
    return scaled


def _facts(preset: Preset, number: int, category: int, kind: int, dice: Dice) -> dict[str, Any]:
    group = preset.categories[category]
    zh, en = group.kinds[kind]
    brand_zh, brand_en = dice.pick(preset.brands)
    style_zh, style_en = dice.pick(preset.styles)
    model = f"{dice.whole(100, 999)}"
    return {
        "item_id": f"i{number:05d}",
        "title": f"{brand_zh} {style_zh}{zh} {model}",
        "title_en": f"{brand_en} {style_en} {en} {model}",
        "category": group.zh,
        "brand": brand_zh,
        "attributes": {name: dice.pick(values) for name, values in preset.attributes.items()},
        "region": dice.pick(preset.regions),
    }
