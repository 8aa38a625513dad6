"""The long-term preference of one person for items, as the product of their factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.algorithms.recommender import Items, Scores


@dataclass(frozen=True)
class Taste:
    """``item_factors`` (items, factors) and the ``person_factors`` (factors,)."""

    item_factors: Scores
    person_factors: Scores

    def of(self, items: Items) -> Scores:
        """Preference for each of the items."""
        return np.asarray(self.item_factors[items] @ self.person_factors, dtype=np.float32)

    def best(self, most: int) -> Items:
        """Numbers of the ``most`` items liked best, in no order."""
        scores = self.item_factors @ self.person_factors
        if len(scores) <= most:
            return np.arange(len(scores))
        return np.argpartition(-scores, most - 1)[:most]
