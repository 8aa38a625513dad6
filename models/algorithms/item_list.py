"""What is the same list for everybody: a strength of each item."""

from __future__ import annotations

from typing import Self

import numpy as np

from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.timed_model import check_items
from models.data.snapshot import Snapshot, Values


class ItemList:
    """A strength of each item, above zero where the list has an opinion."""

    name = ""
    strength_: Scores | None = None

    def fit(self, moment: Snapshot) -> Self:
        """Compute the strengths."""
        self.strength_ = self._strength(moment).astype(np.float32)
        return self

    def _strength(self, moment: Snapshot) -> Values:
        raise NotImplementedError

    def score(self, moment: Snapshot) -> Scores:
        """The strengths, for every person."""
        strength = self._fitted()
        check_items(moment, len(strength))
        return np.broadcast_to(strength, (moment.persons, len(strength)))

    def _fitted(self) -> Scores:
        if self.strength_ is None:
            raise NotFitted(f"fit the {self.name} model first")
        return self.strength_

    def state(self) -> State:
        """The strengths."""
        return {"strength": self._fitted()}

    def from_state(self, state: State) -> Self:
        """Take over strengths."""
        self.strength_ = state["strength"].astype(np.float32)
        return self
