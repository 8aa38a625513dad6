"""Another process by which shoppers act: usual goods run out one by one, tastes move, and one look leads to the next.

In the steady process a shopper restocks everything on one day, in a period that never changes; tastes stay, and looks do not
depend on each other. Here each usual thing runs out by a renewal process of its own (gamma gaps), a taste turns week by week
towards another one, and most looks go to something like what was looked at before. Nothing in ``models/`` was tuned on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from simulator.catalogue import SimulatedCatalogue
from simulator.preset import Preset
from simulator.seeds import stream
from simulator.shoppers import Shoppers

Process = Literal["steady", "wandering"]
RUNS = 64  # times that each usual thing is seen to run out
GAP_SHAPE = 3.0  # of the gamma; its gaps vary by 1 / √3 of their mean
TURN_A_WEEK = 0.12  # radians, the mean over shoppers
LEADS_ON = 0.6  # chance that the next look follows from the one before it
NEARNESS = 16.0  # how much likeness counts where it does


@dataclass(frozen=True)
class Wandering:
    """When usual things run out, and where tastes go. An entry is a shopper and a usual thing, those of a shopper together."""

    first_entry: np.ndarray  # (shoppers + 1,)
    runs_out_day: np.ndarray  # (entries, RUNS), rising
    other_taste: np.ndarray  # (shopper, DIMENSIONS), unit vectors
    turn_per_week: np.ndarray  # (shopper,) radians

    def due(self, day: int) -> np.ndarray:
        """Which entries run out on the day. Shape (entries,)."""
        whole_days = np.floor(self.runs_out_day)
        is_due: np.ndarray = (whole_days == day).any(axis=1)
        return is_due

    def due_counts(self, day: int) -> np.ndarray:
        """How many usual things of each shopper run out on the day. Shape (shoppers,)."""
        before = np.concatenate([[0], np.cumsum(self.due(day))])
        counts: np.ndarray = np.diff(before[self.first_entry])
        return counts

    def due_of(self, shopper: int, day: int) -> np.ndarray:
        """Which of a shopper's usual things run out on the day."""
        entries = slice(self.first_entry[shopper], self.first_entry[shopper + 1])
        is_due: np.ndarray = (np.floor(self.runs_out_day[entries]) == day).any(axis=1)
        return is_due

    def taste(self, taste: np.ndarray, shopper: np.ndarray | int, week: int) -> np.ndarray:
        """The tastes (unit vectors) of shoppers in a week of the plan."""
        angle = np.asarray(self.turn_per_week[shopper] * week)[..., None]
        turned = np.cos(angle) * taste + np.sin(angle) * self.other_taste[shopper]
        unit: np.ndarray = turned / np.linalg.norm(turned, axis=-1, keepdims=True)
        return unit

    def taste_of(self, taste: np.ndarray, shopper: int, week: int) -> np.ndarray:
        """The taste of one shopper; ``taste`` is everybody's in the first week."""
        return self.taste(taste[shopper], shopper, week)


class Associations:
    """How likely the next look goes to each item after a look at one."""

    def __init__(self, catalogue: SimulatedCatalogue) -> None:
        self._vectors = catalogue.vectors
        self.odds = lru_cache(maxsize=4096)(self._odds)

    def _odds(self, item: int) -> np.ndarray:
        """Odds of the items, each added to those before it; none for the item itself. Shape (items,)."""
        odds = np.exp(NEARNESS * (self._vectors @ self._vectors[item]))
        odds[item] = 0
        summed: np.ndarray = np.cumsum(odds)
        return summed


def make_wandering(preset: Preset, catalogue: SimulatedCatalogue, shoppers: Shoppers, shop_id: str, seed: int) -> Wandering:
    """Drawn from streams of its own, so that the shoppers are those of the steady process of the same seed."""

    def rng(trait: str) -> np.random.Generator:
        return stream(seed, shop_id, "wandering", trait)

    counts = np.array([len(staples) for staples in shoppers.staples])
    low, high = preset.rhythm_days
    entries = int(counts.sum())
    mean = rng("mean").uniform(low, high, entries)
    gaps = rng("gaps").gamma(GAP_SHAPE, 1 / GAP_SHAPE, (entries, RUNS)) * mean[:, None]
    gaps[:, 0] *= rng("phase").random(entries)
    picked = catalogue.vectors[rng("towards").integers(len(catalogue), size=shoppers.count)]
    return Wandering(
        first_entry=np.concatenate([[0], np.cumsum(counts)]),
        runs_out_day=np.cumsum(gaps, axis=1),
        other_taste=picked / np.linalg.norm(picked, axis=1, keepdims=True),
        turn_per_week=rng("turn").gamma(2.0, TURN_A_WEEK / 2, shoppers.count),
    )
