"""What is acted upon more than usual these days: the same list for everybody."""

from __future__ import annotations

import numpy as np

from jishi.preference import WEIGHTS
from models.algorithms.item_list import ItemList
from models.data.snapshot import Snapshot, Values


class Trending(ItemList):
    """Interest of the last ``short_days`` days against what the last ``long_days`` days let expect.

    strength = (s + m) / (l · short / long + m), where s and l are weighted acts (``jishi.preference.WEIGHTS``) of the item in
    either window, and ``smoothing`` m keeps an item of three acts from leading. An item without acts in the short window has
    no strength.
    """

    name = "trending"

    def __init__(self, short_days: float = 3.0, long_days: float = 28.0, smoothing: float = 20.0) -> None:
        self.short_days = short_days
        self.long_days = long_days
        self.smoothing = smoothing

    def _strength(self, moment: Snapshot) -> Values:
        acts, age = moment.acts, moment.age_days()
        weight = np.zeros(len(acts))
        for kind, worth in WEIGHTS.items():
            weight[acts.kind == kind] = worth
        short, long = (
            np.bincount(acts.item, weights=weight * (age <= days), minlength=moment.items)
            for days in (self.short_days, self.long_days)
        )
        expected = long * self.short_days / self.long_days
        return np.where(short > 0, (short + self.smoothing) / (expected + self.smoothing), 0.0)
