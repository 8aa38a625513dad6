"""The long-term preference of one person for items, as the product of their factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.algorithms.nearest_items import NearestItems
from models.algorithms.recommender import Items, Scores


@dataclass(frozen=True)
class Taste:
    """``item_factors`` (items, factors) and the ``person_factors`` (factors,); ``nearest`` searches large catalogues."""

    item_factors: Scores
    person_factors: Scores
    nearest: NearestItems | None = None

    def of(self, items: Items) -> Scores:
        """Preference for each of the items."""
        return np.asarray(self.item_factors[items] @ self.person_factors, dtype=np.float32)

    def best(self, most: int) -> Items:
        """Numbers of the ``most`` items liked best, in no order; by ``nearest`` nearly all of them."""
        if most >= len(self.item_factors):
            return np.arange(len(self.item_factors))
        if self.nearest is not None:
            return self.nearest.best(self.person_factors, most)
        return np.argpartition(-(self.item_factors @ self.person_factors), most - 1)[:most]
